// Groups of hosts by the value of one of their labels, with how many need attention. A press on a
// group filters by it.

import { create, setAttribute, setText, showSeverity, syncChildren } from "./dom.js";
import { hasWord, labelWord } from "./filter.js";
import * as human from "./human.js";

const MOST_LABELS = 30; // to choose from
const MOST_GROUPS = 60;

/** Returns the names of labels, those of most hosts first. */
export function labelNames(hosts) {
  const counts = new Map();
  for (const { row } of hosts) {
    for (const name of Object.keys(row.labels)) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const found = [...counts].sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1));
  return found.slice(0, MOST_LABELS).map(([name]) => name);
}

/** Returns the groups by a label, the one with most trouble first; hosts without it have null. */
export function groupsBy(hosts, label) {
  const groups = new Map();
  for (const { row } of hosts) {
    const value = Object.hasOwn(row.labels, label) ? row.labels[label] : null;
    let group = groups.get(value);
    if (!group) groups.set(value, (group = { value, all: 0, critical: 0, warning: 0, ok: 0 }));
    group.all += 1;
    group[row.severity] += 1;
  }
  return [...groups.values()].sort(
    (a, b) =>
      b.critical - a.critical ||
      b.warning - a.warning ||
      Number(a.value === null) - Number(b.value === null) ||
      b.all - a.all ||
      (a.value < b.value ? -1 : 1),
  );
}

/** The choice of a label and the groups by it. */
export class Groups {
  #select;
  #list;
  #names = "";

  /** Calls `choose(label)` when a label is chosen, and `pick(word)` when a group is pressed. */
  constructor(select, list, choose, pick) {
    this.#select = select;
    this.#list = list;
    select.addEventListener("change", () => choose(select.value));
    list.addEventListener("click", ({ target }) => {
      const group = target instanceof Element ? target.closest("button") : null;
      if (group?.word) pick(group.word);
    });
  }

  /** Shows the groups of all hosts of a fleet by a label; none without one. */
  show(fleet, label) {
    const hosts = [...fleet.hosts.values()];
    const names = labelNames(hosts);
    if (label && !names.includes(label)) names.push(label); // of the address
    this.#showNames(names, label);
    this.#select.parentElement.hidden = !names.length;
    this.#list.hidden = !label;
    if (!label) return;
    const groups = groupsBy(hosts, label);
    const shown = groups.slice(0, MOST_GROUPS);
    const items = shown.length < groups.length ? [...shown, { more: groups.length - shown.length }] : shown;
    syncChildren(this.#list, items, createGroup, (item, group) => showGroup(item, group, label, fleet.filter));
  }

  #showNames(names, label) {
    const joined = JSON.stringify(names);
    if (joined !== this.#names) {
      this.#names = joined;
      const options = [create("option", "", "no label"), ...names.map((name) => create("option", "", name))];
      options.forEach((option, index) => {
        option.value = index ? names[index - 1] : "";
      });
      this.#select.replaceChildren(...options);
    }
    if (this.#select.value !== label) this.#select.value = label;
  }
}

function createGroup() {
  const button = create("button", "", create("bdi"));
  button.type = "button";
  for (const severity of ["critical", "warning", "ok"]) {
    const mark = create("span", "mark");
    showSeverity(mark, severity);
    button.append(" ", mark);
  }
  return create("li", "", button);
}

function showGroup(item, { value, all, critical, warning, more }, label, filter) {
  const button = item.firstChild;
  const [name, ...marks] = button.children;
  const text = value == null ? `no ${label}` : human.displayName(value);
  setText(name, more ? `and ${human.number(more)} more` : text);
  button.disabled = Boolean(more) || value === null;
  button.word = button.disabled ? "" : labelWord(label, value);
  const counts = more ? ["", "", ""] : [critical, warning, all].map((count, index) => (count || index === 2 ? human.number(count) : ""));
  counts.forEach((count, index) => {
    setText(marks[index], count);
    marks[index].hidden = !count;
  });
  const words = more ? "" : `${text}: ${human.number(all)} hosts, ${critical} critical, ${warning} with a warning`;
  setAttribute(button, "title", words);
  setAttribute(button, "aria-pressed", String(Boolean(button.word) && hasWord(filter, button.word)));
  showSeverity(button, critical ? "critical" : warning ? "warning" : "ok");
}
