// The last minutes of a host, in arrays of fixed size.

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
