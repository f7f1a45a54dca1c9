// Formats values for people, with the same texts as pombo_cli/human.py, and makes text from hosts
// safe to show.

export const UNKNOWN = "-";

const SIZES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const SPANS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 3 });

/** Formats bytes with about three digits: `1.5 GiB`. */
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

/** Formats bytes per second: `12 KiB/s`. */
export function speed(perSecond) {
  return perSecond == null ? UNKNOWN : `${size(perSecond)}/s`;
}

/** Formats a ratio in per cent: `25 %`; below 10 % with a decimal. */
export function ratio(value) {
  if (value == null) return UNKNOWN;
  return `${(100 * value).toFixed(value >= 0.0995 || !value ? 0 : 1)} %`;
}

/** Formats seconds in their two largest units: `3 d 4 h`, `12 s`, `250 ms`. */
export function span(seconds) {
  if (seconds == null) return UNKNOWN;
  const sign = seconds < 0 ? "-" : "";
  let rest = Math.abs(seconds);
  if (!rest) return "0 s";
  if (rest < 0.0009995) return `${sign}${(rest * 1e6).toFixed()} µs`;
  if (rest < 0.9995) return `${sign}${(rest * 1000).toFixed()} ms`;
  if (rest < 9.95) return `${sign}${rest.toFixed(1).replace(/\.0$/, "")} s`;
  rest = Math.round(rest);
  const first = SPANS.findIndex(([, length]) => rest >= length);
  const parts = [];
  for (const [unit, length] of SPANS.slice(first, first + 2)) {
    const count = Math.floor(rest / length);
    rest %= length;
    if (count || !parts.length) parts.push(`${count} ${unit}`);
  }
  return sign + parts.join(" ");
}

/** Formats seconds in one unit, so that they fit a narrow column: `97 s`, `11 min`, `-3 ms`. */
export function brief(seconds) {
  if (seconds == null || Math.abs(seconds) < 9.95) return span(seconds);
  const size = Math.abs(seconds);
  const [unit, length] = SPANS.find(([unit, length]) => unit === "s" || size >= 2 * length);
  const count = unit === "s" ? Math.round(size) : Math.floor(size / length);
  return `${seconds < 0 ? "-" : ""}${count} ${unit}`;
}

/** Formats an age in whole seconds. */
export function age(seconds) {
  return span(Math.max(0, Math.floor(seconds)));
}

/** Formats a number with at most three decimals: `1,234.5`. */
export function number(value) {
  if (value == null) return UNKNOWN;
  return GROUPED.format(value.toFixed(3)); // as text, so that no digit of a large number is lost
}

/** Formats a Unix timestamp in the browser's time zone. */
export function dateTime(timestamp) {
  if (timestamp == null) return UNKNOWN;
  const date = new Date(timestamp * 1000);
  if (Number.isNaN(date.getTime())) return number(timestamp);
  const two = (value) => String(value).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":")}`;
}

/** Formats a Unix timestamp as the time of day; with the date unless it is today. */
export function moment(timestamp) {
  const text = dateTime(timestamp);
  const [day, time] = text.split(" ");
  return day === dateTime(Date.now() / 1000).split(" ")[0] ? time : text;
}

// By the end of a metric's name; the first match counts.
const UNITS = [
  [/bytes_per_second$/, speed],
  [/per_second$/, (value) => `${number(value)}/s`],
  [/timestamp_seconds$|_time_seconds$/, dateTime],
  [/bytes$/, size],
  [/seconds$/, span],
  [/ratio$/, ratio],
  [/celsius$/, (value) => `${number(value)} °C`],
  [/hertz$/, (value) => `${number(value)} Hz`],
  [/volts$/, (value) => `${number(value)} V`],
  [/watts$/, (value) => `${number(value)} W`],
];

/** Formats the value of a metric in the unit that its name ends with. */
export function metricValue(name, value) {
  const base = name.replace(/_total$/, "");
  const [, format] = UNITS.find(([ending]) => ending.test(base)) ?? [null, number];
  return format(value);
}

// Control, format and unassigned characters, and all spaces but the common one.
const HIDDEN = /[^\P{C}]|[^\P{Z} ]/gu;

function escapeCharacter(character) {
  const short = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[character];
  if (short) return short;
  const code = character.codePointAt(0);
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
}

/** Escapes characters that are invisible or change the direction of writing. */
export function printable(text) {
  return text.replace(HIDDEN, escapeCharacter);
}

/** Returns a name for display; one of spaces alone is quoted. */
export function displayName(text) {
  return text.trim() ? printable(text) : `“${printable(text)}”`;
}

/** Shortens a path to its last part, after `…/`, where it has more than `most` letters. */
export function pathEnd(path, most) {
  if (path.length <= most) return path;
  const end = path.slice(path.lastIndexOf("/", path.length - 2) + 1);
  return end.length < path.length - 1 ? `…/${end}` : path;
}
