// Charts: curves over time with axes, thresholds, and a crosshair that all charts of a page share.

import { heightOf, paths } from "./curves.js";
import { create, createSvg, setAttribute, setText, syncChildren } from "./dom.js";
import * as human from "./human.js";

const WIDTH = 1000; // units of the drawing, which is stretched to the width of the page
const HEIGHT = 100;
const LINES = 4; // of the grid
const TICKS = [60, 300, 600, 900, 1800, 3600, 7200, 14400]; // s between two times on the axis
const MOST_TICKS = 6;
const ROOM = 0.14; // of the width, for what stands at the right end of the axis
const KEYS = { ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10 };

/** The moment that is pointed at, in all charts. */
export class Crosshair {
  #charts = [];
  timestamp = null;

  add(chart) {
    this.#charts.push(chart);
  }

  /** Moves it to a timestamp, or removes it with null. */
  move(timestamp) {
    this.timestamp = timestamp;
    for (const chart of this.#charts) chart.showCrosshair();
  }
}

/** A chart with a curve for each of `fields`, which are called `names`. */
export class Chart {
  #crosshair;
  #title;
  #names;
  #fields;
  #format;
  #range = null;
  #max = 1;
  #plot;
  #curves;
  #thresholds;
  #cursor;
  #readout;
  #scale;
  #axis;

  /** `format` makes the text of a value. */
  constructor(crosshair, { title, names, fields, format }) {
    this.#crosshair = crosshair;
    crosshair.add(this);
    this.#title = title;
    this.#names = names;
    this.#fields = fields;
    this.#format = format;
    const grid = createSvg("path", { class: "grid", "vector-effect": "non-scaling-stroke", d: gridPath() });
    this.#curves = fields.map((_, curve) => [
      createSvg("path", { class: `max line-${curve}` }),
      createSvg("path", { class: `area line-${curve}` }),
      createSvg("path", { class: `line line-${curve}`, "vector-effect": "non-scaling-stroke" }),
    ]);
    this.#thresholds = createSvg("g");
    this.#cursor = createSvg("path", { class: "cursor", "vector-effect": "non-scaling-stroke" });
    const drawing = createSvg(
      "svg",
      {
        class: "curve",
        viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
        preserveAspectRatio: "none",
        "aria-hidden": "true",
        focusable: "false",
      },
      grid, ...this.#curves.flat(), this.#thresholds, this.#cursor,
    );
    this.#scale = create("div", "scale", create("span"), create("span"), create("span"));
    this.#scale.setAttribute("aria-hidden", "true");
    this.#readout = create("div", "readout");
    this.#readout.setAttribute("aria-hidden", "true");
    this.#plot = create("div", "plot", drawing, this.#scale, this.#readout);
    this.#plot.tabIndex = 0;
    this.#plot.setAttribute("role", "slider");
    this.#plot.setAttribute("aria-valuemin", "0");
    this.#axis = create("div", "axis");
    this.#axis.setAttribute("aria-hidden", "true");
    this.element = create("figure", "chart", this.#plot, this.#axis);
    this.#listen();
    this.showCrosshair();
  }

  #listen() {
    const plot = this.#plot;
    plot.addEventListener("pointermove", (event) => this.#point(event));
    plot.addEventListener("pointerdown", (event) => this.#point(event));
    plot.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") this.#crosshair.move(null);
    });
    plot.addEventListener("blur", () => this.#crosshair.move(null));
    plot.addEventListener("keydown", (event) => {
      const range = this.#range;
      if (!range?.length || event.ctrlKey || event.altKey || event.metaKey) return;
      const { timestamp } = this.#crosshair;
      const newest = range.length - 1;
      const shown = timestamp === null ? newest + 1 : range.index(timestamp);
      let index;
      if (event.key in KEYS) index = timestamp === null ? newest : shown + KEYS[event.key];
      else if (event.key === "Home") index = 0;
      else if (event.key === "End") index = newest;
      else if (event.key === "Escape") index = null;
      else return;
      event.preventDefault();
      this.#crosshair.move(index === null ? null : range.timestamp(Math.min(newest, Math.max(0, index))));
    });
  }

  /** Moves the crosshair to the point below the pointer. */
  #point({ clientX }) {
    const range = this.#range;
    if (!range?.length) return;
    const { left, width } = this.#plot.getBoundingClientRect();
    const back = Math.round((1 - (clientX - left) / width) * (range.places - 1));
    const index = range.length - 1 - back;
    this.#crosshair.move(index >= 0 && back >= 0 ? range.timestamp(index) : null);
  }

  /**
   * Draws a range. The height stands for `max`; `thresholds` are pairs of a severity and a value;
   * `end` says what the right end is.
   */
  draw(range, max, thresholds, end) {
    this.#range = range;
    this.#max = max;
    this.#fields.forEach((field, curve) => {
      const [most, area, line] = this.#curves[curve];
      const drawn = paths(range.values[field], range.places, max, WIDTH, HEIGHT);
      const maxima = range.maxima && paths(range.maxima[field], range.places, max, WIDTH, HEIGHT);
      setAttribute(most, "d", maxima ? maxima.area : "");
      setAttribute(area, "d", drawn.area);
      setAttribute(line, "d", drawn.line);
    });
    syncChildren(
      this.#thresholds,
      thresholds,
      () => createSvg("path", { "vector-effect": "non-scaling-stroke" }),
      (line, [severity, value]) => {
        setAttribute(line, "class", `threshold ${severity}`);
        setAttribute(line, "d", `M0 ${(HEIGHT - heightOf(value, max, HEIGHT)).toFixed(1)}H${WIDTH}`);
      },
    );
    [max, max / 2, 0].forEach((value, place) => setText(this.#scale.children[place], this.#format(value)));
    this.#showTimes(end);
    const label = `${this.#title} of the last ${human.span(range.places * range.stepSeconds)}`;
    setAttribute(this.#plot, "aria-label", label);
    this.showCrosshair();
  }

  #showTimes(end) {
    const { places, stepSeconds } = this.#range;
    const seconds = (places - 1) * stepSeconds;
    const between = TICKS.find((ticks) => seconds / ticks <= MOST_TICKS) ?? TICKS.at(-1);
    const times = [];
    const first = this.#range.end - seconds;
    for (let time = Math.ceil(first / between) * between; time <= this.#range.end; time += between) {
      const share = (time - first) / seconds;
      if (share >= ROOM / 2 && share <= 1 - ROOM) times.push([clockTime(time), share]);
    }
    syncChildren(this.#axis, [...times, [end, 1]], () => create("span"), (label, [text, share]) => {
      setText(label, text);
      const left = `${(100 * share).toFixed(2)}%`;
      if (label.style.left !== left) label.style.left = left;
      label.classList.toggle("end", share === 1);
    });
  }

  /** Shows the crosshair where it is, and the values there; without it the newest values. */
  showCrosshair() {
    const range = this.#range;
    const { timestamp } = this.#crosshair;
    const newest = (range?.length ?? 0) - 1;
    const index = range && timestamp !== null ? range.index(timestamp) : -1;
    const isShown = index >= 0 && index <= newest;
    setAttribute(this.#plot, "aria-valuemax", String(Math.max(0, newest)));
    setAttribute(this.#plot, "aria-valuenow", String(isShown ? index : Math.max(0, newest)));
    this.#readout.hidden = !isShown;
    if (!isShown) {
      setAttribute(this.#cursor, "d", "");
      setAttribute(this.#plot, "aria-valuetext", newest >= 0 ? this.#texts(newest).join(", ") : "no values yet");
      return;
    }
    const share = 1 - (newest - index) / (range.places - 1);
    setAttribute(this.#cursor, "d", `M${(share * WIDTH).toFixed(1)} 0V${HEIGHT}`);
    const texts = this.#texts(index);
    setAttribute(this.#plot, "aria-valuetext", texts.join(", "));
    syncChildren(this.#readout, texts, () => create("span"), setText);
    this.#readout.classList.toggle("at-left", share > 0.5);
    const place = `${(100 * share).toFixed(2)}%`;
    if (this.#readout.style.getPropertyValue("--at") !== place) this.#readout.style.setProperty("--at", place);
  }

  /** Returns the time of a point, and its values in words. */
  #texts(index) {
    const range = this.#range;
    const values = this.#fields.map((field, curve) => {
      const value = range.values[field][index];
      if (Number.isNaN(value)) return null;
      const most = range.maxima ? `, at most ${this.#format(range.maxima[field][index])}` : "";
      return `${this.#names[curve]} ${this.#format(value)}${most}`;
    });
    const known = values.filter((text) => text !== null);
    return [human.dateTime(range.timestamp(index)), ...(known.length ? known : ["nothing received"])];
  }
}

function clockTime(timestamp) {
  return human.dateTime(timestamp).slice(-8, -3);
}

function gridPath() {
  const places = Array.from({ length: LINES + 1 }, (_, line) => (line * HEIGHT) / LINES);
  return places.map((y) => `M0 ${y}H${WIDTH}`).join("");
}

/** Returns a round number of bytes that is at least `value`: a power of two, or three times one. */
export function binaryScale(value) {
  const power = 2 ** Math.ceil(Math.log2(value));
  return value <= 0.75 * power ? 0.75 * power : power;
}
