// The page of one host: all its values in words and units, with their curves.

import { chart, plot } from "./curves.js";
import { fill, fillTable, make, meter, say, showPairs, showShare, showState, stateMark } from "./dom.js";
import { listen, ServerClock } from "./events.js";
import { FamilyList } from "./families.js";
import { lostRatio } from "./fleet.js";
import { History } from "./history.js";
import * as human from "./human.js";
import { connectFilter, showConnection } from "./shell.js";

const part = (id) => document.getElementById(id);
const name = new URL(location).searchParams.get("name") ?? "";
const clock = new ServerClock();
const TILES = [
  { title: "CPU", measures: [0], most: () => 1, scale: () => "100 %" },
  { title: "Memory", measures: [1], most: () => 1, scale: () => "100 %" },
  {
    title: "Network",
    measures: [2, 3],
    most: (history) => history.peak([2, 3], 1024),
    scale: (most) => human.speed(most),
  },
];

let host = null;
let frame = 0;
let history = new History();

say(part("name"), human.named(name));
document.title = `${human.named(name)} · Pombo`;
const path = encodeURIComponent(name);
part("to-metrics").href = `/hosts/${path}/metrics`;
part("to-api").href = `/api/v1/hosts/${path}`;
const families = new FamilyList(part("families"), `/api/v1/hosts/${path}/families`);
part("state").append(stateMark());
part("state").hidden = true;

function takeSnapshot(said) {
  take(said, said.host);
}

function takeDelta(said) {
  take(said, { ...host, ...said.host });
}

function take(said, detail) {
  clock.set(said.now_timestamp_seconds);
  const before = host?.state;
  host = detail;
  history = History.from(said.history);
  history.add(host, said.now_timestamp_seconds); // the server's history may lag by a step
  if (before !== host.state) say(part("news"), `${human.named(name)} is ${host.state}.`);
  part("unknown").hidden = true;
  part("all").classList.remove("is-gone");
  frame ||= requestAnimationFrame(show);
}

function gone() {
  const unknown = part("unknown");
  unknown.hidden = false;
  say(
    unknown,
    host
      ? "The exporter has forgotten this host. Below is what it said last."
      : "The exporter knows no host of this name. Once it reports, it is shown here.",
  );
  part("all").classList.add("is-gone");
  part("state").hidden = true;
}

function show() {
  frame = 0;
  part("all").hidden = false;
  part("state").hidden = false;
  showState(part("state").firstChild, host.state);
  fill(part("labels"), Object.entries(host.labels), () => make("li", "", make("bdi")), (item, pair) =>
    say(item.firstChild, human.printable(pair.join("="))),
  );
  part("labels").hidden = !Object.keys(host.labels).length;
  showTiles();
  showAbout();
  showDevices();
  families.update(`${host.last_seen_timestamp_seconds} ${host.state}`);
}

function showTiles() {
  const texts = [
    human.ratio(host.cpu_usage_ratio),
    human.ratio(host.memory_used_ratio),
    `↓ ${human.speed(host.network_receive_bytes_per_second)}`,
  ];
  const { memory_total_bytes: total, memory_available_bytes: available } = host;
  const notes = [
    `load ${[host.load1, host.load5, host.load15].map(human.number).join("  ")}`,
    total == null ? "" : `${human.size(available)} of ${human.size(total)} available`,
    `↑ ${human.speed(host.network_transmit_bytes_per_second)}`,
  ];
  const minutes = human.span(history.step * 60);
  fill(part("tiles"), TILES, makeTile, (tile, shown) => {
    const at = TILES.indexOf(shown);
    const [head, box, foot] = tile.children;
    const most = shown.most(history);
    say(head.children[0], shown.title);
    say(head.children[1], texts[at]);
    say(head.children[2], notes[at]);
    const picture = box.children[shown.measures.length - 1];
    box.children[2 - shown.measures.length].setAttribute("hidden", "");
    plot(picture, history, shown.measures, most);
    say(foot.children[0], `${minutes} ago`);
    say(foot.children[1], `full height ${shown.scale(most)}`);
    say(foot.children[2], "now");
  });
}

function makeTile() {
  const head = make("figcaption", "", make("span", "title"), make("strong"), make("span", "note"));
  const box = make("div", "plot", chart(1, 300, 80), chart(2, 300, 80));
  return make("figure", "tile", head, box, make("p", "axis", make("span"), make("span"), make("span")));
}

function showAbout() {
  if (!host) return;
  const now = clock.now();
  const swap = host.swap_total_bytes
    ? `${human.size(host.swap_used_bytes)} of ${human.size(host.swap_total_bytes)}`
    : host.swap_total_bytes === 0 ? "none" : human.UNKNOWN;
  const system = [host.system, host.release, host.machine].filter(Boolean).join(" ");
  showPairs(part("about"), [
    ["Last seen", `${human.age(now - host.last_seen_timestamp_seconds)} ago`],
    ["Address", human.printable(host.address)],
    ["System", human.printable(system) || human.UNKNOWN],
    ["Agent", human.printable(host.agent_version) || human.UNKNOWN],
    ["Reports every", human.span(host.interval_seconds)],
    ["Up for", human.span(host.uptime_seconds)],
    ["Swap used", swap],
    ["Clock offset", human.span(host.clock_offset_seconds)],
    ["Datagrams received", human.number(host.datagrams_received)],
    ["Lost", `${human.number(host.datagrams_lost)} (${human.ratio(lostRatio(host))})`],
    ["Duplicate", human.number(host.datagrams_duplicate)],
    ["Reordered", human.number(host.datagrams_reordered)],
    ["Conflicts with another agent", human.number(host.conflicts)],
  ]);
}

function showDevices() {
  const shownIf = (id, list) => (part(id).closest("section").hidden = !list.length);
  shownIf("cores", host.cores);
  fill(part("cores"), host.cores, makeCore, (item, core) => {
    const [label, bar, value] = item.children;
    say(label, human.printable(core.cpu));
    showShare(bar, core.usage_ratio);
    say(value, human.ratio(core.usage_ratio));
  });
  shownIf("filesystems", host.filesystems);
  const sorted = [...host.filesystems].sort((one, other) => (other.used_ratio ?? -1) - (one.used_ratio ?? -1));
  fill(part("filesystems"), sorted, makeFilesystem, (row, found) => {
    const [mount, used, free, size, full, device] = row.cells;
    say(mount, human.named(found.mountpoint));
    say(used, human.size(found.used_bytes));
    say(free, human.size(found.available_bytes));
    say(size, human.size(found.size_bytes));
    say(full.firstChild, human.ratio(found.used_ratio));
    showShare(full.lastChild, found.readonly ? null : found.used_ratio);
    const kind = found.readonly ? `${found.fstype}, read-only` : found.fstype;
    say(device, human.printable(`${found.device} (${kind})`));
  });
  shownIf("networks", host.networks);
  const lost = (value) => (value == null ? human.UNKNOWN : `${human.number(value)}/s`);
  const networks = host.networks.map((found) => [
    human.named(found.device),
    human.speed(found.receive_bytes_per_second),
    human.speed(found.transmit_bytes_per_second),
    lost(found.receive_lost_packets_per_second),
    lost(found.transmit_lost_packets_per_second),
  ]);
  fillTable(part("networks"), networks, ["", "number", "number", "number", "number"]);
  shownIf("disks", host.disks);
  const disks = host.disks.map((found) => [
    human.named(found.device),
    human.speed(found.read_bytes_per_second),
    human.speed(found.write_bytes_per_second),
  ]);
  fillTable(part("disks"), disks, ["", "number", "number"]);
  const gauges = Object.entries(host.gauges).sort();
  shownIf("gauges", gauges);
  const said = gauges.map(([title, value]) => [human.named(title), human.measured(title, value)]);
  fillTable(part("gauges"), said, ["", "number"]);
}

function makeCore() {
  return make("li", "", make("span", "label"), meter(), make("span", "value"));
}

function makeFilesystem() {
  const mount = make("th");
  mount.scope = "row";
  const numbers = [0, 1, 2].map(() => make("td", "number"));
  const full = make("td", "number share", make("span", "value"), meter());
  return make("tr", "", mount, ...numbers, full, make("td"));
}

connectFilter(part("filter"), () => families.show(), () => (part("families").open = true));
setInterval(showAbout, 1000);
listen(`/live?host=${path}`, { snapshot: takeSnapshot, delta: takeDelta, gone }, (there) =>
  showConnection(there, host !== null),
);
