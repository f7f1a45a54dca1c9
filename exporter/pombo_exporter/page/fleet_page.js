// The page of all hosts. Rows from the server are queued and applied for a few milliseconds per
// frame, so that a large fleet does not block the page.

import { byId, create, setAttribute, setText, showSeverity } from "./dom.js";
import { showNothing } from "./empty.js";
import { EventLog } from "./event_log.js";
import { listen, ServerClock } from "./events.js";
import { showStatus } from "./exporter_section.js";
import { toggled } from "./filter.js";
import { Fleet, ORDERS } from "./fleet.js";
import { showTotals } from "./fleet_totals.js";
import { Groups } from "./groups.js";
import { HostGrid } from "./host_grid.js";
import { HostTable } from "./host_table.js";
import * as human from "./human.js";
import { connectFilter, showConnection } from "./shell.js";
import { keepView } from "./way_back.js";

const APPLY_BUDGET = 4; // ms per frame
const ARRANGE_INTERVAL = 1000; // ms; rows that change places more often cannot be read
const REFRESH_INTERVAL = 1000; // ms; ages grow without events
const ANNOUNCE_INTERVAL = 3000; // ms
const MAX_NAMES_ANNOUNCED = 5;

const filter = byId("filter");
const orderSelect = byId("order");
const attention = byId("attention");
const menus = [byId("words"), byId("columns")];
const stateButtons = [...document.querySelectorAll("button[data-state]")];

const clock = new ServerClock();
const fleet = new Fleet(() => clock.now());
const table = new HostTable(byId("table"), byId("columns"), fleet, clock, { sort, pick, changed: requestFrame });

const grid = new HostGrid(byId("grid"), fleet);
const groups = new Groups(byId("group"), byId("groups"), (label) => setView({ group: label }), pick);
const viewButtons = [...document.querySelectorAll("[data-view]")];
const eventLog = new EventLog(byId("event-log"));

let view = ""; // "grid", or the table
let group = ""; // the label to group by
let status = null;
let queue = []; // changes that are not applied yet, as functions
let applied = 0; // changes at the start of the queue that are applied
let loaded = false; // a snapshot is applied
let frame = 0; // the requested animation frame
let arrangedAt = -Infinity;
let arrangeAtOnce = true;
const stateChanges = new Map(); // host's name → state, since the last announcement

// --- events ---

function onSnapshot(data) {
  clock.set(data.now_timestamp_seconds);
  const names = new Set(data.hosts.map((row) => row.name));
  queue = [];
  applied = 0;
  queueRows(data);
  queue.push(() => {
    for (const name of fleet.hosts.keys()) if (!names.has(name)) removeHost(name);
    loaded = true;
    arrangeAtOnce = true;
    fleet.needsArranging = true;
  });
  setStatus(data.status);
  eventLog.reset(data.events);
  requestFrame();
}

function onDelta(data) {
  clock.set(data.now_timestamp_seconds);
  queueRows(data);
  for (const name of data.gone) queue.push(() => removeHost(name));
  if (data.status) setStatus(data.status);
  if (data.events) eventLog.add(data.events);
  requestFrame();
}

function queueRows({ hosts, now_timestamp_seconds: timestamp }) {
  for (const row of hosts) queue.push(() => updateHost(row, timestamp));
}

function updateHost(row, timestamp) {
  const oldState = fleet.update(row, timestamp);
  if (!loaded || oldState === row.state) return;
  stateChanges.set(row.name, oldState ? row.state : "new");
  arrangeAtOnce = true;
}

function removeHost(name) {
  fleet.remove(name);
  if (loaded) stateChanges.set(name, "gone");
}

function setStatus(newStatus) {
  status = newStatus;
  showStatus(status, clock.now());
  showTotals(byId("totals"), status);
}

// --- rendering ---

function requestFrame() {
  frame ||= requestAnimationFrame(render);
}

function render(startedAt) {
  frame = 0;
  if (!view) table.measurePosition(); // before anything is written
  while (applied < queue.length && performance.now() - startedAt < APPLY_BUDGET) {
    queue[applied]();
    applied += 1;
  }
  if (applied === queue.length) {
    queue = [];
    applied = 0;
  }
  const due = startedAt - arrangedAt >= ARRANGE_INTERVAL;
  if (fleet.needsArranging && (due || (arrangeAtOnce && !queue.length))) {
    arrangedAt = startedAt;
    arrangeAtOnce = false;
    fleet.arrange();
    const wasHidden = byId("table").hidden;
    showCounts();
    groups.show(fleet, group);
    table.noteValues();
    if (byId("table").hidden !== wasHidden) table.measurePosition();
  }
  let isShown = true;
  if (view === "grid") isShown = grid.show(startedAt + 2 * APPLY_BUDGET);
  else table.show();
  if (queue.length || !isShown) requestFrame();
}

function showCounts() {
  const { counts } = fleet;
  for (const button of stateButtons) {
    const { state } = button.dataset;
    if (!button.firstChild) {
      const label = create("span", `state ${state}`, create("span", "shape"), create("b"), " ", create("span"));
      button.append(label);
    }
    const [, count, word] = button.firstChild.children;
    setText(count, human.number(counts[state]));
    setText(word, state);
    button.classList.toggle("is-none", !counts[state]);
    setAttribute(button, "aria-pressed", String(fleet.state === state));
  }
  showAttention();
  const all = fleet.hosts.size;
  const shown = fleet.shown.length;
  setText(byId("shown"), shown === all ? "" : `${human.number(shown)} of ${human.number(all)} hosts`);
  document.title = fleet.attention ? `${attentionText(fleet.attention)} · Pombo` : "Pombo";
  showEmpty();
}

function showAttention() {
  const count = fleet.attention;
  if (!attention.firstChild) attention.append(create("span", "mark", create("b"), " ", create("span")));
  const [number, words] = attention.firstChild.children;
  const isCritical = [...fleet.hosts.values()].some((host) => host.row.severity === "critical");
  setText(number, human.number(count));
  setText(words, attentionText(count).replace(/^\S+ /, ""));
  showSeverity(attention, isCritical ? "critical" : count ? "warning" : "ok");
  attention.classList.toggle("is-none", !count);
  setAttribute(attention, "aria-pressed", String(fleet.onlyAttention));
}

const attentionText = (count) => `${human.number(count)} ${count === 1 ? "needs" : "need"} attention`;

/** Says why the table is empty, if it is. */
function showEmpty() {
  const isEmpty = !fleet.shown.length;
  const box = byId("empty");
  box.hidden = !isEmpty || !loaded;
  byId("table").hidden = isEmpty || view !== "";
  byId("grid").hidden = byId("legend").hidden = isEmpty || view !== "grid";
  if (!box.hidden) showNothing(box, fleet, status, clock.now());
}

/** Lets screen readers read out which hosts changed their state. */
function announce() {
  if (!stateChanges.size) return;
  const changes = [...stateChanges];
  stateChanges.clear();
  if (changes.length <= MAX_NAMES_ANNOUNCED) {
    const texts = changes.map(([name, state]) => `${human.displayName(name)} is ${state}.`);
    setText(byId("announcements"), texts.join(" "));
    return;
  }
  const counts = new Map();
  for (const [, state] of changes) counts.set(state, (counts.get(state) ?? 0) + 1);
  const texts = [...counts].map(([state, count]) => `${count} hosts are ${state}`);
  setText(byId("announcements"), `${texts.join(", ")}.`);
}

// --- order and filter, which are in the page's address too ---

function sort(order) {
  setView({ order, reversed: fleet.order === order ? !fleet.reversed : false });
}

/** Adds a word to the filter, or removes it. */
function pick(word) {
  setView({ filter: toggled(fleet.filter, word) });
}

function setView(changes) {
  fleet.setView(changes);
  group = changes.group ?? group;
  view = changes.view ?? view;
  byId("columns").hidden = view !== "";
  for (const button of viewButtons) setAttribute(button, "aria-pressed", String(button.dataset.view === view));
  showWrongFilter();
  showCsvLink();
  arrangeAtOnce = true;
  table.showOrder();
  orderSelect.value = fleet.order;
  if (orderSelect.value !== fleet.order) orderSelect.value = "trouble"; // it lacks some orders
  if (filter.value !== fleet.filter) filter.value = fleet.filter;
  const address = new URL(location);
  const setParameter = (name, value) =>
    value ? address.searchParams.set(name, value) : address.searchParams.delete(name);
  setParameter("q", fleet.filter);
  setParameter("state", fleet.state);
  setParameter("attention", fleet.onlyAttention ? "1" : "");
  setParameter("sort", fleet.order === "trouble" ? "" : fleet.order);
  setParameter("reversed", fleet.reversed ? "1" : "");
  setParameter("group", group);
  setParameter("view", view);
  if (address.href !== location.href) history.replaceState(null, "", address);
  keepView();
  requestFrame();
}

/** Lets the link to CSV have the hosts that are shown. */
function showCsvLink() {
  const words = [fleet.wrong ? "" : fleet.filter, fleet.state && `state:${fleet.state}`, fleet.onlyAttention && "-severity:ok"];
  const text = words.filter(Boolean).join(" ");
  setAttribute(byId("to-csv"), "href", `api/v1/hosts?format=csv${text && `&filter=${encodeURIComponent(text)}`}`);
}

function showWrongFilter() {
  const box = byId("wrong");
  box.hidden = !fleet.wrong;
  setText(box, fleet.wrong && `The filter is not applied. ${fleet.wrong}.`);
  setAttribute(filter, "aria-invalid", String(Boolean(fleet.wrong)));
}

function readAddress() {
  const parameters = new URL(location).searchParams;
  const order = parameters.get("sort") ?? "";
  const state = parameters.get("state") ?? "";
  setView({
    filter: parameters.get("q") ?? "",
    order: Object.hasOwn(ORDERS, order) ? order : "trouble",
    reversed: parameters.has("reversed"),
    state: Object.hasOwn(fleet.counts, state) ? state : "",
    onlyAttention: parameters.has("attention"),
    group: parameters.get("group") ?? "",
    view: parameters.get("view") === "grid" ? "grid" : "",
  });
}

connectFilter(filter, (text) => setView({ filter: text }));
filter.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" && event.key !== "Enter") return;
  event.preventDefault();
  (view === "grid" ? grid : table).focusFirst();
});
orderSelect.addEventListener("change", () => setView({ order: orderSelect.value, reversed: false }));
for (const button of stateButtons) {
  button.addEventListener("click", () => {
    const { state } = button.dataset;
    setView({ state: fleet.state === state ? "" : state });
  });
}
for (const button of viewButtons) button.addEventListener("click", () => setView({ view: button.dataset.view }));
attention.addEventListener("click", () => setView({ onlyAttention: !fleet.onlyAttention }));
for (const menu of menus) {
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.firstElementChild.focus();
  });
}
document.addEventListener("click", ({ target }) => {
  for (const menu of menus) if (!menu.contains(target)) menu.open = false;
});
addEventListener("scroll", requestFrame, { passive: true });
addEventListener("resize", () => {
  table.measureRowHeight();
  requestFrame();
});
addEventListener("popstate", readAddress);

setInterval(() => {
  if (document.hidden) return;
  fleet.passTime();
  table.showAges();
  if (status) showStatus(status, clock.now());
  if (!byId("empty").hidden) showEmpty();
  if (fleet.needsArranging) requestFrame();
}, REFRESH_INTERVAL);
setInterval(announce, ANNOUNCE_INTERVAL);

showCounts();
readAddress();
listen("live", { snapshot: onSnapshot, delta: onDelta }, (connected) =>
  showConnection(connected, status !== null),
);
