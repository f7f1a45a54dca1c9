"""Routes: those of unicast, of all tables, and how many each interface has."""

import socket
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.netlink import ROUTE, attributes, dump, number
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import family

_GET_ROUTE = 26  # the request RTM_GETROUTE
_UNICAST = 1
# Of struct rtmsg: the bits of the destination, the protocol, and the type of the route.
_ROUTE = struct.Struct("=xB3xBxB4x")
_HOP = struct.Struct("=HxBI")  # struct rtnexthop: length, weight - 1, interface
_DESTINATION, _INTERFACE, _GATEWAY, _PRIORITY, _SOURCE, _HOPS = 1, 4, 5, 6, 7, 9  # attributes

_PROTOCOLS = {
    0: "unspec",
    1: "redirect",
    2: "kernel",
    3: "boot",
    4: "static",
    8: "gated",
    9: "ra",
    10: "mrt",
    11: "zebra",
    12: "bird",
    13: "dnrouted",
    14: "xorp",
    15: "ntk",
    16: "dhcp",
    17: "mrouted",
    42: "babel",
    186: "bgp",
    187: "isis",
    188: "ospf",
    189: "rip",
    192: "eigrp",
}


class Hop(NamedTuple):
    """A route by one interface, with the labels of the family."""

    device: str
    src: str
    dest: str
    gw: str
    priority: str
    proto: str
    weight: str


def collect(sources: Sources) -> list[Section]:  # noqa: ARG001  # it reads no file
    """Return the open families ``node_network_route_info`` and ``node_network_routes``.

    They have the routes of the network namespace of this process.
    """
    names = dict(socket.if_nameindex())
    hops = [
        hop
        for route in dump(ROUTE, _GET_ROUTE, _ROUTE.pack(0, 0, 0))
        for hop in parse_route(route, names)
    ]
    counts = Counter(hop.device for hop in hops)
    info = [(*hop, 1) for hop in dict.fromkeys(hops)]  # one route may be in several tables
    return [
        *family(
            "node_network_route_info",
            "gauge",
            "network routing table information",
            Hop._fields,
            info,
        ),
        *family(
            "node_network_routes",
            "gauge",
            "network routes by interface",
            ("device",),
            [*counts.items()],
        ),
    ]


def parse_route(message: bytes, names: Mapping[int, str]) -> Iterator[Hop]:
    """Yield each hop of a route of unicast; ``names`` has the interfaces by index."""
    bits, protocol, kind = _ROUTE.unpack_from(message)
    if kind != _UNICAST:
        return
    own = attributes(message[_ROUTE.size :])
    destination = f"{_address(own.get(_DESTINATION))}/{bits}" if bits else "default"

    def hop(interface: int, gateway: bytes | None, weight: str) -> Hop:
        return Hop(
            names.get(interface, ""),
            _address(own.get(_SOURCE)),
            destination,
            _address(gateway),
            str(number(own.get(_PRIORITY, b""))),
            _PROTOCOLS.get(protocol, "unknown"),
            weight,
        )

    hops = own.get(_HOPS)
    if not hops:
        yield hop(number(own.get(_INTERFACE, b"")), own.get(_GATEWAY), "")
        return
    while len(hops) >= _HOP.size:
        length, others, interface = _HOP.unpack_from(hops)
        gateway = attributes(hops[_HOP.size : length]).get(_GATEWAY)
        yield hop(interface, gateway, str(others + 1))
        hops = hops[max(length, _HOP.size) :]


def _address(packed: bytes | None) -> str:
    """Return the text of an address, or nothing where there is none."""
    if not packed:
        return ""
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


COLLECTORS = [Collector("network_route", collect, enabled=False)]
