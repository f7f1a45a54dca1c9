// All hosts that the server has sent, and which of them are shown in which order. Uses no DOM.

import { FilterError, parse, textsOf, traffic } from "./filter.js";
import { History } from "./history.js";

const STATE_RANKS = { down: 0, late: 1, live: 2 };
const SEVERITY_RANKS = { critical: 0, warning: 1, ok: 2 };

/** Whether a host needs attention. */
export const needsAttention = (row) => row.severity !== "ok";

/** The sort keys, as of `pombo-exporter top`: `values` descend, later ones decide between equal
 *  ones; a `text` ascends. */
export const ORDERS = {
  trouble: {
    values: (row) => [
      -SEVERITY_RANKS[row.severity],
      -STATE_RANKS[row.state],
      row.reasons.length,
      Number(row.looks_like !== ""),
      row.datagram_loss_ratio,
    ],
  },
  name: { text: (row) => row.name },
  seen: { values: (row) => [-row.last_seen_timestamp_seconds] },
  cpu: { values: (row) => [row.cpu_usage_ratio] },
  memory: { values: (row) => [row.memory_used_ratio] },
  disk: { values: (row) => [row.fullest_filesystem?.used_ratio] },
  network: { values: (row) => [traffic(row)] },
  lost: { values: (row) => [row.datagram_loss_ratio] },
  clock: { values: (row) => [row.clock_offset_seconds == null ? null : Math.abs(row.clock_offset_seconds)] },
  interval: { values: (row) => [row.interval_seconds] },
  address: { text: (row) => row.address },
  agent: { text: (row) => row.agent_version },
};

const compareTexts = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

function compareHosts(hostA, hostB, reversed) {
  const keyA = hostA.sortKey;
  const keyB = hostB.sortKey;
  if (typeof keyA === "string") {
    const result = compareTexts(keyA, keyB);
    if (result) return reversed ? -result : result;
  } else {
    for (let index = 0; index < keyA.length; index += 1) {
      const a = keyA[index];
      const b = keyB[index];
      if (a === b) continue;
      if (a == null) return b == null ? 0 : 1; // unknown values are last in both directions
      if (b == null) return -1;
      return reversed ? a - b : b - a;
    }
  }
  return compareTexts(hostA.row.name, hostB.row.name);
}

const equalKeys = (a, b) =>
  typeof a === "string" || !a || !b ? a === b : a.every((value, index) => value === b[index]);

/** A host: its latest row, its history, and what it is sorted and filtered by. */
class Host {
  row = null;
  history = new History();
  labelsJson = "";
  sortKey = null;
  texts = null; // what the filter compares its words with
  matches = true; // the filter
  version = 0; // grows with each row, so that an unchanged host is not drawn again
}

/** All hosts, and those of them that are shown. */
export class Fleet {
  hosts = new Map(); // by name
  counts = { live: 0, late: 0, down: 0 };
  attention = 0; // how many hosts need it
  order = "trouble";
  reversed = false;
  filter = "";
  wrong = ""; // why the filter cannot be used; then it hides no host
  state = ""; // show only hosts in this state
  onlyAttention = false; // show only hosts that need it
  shown = [];
  needsArranging = true; // `shown` is out of date
  #now;
  #parsed = parse("");

  /** Takes a function that returns the exporter's time, in seconds since 1970. */
  constructor(now) {
    this.#now = now;
  }

  /** Takes a host's row; returns the state it had before, undefined for a new host. */
  update(row, timestamp) {
    let host = this.hosts.get(row.name);
    const oldState = host?.row.state;
    const neededAttention = host !== undefined && needsAttention(host.row);
    if (!host) {
      host = new Host();
      this.hosts.set(row.name, host);
      this.needsArranging = true;
    }
    const labelsJson = JSON.stringify(row.labels);
    if (host.labelsJson !== labelsJson) {
      host.labelsJson = labelsJson;
      host.texts = null;
    }
    if (!host.texts || host.row.agent_version !== row.agent_version) host.texts = textsOf(row);
    host.row = row;
    host.version += 1;
    if (row.history) host.history = History.from(row.history);
    // The server's history may lag by a step. That of a host that is down has ended.
    if (row.state !== "down") host.history.add(row, timestamp);
    row.history = null; // the copy as typed arrays is smaller
    if (oldState !== row.state) {
      if (oldState) this.counts[oldState] -= 1;
      this.counts[row.state] += 1;
      this.needsArranging = true;
    }
    if (neededAttention !== needsAttention(row)) {
      this.attention += neededAttention ? -1 : 1;
      this.needsArranging = true;
    }
    if (host.matches !== this.#matches(host)) {
      host.matches = !host.matches;
      this.needsArranging = true;
    }
    const sortKey = this.#sortKey(row);
    if (!equalKeys(sortKey, host.sortKey)) {
      host.sortKey = sortKey;
      this.needsArranging = true;
    }
    return oldState;
  }

  remove(name) {
    const host = this.hosts.get(name);
    if (!host) return;
    this.counts[host.row.state] -= 1;
    if (needsAttention(host.row)) this.attention -= 1;
    this.hosts.delete(name);
    this.needsArranging = true;
  }

  /** Changes what is shown and in which order. */
  setView(view) {
    for (const name of ["order", "reversed", "filter", "state", "onlyAttention"]) this[name] = view[name] ?? this[name];
    this.wrong = "";
    try {
      this.#parsed = parse(this.filter);
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      this.wrong = error.message;
      this.#parsed = parse("");
    }
    for (const host of this.hosts.values()) {
      host.version += 1; // its labels show whether the filter has them
      host.sortKey = this.#sortKey(host.row);
      host.matches = this.#matches(host);
    }
    this.needsArranging = true;
  }

  /** Applies what time alone changes. */
  passTime() {
    if (!this.#parsed.isTimed) return;
    for (const host of this.hosts.values()) {
      if (host.matches === this.#matches(host)) continue;
      host.matches = !host.matches;
      this.needsArranging = true;
    }
  }

  /** Filters and sorts `shown`, if it is out of date. */
  arrange() {
    if (!this.needsArranging) return;
    this.needsArranging = false;
    this.shown = [...this.hosts.values()].filter(
      (host) =>
        (!this.state || host.row.state === this.state) &&
        (!this.onlyAttention || needsAttention(host.row)) &&
        host.matches,
    );
    this.shown.sort((a, b) => compareHosts(a, b, this.reversed));
  }

  #matches(host) {
    return this.#parsed.matches(host.row, host.texts, this.#now());
  }

  #sortKey(row) {
    const { values, text } = ORDERS[this.order];
    return text ? text(row) : values(row);
  }
}
