"""The collector ``network_route``."""

import socket
import struct

from pombo_agent.collecting.netlink import attribute
from pombo_agent.collectors.network_route import Hop, parse_route

NAMES = {2: "eth0", 3: "eth1"}


def route(bits: int, protocol: int, *parts: bytes, kind: int = 1) -> bytes:
    header = struct.pack("=8BI", socket.AF_INET, bits, 0, 0, 254, protocol, 0, kind, 0)
    return header + b"".join(parts)


def address(kind: int, text: str) -> bytes:
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return attribute(kind, socket.inet_pton(family, text))


def number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def hop(interface: int, weight: int, *parts: bytes) -> bytes:
    rest = b"".join(parts)
    return struct.pack("=HBBI", 8 + len(rest), 0, weight - 1, interface) + rest


def test_route_by_one_interface() -> None:
    own = (address(1, "192.0.2.0"), number(4, 2), address(7, "192.0.2.9"), number(6, 100))
    assert [*parse_route(route(24, 2, *own), NAMES)] == [
        Hop("eth0", "192.0.2.9", "192.0.2.0/24", "", "100", "kernel", "")
    ]
    parts = (number(4, 9), address(5, "fe80::1"))
    assert [*parse_route(route(0, 77, *parts), NAMES)] == [
        Hop("", "", "default", "fe80::1", "0", "unknown", "")
    ]


def test_route_by_several_interfaces_has_a_row_for_each() -> None:
    hops = hop(2, 1, address(5, "192.0.2.1")) + hop(3, 20)
    assert [*parse_route(route(0, 16, attribute(9, hops)), NAMES)] == [
        Hop("eth0", "", "default", "192.0.2.1", "0", "dhcp", "1"),
        Hop("eth1", "", "default", "", "0", "dhcp", "20"),
    ]


def test_route_that_is_not_of_unicast_is_omitted() -> None:
    assert [*parse_route(route(32, 2, address(1, "192.0.2.9"), kind=2), NAMES)] == []
