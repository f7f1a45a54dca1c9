// The grid of hosts: a square for each, coloured by its severity. A square shows the host of its
// place in the order, so that hosts that change places move no element.

import { create, setAttribute, showSeverity } from "./dom.js";
import * as human from "./human.js";
import { reasonText } from "./reasons.js";

const MOST_SQUARES = 20000;
const CHECK_EVERY = 32; // squares

/** Shows the hosts of a fleet as squares in an element. */
export class HostGrid {
  #box;
  #fleet;
  #active = 0; // the square that Tab reaches

  constructor(box, fleet) {
    this.#box = box;
    this.#fleet = fleet;
    box.addEventListener("keydown", (event) => this.#moveFocus(event));
    box.addEventListener("focusin", ({ target }) => this.#activate([...box.children].indexOf(target)));
  }

  /**
   * Shows the hosts as long as `performance.now()` is before `until`; returns whether all are shown.
   * Squares that have not changed cost next to nothing.
   */
  show(until) {
    const squares = this.#box.children;
    const hosts = this.#fleet.shown;
    const count = Math.min(hosts.length, MOST_SQUARES);
    const focused = document.activeElement?.parentElement === this.#box ? document.activeElement : null;
    const focusedHost = focused?.shownHost;
    while (squares.length > count) this.#box.lastElementChild.remove();
    setAttribute(this.#box, "data-size", count <= 150 ? "large" : count <= 1000 ? "medium" : "small");
    let isDone = true;
    let work = 0;
    let square = this.#box.firstElementChild;
    for (let index = 0; index < count; index += 1) {
      const host = hosts[index];
      if (!square || square.shownHost !== host || square.version !== host.version) {
        work += 1;
        if (work % CHECK_EVERY === 0 && performance.now() >= until) {
          isDone = false;
          break;
        }
        square ??= this.#box.appendChild(this.#create(index));
        showHost(square, host);
      }
      square = square.nextElementSibling;
    }
    if (focused && isDone && focused.shownHost !== focusedHost) {
      const place = hosts.indexOf(focusedHost);
      if (place >= 0 && place < count) squares[place].focus({ preventScroll: true });
    }
    return isDone;
  }

  /** Moves the focus to the first host. */
  focusFirst() {
    this.#focus(0);
  }

  #create(index) {
    const square = create("a", "square");
    square.tabIndex = index === this.#active ? 0 : -1;
    return square;
  }

  #activate(index) {
    const squares = this.#box.children;
    if (squares[this.#active]) squares[this.#active].tabIndex = -1;
    if (squares[index]) squares[index].tabIndex = 0;
    this.#active = index;
  }

  #focus(index) {
    const squares = this.#box.children;
    squares[Math.min(squares.length - 1, Math.max(0, index))]?.focus();
  }

  #moveFocus(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const columns = getComputedStyle(this.#box).gridTemplateColumns.split(" ").length;
    const last = this.#box.childElementCount - 1;
    const index = {
      ArrowLeft: this.#active - 1,
      ArrowRight: this.#active + 1,
      ArrowUp: this.#active - columns,
      ArrowDown: this.#active + columns,
      Home: 0,
      End: last,
    }[event.key];
    if (index === undefined) return;
    event.preventDefault();
    if (index >= 0 && index <= last) this.#focus(index);
  }
}

function showHost(square, host) {
  const { name, severity, state, reasons } = host.row;
  if (square.shownHost !== host) setAttribute(square, "href", `host?name=${encodeURIComponent(name)}`);
  square.shownHost = host; // `host` is a part of the URL of a link
  square.version = host.version;
  const words = reasons.map((reason) => reasonText(reason, host.row));
  setAttribute(square, "title", [human.displayName(name), ...words].join("\n"));
  setAttribute(square, "data-state", state);
  showSeverity(square, severity);
}
