// The table of hosts: a true table in which only the rows in view exist. A row stays with its
// host, and what a cell says is touched only when it changes.

import { chart, plot } from "./curves.js";
import { make, mark, meter, say, showShare, showState, stateMark } from "./dom.js";
import { lostRatio } from "./fleet.js";
import * as human from "./human.js";

const SPARE = 6; // rows beyond each edge of the window
const MOST_SPARE = 60;
const CPU = 0, MEMORY = 1, RECEIVE = 2, TRANSMIT = 3;
const LEAST_TRAFFIC = 1024; // bytes/s; less than this is drawn near the ground

/** A cell with a text alone. */
function text(read, className = "") {
  return {
    className,
    make: (cell) => cell.append(make("span", "value")),
    show: (cell, host) => say(cell.firstChild, read(host.row)),
  };
}

/** A cell with a share in words, and its curve. */
function curve(name, measure) {
  return {
    className: "number curved",
    make: (cell) => cell.append(make("span", "value"), chart(1, 96, 24)),
    show: (cell, host) => {
      say(cell.firstChild, human.ratio(host.row[name]));
      plot(cell.lastChild, host.history, [measure], 1);
    },
  };
}

const traffic = {
  className: "number curved network",
  make: (cell) => {
    const receive = make("span", "value receive");
    const transmit = make("span", "value transmit");
    cell.append(make("span", "both", receive, transmit), chart(2, 96, 24));
  },
  show: (cell, host) => {
    const [receive, transmit] = cell.firstChild.children;
    say(receive, `↓ ${human.speed(host.row.network_receive_bytes_per_second)}`);
    say(transmit, `↑ ${human.speed(host.row.network_transmit_bytes_per_second)}`);
    const most = host.history.peak([RECEIVE, TRANSMIT], LEAST_TRAFFIC);
    plot(cell.lastChild, host.history, [RECEIVE, TRANSMIT], most);
  },
};

const disk = {
  className: "disk",
  make: (cell) => {
    const said = make("span", "value");
    cell.append(make("span", "both", said, make("bdi", "mount")), meter());
  },
  show: (cell, host) => {
    const fullest = host.row.fullest_filesystem;
    say(cell.firstChild.firstChild, human.ratio(fullest?.used_ratio));
    say(cell.firstChild.lastChild, fullest ? human.named(fullest.mountpoint) : "");
    showShare(cell.lastChild, fullest?.used_ratio);
  },
};

const name = {
  className: "name",
  make: (cell) => {
    const link = make("a", "", make("bdi"));
    cell.append(link, make("bdi", "labels"));
  },
  show: (cell, host) => {
    const link = cell.firstChild;
    const labels = Object.entries(host.row.labels).map((pair) => pair.join("="));
    mark(link, "href", `/host?name=${encodeURIComponent(host.row.name)}`);
    say(link.firstChild, human.named(host.row.name));
    mark(link, "title", human.printable(host.row.name));
    say(cell.lastChild, human.printable(labels.join("  ")));
  },
};

const state = {
  className: "state-cell",
  make: (cell) => cell.append(stateMark()),
  show: (cell, host) => showState(cell.firstChild, host.row.state),
};

/** The columns: their title, and by what they are sorted. */
const COLUMNS = [
  { key: "name", title: "Host", ...name },
  { key: "trouble", title: "State", ...state },
  { key: "seen", title: "Seen", ...text(() => "", "number seen") },
  { key: "cpu", title: "CPU", ...curve("cpu_usage_ratio", CPU) },
  { key: "memory", title: "Memory", ...curve("memory_used_ratio", MEMORY) },
  { key: "disk", title: "Fullest disk", ...disk },
  { key: "network", title: "Network", ...traffic },
  { key: "lost", title: "Lost", ...text((row) => human.ratio(lostRatio(row)), "number lost") },
  { key: "clock", title: "Clock", ...text((row) => human.span(row.clock_offset_seconds), "number clock") },
  { key: "interval", title: "Every", ...text((row) => human.span(row.interval_seconds), "number interval") },
  { key: "address", title: "Address", ...text((row) => human.printable(row.address), "address") },
  { key: "agent", title: "Agent", ...text((row) => human.printable(row.agent_version) || human.UNKNOWN, "agent") },
];
const SEEN = COLUMNS.findIndex((column) => column.key === "seen");

/** The rows in view of a long list of hosts. */
export class Table {
  #table;
  #body;
  #fleet;
  #rows = new Map(); // host → its row
  #above = spacer();
  #below = spacer();
  #height = 0;
  #active = null; // the host that has the keyboard
  #spare = []; // rows that have left the view, for hosts that come into it
  #top = 0; // where the rows begin, from the window's upper edge

  /** Shows a fleet; `sort(key)` is called when a column's head is pressed. */
  constructor(table, fleet, sort) {
    this.#table = table;
    this.#body = table.tBodies[0];
    this.#fleet = fleet;
    this.#body.before(this.#above);
    this.#body.after(this.#below);
    const heads = table.tHead.rows[0];
    for (const column of COLUMNS) {
      const button = make("button", "", column.title);
      button.type = "button";
      button.addEventListener("click", () => sort(column.key));
      const head = make("th", column.className, button);
      head.scope = "col";
      head.setAttribute("role", "columnheader");
      heads.append(head);
    }
    heads.setAttribute("aria-rowindex", "1");
    this.#body.addEventListener("keydown", (event) => this.#key(event));
    this.#body.addEventListener("focusin", (event) => {
      this.#active = this.#hostOf(event.target);
    });
    this.measure();
  }

  /** Takes in how tall rows are here: it depends on the window's width. */
  measure() {
    this.#height = parseFloat(getComputedStyle(this.#table).getPropertyValue("--row"));
  }

  /** Marks the column that the fleet is sorted by. */
  markOrder() {
    const heads = this.#table.tHead.rows[0].cells;
    const reversed = this.#fleet.reversed;
    COLUMNS.forEach((column, at) => {
      const text = ["name", "address", "agent"].includes(column.key);
      const up = text ? !reversed : reversed;
      const found = column.key !== this.#fleet.order ? "none" : up ? "ascending" : "descending";
      mark(heads[at], "aria-sort", found);
    });
  }

  /** Shows what is in view, at `now` by the exporter's clock. */
  show(now) {
    const hosts = this.#fleet.shown;
    const [first, last] = this.#range(hosts.length);
    const had = this.#hostOf(document.activeElement);
    const wanted = new Set(hosts.slice(first, last));
    for (const [host, row] of this.#rows) {
      if (wanted.has(host)) continue;
      if (host === had) this.#table.focus({ preventScroll: true });
      row.remove();
      this.#rows.delete(host);
      this.#spare.push(row);
    }
    let next = this.#body.firstElementChild;
    for (let at = first; at < last; at += 1) {
      const host = hosts[at];
      let row = this.#rows.get(host);
      if (!row) {
        row = this.#spare.pop() ?? this.#make();
        row.host = host;
        row.changes = null;
        this.#rows.set(host, row);
        this.#body.insertBefore(row, next);
      } else if (row === next) {
        next = next.nextElementSibling;
      } else if (this.#body.moveBefore) {
        this.#body.moveBefore(row, next); // which leaves the focus where it is
      } else {
        this.#body.insertBefore(row, next);
      }
      mark(row, "aria-rowindex", String(at + 2));
      if (row.changes !== host.changes) this.#fill(row, host);
      this.#showSeen(row, now);
    }
    if (had && wanted.has(had) && this.#hostOf(document.activeElement) !== had) this.#focus(had);
    setHeight(this.#above, first * this.#height);
    setHeight(this.#below, (hosts.length - last) * this.#height);
    mark(this.#table, "aria-rowcount", String(hosts.length + 1));
    this.#spare.length = Math.min(this.#spare.length, MOST_SPARE);
  }

  /** Looks where the rows are; to be called before anything is written, which is cheap then. */
  look() {
    this.#top = this.#above.getBoundingClientRect().top;
  }

  /** Shows how long ago the hosts in view were seen. */
  tick(now) {
    for (const row of this.#rows.values()) this.#showSeen(row, now);
  }

  /** Gives the keyboard to the first row. */
  enter() {
    this.#go(0);
  }

  /** Gives the keyboard back to the row that had it, or to the first one. */
  resume(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      this.#go(Math.max(0, this.#fleet.shown.indexOf(this.#active)));
    }
  }

  #range(count) {
    const top = this.#top;
    const first = Math.floor(-top / this.#height) - SPARE;
    const last = Math.ceil((innerHeight - top) / this.#height) + SPARE;
    return [Math.min(count, Math.max(0, first)), Math.min(count, Math.max(0, last))];
  }

  #make() {
    const row = make("tr");
    row.setAttribute("role", "row");
    for (const column of COLUMNS) {
      const head = column.key === "name";
      const cell = make(head ? "th" : "td", column.className);
      cell.setAttribute("role", head ? "rowheader" : "cell");
      if (head) cell.scope = "row";
      cell.dataset.title = column.title;
      column.make(cell);
      row.append(cell);
    }
    return row;
  }

  #fill(row, host) {
    row.changes = host.changes;
    mark(row, "data-state", host.row.state);
    COLUMNS.forEach((column, at) => column.show(row.cells[at], host));
  }

  #showSeen(row, now) {
    say(row.cells[SEEN].firstChild, human.age(now - row.host.row.last_seen_timestamp_seconds));
  }

  #hostOf(element) {
    return element instanceof Element ? (element.closest("tr")?.host ?? null) : null;
  }

  #focus(host) {
    this.#rows.get(host)?.querySelector("a").focus({ preventScroll: true });
  }

  /** Gives the keyboard to the row at `index`, and brings it into view. */
  #go(index) {
    const hosts = this.#fleet.shown;
    if (!hosts.length) return;
    const at = Math.min(hosts.length - 1, Math.max(0, index));
    const top = this.#above.getBoundingClientRect().top + at * this.#height;
    const head = this.#table.tHead.getBoundingClientRect().height;
    if (top < head) scrollBy({ top: top - head, behavior: "instant" });
    else if (top + this.#height > innerHeight) {
      scrollBy({ top: top + this.#height - innerHeight, behavior: "instant" });
    }
    this.#active = hosts[at];
    this.look();
    if (!this.#rows.has(hosts[at])) this.show(this.now());
    this.#focus(hosts[at]);
  }

  /** The exporter's time; whoever made the table says where it is from. */
  now = () => Date.now() / 1000;

  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const at = this.#fleet.shown.indexOf(this.#active);
    const page = Math.max(1, Math.floor(innerHeight / this.#height) - 2);
    const to = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: this.#fleet.shown.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.#go(to);
  }
}

/** What stands for the rows that are out of view. */
function spacer() {
  const body = make("tbody", "spacer", make("tr", "", make("td")));
  body.setAttribute("aria-hidden", "true");
  return body;
}

function setHeight(body, height) {
  const wanted = `${height}px`;
  const cell = body.rows[0].cells[0];
  if (cell.style.height === wanted) return;
  cell.style.height = wanted;
}
