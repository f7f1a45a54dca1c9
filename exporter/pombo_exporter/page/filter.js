// The filter of hosts: words that must all match, by the rules of views/filter.py. Uses no DOM.
//
// tests/exporter/views/filter_cases.json holds both to the same answers.

import { printable } from "./human.js";

/** The most words of a filter. */
export const MOST_WORDS = 32;

/** Other names of the same, as of the exporter. */
const ALIASES = { mem: "memory", loss: "lost", net: "network" };

const WORD = /(?:"(?:\\["\\]|[^"])*"?|[^ \t\r\n"])+/g;
const QUOTED = /"((?:\\["\\]|[^"])*)"?/g;
const ESCAPED = /\\(["\\])/g;
const COMPARISON = /^([a-z]+)(>=|<=|>|<)([^]*)$/;
const NUMBER = /^([0-9]{1,15}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})([a-z%/]*)$/;
const OPERATORS = {
  ">=": (a, b) => a >= b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  "<": (a, b) => a < b,
};

// The units of numbers, and an example for errors.
const SHARES = { example: "80", factors: { "": 0.01, "%": 0.01 } };
const SPANS = {
  example: "30s",
  factors: { "": 1, ms: 0.001, s: 1, m: 60, min: 60, h: 3600, d: 86400 },
};
const SPEEDS = { example: "1MiB", factors: { "": 1, b: 1 } };
["k", "m", "g", "t"].forEach((prefix, power) => {
  for (const unit of ["", "b", "ib"]) SPEEDS.factors[prefix + unit] = 1024 ** (power + 1);
});

/** Returns what a host receives and transmits, in bytes a second; null if neither is known. */
export function traffic(row) {
  const { network_receive_bytes_per_second: receive, network_transmit_bytes_per_second: transmit } = row;
  return receive == null && transmit == null ? null : (receive ?? 0) + (transmit ?? 0);
}

/** What is compared with a number: the value of a row at the exporter's time `now`, and its units. */
const NUMBERS = {
  cpu: [(row) => row.cpu_usage_ratio, SHARES],
  memory: [(row) => row.memory_used_ratio, SHARES],
  disk: [(row) => row.fullest_filesystem?.used_ratio, SHARES],
  lost: [(row) => row.datagram_loss_ratio, SHARES],
  network: [traffic, SPEEDS],
  receive: [(row) => row.network_receive_bytes_per_second, SPEEDS],
  transmit: [(row) => row.network_transmit_bytes_per_second, SPEEDS],
  seen: [(row, now) => Math.max(0, now - row.last_seen_timestamp_seconds), SPANS],
  uptime: [(row) => row.uptime_seconds, SPANS],
  interval: [(row) => row.interval_seconds, SPANS],
  clock: [(row) => (row.clock_offset_seconds == null ? null : Math.abs(row.clock_offset_seconds)), SPANS],
};

/** The fields that are compared with a text, and all values of those that have few. */
export const FIELDS = {
  state: ["live", "late", "down"],
  severity: ["ok", "warning", "critical"],
  reason: [
    ...["down", "late", "duplicate_name", "disk", "inodes", "memory", "swap", "loss", "clock"],
    ...["temperature", "device_errors", "collectors", "services"],
  ],
  name: null,
  agent: null,
};

/** A word of a filter that says nothing; its message is the reason and the remedy. */
export class FilterError extends Error {}

/** The texts of a row that words are compared with, in lower case. */
export function textsOf(row) {
  const labels = Object.entries(row.labels).map(([name, value]) => [name.toLowerCase(), value.toLowerCase()]);
  return {
    name: row.name.toLowerCase(),
    agent: row.agent_version.toLowerCase(),
    labels,
    pairs: labels.map((pair) => pair.join("=")),
  };
}

/**
 * Returns a filter: `matches(row, texts, now)` decides which hosts match, with `texts` as of
 * `textsOf` and `now` in seconds since 1970. `isTimed` is whether that may change without a report.
 * Throws a FilterError when a word cannot be understood.
 */
export function parse(text) {
  const words = text.match(WORD) ?? [];
  if (words.length > MOST_WORDS) {
    throw new FilterError(`the filter has ${words.length} words: write at most ${MOST_WORDS}`);
  }
  const found = words.map(parseWord);
  return {
    isTimed: found.some(({ isTimed }) => isTimed),
    matches: (row, texts, now) => found.every(({ matches }) => matches(row, texts, now)),
  };
}

function parseWord(written) {
  if (!written.startsWith("-") || written.length === 1) return parsePositive(written);
  const { matches, isTimed } = parsePositive(written.slice(1));
  return { matches: (...host) => !matches(...host), isTimed };
}

function parsePositive(written) {
  const word = written.replace(QUOTED, (_, quoted) => quoted.replace(ESCAPED, "$1")).toLowerCase();
  if (written.startsWith('"')) return { matches: hasPart(word) }; // whatever is in it
  const comparison = COMPARISON.exec(word);
  if (comparison) return compares(word, ...comparison.slice(1));
  const [field, value] = cut(word, ":");
  if (value !== null && Object.hasOwn(FIELDS, field)) return { matches: hasField(field, value) };
  const [label, wanted] = cut(word, "=");
  if (wanted !== null && label) return { matches: hasLabel(word, label, wanted) };
  return { matches: hasPart(word) };
}

/** Returns what is before and after the first `mark`; null after it where there is none. */
function cut(text, mark) {
  const at = text.indexOf(mark);
  return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
}

function compares(word, written, operator, number) {
  const name = Object.hasOwn(ALIASES, written) ? ALIASES[written] : written;
  if (!Object.hasOwn(NUMBERS, name)) {
    const remedy = `write one of ${Object.keys(NUMBERS).join(", ")}`;
    throw new FilterError(`'${printable(word)}': ${written} is no number: ${remedy}`);
  }
  const [value, { example, factors }] = NUMBERS[name];
  const parts = NUMBER.exec(number);
  const unit = parts ? parts[2].replace(/\/s$/, "") : "";
  if (!parts || !Object.hasOwn(factors, unit)) {
    const remedy = `write a number after ${operator}: ${name}${operator}${example}`;
    throw new FilterError(`'${printable(word)}': ${remedy}`);
  }
  const bound = Number(parts[1]) * factors[unit];
  const compare = OPERATORS[operator];
  const matches = (row, texts, now) => {
    const found = value(row, now);
    return found != null && compare(found, bound);
  };
  return { matches, isTimed: name === "seen" };
}

function hasField(name, value) {
  const known = FIELDS[name];
  if (known && !known.some((each) => each.startsWith(value))) {
    const remedy = `write one of ${known.join(", ")}`;
    throw new FilterError(`'${name}:${printable(value)}': there is no such ${name}: ${remedy}`);
  }
  if (name === "reason") return (row) => row.reasons.some((reason) => reason.id.startsWith(value));
  if (name === "name" || name === "agent") return (row, texts) => texts[name].includes(value);
  return (row) => row[name].startsWith(value);
}

const hasLabel = (word, label, wanted) => (row, texts) =>
  texts.name.includes(word) || texts.labels.some(([name, value]) => name === label && value === wanted);

const hasPart = (word) => (row, texts) => texts.name.includes(word) || texts.pairs.some((pair) => pair.includes(word));

/** Returns the word that matches a label with this value. */
export function labelWord(name, value) {
  if (!/[ \t\r\n"]/.test(value)) return `${name}=${value}`;
  return `${name}="${value.replace(/["\\]/g, "\\$&")}"`;
}

/** Returns a filter with a word added, or without it if it has the word. */
export function toggled(text, word) {
  const words = text.match(WORD) ?? [];
  const left = words.filter((each) => each !== word);
  return (left.length < words.length ? left : [...words, word]).join(" ");
}

/** Returns whether a filter has this word. */
export function hasWord(text, word) {
  return (text.match(WORD) ?? []).includes(word);
}
