// Values as people read them, in the same words as the terminal has (pombo_cli/human.py),
// and texts from elsewhere with nothing in them that could turn the writing.

export const UNKNOWN = "-";

const SIZES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const SPANS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 3 });

/** Bytes with three digits or so: `1.5 GiB`. */
export function size(count) {
  if (count == null) return UNKNOWN;
  let amount = count;
  let unit = 0;
  while (unit < SIZES.length - 1 && Math.abs(amount) >= 1023.5) {
    amount /= 1024;
    unit += 1;
  }
  return `${amount.toFixed(unit === 0 || Math.abs(amount) >= 99.95 ? 0 : 1)} ${SIZES[unit]}`;
}

/** Bytes a second: `12 KiB/s`. */
export function speed(perSecond) {
  return perSecond == null ? UNKNOWN : `${size(perSecond)}/s`;
}

/** A share as per cent: `25 %`; what is a little more than nothing is not 0. */
export function ratio(share) {
  if (share == null) return UNKNOWN;
  return `${(100 * share).toFixed(share >= 0.0995 || !share ? 0 : 1)} %`;
}

/** A time in its two greatest units: `3 d 4 h`, `12 s`, `250 ms`. */
export function span(seconds) {
  if (seconds == null) return UNKNOWN;
  const sign = seconds < 0 ? "-" : "";
  let left = Math.abs(seconds);
  if (!left) return "0 s";
  if (left < 0.0009995) return `${sign}${(left * 1e6).toFixed()} µs`;
  if (left < 0.9995) return `${sign}${(left * 1000).toFixed()} ms`;
  if (left < 9.95) return `${sign}${left.toFixed(1).replace(/\.0$/, "")} s`;
  left = Math.round(left);
  const at = SPANS.findIndex(([, length]) => left >= length);
  const said = [];
  for (const [unit, length] of SPANS.slice(at, at + 2)) {
    const count = Math.floor(left / length);
    left %= length;
    if (count || !said.length) said.push(`${count} ${unit}`);
  }
  return sign + said.join(" ");
}

/** How long ago, in whole seconds. */
export function age(seconds) {
  return span(Math.max(0, Math.floor(seconds)));
}

/** A number without an exponent or needless digits. */
export function number(value) {
  if (value == null) return UNKNOWN;
  return GROUPED.format(value.toFixed(3)); // as text, so that no digit of a large number is lost
}

/** A moment, by the clock and the calendar of whoever looks. */
export function moment(timestamp) {
  if (timestamp == null) return UNKNOWN;
  const date = new Date(timestamp * 1000);
  if (Number.isNaN(date.getTime())) return number(timestamp);
  const two = (part) => String(part).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":")}`;
}

const UNITS = [
  [/bytes_per_second$/, speed],
  [/per_second$/, (value) => `${number(value)}/s`],
  [/timestamp_seconds$|_time_seconds$/, moment],
  [/bytes$/, size],
  [/seconds$/, span],
  [/ratio$/, ratio],
  [/celsius$/, (value) => `${number(value)} °C`],
  [/hertz$/, (value) => `${number(value)} Hz`],
  [/volts$/, (value) => `${number(value)} V`],
  [/watts$/, (value) => `${number(value)} W`],
];

/** The value of a metric in the unit that its name ends with. */
export function measured(name, value) {
  const plain = name.replace(/_total$/, "");
  const [, say] = UNITS.find(([ending]) => ending.test(plain)) ?? [null, number];
  return say(value);
}

const HIDDEN = /[^\P{C}]|[^\P{Z} ]/gu;

function escaped(letter) {
  const short = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[letter];
  if (short) return short;
  const code = letter.codePointAt(0);
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
}

/** A text with an escape for whatever is not seen or turns the writing. */
export function printable(text) {
  return text.replace(HIDDEN, escaped);
}

/** A name that can be seen, be it of spaces alone. */
export function named(text) {
  return text.trim() ? printable(text) : `“${printable(text)}”`;
}
