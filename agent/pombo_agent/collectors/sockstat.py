"""Sockets by protocol, and bytes in the queues of UDP sockets."""

import os

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Row, numbers, table


def collect_sockstat(sources: Sources) -> list[Section]:
    """Return the ``sockstat`` section."""
    page_size = os.sysconf("SC_PAGE_SIZE")
    counts: dict[str, float | None] = {}
    for name in ("net/sockstat", "net/sockstat6"):  # the second is absent where IPv6 is off
        file = sources.optional_of_init(name)
        if file is not None:
            counts |= parse_sockstat(file, page_size)
    if not counts:
        raise NoDataError("no counts of sockets")
    return numbers("sockstat", counts)


def parse_sockstat(file: File, page_size: int) -> dict[str, float | None]:
    """Return the numbers in ``/proc/net/sockstat``, as ``TCP_inuse``.

    ``mem`` is in pages and is also returned in bytes, as ``TCP_mem_bytes``.
    """
    found: dict[str, float | None] = {}
    for line in file.lines():
        protocol, colon, rest = line.partition(b":")
        words = rest.split()
        if not colon or len(words) % 2:
            file.skip("line", line)
            continue
        values = file.numbers(words[1::2])
        for name, value in zip(words[::2], values, strict=True):
            metric = f"{decoded(protocol)}_{decoded(name)}"
            found[metric] = value
            if name == b"mem":
                found[f"{metric}_bytes"] = value and value * page_size
    return found


def collect_udp_queues(sources: Sources) -> list[Section]:
    """Return the ``udp_queues`` section."""
    rows: list[Row] = []
    for ip, name in (("v4", "net/udp"), ("v6", "net/udp6")):
        file = sources.optional_of_init(name)
        if file is not None:
            transmit, receive = parse_udp(file)
            rows.append({"queue": "tx", "ip": ip, "bytes": transmit})
            rows.append({"queue": "rx", "ip": ip, "bytes": receive})
    return table("udp_queues", rows)


def parse_udp(file: File) -> tuple[int, int]:
    """Return the bytes in the transmit and in the receive queues of ``/proc/net/udp``."""
    queues = file.rows(_queues, first=1)
    return sum(transmit for transmit, _ in queues), sum(receive for _, receive in queues)


def _queues(line: bytes) -> tuple[int, int]:
    transmit, _, receive = line.split()[4].partition(b":")
    return int(transmit, 16), int(receive, 16)


COLLECTORS = [
    Collector("sockstat", collect_sockstat),
    Collector("udp_queues", collect_udp_queues),
]
