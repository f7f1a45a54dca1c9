// What the page of all hosts says where it has no host to show: why, and what to check.

import { create, setAttribute, setText, syncChildren } from "./dom.js";
import { refusalText, refusedTotal } from "./exporter_section.js";
import * as human from "./human.js";

/** Shows why no host is shown, of a fleet and the exporter's status at `now`. */
export function showNothing(box, fleet, status, now) {
  const items = [];
  if (fleet.hosts.size) items.push(["p", noMatch(fleet)]);
  else if (status) items.push(...noHost(status, now));
  syncChildren(box, items, () => create("div"), showItem);
}

function noMatch(fleet) {
  if (fleet.onlyAttention && !fleet.attention) return "No host needs attention.";
  return "No host matches the filter.";
}

/** Yields the texts for an exporter without a host, each with the tag of its element. */
function* noHost(status, now) {
  const port = status.udp_listen_address.split(":").at(-1) || location.port || "5005";
  const received = status.datagrams_received;
  const refused = refusedTotal(status);
  yield ["h3", silence(status, now, port)];
  if (received && refused === received) {
    yield* refusals(status);
    return;
  }
  if (document.querySelector('nav a[href="join"]')) yield ["a", "Add a host, step by step", "join"];
  yield ["p", "On each host, run:"];
  yield ["pre", `pombo-agent --server=${location.hostname}:${port}`];
  yield ["p", "If an agent runs already, check two things. This machine, or a firewall before it, must let UDP in:"];
  yield ["pre", `sudo ufw allow ${port}/udp\nsudo firewall-cmd --permanent --add-port=${port}/udp && sudo firewall-cmd --reload`];
  yield ["p", "On the host, this says whether its reports arrive:"];
  yield ["pre", `pombo-agent check --server=${location.hostname}:${port}`];
}

/** Returns for how long no datagram has arrived. */
function silence(status, now, port) {
  const { last_datagram_timestamp_seconds: last, started_timestamp_seconds: started } = status;
  if (last == null) {
    return `No datagram has arrived at UDP port ${port} since the exporter started, ${human.age(now - started)} ago.`;
  }
  const count = status.datagrams_received;
  if (refusedTotal(status) < count) {
    return `No host reports. The last datagram at UDP port ${port} arrived ${human.age(now - last)} ago.`;
  }
  const all = count === 1 ? "One datagram has" : `${human.number(count)} datagrams have`;
  const refused = count === 1 ? "was refused" : "all were refused";
  return `${all} arrived at UDP port ${port}, the last one ${human.age(now - last)} ago, and ${refused}.`;
}

function* refusals(status) {
  const counts = Object.entries(status.datagrams_refused).filter(([, count]) => count);
  counts.sort(([, a], [, b]) => b - a);
  for (const [reason, count] of counts) {
    const latest = status.recent_refusals.find((refusal) => refusal.reason === reason);
    const from = latest ? `, the last one from ${human.printable(latest.address)}: ${human.printable(latest.detail)}` : "";
    yield ["p", `${human.number(count)} refused as ${refusalText(reason)}${from}. ${status.refusal_remedies[reason] ?? ""}`];
  }
}

function showItem(box, [tag, text, target]) {
  if (box.firstChild?.localName !== tag) box.replaceChildren(create(tag));
  setText(box.firstChild, text);
  if (target) setAttribute(box.firstChild, "href", target);
  setAttribute(box, "class", tag === "pre" ? "command" : "");
}
