// The table of hosts. Only the rows in view and a few around them exist in the document. A row
// keeps its host while it is in view, and is updated only when the host's data has changed.

import { ColumnMenu } from "./columns.js";
import { createChart, drawCurves } from "./curves.js";
import {
  create, createMeter, createStateBadge, setAttribute, setText, showRatio, showSeverity, showState, syncChildren,
} from "./dom.js";
import { hasWord, labelWord, traffic } from "./filter.js";
import { CPU, MEMORY, RECEIVE, TRANSMIT } from "./history.js";
import * as human from "./human.js";
import { reasonText, severityOf } from "./reasons.js";

const OVERSCAN = 6; // rows beyond each edge of the window
const MAX_SPARE_ROWS = 60;
const MAX_LABELS = 8; // of a row, which has no room for more
const MIN_NETWORK_SCALE = 1024; // bytes/s; so that little traffic does not fill the chart

/** A column with a text; rows have the same value if `same` returns the same of them. */
function textColumn(textOf, className = "", same = undefined) {
  return {
    className,
    same,
    textOf,
    create: (cell) => cell.append(create("span", "value")),
    show: (cell, host) => setText(cell.firstChild, textOf(host.row)),
  };
}

/** A column of texts that may be cut, so that each is its own title. */
function titledColumn(textOf, className, same) {
  const column = textColumn(textOf, className, same);
  return {
    ...column,
    show: (cell, host) => {
      column.show(cell, host);
      setAttribute(cell, "title", textOf(host.row));
    },
  };
}

/** Measured values differ in the next moment: rows have the same only where none is known. */
const unknown = (isKnown) => ({ same: (row) => (isKnown(row) ? NaN : null), textOf: () => "unknown" });

/** A column with a ratio and its curve. */
function ratioColumn(name, field) {
  return {
    className: "number curved",
    create: (cell) => cell.append(create("span", "value"), createChart(1, 96, 24)),
    show: (cell, host) => {
      setText(cell.firstChild, human.ratio(host.row[name]));
      drawCurves(cell.lastChild, host.history, [field], 1);
    },
  };
}

const networkColumn = {
  className: "number curved network",
  create: (cell) => {
    const receive = create("span", "value receive");
    const transmit = create("span", "value transmit");
    cell.append(create("span", "both", receive, transmit), createChart(2, 96, 24));
  },
  show: (cell, host) => {
    const [receive, transmit] = cell.firstChild.children;
    setText(receive, `↓ ${human.speed(host.row.network_receive_bytes_per_second)}`);
    setText(transmit, `↑ ${human.speed(host.row.network_transmit_bytes_per_second)}`);
    const fields = [RECEIVE, TRANSMIT];
    drawCurves(cell.lastChild, host.history, fields, host.history.max(fields, MIN_NETWORK_SCALE));
  },
};

/** Seconds that a datagram may take: a clock that differs by less may be right. */
const TRAVEL_TIME = 0.1;

const clockOffset = ({ clock_offset_seconds: offset }) =>
  offset != null && Math.abs(offset) < TRAVEL_TIME ? 0 : offset;

/** The filesystem to show: one with too few inodes where that is the most urgent, else the fullest. */
function filesystemOf(row) {
  const urgent = row.reasons.find(({ id }) => id === "disk" || id === "inodes");
  if (urgent?.id === "inodes") return { ratio: urgent.value, mountpoint: urgent.subject, of: "inodes" };
  const fullest = row.fullest_filesystem;
  return { ratio: fullest?.used_ratio, mountpoint: fullest?.mountpoint, of: "" };
}

const filesystemColumn = {
  className: "disk",
  create: (cell) => {
    cell.append(create("span", "both", create("span", "value"), create("bdi", "mount")), createMeter());
  },
  show: (cell, host) => {
    const { ratio, mountpoint, of } = filesystemOf(host.row);
    const [value, mount] = cell.firstChild.children;
    setText(value, [human.ratio(ratio), of].filter(Boolean).join(" "));
    const path = mountpoint == null ? "" : human.displayName(mountpoint);
    setText(mount, human.pathEnd(path, MOST_MOUNT_LETTERS));
    setAttribute(cell, "title", of ? `${of} of ${path}` : path);
    showRatio(cell.lastChild, ratio, severityOf(host.row, "disk"));
  },
};

const nameColumn = {
  className: "name",
  create: (cell) => {
    cell.append(create("a", "", create("bdi")), create("span", "warning"), create("span", "labels"));
  },
  show: (cell, host, filter) => {
    const { name, labels, looks_like: other, reasons, severity } = host.row;
    const [link, warning] = cell.children;
    const words = reasons.map((reason) => reasonText(reason, host.row));
    if (other) words.push(`name looks like ${human.displayName(other)}`);
    setText(warning, words.join(" · "));
    setAttribute(warning, "title", words.join("\n"));
    showSeverity(warning, severity);
    setAttribute(link, "href", `host?name=${encodeURIComponent(name)}`);
    setAttribute(link, "title", human.printable(name));
    setText(link.firstChild, human.displayName(name));
    const shown = Object.entries(labels).slice(0, MAX_LABELS);
    syncChildren(cell.lastChild, shown, createLabel, (label, pair) => showLabel(label, pair, filter));
  },
};

function createLabel() {
  const label = create("button", "label");
  label.type = "button";
  label.tabIndex = -1; // the filter does the same for those who use the keyboard
  return label;
}

function showLabel(label, [name, value], filter) {
  const text = human.printable(`${name}=${value}`);
  label.word = labelWord(name, value);
  setText(label, text);
  setAttribute(label, "title", `Filter by ${text}`);
  setAttribute(label, "aria-pressed", String(hasWord(filter, label.word)));
}

const stateColumn = {
  className: "state-cell",
  create: (cell) => cell.append(createStateBadge()),
  show: (cell, host) => showState(cell.firstChild, host.row.state),
};

const agentOf = (row) => human.printable(row.agent_version) || human.UNKNOWN;

/** Letters of a mount point: what tells one from another is at its end. */
const MOST_MOUNT_LETTERS = 15;

/** The columns; `order` is the sort key that a press on the column's header selects. */
const COLUMNS = [
  { order: "name", title: "Host", isFixed: true, ...nameColumn },
  { order: "trouble", title: "State", isFixed: true, ...stateColumn },
  { order: "seen", title: "Seen", isFixed: true, ...textColumn(() => "", "number seen") }, // showLastSeen fills it
  { order: "cpu", title: "CPU", ...ratioColumn("cpu_usage_ratio", CPU), ...unknown((row) => row.cpu_usage_ratio != null) },
  { order: "memory", title: "Memory", ...ratioColumn("memory_used_ratio", MEMORY), ...unknown((row) => row.memory_used_ratio != null) },
  { order: "disk", title: "Fullest disk", ...filesystemColumn, ...unknown((row) => row.fullest_filesystem) },
  { order: "network", title: "Network", ...networkColumn, ...unknown((row) => traffic(row) != null) },
  { order: "lost", title: "Lost", ...textColumn((row) => human.ratio(row.datagram_loss_ratio), "number lost", (row) => row.datagram_loss_ratio) },
  { order: "clock", title: "Clock", ...textColumn((row) => human.brief(clockOffset(row)), "number clock", (row) => clockOffset(row) && NaN) },
  { order: "interval", title: "Interval", ...textColumn((row) => human.span(row.interval_seconds), "number interval", (row) => row.interval_seconds) },
  { order: "address", title: "Address", ...titledColumn((row) => human.printable(row.address), "address", (row) => row.address) },
  { order: "agent", title: "Agent", ...titledColumn(agentOf, "agent", (row) => row.agent_version) },
];
const SEEN = COLUMNS.findIndex((column) => column.order === "seen");
const ASCENDING = ["name", "address", "agent"]; // the columns of texts

/** Shows the hosts of a fleet in a <table>. */
export class HostTable {
  #table;
  #body;
  #fleet;
  #clock;
  #rows = new Map(); // host → its row
  #spareRows = []; // removed from the document, for other hosts
  #above = createSpacer();
  #below = createSpacer();
  #rowHeight = 0; // px
  #top = 0; // px from the window's upper edge to the first host
  #activeHost = null; // has, or had last, the keyboard focus
  #menu;

  /**
   * Shows `fleet`; calls `sort(order)` when a column's header is pressed, `pick(word)` when a label
   * is, with the word of the filter that matches it, and `changed()` when `menu` chose columns.
   */
  constructor(table, menu, fleet, clock, { sort, pick, changed }) {
    this.#table = table;
    this.#body = table.tBodies[0];
    this.#fleet = fleet;
    this.#clock = clock;
    this.#body.before(this.#above);
    this.#body.after(this.#below);
    const headers = table.tHead.rows[0];
    for (const column of COLUMNS) {
      const button = create("button", "", column.title);
      button.type = "button";
      button.addEventListener("click", () => sort(column.order));
      const header = create("th", column.className, button);
      header.scope = "col";
      header.setAttribute("role", "columnheader");
      headers.append(header);
    }
    headers.setAttribute("aria-rowindex", "1");
    table.tabIndex = -1;
    table.addEventListener("keydown", (event) => this.#returnFocus(event));
    this.#body.addEventListener("keydown", (event) => this.#moveFocus(event));
    this.#body.addEventListener("click", ({ target }) => {
      const label = target instanceof Element ? target.closest(".label") : null;
      if (label) pick(label.word);
    });
    this.#body.addEventListener("focusin", (event) => {
      this.#activeHost = this.#hostOf(event.target);
    });
    this.#menu = new ColumnMenu(menu, COLUMNS, () => {
      this.#applyColumns();
      changed();
    });
    this.#applyColumns();
  }

  /** Hides the columns that have the same value on every row of all hosts. */
  noteValues() {
    if (this.#menu.note([...this.#fleet.hosts.values()])) this.#applyColumns();
  }

  #applyColumns() {
    for (const row of [this.#table.tHead.rows[0], ...this.#rows.values(), ...this.#spareRows]) this.#hideCells(row);
    this.#table.classList.toggle("is-compact", this.#menu.compact);
    this.measureRowHeight();
  }

  #hideCells(row) {
    COLUMNS.forEach((column, index) => {
      row.cells[index].hidden = this.#menu.isHidden(column);
    });
  }

  /** Reads the height of a row, which depends on the window's width. */
  measureRowHeight() {
    this.#rowHeight = parseFloat(getComputedStyle(this.#table).getPropertyValue("--row"));
  }

  /** Reads where the first host is. It costs a layout, unless the document is unchanged. */
  measurePosition() {
    this.#top = this.#above.getBoundingClientRect().top;
  }

  /** Marks the column that the fleet is sorted by. */
  showOrder() {
    const headers = this.#table.tHead.rows[0].cells;
    const { order, reversed } = this.#fleet;
    COLUMNS.forEach((column, index) => {
      const ascending = ASCENDING.includes(column.order) !== reversed;
      const direction = ascending ? "ascending" : "descending";
      setAttribute(headers[index], "aria-sort", column.order === order ? direction : "none");
    });
  }

  /** Shows the hosts in view. */
  show() {
    const now = this.#clock.now();
    const hosts = this.#fleet.shown;
    const [first, end] = this.#rangeInView(hosts.length);
    const inView = new Set(hosts.slice(first, end));
    const focusedHost = this.#hostOf(document.activeElement);
    for (const [host, row] of this.#rows) {
      if (inView.has(host)) continue;
      if (host === focusedHost) this.#table.focus({ preventScroll: true });
      row.remove();
      this.#rows.delete(host);
      this.#spareRows.push(row);
    }
    let next = this.#body.firstElementChild;
    for (let index = first; index < end; index += 1) {
      const host = hosts[index];
      let row = this.#rows.get(host);
      if (!row) {
        row = this.#spareRows.pop() ?? this.#createRow();
        row.host = host;
        row.version = null;
        this.#rows.set(host, row);
        this.#body.insertBefore(row, next);
      } else if (row === next) {
        next = next.nextElementSibling;
      } else if (this.#body.moveBefore) {
        this.#body.moveBefore(row, next); // keeps the focus
      } else {
        this.#body.insertBefore(row, next);
      }
      setAttribute(row, "aria-rowindex", String(index + 2));
      if (row.version !== host.version) showHost(row, host, this.#fleet.filter);
      showLastSeen(row, now);
    }
    if (inView.has(focusedHost) && this.#hostOf(document.activeElement) !== focusedHost) {
      this.#focus(focusedHost);
    }
    setHeight(this.#above, first * this.#rowHeight);
    setHeight(this.#below, (hosts.length - end) * this.#rowHeight);
    setAttribute(this.#table, "aria-rowcount", String(hosts.length + 1));
    this.#spareRows.length = Math.min(this.#spareRows.length, MAX_SPARE_ROWS);
  }

  /** Updates the ages of the hosts in view. */
  showAges() {
    const now = this.#clock.now();
    for (const row of this.#rows.values()) showLastSeen(row, now);
  }

  /** Moves the focus to the first host. */
  focusFirst() {
    this.#focusIndex(0);
  }

  #createRow() {
    const row = createRow();
    this.#hideCells(row);
    return row;
  }

  #rangeInView(count) {
    const first = Math.floor(-this.#top / this.#rowHeight) - OVERSCAN;
    const end = Math.ceil((innerHeight - this.#top) / this.#rowHeight) + OVERSCAN;
    return [Math.min(count, Math.max(0, first)), Math.min(count, Math.max(0, end))];
  }

  #hostOf(element) {
    return element instanceof Element ? (element.closest("tr")?.host ?? null) : null;
  }

  #focus(host) {
    this.#rows.get(host)?.querySelector("a").focus({ preventScroll: true });
  }

  /** Scrolls to the host at `index` and focuses it. */
  #focusIndex(index) {
    const hosts = this.#fleet.shown;
    if (!hosts.length) return;
    const inRange = Math.min(hosts.length - 1, Math.max(0, index));
    const host = hosts[inRange];
    const top = this.#above.getBoundingClientRect().top + inRange * this.#rowHeight;
    const bottom = top + this.#rowHeight;
    const header = this.#table.tHead.getBoundingClientRect().height;
    if (top < header) scrollBy({ top: top - header, behavior: "instant" });
    else if (bottom > innerHeight) scrollBy({ top: bottom - innerHeight, behavior: "instant" });
    this.#activeHost = host;
    this.measurePosition();
    if (!this.#rows.has(host)) this.show();
    this.#focus(host);
  }

  #moveFocus(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const current = this.#fleet.shown.indexOf(this.#activeHost);
    const page = Math.max(1, Math.floor(innerHeight / this.#rowHeight) - 2);
    const index = {
      ArrowDown: current + 1,
      ArrowUp: current - 1,
      PageDown: current + page,
      PageUp: current - page,
      Home: 0,
      End: this.#fleet.shown.length - 1,
    }[event.key];
    if (index === undefined) return;
    event.preventDefault();
    this.#focusIndex(index);
  }

  /** The table itself has the focus after the focused row was scrolled out of view. */
  #returnFocus(event) {
    if (event.target !== this.#table) return;
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    this.#focusIndex(Math.max(0, this.#fleet.shown.indexOf(this.#activeHost)));
  }
}

function createRow() {
  const row = create("tr");
  row.setAttribute("role", "row");
  for (const column of COLUMNS) {
    const isHeader = column.order === "name";
    const cell = create(isHeader ? "th" : "td", column.className);
    cell.setAttribute("role", isHeader ? "rowheader" : "cell");
    if (isHeader) cell.scope = "row";
    cell.dataset.title = column.title;
    column.create(cell);
    row.append(cell);
  }
  return row;
}

function showHost(row, host, filter) {
  row.version = host.version;
  setAttribute(row, "data-state", host.row.state);
  showSeverity(row, host.row.severity);
  COLUMNS.forEach((column, index) => {
    const cell = row.cells[index];
    column.show(cell, host, filter);
    showSeverity(cell, severityOf(host.row, column.order));
  });
}

function showLastSeen(row, now) {
  const { last_seen_timestamp_seconds: last } = row.host.row;
  setText(row.cells[SEEN].firstChild, human.brief(Math.max(0, Math.floor(now - last))));
  setAttribute(row.cells[SEEN], "title", human.dateTime(last));
}

/** Creates a <tbody> that takes the place of the rows above or below the view. */
function createSpacer() {
  const body = create("tbody", "spacer", create("tr", "", create("td")));
  body.setAttribute("aria-hidden", "true");
  return body;
}

function setHeight(spacer, pixels) {
  const height = `${pixels}px`;
  const cell = spacer.rows[0].cells[0];
  if (cell.style.height !== height) cell.style.height = height;
}
