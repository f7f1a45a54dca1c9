// The section "Exporter" of the page of all hosts: its status, limits and refused datagrams.

import { byId, create, createMeter, setText, showPairs, showRatio, syncChildren, syncRows } from "./dom.js";
import * as human from "./human.js";

const LIMIT_TITLES = {
  hosts: "Hosts",
  series_per_host: "Series per host",
  bytes: "Bytes of reports",
  history_bytes: "Bytes of curves",
  families: "Families that are not built in",
  datagram_bytes: "Bytes per datagram",
};

/** Shows the exporter's status at `now`, the exporter's time. */
export function showStatus(status, now) {
  byId("exporter").hidden = false;
  showFacts(status, now);
  showLimits(status.limits);
  showRefusals(status, now);
}

/** Returns how many datagrams were refused, for all reasons. */
export function refusedTotal(status) {
  return Object.values(status.datagrams_refused).reduce((sum, count) => sum + count, 0);
}

function showFacts(status, now) {
  const { wanted_bytes: requested, granted_bytes: granted } = status.receive_buffer;
  const short = granted < requested ? `, ${human.size(requested)} requested` : "";
  showPairs(byId("facts"), [
    ["Version", human.printable(status.version)],
    ["Python", human.printable(status.python_version)],
    ...clusterFacts(status.cluster),
    ["Uptime", human.age(now - status.started_timestamp_seconds)],
    ["Datagrams received", human.number(status.datagrams_received)],
    ["Datagrams refused", human.number(refusedTotal(status))],
    ["Datagrams dropped by the kernel", human.number(status.kernel_drops)],
    ["Receive buffer", human.size(granted) + short],
    ["Down hosts forgotten after", human.span(status.forget_after_seconds)],
  ]);
}

function clusterFacts(cluster) {
  if (!cluster) return [];
  return [
    ["Cluster", human.printable(cluster.name)],
    ["Member of the cluster", human.printable(cluster.member)],
  ];
}

function showLimits(limits) {
  syncChildren(byId("limits"), limits, createLimitRow, (row, limit) => {
    const [title, used, maximum, ratio, host] = row.cells;
    setText(title, human.printable(LIMIT_TITLES[limit.name] ?? limit.name));
    setText(used, human.number(limit.used));
    setText(maximum, human.number(limit.limit));
    setText(ratio.firstChild, human.ratio(limit.used_ratio));
    showRatio(ratio.lastChild, limit.used_ratio, limitSeverity(limit.used_ratio));
    setText(host.firstChild, limit.host == null ? "" : human.displayName(limit.host));
  });
}

/** The alert PomboExporterHostsNearLimit has the same threshold; beyond a limit, reports are refused. */
function limitSeverity(ratio) {
  return ratio >= 0.99 ? "critical" : ratio > 0.8 ? "warning" : "ok";
}

function createLimitRow() {
  const title = create("th");
  title.scope = "row";
  const ratio = create("td", "share", create("span", "value"), createMeter());
  const host = create("td", "", create("bdi"));
  return create("tr", "", title, create("td", "number"), create("td", "number"), ratio, host);
}

function showRefusals(status, now) {
  const counts = Object.entries(status.datagrams_refused).filter(([, count]) => count);
  counts.sort(([, a], [, b]) => b - a);
  const texts = counts.map(([reason, count]) => `${human.number(count)} ${refusalText(reason)}`);
  setText(byId("refused"), texts.length ? `Since the start: ${texts.join(", ")}.` : "None since the start.");
  byId("refusals-box").hidden = !status.recent_refusals.length;
  const rows = status.recent_refusals.map((refusal) => [
    `${human.age(now - refusal.last_timestamp_seconds)} ago`,
    refusalText(refusal.reason),
    human.printable(refusal.address),
    human.number(refusal.count),
    human.printable(refusal.detail),
    human.printable(refusal.datagram_start),
  ]);
  syncRows(byId("refusals"), rows, ["", "", "address", "number", "detail", "start"]);
}

/** Returns the reason of a refusal in words. */
export function refusalText(reason) {
  return human.printable(reason.replaceAll("_", " "));
}
