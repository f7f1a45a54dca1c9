"""Network drivers: their versions, link modes and statistics, as ethtool shows them."""

import fcntl
import os
import re
import socket
import struct
from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import filtered, pattern
from pombo_agent.collecting.netlink import text as text_of
from pombo_agent.collecting.reading import decoded
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Cell, Row, families, family

_INFO = (
    "A metric with a constant '1' value labeled by bus_info, device, driver, "
    "expansion_rom_version, firmware_version, version."
)
_INFO_LABELS = (
    "bus_info",
    "device",
    "driver",
    "expansion_rom_version",
    "firmware_version",
    "version",
)

# Families of statistics that many drivers have.
_KNOWN = {
    "rx_bytes": ("received_bytes_total", "Network interface bytes received"),
    "rx_dropped": ("received_dropped_total", "Number of received frames dropped"),
    "rx_errors": ("received_errors_total", "Number of received frames with errors"),
    "rx_packets": ("received_packets_total", "Network interface packets received"),
    "tx_bytes": ("transmitted_bytes_total", "Network interface bytes sent"),
    "tx_errors": ("transmitted_errors_total", "Number of sent frames with errors"),
    "tx_packets": ("transmitted_packets_total", "Network interface packets sent"),
}

_LINK = {
    "autonegotiate": "If this port is using autonegotiate",
    "autonegotiate_supported": "If this port device supports autonegotiate",
    "pause_supported": "If this port device supports pause frames",
    "asymmetricpause_supported": "If this port device supports asymmetric pause frames",
    "autonegotiate_advertised": "If this port device offers autonegotiate",
    "pause_advertised": "If this port device offers pause capability",
    "asymmetricpause_advertised": "If this port device offers asymmetric pause capability",
}
_CAPABILITIES = {6: "autonegotiate", 13: "pause", 14: "asymmetricpause"}
_PORT = "Type of ports or PHYs supported by network device"
_PORTS = {7: "TP", 8: "AUI", 9: "MII", 10: "FIBRE", 11: "BNC", 16: "Backplane"}
_SPEEDS = {
    "supported": "Combination of speeds and features supported by network device",
    "advertised": "Combination of speeds and features offered by network device",
}
# The bit of each mode: its speed in Mb/s, whether it is of full duplex, and the rest of its name.
_MODES = {
    0: (10, "half", "T"),
    1: (10, "full", "T"),
    2: (100, "half", "T"),
    3: (100, "full", "T"),
    4: (1000, "half", "T"),
    5: (1000, "full", "T"),
    12: (10000, "full", "T"),
    17: (1000, "full", "KX"),
    18: (10000, "full", "KX4"),
    19: (10000, "full", "KR"),
    20: (10000, "full", "R_FEC"),
    21: (20000, "full", "MLD2"),
    22: (20000, "full", "KR2"),
    23: (40000, "full", "KR4"),
    24: (40000, "full", "CR4"),
    25: (40000, "full", "SR4"),
    26: (40000, "full", "LR4"),
    27: (56000, "full", "KR4"),
    28: (56000, "full", "CR4"),
    29: (56000, "full", "SR4"),
    30: (56000, "full", "LR4"),
    31: (25000, "full", "CR"),
}
_MEGABIT_BYTES = 125_000

_IOCTL = 0x8946  # SIOCETHTOOL
_INTERFACE = struct.Struct("@16sP16x")  # struct ifreq: name, address of the request
_COMMAND = struct.Struct("=I")
_SETTINGS = struct.Struct("=4xII6xB25x")  # struct ethtool_cmd: supported, advertised, autoneg
_DRIVER = struct.Struct("=4x32s32s32s32s32s16xI12x")  # struct ethtool_drvinfo; see Port
_NAMES = struct.Struct("=III")  # struct ethtool_gstrings: command, set of names, count
_STATISTICS = struct.Struct("=II")  # struct ethtool_stats: command, count
_GET_SETTINGS, _GET_DRIVER, _GET_NAMES, _GET_STATISTICS = 0x1, 0x3, 0x1B, 0x1D
_NAMES_OF_STATISTICS = 1
_NAME_BYTES, _NUMBER_BYTES = 32, 8
_MOST_STATISTICS = 32768
_MORE_STATISTICS = 1024  # which the driver may have got meanwhile; it writes all that it has

_INVALID = re.compile(r"_*[^0-9A-Za-z_]+_*")
_RECEIVED = re.compile(r"(^|_)rx(_|$)")
_TRANSMITTED = re.compile(r"(^|_)tx(_|$)")

#: Takes a request and the size of its answer, and returns the answer.
Ask = Callable[[bytes, int], bytes]


class Link(NamedTuple):
    """The modes of a link, as bits, and whether it negotiates them."""

    supported: int
    advertised: int
    negotiates: int


class Driver(NamedTuple):
    """The driver of an interface."""

    name: str
    version: str
    firmware: str
    bus: str
    rom: str


class Port(NamedTuple):
    """What an interface has; the link or the driver is ``None`` where the kernel has none."""

    device: str
    link: Link | None
    driver: Driver | None
    statistics: Mapping[str, int]


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_ethtool_*``, and ``node_network_*`` about links.

    They have the interfaces of the network namespace of this process.
    """
    classes = f"{sources.sysfs}/class/net"
    if not os.path.isdir(classes):
        raise NoDataError("no network interfaces in /sys")
    keeps = sources.flags.filter("device").keeps
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as kernel:
        ports = [
            read_port(sources, device, partial(_ask, kernel, device))
            for device in filter(keeps, sources.names(classes))
            if os.path.isdir(f"{classes}/{device}")  # the file bonding_masters is no interface
        ]
    wanted = sources.flags.pattern("metrics-include")
    return [*link_families(ports), *driver_families(ports), *statistic_families(ports, wanted)]


def _ask(kernel: socket.socket, device: str, request: bytes, size: int) -> bytes:
    answer = array("B", request.ljust(size, b"\0"))
    address, _ = answer.buffer_info()
    fcntl.ioctl(kernel, _IOCTL, _INTERFACE.pack(os.fsencode(device), address))
    return answer.tobytes()


def read_port(sources: Sources, device: str, ask: Ask) -> Port:
    """Return what the kernel answers about an interface."""
    link, driver, count, found = None, None, 0, {}
    try:
        link = Link(*_SETTINGS.unpack(ask(_COMMAND.pack(_GET_SETTINGS), _SETTINGS.size)))
    except OSError as error:  # many virtual interfaces have no link
        sources.skip_unreadable(error, device)
    try:
        *texts, count = _DRIVER.unpack(ask(_COMMAND.pack(_GET_DRIVER), _DRIVER.size))
        driver = Driver(*(decoded(text_of(text)) for text in texts))
        found = read_statistics(ask, count)
    except OSError as error:
        sources.skip_unreadable(error, device)
    return Port(device, link, driver, found)


def read_statistics(ask: Ask, count: int) -> dict[str, int]:
    """Return the statistics of a driver, of which it has said to have ``count``, by name.

    Raises:
        OSError: when the kernel refuses to tell them.
    """
    if not 0 < count <= _MOST_STATISTICS:
        return {}
    room = count + _MORE_STATISTICS
    request = _NAMES.pack(_GET_NAMES, _NAMES_OF_STATISTICS, count)
    names = ask(request, _NAMES.size + room * _NAME_BYTES)[_NAMES.size :]
    request = _STATISTICS.pack(_GET_STATISTICS, count)
    numbers = ask(request, _STATISTICS.size + room * _NUMBER_BYTES)
    values = struct.unpack_from(f"={count}Q", numbers, _STATISTICS.size)
    texts = (names[at : at + _NAME_BYTES] for at in range(0, count * _NAME_BYTES, _NAME_BYTES))
    found = dict(zip(map(decoded, map(text_of, texts)), values, strict=True))
    return {name: value for name, value in found.items() if name}


def link_families(ports: list[Port]) -> list[Section]:
    """Return the families about the modes of links."""
    rows: list[Row] = []
    types: list[tuple[Cell, ...]] = []
    speeds: dict[str, list[tuple[Cell, ...]]] = {kind: [] for kind in _SPEEDS}
    for device, link, _, _ in ports:
        if link is None:
            continue
        row: dict[str, str | int] = {"device": device, "autonegotiate": link.negotiates}
        for kind, bits in (("supported", link.supported), ("advertised", link.advertised)):
            row |= {f"{name}_{kind}": bits >> bit & 1 for bit, name in _CAPABILITIES.items()}
            speeds[kind] += [
                (device, duplex, f"{speed}base{name}", speed * _MEGABIT_BYTES)
                for bit, (speed, duplex, name) in _MODES.items()
                if bits >> bit & 1
            ]
        rows.append(row)
        types += [(device, name, 1) for bit, name in _PORTS.items() if link.supported >> bit & 1]
    return [
        *families("node_network_*", "gauge", _LINK, ("device",), rows),
        *family("node_network_supported_port_info", "gauge", _PORT, ("device", "type"), types),
        *(
            section
            for kind, text in _SPEEDS.items()
            for section in family(
                f"node_network_{kind}_speed_bytes",
                "gauge",
                text,
                ("device", "duplex", "mode"),
                speeds[kind],
            )
        ),
    ]


def driver_families(ports: list[Port]) -> list[Section]:
    """Return the family with the drivers and their versions."""
    rows = [
        (driver.bus, device, driver.name, driver.rom, driver.firmware, driver.version, 1)
        for device, _, driver, _ in ports
        if driver is not None
    ]
    return family("node_ethtool_info", "gauge", _INFO, _INFO_LABELS, rows)


def statistic_families(ports: list[Port], wanted: "re.Pattern[str]") -> list[Section]:
    """Return a family for each statistic whose name is wanted."""
    rows: list[Row] = []
    helps: dict[str, str] = {}
    for port in ports:
        named = [(sanitized(name), value) for name, value in port.statistics.items()]
        kept = [(name, column(name), value) for name, value in named if wanted.search(name)]
        # Of names that differ only in what is replaced, none can be told from the others.
        names = Counter(found for _, found, _ in kept)
        row: dict[str, str | int] = {"device": port.device}
        for name, found, value in kept:
            if names[found] == 1:
                shown, text = _KNOWN.get(name, (found, f"Network interface {name}"))
                row[shown] = value
                helps.setdefault(shown, text)
        rows.append(row)
    return families("node_ethtool_*", "untyped", helps, ("device",), rows)


def sanitized(name: str) -> str:
    """Return the name of a statistic with an underscore for what a metric cannot have."""
    return _INVALID.sub("_", name)


def column(name: str) -> str:
    """Return what the family of a statistic is named, without its prefix."""
    short = name.lower().lstrip("_")
    return _TRANSMITTED.sub(r"\1transmitted\2", _RECEIVED.sub(r"\1received\2", short))


FLAGS = (
    filtered("device"),
    pattern("metrics-include", ".*", "Regexp of ethtool stats to include."),
)
COLLECTORS = [Collector("ethtool", collect, enabled=False, flags=FLAGS)]
