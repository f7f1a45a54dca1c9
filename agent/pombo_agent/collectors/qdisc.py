"""Queueing disciplines: what the root of each interface has sent and dropped."""

import json
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import filtered, text
from pombo_agent.collecting.netlink import ROUTE, attributes, dump
from pombo_agent.collecting.netlink import text as text_of
from pombo_agent.collecting.reading import decoded
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Row, families

_COUNTERS = {
    "bytes": "Number of bytes sent.",
    "packets": "Number of packets sent.",
    "drops": "Number of packets dropped.",
    "requeues": "Number of packets dequeued, not transmitted, and requeued.",
    "overlimits": "Number of overlimit packets.",
}
_GAUGES = {
    "current_queue_length": "Number of packets currently in queue to be sent.",
    "backlog": "Number of bytes currently in queue to be sent.",
}
_LABELS = ("device", "kind")

_GET_QDISC = 38  # the request RTM_GETQDISC
_QDISC = struct.Struct("=4xiIII")  # struct tcmsg: interface, handle, parent, info
_ROOT = 0xFFFFFFFF  # the parent of the root
_KIND, _STATISTICS = 1, 7  # attributes
_BASIC, _QUEUE = 1, 3  # attributes of the statistics
_BASIC_NUMBERS = struct.Struct("=QI")
_QUEUE_NUMBERS = struct.Struct("=5I")

# The columns by their names in the file of fixtures, in lower case.
_COLUMNS = {
    "bytes": "bytes",
    "packets": "packets",
    "drops": "drops",
    "requeues": "requeues",
    "overlimits": "overlimits",
    "qlen": "current_queue_length",
    "backlog": "backlog",
}


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_qdisc_*``.

    They have the interfaces of the network namespace of this process.
    """
    fixtures = sources.flags.text("fixtures")
    if fixtures:
        found = fixture_rows(json.loads(sources.file(f"{fixtures}/results.json").data))
    else:
        names = dict(socket.if_nameindex())
        found = parse_qdiscs(dump(ROUTE, _GET_QDISC, bytes(_QDISC.size)), names)
    keeps = sources.flags.filter("device").keeps
    rows = [row for row in found if keeps(str(row["device"]))]
    return [
        *families("node_qdisc_*_total", "counter", _COUNTERS, _LABELS, rows),
        *families("node_qdisc_*", "gauge", _GAUGES, _LABELS, rows),
    ]


def parse_qdiscs(messages: Iterable[bytes], names: Mapping[int, str]) -> Iterator[Row]:
    """Yield a row for each interface with a queueing discipline; ``names`` are by index."""
    for message in messages:
        interface, _, parent, _ = _QDISC.unpack_from(message)
        found = attributes(message[_QDISC.size :])
        statistics = attributes(found.get(_STATISTICS, b""))
        if parent not in {0, _ROOT} or interface not in names or not statistics:
            continue  # packets of the others are counted by their parents too
        row: dict[str, str | int] = {
            "device": names[interface],
            "kind": decoded(text_of(found.get(_KIND, b""))),
        }
        if _BASIC in statistics:
            row["bytes"], row["packets"] = _BASIC_NUMBERS.unpack_from(statistics[_BASIC])
        if _QUEUE in statistics:
            (
                row["current_queue_length"],
                row["backlog"],
                row["drops"],
                row["requeues"],
                row["overlimits"],
            ) = _QUEUE_NUMBERS.unpack_from(statistics[_QUEUE])
        yield row


def fixture_rows(found: list[dict[str, Any]]) -> Iterator[Row]:
    """Yield the rows of a file of fixtures, as node_exporter's tests have it."""
    for given in found:
        each = {name.lower(): value for name, value in given.items()}
        if not each.get("parent"):
            row = {column: each.get(name, 0) for name, column in _COLUMNS.items()}
            yield {"device": each.get("ifacename", ""), "kind": each.get("kind", ""), **row}


FLAGS = (
    filtered("device", alias="collector.qdisk.device"),  # as in node_exporter 1.5
    text("fixtures", "", "Folder with a file results.json to read instead, for tests."),
)
COLLECTORS = [Collector("qdisc", collect, enabled=False, flags=FLAGS)]
