"""Sockets: how many there are of each protocol, and what waits in those of UDP."""

import os

from pombo_wire import Part, UdpQueues

from pombo_agent.collectors.sources import Sources, read_as_init, read_optional_as_init
from pombo_agent.collectors.tables import Row, tables


def collect_sockstat(sources: Sources) -> list[Part]:
    """Return the ``sockstat`` section."""
    page_size = os.sysconf("SC_PAGE_SIZE")
    counts = parse_sockstat(read_as_init(sources.procfs, "net/sockstat"), page_size)
    # Absent where IPv6 is off.
    six = read_optional_as_init(sources.procfs, "net/sockstat6") or ""
    return [("sockstat", counts | parse_sockstat(six, page_size))]


def parse_sockstat(text: str, page_size: int) -> dict[str, int]:
    """Return the numbers of ``/proc/net/sockstat``, as ``TCP_inuse``.

    ``mem`` is in pages; it is told in bytes, too.
    """
    found = {}
    for line in text.splitlines():
        protocol, _, rest = line.partition(": ")
        words = rest.split()
        for name, value in zip(words[::2], words[1::2], strict=True):
            found[f"{protocol}_{name}"] = int(value)
            if name == "mem":
                found[f"{protocol}_mem_bytes"] = int(value) * page_size
    return found


def collect_udp_queues(sources: Sources) -> list[Part]:
    """Return the ``udp_queues`` section."""
    rows: list[Row] = []
    for ip, name in (("v4", "net/udp"), ("v6", "net/udp6")):
        text = read_optional_as_init(sources.procfs, name)
        if text is not None:
            sent, received = parse_udp(text)
            rows.append({"queue": "tx", "ip": ip, "bytes": sent})
            rows.append({"queue": "rx", "ip": ip, "bytes": received})
    return tables(UdpQueues, rows)


def parse_udp(text: str) -> tuple[int, int]:
    """Return the bytes that wait in all sockets of ``/proc/net/udp``: to be sent, and read."""
    sent = received = 0
    for line in text.splitlines()[1:]:
        out, _, into = line.split()[4].partition(":")
        sent += int(out, 16)
        received += int(into, 16)
    return sent, received
