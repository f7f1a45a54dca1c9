// The page that adds a host: the command to run, and whether the host reports already.

import { byId, create, setText, syncRows } from "./dom.js";
import { listen } from "./events.js";
import * as human from "./human.js";
import { showConnection } from "./shell.js";

const TYPING_PAUSE = 400; // ms without a key before the host is looked for
const COPIED_SHOWN = 2000; // ms
const DEFAULT_PORT = 5005;
const RETRY_AFTER = 2000; // ms

const PLAIN_WORD = /^[\w.,:@%+=/][\w.,:@%+=/-]*$/;
const LOOPBACK = /^(localhost|127\.[\d.]+|\[::1\])$/;

const input = byId("name");
const waiting = byId("waiting");

let files = null; // what the exporter has
let stopListening = null; // of the host that is waited for
let typingTimer = 0;

// --- the command ---

/**
 * Returns a word as a POSIX shell has it. It has no character that a terminal acts upon: a link to
 * this page has a name, and what is pasted would run before it is read.
 */
function quoted(word) {
  if (human.printable(word) !== word) return `"$(printf '${octal(word)}')"`;
  return PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
}

/** Returns the bytes of a text as printf has them. */
function octal(text) {
  const bytes = [...new TextEncoder().encode(text)];
  return bytes.map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
}

/** Returns the command that prints how to set up the host. */
function enrollCommand() {
  const name = input.value;
  const local = LOOPBACK.test(location.hostname);
  const host = local ? "EXPORTER" : location.hostname;
  const port = files.udp_port === DEFAULT_PORT ? "" : `:${files.udp_port}`;
  const words = ["pombo-exporter enroll", `--server=${quoted(`${host}${port}`)}`];
  if (needsUrl()) words.push(`--web.external-url=${quoted(baseUrl(local))}`);
  words.push(name.startsWith("-") ? "--" : "", name ? quoted(name) : "NAME");
  return words.filter(Boolean).join(" ");
}

/** Whether hosts reach this page elsewhere than at the port of reports. */
function needsUrl() {
  return location.protocol !== "http:" || Number(location.port || 80) !== files.udp_port || path() !== "";
}

const path = () => location.pathname.replace(/\/join$/, "");

function baseUrl(local) {
  const port = location.port ? `:${location.port}` : "";
  return `${location.protocol}//${local ? "EXPORTER" : location.hostname}${port}${path()}`;
}

function showCommand() {
  setText(byId("enroll"), enrollCommand());
  byId("address-note").hidden = !LOOPBACK.test(location.hostname);
  byId("key-flag").hidden = !files.sealed;
}

async function copy() {
  const element = byId("enroll");
  let done = false;
  try {
    await navigator.clipboard.writeText(element.textContent);
    done = true;
  } catch {
    // Browsers have a clipboard only over HTTPS and at localhost.
    getSelection().selectAllChildren(element);
    done = document.execCommand("copy");
  }
  const text = done ? "Copied" : "Press Ctrl-C";
  setText(byId("copy"), text);
  setText(byId("copied"), text);
  setTimeout(() => setText(byId("copy"), "Copy"), COPIED_SHOWN);
}

// --- the host ---

/** Shows whether the host with the name in the input reports. */
function waitForHost() {
  stopListening?.();
  stopListening = null;
  const name = input.value;
  const address = new URL(location);
  if (name) address.searchParams.set("name", name);
  else address.searchParams.delete("name");
  if (address.href !== location.href) history.replaceState(null, "", address);
  if (!files.live) return showWaiting("See whether it reports with your password: the page of all hosts needs one.");
  if (!name) return showWaiting("Name the host, and this line says when it reports.");
  showWaiting(`Waiting for the first report of ${human.displayName(name)} …`);
  let state = "";
  const onHost = ({ host }) => {
    state = host.state ?? state; // a delta has only what changed
    if (state === "live") showLive(name);
    else showWaiting(`${human.displayName(name)} has reported, and is ${state} now.`);
  };
  const onGone = () => showWaiting(`Waiting for the first report of ${human.displayName(name)} …`);
  const url = `live?host=${encodeURIComponent(name)}`;
  stopListening = listen(url, { snapshot: onHost, delta: onHost, gone: onGone }, (connected) =>
    showConnection(connected, false),
  );
}

function showWaiting(text) {
  waiting.closest("li").classList.remove("is-done");
  if (waiting.childElementCount) waiting.replaceChildren();
  setText(waiting, text);
}

function showLive(name) {
  if (waiting.childElementCount) return;
  waiting.closest("li").classList.add("is-done");
  const link = create("a", "", create("bdi", "", human.displayName(name)));
  link.href = `host?name=${encodeURIComponent(name)}`;
  waiting.replaceChildren(link, " is live.");
}

// --- what the exporter has ---

function showFiles() {
  const rows = [files.installer, ...files.agents].map((file) => [
    file.name,
    human.size(file.size_bytes),
    file.sha256,
  ]);
  syncRows(byId("files"), rows, ["", "number", ""]);
  byId("files-section").hidden = !files.agents.length;
  byId("steps").hidden = !files.agents.length;
  byId("installed").hidden = !files.agents.length;
  byId("key-note").hidden = !files.sealed;
  byId("missing").hidden = files.agents.length > 0;
  if (!files.agents.length) {
    byId("missing").replaceChildren(
      create("p", "", "This exporter has no agents that a host could download: its folder --web.join-files has none. Packages of the exporter bring them, and “make dist” makes them."),
      create("p", "", "Until then, install the agent as docs/install.md of Pombo says, and run “pombo-exporter enroll NAME” here for the key of the host."),
    );
  }
}

async function load() {
  try {
    const answer = await fetch("join/files");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    files = await answer.json();
  } catch {
    showConnection(false, false);
    setTimeout(load, RETRY_AFTER);
    return;
  }
  showConnection(true, false);
  showFiles();
  showCommand();
  waitForHost();
}

input.value = new URL(location).searchParams.get("name") ?? "";
input.addEventListener("input", () => {
  if (!files) return;
  showCommand();
  clearTimeout(typingTimer);
  typingTimer = setTimeout(waitForHost, TYPING_PAUSE);
});
byId("copy").addEventListener("click", copy);
load();
