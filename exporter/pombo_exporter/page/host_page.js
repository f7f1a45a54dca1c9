// The page of one host: all its values, the most important first, with charts of its history.

import { Chart, Crosshair, binaryScale } from "./chart.js";
import {
  byId, create, createStateBadge, setText, showPairs, showSeverity, showState, syncChildren,
} from "./dom.js";
import { listen, ServerClock } from "./events.js";
import { FamilyList } from "./families.js";
import { CPU, History, MEMORY, Range, RECEIVE, TRANSMIT } from "./history.js";
import { showCards } from "./host_cards.js";
import * as human from "./human.js";
import { reasonText } from "./reasons.js";
import { connectFilter, showConnection } from "./shell.js";

const MIN_NETWORK_SCALE = 1024; // bytes/s
const REFRESH_INTERVAL = 1000; // ms; ages grow without events
const CHOICE = "pombo.host.range"; // where the chosen time is stored

const name = new URL(location).searchParams.get("name") ?? "";
const path = encodeURIComponent(name);
const clock = new ServerClock();
const families = new FamilyList(byId("families"), `api/v1/hosts/${path}/families`);
const state = byId("state").appendChild(createStateBadge());
const choices = byId("range").querySelectorAll("input");

const crosshair = new Crosshair();
const charts = {
  cpu: new Chart(crosshair, { title: "CPU", names: ["used"], fields: [CPU], format: human.ratio }),
  memory: new Chart(crosshair, { title: "Memory", names: ["used"], fields: [MEMORY], format: human.ratio }),
  network: new Chart(crosshair, {
    title: "Network",
    names: ["received", "transmitted"],
    fields: [RECEIVE, TRANSMIT],
    format: human.speed,
  }),
};
for (const [id, chart] of Object.entries(charts)) {
  byId(id).querySelector(".chart-place").replaceWith(chart.element);
}

let host = null; // all fields of the host, as of the latest event
let history = new History();
let minutes = null; // the range of its minutes, null where the exporter keeps none
let constants = { minutes_seconds: 0, thresholds: {} }; // what each snapshot says
let frame = 0; // the requested animation frame

setText(byId("name"), human.displayName(name));
document.title = `${human.displayName(name)} · Pombo`;
byId("to-metrics").href = `hosts/${path}/metrics`;
byId("to-api").href = `api/v1/hosts/${path}`;
state.hidden = true;

// --- events ---

function onSnapshot(data) {
  constants = data;
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
  if (data.minutes && constants.minutes_seconds) minutes = Range.minutes(data.minutes, constants.minutes_seconds);
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
  showAges();
  showCharts();
  showCards(host, clock.now());
  families.update(`${host.last_seen_timestamp_seconds} ${host.state}`);
}

function showReasons() {
  const list = byId("reasons");
  list.hidden = !host.reasons.length;
  syncChildren(list, host.reasons, () => create("li", "mark"), (item, reason) => {
    showSeverity(item, reason.severity);
    setText(item, reasonText(reason, host));
  });
}

function showLabels() {
  const pairs = Object.entries(host.labels);
  byId("labels").hidden = !pairs.length;
  syncChildren(byId("labels"), pairs, () => create("li", "", create("bdi")), (item, pair) =>
    setText(item.firstChild, human.printable(pair.join("="))),
  );
}

/** Shows what changes with time alone. */
function showAges() {
  if (!host) return;
  showPast();
  showGlance();
  showFacts();
}

/** Says from when the values are, of a host that is down. */
function showPast() {
  const { last_seen_timestamp_seconds: last } = host;
  byId("past").hidden = host.state !== "down" || !last;
  const age = human.age(clock.now() - last);
  setText(byId("past"), `The last report came at ${human.moment(last)}, ${age} ago. All values are of that report.`);
}

function systemText() {
  return human.printable([host.system, host.release, host.machine].filter(Boolean).join(" "));
}

function showGlance() {
  const facts = [
    systemText(),
    host.uptime_seconds == null ? "" : `up ${human.span(host.uptime_seconds)}`,
    `reports every ${human.span(host.interval_seconds)}`,
    `last seen ${human.age(clock.now() - host.last_seen_timestamp_seconds)} ago`,
  ].filter(Boolean);
  syncChildren(byId("glance"), facts, () => create("li"), setText);
}

function showFacts() {
  const age = clock.now() - host.last_seen_timestamp_seconds;
  showPairs(byId("facts"), [
    ["Last seen", `${human.age(age)} ago`],
    ["Address", human.printable(host.address)],
    ["System", systemText() || human.UNKNOWN],
    ["Agent", human.printable(host.agent_version) || human.UNKNOWN],
    ["Interval", human.span(host.interval_seconds)],
    ["Uptime", human.span(host.uptime_seconds)],
    ["Clock offset", human.span(host.clock_offset_seconds)],
    ["Datagrams received", human.number(host.datagrams_received)],
    ["Datagrams lost", `${human.number(host.datagrams_lost)} (${human.ratio(host.datagram_loss_ratio)} in 10 min)`],
    ["Datagrams duplicate", human.number(host.datagrams_duplicate)],
    ["Datagrams reordered", human.number(host.datagrams_reordered)],
    ["Datagrams refused: another agent", conflictText()],
    ["Sequence numbers skipped", human.number(host.datagrams_skipped)],
    ["Name looks like", host.looks_like ? human.displayName(host.looks_like) : "no other"],
  ]);
}

function conflictText() {
  const addresses = host.duplicate_addresses.map(human.printable).join(" and ");
  return human.number(host.conflicts) + (addresses && `, between ${addresses}`);
}

// --- charts ---

function showCharts() {
  byId("range").hidden = minutes === null;
  setText(byId("minutes-title"), human.span(constants.minutes_seconds));
  const range = minutes && byId("range").querySelector("[value=minutes]").checked ? minutes : Range.recent(history);
  const end = host.state === "down" ? "last report" : "now";
  charts.cpu.draw(range, 1, [], end);
  charts.memory.draw(range, 1, thresholds("memory"), end);
  charts.network.draw(range, binaryScale(range.max([RECEIVE, TRANSMIT], MIN_NETWORK_SCALE)), [], end);
}

/** Returns the thresholds of a check as pairs of a severity and a value; without those that are off. */
function thresholds(check) {
  const [warning, critical] = constants.thresholds[check] ?? [];
  return [["warning", warning], ["critical", critical]].filter(([, value]) => value != null && value <= 1);
}

/** Restores the choice of the last visit, and keeps this one; a browser may have no storage. */
function connectChoice() {
  try {
    const stored = localStorage.getItem(CHOICE);
    for (const input of choices) if (input.value === stored) input.checked = true;
  } catch { /* the default it is */ }
  byId("range").addEventListener("change", ({ target }) => {
    try {
      localStorage.setItem(CHOICE, target.value);
    } catch { /* it lasts as long as the page */ }
    crosshair.move(null);
    if (host) showCharts();
  });
}

connectChoice();
connectFilter(byId("filter"), () => families.show(), () => (byId("families").open = true));
setInterval(showAges, REFRESH_INTERVAL);
listen(`live?host=${path}`, { snapshot: onSnapshot, delta: onDelta, gone: onGone }, (connected) =>
  showConnection(connected, host !== null),
);
