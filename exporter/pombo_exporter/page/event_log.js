// The log of what happened to hosts: folded, with the last event in its title.

import { create, setAttribute, setText, syncChildren } from "./dom.js";
import * as human from "./human.js";

const MOST_EVENTS = 100;

/** What to say of one host, and of several; severity says which colour it has. */
const KINDS = {
  new: { one: "is new", many: "are new" },
  down: { one: "is down", many: "are down", severity: "critical" },
  back: { one: "reports again", many: "report again" },
  stopped: { one: "said bye: its agent was stopped", many: "said bye: their agents were stopped" },
  restarted: { one: "has a restarted agent", many: "have restarted agents" },
  rebooted: { one: "has rebooted", many: "have rebooted", severity: "warning" },
  duplicate: { one: "has two agents", many: "have two agents each", severity: "warning" },
  forgotten: { one: "was forgotten", many: "were forgotten" },
  removed: { one: "was removed to make room for others", many: "were removed to make room for others" },
};

/** The last events, by their number. */
export class EventLog {
  #box;
  #events = new Map();

  /** Takes a <details> with a summary of two <span> and a list. */
  constructor(box) {
    this.#box = box;
    box.addEventListener("toggle", () => this.#showList());
  }

  /** Replaces all events. */
  reset(events = []) {
    this.#events.clear();
    this.add(events);
  }

  /** Adds events, newest first; one that is known replaces itself. */
  add(events = []) {
    for (const event of [...events].reverse()) {
      this.#events.delete(event.number); // so that it comes last
      this.#events.set(event.number, event);
    }
    for (const number of this.#events.keys()) {
      if (this.#events.size <= MOST_EVENTS) break;
      this.#events.delete(number);
    }
    this.#show();
  }

  #show() {
    const latest = [...this.#events.values()].at(-1);
    this.#box.classList.toggle("is-none", !latest);
    const summary = this.#box.firstElementChild.lastElementChild;
    const text = latest ? `${human.moment(latest.last_timestamp_seconds)} ${eventText(latest)}` : "none yet";
    setText(summary, text);
    setAttribute(summary, "title", text);
    this.#showList();
  }

  #showList() {
    if (!this.#box.open) return;
    const newestFirst = [...this.#events.values()].reverse();
    syncChildren(this.#box.lastElementChild, newestFirst, createEvent, showEvent);
  }
}

/** Returns an event in words. */
export function eventText({ kind, hosts, count }) {
  const { one, many } = KINDS[kind] ?? { one: kind, many: kind };
  if (hosts.length === 1) return `${human.displayName(hosts[0])} ${one}${times(count)}`;
  return `${names(hosts, count)} ${many}`;
}

const times = (count) => (count > 1 ? `, ${human.number(count)} times` : "");

function names(hosts, count) {
  const shown = hosts.map(human.displayName);
  const more = count - hosts.length;
  if (more > 0) return `${human.number(count)} hosts, such as ${shown[0]},`;
  return `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}

function createEvent() {
  return create("li", "", create("time"), create("span", "mark"), create("span", "what"));
}

function showEvent(item, event) {
  const [time, mark, what] = item.children;
  const { first_timestamp_seconds: first, last_timestamp_seconds: last } = event;
  const { one, many, severity } = KINDS[event.kind] ?? { one: event.kind, many: event.kind };
  setText(time, human.moment(last));
  setAttribute(time, "title", `${human.dateTime(first)} to ${human.dateTime(last)}`);
  setAttribute(time, "datetime", new Date(last * 1000).toISOString());
  setAttribute(mark, "data-severity", severity ?? "ok");
  const more = event.count - event.hosts.length;
  const isOne = event.hosts.length === 1;
  const parts = event.hosts.map((host, index) => [host, index === 0 ? "" : ", "]);
  syncChildren(what, [...parts, null], createPart, (part, pair) => {
    const [before, link, after] = part.children;
    link.hidden = !pair;
    setText(before, pair?.[1] ?? "");
    if (pair) {
      setText(link.firstChild, human.displayName(pair[0]));
      setAttribute(link, "href", `host?name=${encodeURIComponent(pair[0])}`);
      setText(after, "");
    } else {
      const others = more > 0 && !isOne ? ` and ${human.number(more)} more` : "";
      setText(after, `${others} ${isOne ? one + times(event.count) : many}`);
    }
  });
}

const createPart = () =>
  create("span", "", create("span"), create("a", "", create("bdi")), create("span"));
