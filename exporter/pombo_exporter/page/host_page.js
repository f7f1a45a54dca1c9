// The page of one host: all its values, with the curves of its history.

import { createChart, drawCurves } from "./curves.js";
import {
  byId, create, createMeter, createStateBadge, setAttribute, setText, showPairs, showRatio, showSeverity, showState,
  syncChildren, syncRows,
} from "./dom.js";
import { listen, ServerClock } from "./events.js";
import { FamilyList } from "./families.js";
import { CPU, History, MEMORY, POINTS, RECEIVE, TRANSMIT } from "./history.js";
import * as human from "./human.js";
import { reasonText, severityOf, severityOfSubject } from "./reasons.js";
import { connectFilter, showConnection } from "./shell.js";

const MIN_NETWORK_SCALE = 1024; // bytes/s
const REFRESH_INTERVAL = 1000; // ms; ages grow without events

/** A tile shows a current value, a note, and curves from 0 to `max`. */
const TILES = [
  {
    title: "CPU",
    fields: [CPU],
    value: () => human.ratio(host.cpu_usage_ratio),
    note: () => `load ${[host.load1, host.load5, host.load15].map(human.number).join("  ")}`,
    max: () => 1,
    maxText: human.ratio,
  },
  {
    title: "Memory",
    fields: [MEMORY],
    value: () => human.ratio(host.memory_used_ratio),
    note: () => {
      const { memory_total_bytes: total, memory_available_bytes: available } = host;
      return total == null ? "" : `${human.size(available)} of ${human.size(total)} available`;
    },
    max: () => 1,
    maxText: human.ratio,
  },
  {
    title: "Network",
    fields: [RECEIVE, TRANSMIT],
    value: () => `↓ ${human.speed(host.network_receive_bytes_per_second)}`,
    note: () => `↑ ${human.speed(host.network_transmit_bytes_per_second)}`,
    max: () => history.max([RECEIVE, TRANSMIT], MIN_NETWORK_SCALE),
    maxText: human.speed,
  },
];

const name = new URL(location).searchParams.get("name") ?? "";
const path = encodeURIComponent(name);
const clock = new ServerClock();
const families = new FamilyList(byId("families"), `api/v1/hosts/${path}/families`);
const state = byId("state").appendChild(createStateBadge());

let host = null; // all fields of the host, as of the latest event
let history = new History();
let frame = 0; // the requested animation frame

setText(byId("name"), human.displayName(name));
document.title = `${human.displayName(name)} · Pombo`;
byId("to-metrics").href = `hosts/${path}/metrics`;
byId("to-api").href = `api/v1/hosts/${path}`;
state.hidden = true;

// --- events ---

function onSnapshot(data) {
  update(data.host, data);
}

function onDelta(data) {
  update({ ...host, ...data.host }, data);
}

function update(newHost, data) {
  clock.set(data.now_timestamp_seconds);
  const oldState = host?.state;
  host = newHost;
  history = History.from(data.history);
  // The server's history may lag by a step. That of a host that is down has ended.
  if (host.state !== "down") history.add(host, data.now_timestamp_seconds);
  if (oldState !== host.state) {
    setText(byId("announcements"), `${human.displayName(name)} is ${host.state}.`);
  }
  byId("missing").hidden = true;
  byId("detail").classList.remove("is-gone");
  frame ||= requestAnimationFrame(render);
}

function onGone() {
  const missing = byId("missing");
  missing.hidden = false;
  setText(
    missing,
    host
      ? "The exporter has forgotten this host. The values below are from its last report."
      : "There is no host with this name. It will appear here when it reports.",
  );
  byId("detail").classList.add("is-gone");
  state.hidden = true;
}

// --- rendering ---

function render() {
  frame = 0;
  byId("detail").hidden = false;
  state.hidden = false;
  showState(state, host.state);
  byId("detail").classList.toggle("is-past", host.state === "down");
  showReasons();
  showLabels();
  showTiles();
  showFacts();
  showCores();
  showFilesystems();
  showProcesses();
  showNetworks();
  showDisks();
  showContainers();
  showGauges();
  families.update(`${host.last_seen_timestamp_seconds} ${host.state}`);
}

function showReasons() {
  const list = byId("reasons");
  list.hidden = !host.reasons.length;
  syncChildren(list, host.reasons, () => create("li", "mark"), (item, reason) => {
    showSeverity(item, reason.severity);
    setText(item, reasonText(reason, host));
  });
  showPast();
}

/** Says from when the values are, of a host that is down. */
function showPast() {
  if (!host) return;
  const { last_seen_timestamp_seconds: last } = host;
  byId("past").hidden = host.state !== "down" || !last;
  const age = human.age(clock.now() - last);
  setText(byId("past"), `The last report came at ${human.moment(last)}, ${age} ago. All values are of that report.`);
}

function showLabels() {
  const pairs = Object.entries(host.labels);
  byId("labels").hidden = !pairs.length;
  syncChildren(byId("labels"), pairs, () => create("li", "", create("bdi")), (item, pair) =>
    setText(item.firstChild, human.printable(pair.join("="))),
  );
}

function showTiles() {
  const duration = human.span(history.stepSeconds * POINTS);
  syncChildren(byId("tiles"), TILES, createTile, (element, tile) => {
    const [caption, plot, axis] = element.children;
    const [title, value, note] = caption.children;
    const [start, scale, end] = axis.children;
    const max = tile.max();
    setText(title, tile.title);
    setText(value, tile.value());
    showSeverity(value, severityOf(host, tile.title.toLowerCase()));
    setText(note, tile.note());
    const [oneCurve, twoCurves] = plot.children;
    const [chart, other] = tile.fields.length === 1 ? [oneCurve, twoCurves] : [twoCurves, oneCurve];
    other.setAttribute("hidden", "");
    drawCurves(chart, history, tile.fields, max);
    const isPast = host.state === "down";
    setText(start, isPast ? `${duration} before` : `${duration} ago`);
    setText(scale, `scale 0 to ${tile.maxText(max)}`);
    setText(end, isPast ? "last report" : "now");
  });
}

function createTile() {
  const caption = create("figcaption", "", create("span", "title"), create("strong"), create("span", "note"));
  const plot = create("div", "plot", createChart(1, 300, 80), createChart(2, 300, 80));
  const axis = create("p", "axis", create("span"), create("span"), create("span"));
  return create("figure", "tile", caption, plot, axis);
}

function showFacts() {
  if (!host) return;
  const age = clock.now() - host.last_seen_timestamp_seconds;
  const system = [host.system, host.release, host.machine].filter(Boolean).join(" ");
  showPairs(byId("facts"), [
    ["Last seen", `${human.age(age)} ago`],
    ["Address", human.printable(host.address)],
    ["System", human.printable(system) || human.UNKNOWN],
    ["Agent", human.printable(host.agent_version) || human.UNKNOWN],
    ["Interval", human.span(host.interval_seconds)],
    ["Uptime", human.span(host.uptime_seconds)],
    ["Swap used", swapText()],
    ["Clock offset", human.span(host.clock_offset_seconds)],
    ["Datagrams received", human.number(host.datagrams_received)],
    ["Datagrams lost", `${human.number(host.datagrams_lost)} (${human.ratio(host.datagram_loss_ratio)} in 10 min)`],
    ["Datagrams duplicate", human.number(host.datagrams_duplicate)],
    ["Datagrams reordered", human.number(host.datagrams_reordered)],
    ["Conflicts with another agent", conflictText()],
    ["Name looks like", host.looks_like ? human.displayName(host.looks_like) : "no other"],
  ]);
}

function conflictText() {
  const addresses = host.duplicate_addresses.map(human.printable).join(" and ");
  return human.number(host.conflicts) + (addresses && `, between ${addresses}`);
}

function swapText() {
  const { swap_total_bytes: total, swap_used_bytes: used } = host;
  if (total === 0) return "none";
  return total ? `${human.size(used)} of ${human.size(total)}` : human.UNKNOWN;
}

/** Returns the element that shows a list of devices; without devices its section is hidden. */
function deviceList(id, devices) {
  const element = byId(id);
  element.closest("section").hidden = !devices.length;
  return element;
}

function showCores() {
  syncChildren(deviceList("cores", host.cores), host.cores, createCore, (item, core) => {
    const [label, meter, value] = item.children;
    setText(label, human.printable(core.cpu));
    showRatio(meter, core.usage_ratio);
    setText(value, human.ratio(core.usage_ratio));
  });
}

function createCore() {
  return create("li", "", create("span", "label"), createMeter(), create("span", "value"));
}

function showFilesystems() {
  const fullestFirst = [...host.filesystems].sort((a, b) => (b.used_ratio ?? -1) - (a.used_ratio ?? -1));
  const body = deviceList("filesystems", fullestFirst);
  syncChildren(body, fullestFirst, createFilesystem, (row, filesystem) => {
    const [mountpoint, used, available, size, ratio, device] = row.cells;
    setText(mountpoint, human.displayName(filesystem.mountpoint));
    setText(used, human.size(filesystem.used_bytes));
    setText(available, human.size(filesystem.available_bytes));
    setText(size, human.size(filesystem.size_bytes));
    setText(ratio.firstChild, human.ratio(filesystem.used_ratio));
    const severity = severityOfSubject(host, ["disk", "inodes"], filesystem.mountpoint);
    showSeverity(ratio, severity);
    showRatio(ratio.lastChild, filesystem.readonly ? null : filesystem.used_ratio, severity);
    const mode = filesystem.readonly ? ", read-only" : "";
    setText(device, human.printable(`${filesystem.device} (${filesystem.fstype}${mode})`));
  });
}

function createFilesystem() {
  const mountpoint = create("th");
  mountpoint.scope = "row";
  const sizes = [0, 1, 2].map(() => create("td", "number"));
  const ratio = create("td", "number share", create("span", "value"), createMeter());
  return create("tr", "", mountpoint, ...sizes, ratio, create("td"));
}

function showProcesses() {
  const now = clock.now() + (host.clock_offset_seconds ?? 0); // on the host's clock
  const classNames = ["", "number", "number", "", "number", "number"];
  for (const [id, processes, byMemory] of [
    ["processes-by-cpu", host.processes_by_cpu, false],
    ["processes-by-memory", host.processes_by_memory, true],
  ]) {
    const rows = processes.map((process) => {
      const { cpu_usage_ratio: cpu, resident_memory_bytes: memory, start_timestamp_seconds: start } = process;
      const values = [human.ratio(cpu), human.size(memory)];
      return [
        human.displayName(process.command || process.name),
        ...(byMemory ? values.reverse() : values),
        human.printable(process.user) || human.UNKNOWN,
        String(process.pid),
        start == null ? human.UNKNOWN : human.age(now - start),
      ];
    });
    syncRows(deviceList(id, rows), rows, classNames);
  }
}

function showNetworks() {
  const packets = (value) => (value == null ? human.UNKNOWN : `${human.number(value)}/s`);
  const rows = host.networks.map((network) => [
    human.displayName(network.device),
    human.speed(network.receive_bytes_per_second),
    human.speed(network.transmit_bytes_per_second),
    packets(network.receive_lost_packets_per_second),
    packets(network.transmit_lost_packets_per_second),
  ]);
  syncRows(deviceList("networks", rows), rows, ["", "number", "number", "number", "number"]);
}

function showDisks() {
  const rows = host.disks.map((disk) => [
    human.displayName(disk.device),
    human.speed(disk.read_bytes_per_second),
    human.speed(disk.write_bytes_per_second),
  ]);
  syncRows(deviceList("disks", rows), rows, ["", "number", "number"]);
}

function showContainers() {
  const busiestFirst = [...host.containers].sort(
    (a, b) => (b.cpu_usage_cores ?? -1) - (a.cpu_usage_cores ?? -1) || (a.id < b.id ? -1 : 1),
  );
  const body = deviceList("containers", busiestFirst);
  syncChildren(body, busiestFirst, createContainer, (row, container) => {
    const [title, runtime, cpu, throttled, used, limit, share, read, write, threads] = row.cells;
    const { memory_working_set_bytes: memory, memory_limit_bytes: most } = container;
    const ratio = memory == null || most == null ? null : memory / most;
    setText(title, human.displayName(container.name || container.id));
    setAttribute(title, "title", human.printable(container.id));
    setText(runtime, human.printable(container.runtime) || human.UNKNOWN);
    setText(cpu, human.number(container.cpu_usage_cores));
    setText(throttled, human.ratio(container.throttled_ratio));
    setText(used, human.size(memory));
    setText(limit, human.size(most));
    setText(share.firstChild, human.ratio(ratio));
    showRatio(share.lastChild, ratio);
    setText(read, human.speed(container.read_bytes_per_second));
    setText(write, human.speed(container.write_bytes_per_second));
    setText(threads, human.number(container.threads));
  });
}

function createContainer() {
  const title = create("th");
  title.scope = "row";
  const numbers = (count) => Array.from({ length: count }, () => create("td", "number"));
  const share = create("td", "number share", create("span", "value"), createMeter());
  return create("tr", "", title, create("td"), ...numbers(4), share, ...numbers(3));
}

function showGauges() {
  const rows = Object.entries(host.gauges)
    .sort()
    .map(([metric, value]) => [human.displayName(metric), human.metricValue(metric, value)]);
  syncRows(deviceList("gauges", rows), rows, ["", "number"]);
}

connectFilter(byId("filter"), () => families.show(), () => (byId("families").open = true));
setInterval(() => {
  showFacts();
  showPast();
}, REFRESH_INTERVAL);
listen(`live?host=${path}`, { snapshot: onSnapshot, delta: onDelta, gone: onGone }, (connected) =>
  showConnection(connected, host !== null),
);
