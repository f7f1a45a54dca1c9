"""TCP: sockets in each state, and the bytes in their queues."""

import os.path
import socket
import struct
from collections import Counter
from collections.abc import Iterable, Iterator

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.netlink import SOCK_DIAG, dump
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import family

_HELP = "Number of connection states."

# The states of the kernel, from 1 on.
_STATES = (
    "established",
    "syn_sent",
    "syn_recv",
    "fin_wait1",
    "fin_wait2",
    "time_wait",
    "close",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
)
_ALL_STATES = 0xFFF

_BY_FAMILY = 20  # the request SOCK_DIAG_BY_FAMILY
_REQUEST = struct.Struct("=BBBxI48x")  # family, protocol, extensions, states; of all sockets
_SOCKET = struct.Struct("=xB54xII")  # of inet_diag_msg: state, and bytes in both queues


def collect(sources: Sources) -> list[Section]:
    """Return the open family ``node_tcp_connection_states``.

    It has the sockets of the network namespace of this process. The kernel lists them faster than
    it writes ``/proc/net/tcp``, which lacks the longest backlog of sockets that listen.
    """
    # Without IPv6 the kernel would refuse the request.
    has_ipv6 = os.path.exists(f"{sources.procfs}/net/tcp6")
    versions = (socket.AF_INET, socket.AF_INET6) if has_ipv6 else (socket.AF_INET,)
    counts = count(each for version in versions for each in _sockets(version))
    return family("node_tcp_connection_states", "gauge", _HELP, ("state",), [*counts.items()])


def _sockets(version: int) -> Iterator[bytes]:
    request = _REQUEST.pack(version, socket.IPPROTO_TCP, 0, _ALL_STATES)
    return dump(SOCK_DIAG, _BY_FAMILY, request)


def count(sockets: Iterable[bytes]) -> Counter[str]:
    """Return how many sockets have each state, and the sums of the bytes in their queues."""
    counts: Counter[str] = Counter()
    for found in sockets:
        state, received, transmitted = _SOCKET.unpack_from(found)
        counts[_STATES[state - 1] if 0 < state <= len(_STATES) else "unknown"] += 1
        counts["rx_queued_bytes"] += received
        counts["tx_queued_bytes"] += transmitted
    return counts


COLLECTORS = [Collector("tcpstat", collect, enabled=False)]
