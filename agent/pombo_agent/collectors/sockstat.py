"""Sockets by protocol, and bytes in the queues of UDP sockets."""

import os

from pombo_wire import Part, UdpQueues

from pombo_agent.collectors.sources import Sources, read_as_init, read_optional_as_init
from pombo_agent.collectors.tables import Row, tables


def collect_sockstat(sources: Sources) -> list[Part]:
    """Return the ``sockstat`` section."""
    page_size = os.sysconf("SC_PAGE_SIZE")
    counts = parse_sockstat(read_as_init(sources.procfs, "net/sockstat"), page_size)
    # Absent where IPv6 is off.
    ipv6 = read_optional_as_init(sources.procfs, "net/sockstat6") or ""
    return [("sockstat", counts | parse_sockstat(ipv6, page_size))]


def parse_sockstat(text: str, page_size: int) -> dict[str, int]:
    """Return the numbers in ``/proc/net/sockstat``, as ``TCP_inuse``.

    ``mem`` is in pages and is also returned in bytes, as ``TCP_mem_bytes``.
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
            transmit, receive = parse_udp(text)
            rows.append({"queue": "tx", "ip": ip, "bytes": transmit})
            rows.append({"queue": "rx", "ip": ip, "bytes": receive})
    return tables(UdpQueues, rows)


def parse_udp(text: str) -> tuple[int, int]:
    """Return the bytes in the transmit and in the receive queues of ``/proc/net/udp``."""
    transmit = receive = 0
    for line in text.splitlines()[1:]:
        tx_queue, _, rx_queue = line.split()[4].partition(":")
        transmit += int(tx_queue, 16)
        receive += int(rx_queue, 16)
    return transmit, receive
