"""The collector ``tcpstat``."""

import socket
import struct
from collections.abc import Callable
from typing import Any

from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import tcpstat
from pombo_wire.section import Section

ColumnOf = Callable[[list[Section], str, str], dict[str, Any]]


def answer(state: int, received: int, transmitted: int) -> bytes:
    numbers = struct.pack("=5I", 77, received, transmitted, 1000, 4321)
    return struct.pack("=4B", socket.AF_INET, state, 0, 0) + bytes(48) + numbers


def test_sockets_are_counted_by_state_and_their_queues_are_summed() -> None:
    sockets = [answer(1, 5, 7), answer(1, 0, 0), answer(10, 1, 128), answer(99, 0, 0)]
    assert tcpstat.count(sockets) == {
        "established": 2,
        "listen": 1,
        "unknown": 1,
        "rx_queued_bytes": 6,
        "tx_queued_bytes": 135,
    }
    assert tcpstat.count([]) == {}


def test_socket_of_this_process_is_counted(this_machine: Sources) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        [section] = tcpstat.collect(this_machine)
        assert server.fileno() >= 0
    found = dict(zip(section.labels["state"], section.cells, strict=True))
    assert found["listen"] >= 1  # type: ignore[operator]
    assert {"rx_queued_bytes", "tx_queued_bytes"} <= found.keys()
