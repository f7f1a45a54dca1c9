// The page of the demonstration: it asks for the state each second, and for one host.

import { byId, create, setAttribute, setText, showPairs, syncChildren } from "./dom.js";
import * as human from "./human.js";

const STATE_EVERY = 1000; // ms
const HOST_EVERY = 2000; // ms
const TYPING_PAUSE = 400; // ms
const SHOWN_REPORTS = 60;
const WORST = 2; // s by which reports may be late before the page says so

const SHARES = ["lost", "doubled", "delayed"];
const COUNTERS = { received: "Received", transmitted: "Transmitted" };
const FATES = ["", "arrived", "lost", "arrived late", "arrived twice", "not heard: the exporter was killed"];

let state = null;
let sending = 0; // changes of the network that the state may not have yet
let lastHost = "";

const count = (value) => (value == null ? human.UNKNOWN : human.number(value));
const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : human.UNKNOWN);

async function change(path, body) {
  sending += 1;
  try {
    await fetch(path, { method: "POST", body: body && JSON.stringify(body) });
  } finally {
    sending -= 1;
  }
  await readState();
}

// --- the network ---

function shares() {
  return Object.fromEntries(SHARES.map((name) => [name, Number(byId(name).value) / 100]));
}

function showShares() {
  for (const name of SHARES) setText(byId(`${name}-value`), `${byId(name).value} %`);
}

function setShares(values) {
  for (const name of SHARES) byId(name).value = Math.round(100 * values[name]);
  showShares();
  change("network", shares());
}

// --- the state ---

function showFigure(id, value, note, wrong = false) {
  const figure = byId(id);
  figure.classList.toggle("is-wrong", wrong);
  setText(figure.querySelector("strong"), value);
  setText(figure.querySelector(".note"), note);
}

function showState() {
  const interval = human.span(state.interval_seconds);
  const [a, b] = state.exporters;
  setText(byId("simulated"), count(state.hosts));
  setText(byId("interval"), interval.replace(" ", "\u00a0"));
  setAttribute(byId("link-this"), "href", `${(a.runs ? a : b).url}/host?name=${encodeURIComponent(state.this_host)}`);
  setAttribute(byId("link-a"), "href", `${a.url}/`);
  setAttribute(byId("link-b"), "href", `${b.url}/`);
  setAttribute(byId("link-prometheus"), "href", `${state.prometheus_url}/graph?g0.expr=max+by+(instance)+(pombo_host_up)+%3D%3D+0&g0.tab=1`);
  const lost = a.lost + b.lost;
  showFigure("figure-lost", count(lost), `${percent(lost, a.sent + b.sent)} of all so far`);
  const totals = state.totals;
  showFigure(
    "figure-totals",
    totals ? count(totals.count - totals.equal) : human.UNKNOWN,
    totals ? `of ${count(totals.count)}, ${human.age(Date.now() / 1000 - totals.at)} ago` : "after the first scrapes",
    totals !== null && totals.count > totals.equal,
  );
  const known = Boolean(state.up);
  const most = state.most_down ? `; ${count(state.most_down)} at most so far` : ", and none so far";
  showFigure("figure-down", known ? count(state.down) : human.UNKNOWN, known ? `of ${count(state.up + state.down)}${most}` : "after the first scrapes", state.down > 0);
  if (!sending && !SHARES.some((name) => byId(name).matches(":active"))) {
    for (const name of SHARES) byId(name).value = Math.round(100 * state[name]);
    showShares();
  }
  for (const exporter of state.exporters) showExporter(exporter);
  const behind = byId("behind");
  behind.hidden = state.behind_seconds < WORST;
  setText(behind, `This machine is too slow for so many hosts: reports are ${human.span(state.behind_seconds)} late. Try: make demo HOSTS=2000`);
  showMachine();
}

function showExporter(exporter) {
  const card = document.querySelector(`[data-replica="${exporter.replica}"]`);
  card.classList.toggle("is-killed", !exporter.runs);
  setAttribute(card.querySelector("h2 a"), "href", `${exporter.url}/`);
  setText(card.querySelector(".running"), exporter.runs ? `runs as process ${exporter.pid}` : "killed");
  setText(card.querySelector(".address"), exporter.url.replace("http://", ""));
  card.querySelector(".kill").disabled = !exporter.runs;
  card.querySelector(".start").disabled = exporter.runs;
  showPairs(card.querySelector("dl"), [
    ["Hosts live", count(exporter.live)],
    ["Hosts late", count(exporter.late)],
    ["Hosts down", count(exporter.down)],
    ["Datagrams received", count(exporter.received)],
    ["Memory", exporter.runs ? human.size(exporter.resident_bytes) : human.UNKNOWN],
  ]);
}

function showMachine() {
  const programs = Object.entries(state.programs)
    .sort(([, [one]], [, [other]]) => other - one)
    .map(([name, [cores]]) => `${name} ${cores.toFixed(2)}`)
    .join(", ");
  setText(byId("machine"), `All programs use ${state.cpu_cores.toFixed(2)} cores and ${human.size(state.resident_bytes)}: ${programs}.`);
}

async function readState() {
  let answer = null;
  try {
    answer = await fetch("state");
    if (answer.ok) state = await answer.json();
  } catch {
    answer = null;
  }
  const lives = answer !== null;
  byId("disconnected").hidden = lives;
  document.body.classList.toggle("is-disconnected", !lives);
  if (lives && state) showState();
}

// --- one host ---

function showHost(found) {
  const titles = { a: "exporter", b: "replica" };
  const off = found.difference;
  setText(byId("verdict"), off === null ? "" : `Difference: ${human.number(off)} ${Math.abs(off) === 1 ? "byte" : "bytes"}`);
  byId("verdict").classList.toggle("is-wrong", Boolean(off));
  syncChildren(
    byId("compared"),
    found.rows.length ? found.rows : [null],
    () => create("tr", "", create("th"), ...Array.from({ length: 5 }, () => create("td"))),
    (row, compared) => {
      const [name, counted, increase, difference, samples, plain] = row.children;
      name.scope = "row";
      for (const cell of [counted, increase, difference, plain]) cell.className = "number";
      if (!compared) {
        setText(name, "No two samples yet");
        for (const cell of [counted, increase, difference, samples, plain]) setText(cell, "");
        return;
      }
      const off = compared.increase - compared.counted;
      setText(name, `${COUNTERS[compared.counter]}, by the ${titles[compared.replica]}`);
      setText(counted, human.number(compared.counted));
      setText(increase, human.number(compared.increase));
      setText(difference, human.number(off));
      difference.classList.toggle("is-wrong", off !== 0);
      setText(samples, `${compared.samples} in ${human.span(compared.seconds)}, reports ${human.number(compared.first_report)} to ${human.number(compared.last_report)}`);
      setText(plain, compared.extrapolated == null ? human.UNKNOWN : human.number(Math.round(compared.extrapolated)));
    },
  );
  syncChildren(
    byId("strips"),
    found.fates,
    () => create("div", "strip", create("span", "name"), create("div", "cells")),
    (strip, fates) => {
      const index = [...strip.parentElement.children].indexOf(strip);
      setText(strip.firstChild, state.exporters[index].title);
      const cells = strip.lastChild;
      setAttribute(cells, "role", "img");
      const shown = fates.slice(-SHOWN_REPORTS);
      const missing = shown.filter((fate) => fate === 2 || fate === 5).length;
      setAttribute(cells, "aria-label", `${missing} of the last ${shown.length} reports did not arrive`);
      syncChildren(cells, shown, () => create("i"), (cell, fate) => {
        setAttribute(cell, "class", `cell fate-${fate}`);
        setAttribute(cell, "title", FATES[fate]);
      });
    },
  );
}

async function readHost() {
  const name = byId("host").value.trim();
  if (!name || !state) return;
  try {
    const answer = await fetch(`host?name=${encodeURIComponent(name)}`);
    if (name !== byId("host").value.trim()) return; // another one was chosen meanwhile
    if (answer.ok) {
      showHost(await answer.json());
      lastHost = name;
    }
    setText(byId("host-error"), answer.status === 404 ? await answer.text() : "");
  } catch {
    // The banner says that nothing answers.
  }
}

function another() {
  const number = Math.floor(Math.random() * (state?.hosts ?? 1));
  byId("host").value = `vm-${String(number).padStart(5, "0")}.example.net`;
  readHost();
}

async function repeat(read, every) {
  for (;;) {
    if (!document.hidden) await read();
    await new Promise((done) => setTimeout(done, every));
  }
}

for (const name of SHARES) {
  byId(name).addEventListener("input", showShares);
  byId(name).addEventListener("change", () => change("network", shares()));
}
byId("bad").addEventListener("click", () => setShares({ lost: 0.5, doubled: 0.1, delayed: 0.2 }));
byId("good").addEventListener("click", () => setShares({ lost: 0, doubled: 0, delayed: 0 }));
for (const card of document.querySelectorAll("[data-replica]")) {
  const path = `exporters/${card.dataset.replica}`;
  card.querySelector(".kill").addEventListener("click", () => change(`${path}/kill`));
  card.querySelector(".start").addEventListener("click", () => change(`${path}/start`));
}
byId("choose").addEventListener("submit", (event) => {
  event.preventDefault();
  readHost();
});
let typing = 0;
byId("host").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(readHost, TYPING_PAUSE);
});
byId("another").addEventListener("click", another);

await readState();
another();
repeat(readState, STATE_EVERY);
repeat(readHost, HOST_EVERY);
