// The page of all hosts: takes the server's events, a slice of a frame at a time, and shows them.

import { fill, make, mark, say } from "./dom.js";
import { listen, ServerClock } from "./events.js";
import { showStatus, total } from "./exporter_section.js";
import { Fleet, ORDERS } from "./fleet.js";
import { Table } from "./host_table.js";
import * as human from "./human.js";
import { connectFilter, showConnection } from "./shell.js";

const SLICE = 4; // ms of a frame for taking rows in
const ARRANGE_EVERY = 1000; // ms; rows that jump about cannot be read
const SAY_EVERY = 3000; // ms between two announcements
const NAMED = 5; // so many hosts are announced by name

const part = (id) => document.getElementById(id);
const filter = part("filter");
const chooser = part("order");
const stateButtons = [...document.querySelectorAll("[data-state]")];

const clock = new ServerClock();
const fleet = new Fleet();
const table = new Table(part("table"), fleet, sort);
table.now = () => clock.now();
part("table").tabIndex = -1;

let status = null;
let queue = []; // what the server said and is not taken in yet
let taken = 0; // so much of the queue is
let frame = 0;
let arranged = -Infinity;
let pressing = true; // arrange at once: the user asked, or all is new
let loaded = false;
const news = new Map(); // host's name → state, since the last announcement

// --- what the server says ---

function takeSnapshot(said) {
  clock.set(said.now_timestamp_seconds);
  const names = new Set(said.hosts.map((row) => row.name));
  queue = [];
  taken = 0;
  for (const row of said.hosts) queue.push(() => takeRow(row, said.now_timestamp_seconds));
  queue.push(() => {
    for (const name of fleet.hosts.keys()) if (!names.has(name)) drop(name);
    loaded = true;
    pressing = true;
    fleet.stale = true;
  });
  takeStatus(said.status);
}

function takeDelta(said) {
  clock.set(said.now_timestamp_seconds);
  for (const row of said.hosts) queue.push(() => takeRow(row, said.now_timestamp_seconds));
  for (const name of said.gone) queue.push(() => drop(name));
  if (said.status) takeStatus(said.status);
  wake();
}

function takeRow(row, now) {
  const before = fleet.take(row, now);
  if (!loaded || before === row.state) return;
  news.set(row.name, before ? row.state : "new");
  pressing = true;
}

function drop(name) {
  fleet.drop(name);
  if (loaded) news.set(name, "gone");
}

function takeStatus(said) {
  status = said;
  showStatus(status, clock.now());
  wake();
}

// --- the page ---

function wake() {
  frame ||= requestAnimationFrame(show);
}

function show(started) {
  frame = 0;
  table.look();
  while (taken < queue.length && performance.now() - started < SLICE) {
    queue[taken]();
    taken += 1;
  }
  if (taken === queue.length) {
    queue = [];
    taken = 0;
  }
  const waited = started - arranged >= ARRANGE_EVERY;
  if (fleet.stale && (pressing || waited) && !(queue.length && !waited)) {
    arranged = started;
    pressing = false;
    fleet.arrange();
    const hidden = part("table").hidden;
    showNumbers();
    if (part("table").hidden !== hidden) table.look();
  }
  table.show(clock.now());
  if (queue.length) wake();
}

function showNumbers() {
  const { counts } = fleet;
  for (const button of stateButtons) {
    const { state } = button.dataset;
    if (!button.firstChild) button.append(make("span", `state ${state}`, make("span", "shape"), make("b"), " ", make("span")));
    const [, count, word] = button.firstChild.children;
    say(count, human.number(counts[state]));
    say(word, state);
    mark(button, "aria-pressed", String(fleet.state === state));
  }
  const all = fleet.hosts.size;
  const shown = fleet.shown.length;
  say(part("shown"), shown === all ? "" : `${human.number(shown)} of ${human.number(all)} hosts`);
  const trouble = counts.down + counts.late;
  document.title = trouble ? `${trouble} in trouble · Pombo` : "Pombo";
  showEmpty(all, shown);
}

function showEmpty(all, shown) {
  const empty = part("empty");
  empty.hidden = shown > 0 || !loaded;
  part("table").hidden = shown === 0;
  if (empty.hidden) return;
  const port = location.port || "5005";
  const said = all
    ? [["p", "No host has this in its name or labels."]]
    : [
        ["p", "No host has reported yet. On each host, run:"],
        ["pre", `pombo-agent --server=${location.hostname}:${port}`],
      ];
  fill(empty, said, () => make("div"), (box, [tag, text]) => {
    if (box.firstChild?.localName !== tag) box.replaceChildren(make(tag));
    say(box.firstChild, text);
  });
}

function showSub() {
  if (!status) return;
  const refused = total(status);
  const parts = [`${human.number(fleet.hosts.size)} ${fleet.hosts.size === 1 ? "host" : "hosts"}`];
  parts.push(`${human.number(status.datagrams_received)} datagrams`);
  if (refused) parts.push(`${human.number(refused)} refused`);
  if (status.kernel_drops) parts.push(`${human.number(status.kernel_drops)} dropped by the kernel`);
  say(part("sub"), parts.join(" · "));
}

/** Tells a screen reader which hosts changed their state. */
function announce() {
  if (!news.size) return;
  const said = [...news];
  news.clear();
  if (said.length <= NAMED) {
    say(part("news"), said.map(([name, state]) => `${human.named(name)} is ${state}.`).join(" "));
    return;
  }
  const counts = new Map();
  for (const [, state] of said) counts.set(state, (counts.get(state) ?? 0) + 1);
  const parts = [...counts].map(([state, count]) => `${count} hosts are ${state}`);
  say(part("news"), `${parts.join(", ")}.`);
}

// --- what the user wants ---

function sort(key) {
  want({ order: key, reversed: fleet.order === key ? !fleet.reversed : false });
}

function want(wishes) {
  fleet.want(wishes);
  pressing = true;
  table.markOrder();
  chooser.value = fleet.order;
  if (chooser.value !== fleet.order) chooser.value = "trouble";
  if (filter.value !== fleet.wanted) filter.value = fleet.wanted;
  const address = new URL(location);
  const set = (name, value) =>
    value ? address.searchParams.set(name, value) : address.searchParams.delete(name);
  set("q", fleet.wanted);
  set("state", fleet.state);
  set("sort", fleet.order === "trouble" ? "" : fleet.order);
  set("reversed", fleet.reversed ? "1" : "");
  if (address.href !== location.href) history.replaceState(null, "", address);
  wake();
}

function readAddress() {
  const asked = new URL(location).searchParams;
  const order = asked.get("sort");
  const state = asked.get("state");
  want({
    wanted: asked.get("q") ?? "",
    order: Object.hasOwn(ORDERS, order ?? "") ? order : "trouble",
    reversed: asked.has("reversed"),
    state: Object.hasOwn(fleet.counts, state ?? "") ? state : "",
  });
}

connectFilter(filter, (text) => want({ wanted: text }));
filter.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" && event.key !== "Enter") return;
  event.preventDefault();
  table.enter();
});
chooser.addEventListener("change", () => want({ order: chooser.value, reversed: false }));
for (const button of stateButtons) {
  button.addEventListener("click", () => {
    const { state } = button.dataset;
    want({ state: fleet.state === state ? "" : state });
  });
}
part("table").addEventListener("keydown", (event) => {
  if (event.target === part("table")) table.resume(event);
});
addEventListener("scroll", wake, { passive: true });
addEventListener("resize", () => {
  table.measure();
  wake();
});
addEventListener("popstate", readAddress);

setInterval(() => {
  if (document.hidden) return;
  table.tick(clock.now());
  if (status) showStatus(status, clock.now());
  showSub();
  if (fleet.stale) wake();
}, 1000);
setInterval(announce, SAY_EVERY);

showNumbers();
readAddress();
listen("/live", { snapshot: takeSnapshot, delta: takeDelta }, (there) =>
  showConnection(there, status !== null),
);
