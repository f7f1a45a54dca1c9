// The cards of a host's page: CPU, memory, disks, networks and what else the host reports. A card
// without values is hidden.

import { byId, create, createMeter, setAttribute, setText, showRatio, showSeverity, syncChildren, syncRows } from "./dom.js";
import * as human from "./human.js";
import { severityOf, severityOfSubject } from "./reasons.js";

/** The modes of CPU time in the order of their bar: title, class and the fields that make them. */
const MODES = [
  ["user", "part-1", ["user_ratio"]],
  ["nice", "part-2", ["nice_ratio"]],
  ["system", "part-3", ["system_ratio"]],
  ["interrupts", "part-4", ["irq_ratio", "softirq_ratio"]],
  ["I/O wait", "part-5", ["iowait_ratio"]],
  ["steal", "part-6", ["steal_ratio"]],
  ["idle", "part-rest", ["idle_ratio"]],
];

const PARTS = [
  ["used", "part-1", "used_bytes"],
  ["buffers", "part-2", "buffers_bytes"],
  ["cached", "part-3", "cached_bytes"],
  ["free", "part-rest", "free_bytes"],
];

const PRESSURES = [
  ["CPU: some wait", "cpu_waiting_ratio"],
  ["I/O: some wait", "io_waiting_ratio"],
  ["I/O: all wait", "io_stalled_ratio"],
  ["Memory: some wait", "memory_waiting_ratio"],
  ["Memory: all wait", "memory_stalled_ratio"],
];

/** Shows all cards of a host; `now` is the exporter's time. */
export function showCards(host, now) {
  showCpu(host);
  showMemory(host);
  showStorage(host);
  showNetwork(host);
  showSensors(host);
  showPressure(host);
  showServices(host);
  showContainers(host);
  showProcesses(host, now + (host.clock_offset_seconds ?? 0)); // on the host's clock
  showGauges(host);
}

/** Shows or hides a card, and returns its caption's value and note. */
function captionOf(id, isShown) {
  const card = byId(id);
  card.hidden = !isShown;
  return card.firstElementChild.querySelectorAll("strong, .note");
}

/** Hides what surrounds a list without items: the nearest of `around`. Returns the list. */
function listIn(id, items, around) {
  const list = byId(id);
  list.closest(around).hidden = !items.length;
  return list;
}

/** Shows shares of a whole as a bar and a legend; those that are not known are left out. */
function showStack(id, parts) {
  const [bar, legend] = byId(id).children;
  const known = parts.filter(({ share }) => share != null);
  byId(id).hidden = !known.length;
  syncChildren(bar, known, () => create("span"), (element, { className, share }) => {
    setAttribute(element, "class", className);
    const width = `${(100 * share).toFixed(1)}%`;
    if (element.style.width !== width) element.style.width = width;
  });
  syncChildren(
    legend,
    known,
    () => create("li", "", create("span", "swatch"), create("span", "label"), create("span", "value")),
    (item, { title, className, text, share }) => {
      const [swatch, label, value] = item.children;
      setAttribute(swatch, "class", `swatch ${className}`);
      setText(label, title);
      setText(value, text);
      item.classList.toggle("is-none", share < 0.0005);
    },
  );
}

/** Returns devices with the busiest first; those of about the same traffic keep their order. */
function busiestFirst(devices, ...fields) {
  const size = (device) => Math.floor(Math.log2(1 + fields.reduce((sum, field) => sum + (device[field] ?? 0), 0)));
  return [...devices].sort((a, b) => size(b) - size(a));
}

/** Shows rows of a label, a bar and a value. */
function showBars(list, rows) {
  syncChildren(
    list,
    rows,
    () => create("li", "", create("span", "label"), createMeter(), create("span", "value")),
    (item, { title, ratio, text, severity }) => {
      const [label, meter, value] = item.children;
      setText(label, title);
      showRatio(meter, ratio, severity);
      setText(value, text);
      showSeverity(item, severity);
    },
  );
}

function showCpu(host) {
  const { cores, cpu_modes: modes } = host;
  const [value, note] = captionOf("cpu", host.cpu_usage_ratio != null || cores.length > 0);
  setText(value, human.ratio(host.cpu_usage_ratio));
  const loads = [host.load1, host.load5, host.load15];
  const load = loads.some((each) => each != null) ? `load ${loads.map(human.number).join("  ")}` : "";
  const count = cores.length ? `${human.number(cores.length)} core${cores.length === 1 ? "" : "s"}` : "";
  setText(note, [count, load].filter(Boolean).join(" · "));
  showStack(
    "modes",
    MODES.map(([title, className, fields]) => {
      const known = fields.map((field) => modes?.[field]).filter((each) => each != null);
      const share = known.length ? known.reduce((sum, each) => sum + each, 0) : null;
      return { title, className, share, text: human.ratio(share) };
    }),
  );
  showBars(
    listIn("cores", cores, ".scroll"),
    cores.map((core) => ({
      title: human.printable(core.cpu),
      ratio: core.usage_ratio,
      text: human.ratio(core.usage_ratio),
    })),
  );
}

function showMemory(host) {
  const { memory_total_bytes: total, memory_available_bytes: available, memory_parts: parts } = host;
  const [value, note] = captionOf("memory", total != null);
  setText(value, human.ratio(host.memory_used_ratio));
  showSeverity(value, severityOf(host, "memory"));
  setText(note, total == null ? "" : `${human.size(available)} of ${human.size(total)} available`);
  showStack(
    "parts",
    PARTS.map(([title, className, field]) => {
      const size = parts?.[field];
      return { title, className, share: size == null || !total ? null : size / total, text: human.size(size) };
    }),
  );
  const { swap_total_bytes: swap, swap_used_bytes: used } = host;
  const rows = [];
  if (swap) {
    const ratio = used == null ? null : used / swap;
    const text = `${human.size(used)} of ${human.size(swap)}`;
    rows.push({ title: "Swap", ratio, text, severity: severityOfSubject(host, ["swap"], "") });
  }
  byId("swap").hidden = !rows.length;
  showBars(byId("swap"), rows);
}

function showStorage(host) {
  const { filesystems, disks } = host;
  captionOf("storage", filesystems.length + disks.length > 0);
  const fullestFirst = [...filesystems].sort((a, b) => (b.used_ratio ?? -1) - (a.used_ratio ?? -1));
  const body = listIn("filesystems", fullestFirst, ".scroll");
  syncChildren(body, fullestFirst, createFilesystem, (row, filesystem) => {
    const [mountpoint, ratio, available, size, used, device] = row.cells;
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
  const rows = busiestFirst(disks, "read_bytes_per_second", "write_bytes_per_second").map((disk) => [
    human.displayName(disk.device),
    human.speed(disk.read_bytes_per_second),
    human.speed(disk.write_bytes_per_second),
  ]);
  syncRows(listIn("disks", rows, ".scroll"), rows, ["", "number", "number"]);
}

function createFilesystem() {
  const mountpoint = create("th");
  mountpoint.scope = "row";
  const ratio = create("td", "number share", create("span", "value"), createMeter());
  const sizes = [0, 1, 2].map(() => create("td", "number"));
  return create("tr", "", mountpoint, ratio, ...sizes, create("td"));
}

function showNetwork(host) {
  const packets = (value) => (value == null ? human.UNKNOWN : `${human.number(value)}/s`);
  const { network_receive_bytes_per_second: received, network_transmit_bytes_per_second: sent } = host;
  const [receive, transmit] = captionOf("network", host.networks.length > 0 || received != null);
  setText(receive, `↓ ${human.speed(received)}`);
  setText(transmit, `↑ ${human.speed(sent)}`);
  const traffic = ["receive_bytes_per_second", "transmit_bytes_per_second"];
  const rows = busiestFirst(host.networks, ...traffic).map((network) => [
    human.displayName(network.device),
    human.speed(network.receive_bytes_per_second),
    human.speed(network.transmit_bytes_per_second),
    packets(network.receive_lost_packets_per_second),
    packets(network.transmit_lost_packets_per_second),
  ]);
  syncRows(listIn("networks", rows, ".scroll"), rows, ["", "number", "number", "number", "number"]);
}

/** Returns what a sensor is called by its maker, or else by the kernel. */
function sensorName({ chip, chip_name: chipName, sensor, label }) {
  return human.displayName(`${chipName || chip} ${label || sensor}`);
}

function showSensors(host) {
  const degrees = (value) => (value == null ? human.UNKNOWN : `${human.number(Math.round(10 * value) / 10)} °C`);
  const { fans } = host;
  const found = host.temperatures.filter(({ celsius }) => celsius != null);
  captionOf("sensors", found.length + fans.length > 0);
  const hottestFirst = found.sort((a, b) => b.celsius - a.celsius);
  syncChildren(listIn("temperatures", hottestFirst, ".scroll"), hottestFirst, createTemperature, (row, each) => {
    const [title, value, critical] = row.cells;
    setText(title, sensorName(each));
    setAttribute(title, "title", human.printable(`${each.chip} ${each.sensor}`));
    setText(value.firstChild, degrees(each.celsius));
    const severity = severityOfSubject(host, ["temperature"], `${each.chip} ${each.sensor}`);
    showSeverity(value, severity);
    const limit = each.critical_celsius ?? each.max_celsius;
    showRatio(value.lastChild, limit > 0 ? each.celsius / limit : null, severity);
    setText(critical, degrees(each.critical_celsius));
  });
  const rows = fans.map((fan) => [sensorName(fan), `${human.number(fan.revolutions_per_minute)} rpm`]);
  syncRows(listIn("fans", rows, ".scroll"), rows, ["", "number"]);
}

function createTemperature() {
  const title = create("th");
  title.scope = "row";
  const value = create("td", "number share", create("span", "value"), createMeter());
  return create("tr", "", title, value, create("td", "number"));
}

function showPressure(host) {
  const rows = PRESSURES.map(([title, field]) => ({ title, ratio: host.pressure?.[field] }))
    .filter(({ ratio }) => ratio != null)
    .map((row) => ({ ...row, text: human.ratio(row.ratio) }));
  captionOf("pressure", rows.length > 0);
  showBars(byId("pressures"), rows);
}

function showServices(host) {
  const { units = [], failed = [] } = host.services ?? {};
  const counts = units.filter(({ count }) => count > 0);
  captionOf("services", failed.length + counts.length > 0);
  byId("failed").hidden = !failed.length;
  const severity = severityOfSubject(host, ["services"], "") ?? host.reasons.find(({ id }) => id === "services")?.severity;
  syncChildren(byId("failed"), failed, () => create("li", "mark"), (item, unit) => {
    showSeverity(item, severity ?? "warning");
    setText(item, `${human.displayName(unit)} failed`);
  });
  byId("units").hidden = !counts.length;
  syncChildren(byId("units"), counts, () => create("li"), (item, { state, count }) =>
    setText(item, `${human.number(count)} ${human.printable(state)}`),
  );
}

function showContainers(host) {
  const sorted = [...host.containers].sort(
    (a, b) => (b.cpu_usage_cores ?? -1) - (a.cpu_usage_cores ?? -1) || (a.id < b.id ? -1 : 1),
  );
  const body = listIn("containers", sorted, "section");
  syncChildren(body, sorted, createContainer, (row, container) => {
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

function showProcesses(host, now) {
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
    syncRows(listIn(id, rows, "section"), rows, classNames);
  }
}

function showGauges(host) {
  const rows = Object.entries(host.gauges)
    .sort()
    .map(([metric, value]) => [human.displayName(metric), human.metricValue(metric, value)]);
  syncRows(listIn("gauges", rows, "section"), rows, ["", "number"]);
}
