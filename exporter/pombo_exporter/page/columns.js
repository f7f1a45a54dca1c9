// Which columns of the table are shown: those that are chosen, without those that have the same
// value on every row. The choice is kept in the browser.

import { create, setAttribute, setText, syncChildren } from "./dom.js";

const STORED = "pombo.columns";
const STORED_COMPACT = "pombo.compact";

/** Reads what the browser keeps; it may forbid that. */
function stored(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

function store(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Without it, the choice is that of this page alone.
  }
}

/** Returns the value that a column has on every row, in words; null if rows differ. */
export function sameOnAll(hosts, { same, textOf }) {
  if (!same || hosts.length < 2) return null;
  const first = same(hosts[0].row);
  return hosts.every(({ row }) => same(row) === first) ? textOf(hosts[0].row) : null;
}

/** The menu of columns, and which of them are hidden. */
export class ColumnMenu {
  #columns;
  #list;
  #change;
  #chosen; // by the column's order: whether it is shown, whatever its values are
  #same = new Map(); // by the column's order: the value on every row

  /** Takes the columns, of which a fixed one is always shown; calls `change()` when one is chosen. */
  constructor(menu, columns, change) {
    this.#columns = columns.filter((column) => !column.isFixed);
    this.#list = menu.querySelector("ul");
    this.#change = change;
    const found = stored(STORED);
    this.#chosen = new Map(Object.entries(found && typeof found === "object" ? found : {}));
    this.compact = stored(STORED_COMPACT) === true;
    this.#list.addEventListener("change", ({ target }) => this.#choose(target));
    menu.querySelector("button").addEventListener("click", () => this.#reset());
    this.#show();
  }

  /** Notes the values of all hosts. */
  note(hosts) {
    let isChanged = false;
    for (const column of this.#columns) {
      const value = sameOnAll(hosts, column);
      if (value === (this.#same.get(column.order) ?? null)) continue;
      isChanged = true;
      if (value === null) this.#same.delete(column.order);
      else this.#same.set(column.order, value);
    }
    if (isChanged) this.#show();
    return isChanged;
  }

  /** Returns whether a column is hidden. */
  isHidden({ order, isFixed }) {
    if (isFixed) return false;
    const chosen = this.#chosen.get(order);
    return typeof chosen === "boolean" ? !chosen : this.#same.has(order);
  }

  #choose(box) {
    if (box.order === undefined) {
      this.compact = box.checked;
      store(STORED_COMPACT, this.compact);
    } else {
      this.#chosen.set(box.order, box.checked);
      store(STORED, Object.fromEntries(this.#chosen));
    }
    this.#show();
    this.#change();
  }

  #reset() {
    this.#chosen.clear();
    this.compact = false;
    store(STORED, {});
    store(STORED_COMPACT, false);
    this.#show();
    this.#change();
  }

  #show() {
    const rows = this.#columns.map((column) => ({
      order: column.order,
      title: column.title,
      note: this.#same.has(column.order) ? `${this.#same.get(column.order)} on every row` : "",
      isShown: !this.isHidden(column),
    }));
    rows.push({ order: undefined, title: "Compact rows", note: "", isShown: this.compact });
    syncChildren(this.#list, rows, createChoice, (item, { order, title, note, isShown }) => {
      const [box, name, more] = item.firstChild.children;
      box.order = order;
      box.checked = isShown;
      setText(name, title);
      setText(more, note);
      setAttribute(more, "title", note);
    });
  }
}

function createChoice() {
  const box = create("input");
  box.type = "checkbox";
  return create("li", "", create("label", "", box, create("span"), create("span", "note")));
}
