// Every host that the page knows, their order and who of them is wanted. Knows nothing of the page.

import { History } from "./history.js";

const RANKS = { down: 0, late: 1, live: 2 };

/** The share of a host's datagrams that never arrived. */
export function lostRatio(row) {
  const sent = row.datagrams_lost + row.datagrams_received;
  return sent ? row.datagrams_lost / sent : 0;
}

function sum(...values) {
  const known = values.filter((value) => value != null);
  return known.length ? known.reduce((whole, value) => whole + value) : null;
}

/** What each order goes by: the greatest first; `text` goes from A to Z. */
export const ORDERS = {
  trouble: {
    values: (row) => [-RANKS[row.state], row.conflicts, lostRatio(row)],
  },
  name: { text: (row) => row.name },
  seen: { values: (row) => [-row.last_seen_timestamp_seconds] },
  cpu: { values: (row) => [row.cpu_usage_ratio] },
  memory: { values: (row) => [row.memory_used_ratio] },
  disk: { values: (row) => [row.fullest_filesystem?.used_ratio] },
  network: {
    values: (row) => [
      sum(row.network_receive_bytes_per_second, row.network_transmit_bytes_per_second),
    ],
  },
  lost: { values: (row) => [lostRatio(row)] },
  clock: { values: (row) => [row.clock_offset_seconds == null ? null : Math.abs(row.clock_offset_seconds)] },
  interval: { values: (row) => [row.interval_seconds] },
  address: { text: (row) => row.address },
  agent: { text: (row) => row.agent_version },
};

const compareTexts = (one, other) => (one < other ? -1 : one > other ? 1 : 0);

function compare(one, other, reversed) {
  const first = one.key;
  const second = other.key;
  if (typeof first === "string") {
    const found = compareTexts(first, second);
    if (found) return reversed ? -found : found;
  } else {
    for (let at = 0; at < first.length; at += 1) {
      const a = first[at];
      const b = second[at];
      if (a === b) continue;
      if (a == null) return b == null ? 0 : 1; // whoever lacks the value comes last either way
      if (b == null) return -1;
      return reversed ? a - b : b - a;
    }
  }
  return compareTexts(one.row.name, other.row.name);
}

const sameKey = (one, other) =>
  typeof one === "string" || !one || !other
    ? one === other
    : one.every((value, at) => value === other[at]);

/** A host: its row as it came last, its history, and what it is found by. */
class Host {
  constructor() {
    this.row = null;
    this.history = new History();
    this.key = null;
    this.found = "";
    this.changes = 0; // grows with each row, so that whoever shows it knows what is new
  }
}

/** The hosts, who of them is wanted, and in which order. */
export class Fleet {
  hosts = new Map();
  counts = { live: 0, late: 0, down: 0 };
  order = "trouble";
  reversed = false; // the other way round than usual
  wanted = "";
  state = "";
  shown = [];
  stale = true; // `shown` is to be made anew

  /** Takes a host's row; returns the state that it had, undefined for a new host. */
  take(row, now) {
    let host = this.hosts.get(row.name);
    const before = host?.row.state;
    if (!host) {
      host = new Host();
      this.hosts.set(row.name, host);
      this.stale = true;
    }
    const labels = JSON.stringify(row.labels);
    if (host.labels !== labels) {
      host.labels = labels;
      const pairs = Object.entries(row.labels).map(([name, value]) => `${name}=${value}`);
      host.found = [row.name, ...pairs].map((text) => text.toLowerCase());
      this.stale = true;
    }
    host.row = row;
    host.changes += 1;
    if (row.history) host.history = History.from(row.history);
    host.history.add(row, now); // the server's history may lag by a step
    row.history = null;
    if (before !== row.state) {
      if (before) this.counts[before] -= 1;
      this.counts[row.state] += 1;
      this.stale = true;
    }
    const key = this.#key(row);
    if (!sameKey(key, host.key)) {
      host.key = key;
      this.stale = true;
    }
    return before;
  }

  /** Forgets a host. */
  drop(name) {
    const host = this.hosts.get(name);
    if (!host) return;
    this.counts[host.row.state] -= 1;
    this.hosts.delete(name);
    this.stale = true;
  }

  /** Changes the order and who is wanted. */
  want({ order = this.order, reversed = this.reversed, wanted = this.wanted, state = this.state }) {
    Object.assign(this, { order, reversed, wanted, state });
    for (const host of this.hosts.values()) host.key = this.#key(host.row);
    this.stale = true;
  }

  /** Makes `shown` anew, if anything has changed that it goes by. */
  arrange() {
    if (!this.stale) return;
    this.stale = false;
    const text = this.wanted.toLowerCase();
    this.shown = [...this.hosts.values()].filter(
      (host) =>
        (!this.state || host.row.state === this.state) &&
        (!text || host.found.some((said) => said.includes(text))),
    );
    this.shown.sort((one, other) => compare(one, other, this.reversed));
  }

  #key(row) {
    const { values, text } = ORDERS[this.order];
    return text ? text(row) : values(row);
  }
}
