// The exporter itself: its limits and how full they are, and what it refused and why.

import { fill, fillTable, make, meter, say, showPairs, showShare } from "./dom.js";
import * as human from "./human.js";

const LIMITS = {
  hosts: ["Hosts", human.number],
  series_per_host: ["Series of a host", human.number],
  datagram_bytes: ["Bytes of a datagram", human.number],
};

const part = (id) => document.getElementById(id);

/** Shows the status; `now` is the exporter's time. */
export function showStatus(status, now) {
  part("exporter").hidden = false;
  showFacts(status, now);
  showLimits(status.limits);
  showRefusals(status, now);
}

function showFacts(status, now) {
  const { wanted_bytes: wanted, granted_bytes: granted } = status.receive_buffer;
  const short = granted < wanted ? `, ${human.size(wanted)} wanted` : "";
  showPairs(part("facts"), [
    ["Version", human.printable(status.version)],
    ["Python", human.printable(status.python_version)],
    ["Runs for", human.age(now - status.started_timestamp_seconds)],
    ["Datagrams received", human.number(status.datagrams_received)],
    ["Datagrams refused", human.number(total(status))],
    ["Dropped by the kernel", human.number(status.kernel_drops)],
    ["Receive buffer", human.size(granted) + short],
    ["Hosts are forgotten after", human.span(status.forget_after_seconds)],
  ]);
}

/** How many datagrams were refused, whatever the reason. */
export function total(status) {
  return Object.values(status.datagrams_refused).reduce((sum, count) => sum + count, 0);
}

function showLimits(limits) {
  fill(part("limits"), limits, makeLimit, (row, limit) => {
    const [title, say_] = LIMITS[limit.name] ?? [limit.name, human.number];
    const [head, used, of, full, most] = row.cells;
    say(head, human.printable(title));
    say(used, say_(limit.used));
    say(of, say_(limit.limit));
    say(full.firstChild, human.ratio(limit.used_ratio));
    showShare(full.lastChild, limit.used_ratio);
    say(most.firstChild, limit.host == null ? "" : human.named(limit.host));
  });
}

function makeLimit() {
  const head = make("th");
  head.scope = "row";
  const full = make("td", "share", make("span", "value"), meter());
  return make("tr", "", head, make("td", "number"), make("td", "number"), full, make("td", "", make("bdi")));
}

function showRefusals(status, now) {
  const by = Object.entries(status.datagrams_refused).filter(([, count]) => count);
  by.sort(([, one], [, other]) => other - one);
  const said = by.map(([reason, count]) => `${human.number(count)} ${plain(reason)}`);
  say(part("refused"), said.length ? `Since the start: ${said.join(", ")}.` : "None since the start.");
  part("refusals-box").hidden = !status.recent_refusals.length;
  const rows = status.recent_refusals.map((refusal) => [
    `${human.age(now - refusal.last_timestamp_seconds)} ago`,
    plain(refusal.reason),
    human.printable(refusal.address),
    human.number(refusal.count),
    human.printable(refusal.detail),
    human.printable(refusal.datagram_start),
  ]);
  fillTable(part("refusals"), rows, ["", "", "address", "number", "detail", "start"]);
}

/** A reason's name as human. */
function plain(reason) {
  return human.printable(reason.replaceAll("_", " "));
}
