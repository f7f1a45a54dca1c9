// Why a host needs attention: reasons in words, and which values they are about.

import * as human from "./human.js";

/** The reasons whose value has a column of its own. */
const COLUMNS = {
  disk: "disk",
  inodes: "disk",
  memory: "memory",
  swap: "memory",
  loss: "lost",
  clock: "clock",
  down: "seen",
  late: "seen",
};

/** Returns the severity of the values in a column; the most urgent reason is the first. */
export function severityOf(row, column) {
  return row.reasons.find((reason) => COLUMNS[reason.id] === column)?.severity;
}

/** Returns the severity of what a reason is about, such as one filesystem. */
export function severityOfSubject(row, ids, subject) {
  return row.reasons.find((reason) => ids.includes(reason.id) && reason.subject === subject)?.severity;
}

/** Returns a reason in words that stay right while no report comes. */
export function reasonText(reason, row) {
  if (reason.id === "down" && row.last_seen_timestamp_seconds) {
    return `no report since ${human.moment(row.last_seen_timestamp_seconds)}`;
  }
  return human.printable(reason.text);
}
