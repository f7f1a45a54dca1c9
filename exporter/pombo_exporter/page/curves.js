// The last minutes of a host, in a ring of fixed size, and their curves.

import { draw, mark } from "./dom.js";

export const POINTS = 60;
export const MEASURES = [
  "cpu_usage_ratio",
  "memory_used_ratio",
  "network_receive_bytes_per_second",
  "network_transmit_bytes_per_second",
];

/** What was measured at each step of the last minutes; NaN where nothing was. */
export class History {
  constructor(step = 5) {
    this.step = step;
    this.length = 0;
    this.end = null; // the newest point's number: its time in steps
    this.values = MEASURES.map(() => new Float32Array(POINTS));
  }

  /** Makes a history of what the server says. */
  static from(said) {
    const history = new History(said.step_seconds);
    history.end = Math.floor(said.end_timestamp_seconds / said.step_seconds);
    history.length = Math.min(POINTS, said[MEASURES[0]].length);
    MEASURES.forEach((name, which) => {
      const points = said[name].slice(-POINTS);
      points.forEach((value, at) => (history.values[which][at] = value ?? NaN));
    });
    return history;
  }

  /** Takes a host's row of the moment `now`: a point a step, the last one said. */
  add(row, now) {
    const at = Math.floor(now / this.step);
    if (this.end === null || at - this.end >= POINTS) this.length = 0;
    else {
      // A host that reports less often than once a step has the same value meanwhile.
      const bridged = at - this.end <= Math.ceil((2 * row.interval_seconds) / this.step);
      for (let missed = this.end + 1; missed < at; missed += 1) {
        this.#push((name) => (bridged ? row[name] : null));
      }
    }
    if (this.length && this.end >= at) this.#set(this.length - 1, (name) => row[name]);
    else this.#push((name) => row[name]);
    this.end = Math.max(at, this.end ?? at);
  }

  #push(value) {
    if (this.length === POINTS) for (const points of this.values) points.copyWithin(0, 1);
    else this.length += 1;
    this.#set(this.length - 1, value);
  }

  #set(index, value) {
    MEASURES.forEach((name, which) => (this.values[which][index] = value(name) ?? NaN));
  }

  /** The greatest of some measures, by their places; at least `least`. */
  peak(measures, least) {
    let most = least;
    for (const which of measures) {
      const points = this.values[which];
      for (let index = 0; index < this.length; index += 1) {
        if (points[index] > most) most = points[index];
      }
    }
    return most;
  }
}

/** A drawing for the curves of so many measures, `width` by `height` units. */
export function chart(lines, width, height) {
  const picture = draw("svg", {
    class: "curve",
    viewBox: `0 0 ${width} ${height}`,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
    focusable: "false",
  });
  for (let line = 0; line < lines; line += 1) {
    picture.append(draw("path", { class: `area line-${line}` }));
    picture.append(draw("path", { class: `line line-${line}`, "vector-effect": "non-scaling-stroke" }));
  }
  return picture;
}

/** Draws measures of a history, by their places, up to the value `most`. */
export function plot(picture, history, measures, most) {
  const { width, height } = picture.viewBox.baseVal;
  measures.forEach((which, line) => {
    const [under, along] = paths(history.values[which], history.length, most, width, height);
    mark(picture.children[2 * line], "d", under);
    mark(picture.children[2 * line + 1], "d", along);
  });
}

function paths(points, length, most, width, height) {
  const step = width / (POINTS - 1);
  const inset = 1; // so that a line at the edge is drawn in full
  let under = "";
  let along = "";
  let from = -1;
  for (let index = 0; index <= length; index += 1) {
    const known = index < length && points[index] === points[index];
    const x = (width - (length - 1 - index) * step).toFixed(1);
    if (known) {
      const share = Math.min(1, Math.max(0, points[index] / most));
      const y = (height - inset - share * (height - 2 * inset)).toFixed(1);
      if (from < 0) {
        from = index;
        along += `M${x} ${y}`;
        under += `M${x} ${height}L${x} ${y}`;
      } else {
        along += `L${x} ${y}`;
        under += `L${x} ${y}`;
      }
    } else if (from >= 0) {
      const last = (width - (length - index) * step).toFixed(1);
      if (index - from === 1) along += "h0.01"; // a point by itself shows as a dot
      under += `L${last} ${height}Z`;
      from = -1;
    }
  }
  return [under, along];
}
