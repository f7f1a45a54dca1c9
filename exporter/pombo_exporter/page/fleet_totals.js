// The line of totals of all hosts, which the exporter computes, as in `pombo-exporter top`.

import { create, createMeter, setAttribute, setText, showRatio, syncChildren } from "./dom.js";
import { refusedTotal } from "./exporter_section.js";
import * as human from "./human.js";

const NEAR_LIMIT = 0.8;

/** Shows the totals of the exporter's status in a list of terms and values. */
export function showTotals(list, status) {
  const { live, late, down } = status.hosts;
  list.hidden = live + late + down === 0;
  syncChildren(list, [...totals(status)], createTotal, showTotal);
}

/** Yields each total: its title, its value, what it is of, and the share, if it is one. */
function* totals(status) {
  const fleet = status.totals;
  const { live, late, down } = status.hosts;
  const hosts = live + late + down;
  const limit = status.limits.find(({ name }) => name === "hosts")?.limit;
  yield {
    title: "Hosts",
    value: human.number(hosts),
    rest: [
      ...(limit && hosts > NEAR_LIMIT * limit ? [`of at most ${human.number(limit)}`] : []),
      ...Object.entries({ live, late, down }).filter(([, count]) => count).map(([state, count]) => `${human.number(count)} ${state}`),
    ].join(", "),
  };
  const { cpu_busy_cores: busy, cpu_cores: cores, memory_used_bytes: used, memory_total_bytes: memory } = fleet;
  yield {
    title: "CPU",
    value: human.number(Number(busy.toFixed(busy < 100 ? 1 : 0))),
    rest: `of ${human.number(cores)} cores busy`,
    share: cores ? busy / cores : null,
  };
  yield {
    title: "Memory",
    value: human.size(used),
    rest: `of ${human.size(memory)} used`,
    share: memory ? used / memory : null,
  };
  const { network_receive_bytes_per_second: received, network_transmit_bytes_per_second: sent } = fleet;
  yield { title: "Network", value: `↓ ${human.speed(received)}`, rest: `↑ ${human.speed(sent)}` };
  const rate = fleet.datagrams_per_second;
  yield {
    title: "Datagrams",
    value: rate == null ? human.UNKNOWN : `${human.number(Number(rate.toFixed(rate < 10 ? 1 : 0)))}/s`,
    rest: refusals(status),
  };
  yield { title: "Loss", value: human.ratio(fleet.datagram_loss_ratio), rest: "in 10 min" };
}

function refusals(status) {
  const refused = refusedTotal(status);
  const texts = refused ? [`${human.number(refused)} refused`] : [];
  if (status.kernel_drops) texts.push(`${human.number(status.kernel_drops)} dropped by the kernel`);
  return texts.join(", ");
}

function createTotal() {
  const value = create("dd", "", create("strong"), " ", create("span", "rest"), createMeter());
  return create("div", "total", create("dt"), value);
}

function showTotal(box, { title, value, rest, share }) {
  const [term, definition] = box.children;
  const [number, more, meter] = definition.children;
  setText(term, title);
  setText(number, value);
  setText(more, rest);
  meter.hidden = share === undefined;
  setAttribute(box, "data-total", title.toLowerCase());
  showRatio(meter, share);
}
