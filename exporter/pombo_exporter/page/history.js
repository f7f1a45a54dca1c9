// A host's last five minutes, in arrays of fixed size.

export const POINTS = 60;

/** The fields of a host that have a curve, and their indices. */
export const FIELDS = [
  "cpu_usage_ratio",
  "memory_used_ratio",
  "network_receive_bytes_per_second",
  "network_transmit_bytes_per_second",
];
export const [CPU, MEMORY, RECEIVE, TRANSMIT] = FIELDS.keys();

/** One point per field and step of time, the oldest first; NaN where the value is not known. */
export class History {
  constructor(stepSeconds = 5) {
    this.stepSeconds = stepSeconds;
    this.length = 0; // points so far
    this.lastStep = null; // of the newest point: its timestamp in steps
    this.values = FIELDS.map(() => new Float32Array(POINTS));
  }

  /** Creates a history from the server's JSON. */
  static from(data) {
    const history = new History(data.step_seconds);
    history.lastStep = Math.floor(data.end_timestamp_seconds / data.step_seconds);
    history.length = Math.min(POINTS, data[FIELDS[0]].length);
    FIELDS.forEach((name, field) => {
      const points = data[name].slice(-POINTS);
      points.forEach((value, index) => (history.values[field][index] = value ?? NaN));
    });
    return history;
  }

  /** Adds a host's row at `timestamp`. Of several rows within a step, the last one counts. */
  add(row, timestamp) {
    const step = Math.floor(timestamp / this.stepSeconds);
    if (this.lastStep === null || step - this.lastStep >= POINTS) {
      this.length = 0;
    } else {
      // The interval may be longer than a step: the value then stands for the steps between.
      const maxGap = Math.ceil((2 * row.interval_seconds) / this.stepSeconds);
      const known = step - this.lastStep <= maxGap;
      for (let between = this.lastStep + 1; between < step; between += 1) {
        this.#append((name) => (known ? row[name] : null));
      }
    }
    if (this.length && this.lastStep >= step) this.#set(this.length - 1, (name) => row[name]);
    else this.#append((name) => row[name]);
    this.lastStep = Math.max(step, this.lastStep ?? step);
  }

  #append(valueOf) {
    if (this.length === POINTS) for (const points of this.values) points.copyWithin(0, 1);
    else this.length += 1;
    this.#set(this.length - 1, valueOf);
  }

  #set(index, valueOf) {
    FIELDS.forEach((name, field) => (this.values[field][index] = valueOf(name) ?? NaN));
  }

  /** Returns the greatest value of some fields, at least `minimum`. */
  max(fields, minimum) {
    let max = minimum;
    for (const field of fields) {
      const points = this.values[field];
      for (let index = 0; index < this.length; index += 1) {
        if (points[index] > max) max = points[index];
      }
    }
    return max;
  }
}
