// A host's last five minutes, and the minutes of its last hour, in arrays of fixed size.

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
    return greatest(fields.map((field) => this.values[field].subarray(0, this.length)), minimum);
  }
}

function greatest(curves, minimum) {
  let max = minimum;
  for (const points of curves) {
    for (const value of points) if (value > max) max = value;
  }
  return max;
}

/** Points of one resolution to draw: for each field its values, and the maxima where it has them. */
export class Range {
  /** `places` is how many points there are at most, `end` the timestamp of the newest one. */
  constructor(stepSeconds, places, end, values, maxima = null) {
    Object.assign(this, { stepSeconds, places, end, values, maxima });
    this.length = values[0].length;
  }

  /** Creates the range of a history. */
  static recent(history) {
    const { stepSeconds, lastStep, length } = history;
    return new Range(stepSeconds, POINTS, lastStep * stepSeconds, history.values.map((points) => points.subarray(0, length)));
  }

  /** Creates a range of minutes that goes back `seconds` from the server's JSON. */
  static minutes(data, seconds) {
    const read = (ending) => FIELDS.map((name) => Float32Array.from(data[name + ending], (value) => value ?? NaN));
    return new Range(data.step_seconds, seconds / data.step_seconds, data.end_timestamp_seconds, read(""), read("_max"));
  }

  /** The timestamp of a point. */
  timestamp(index) {
    return this.end - (this.length - 1 - index) * this.stepSeconds;
  }

  /** The index of the point at a timestamp; outside of 0 to `length` - 1 there is none. */
  index(timestamp) {
    return this.length - 1 - Math.round((this.end - timestamp) / this.stepSeconds);
  }

  /** Returns the greatest value of some fields, at least `minimum`. */
  max(fields, minimum) {
    return greatest(fields.map((field) => (this.maxima ?? this.values)[field]), minimum);
  }
}
