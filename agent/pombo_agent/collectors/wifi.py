"""WiFi: the access point of each interface, and the stations that it is connected with."""

import base64
import json
import struct
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import text
from pombo_agent.collecting.netlink import GENERIC, attribute, attributes, dump, number
from pombo_agent.collecting.netlink import text as text_of
from pombo_agent.collecting.reading import decoded
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Row, families, family

_FREQUENCY = "The current frequency a WiFi interface is operating at, in hertz."
_INFO = "Labeled WiFi interface station information as provided by the operating system."
_INFO_LABELS = ("device", "bssid", "ssid", "mode")
_GAUGES = {
    "inactive_seconds": "The number of seconds since any wireless activity has occurred on a "
    "station.",
    "receive_bits_per_second": "The current WiFi receive bitrate of a station, in bits per second.",
    "transmit_bits_per_second": "The current WiFi transmit bitrate of a station, in bits per "
    "second.",
    "signal_dbm": "The current WiFi signal strength, in decibel-milliwatts (dBm).",
}
_COUNTERS = {
    "connected_seconds": "The total number of seconds a station has been connected to an access "
    "point.",
    "receive_bytes": "The total number of bytes received by a WiFi station.",
    "transmit_bytes": "The total number of bytes transmitted by a WiFi station.",
    "transmit_retries": "The total number of times a station has had to retry while sending a "
    "packet.",
    "transmit_failed": "The total number of times a station has failed to send a packet.",
    "beacon_loss": "The total number of times a station has detected a beacon loss.",
    # node_exporter 1.5 does not have these yet.
    "received_packets": "The total number of packets received by a station.",
    "transmitted_packets": "The total number of packets transmitted by a station.",
}
_MODES = {0: "client", 1: "client", 2: "ad-hoc"}  # by the status of an access point
_HERTZ = 1_000_000

# Requests and attributes of generic netlink, and of nl80211.
_HEADER = struct.Struct("=BBxx")  # command, version
_CONTROL, _GET_FAMILY, _FAMILY_ID, _FAMILY_NAME = 16, 3, 1, 2
_GET_INTERFACE, _GET_STATION, _GET_SCAN = 5, 17, 32
_INDEX, _NAME, _MAC, _STATION, _MEGAHERTZ, _ACCESS_POINT = 3, 4, 6, 21, 38, 47
_BSSID, _ELEMENTS, _STATUS = 1, 6, 9  # of an access point
_SSID = 0  # an information element
_RECEIVE_RATE, _TRANSMIT_RATE = 14, 8  # of a station
_RATE_16, _RATE_32 = 1, 5
_SIGNAL = 7
# Attributes of a station: the column, and how many make one of its unit. Where a column has two,
# the later is the one of more bits.
_NUMBERS = {
    1: ("inactive_seconds", 1000),
    2: ("receive_bytes", 1),
    3: ("transmit_bytes", 1),
    9: ("received_packets", 1),
    10: ("transmitted_packets", 1),
    11: ("transmit_retries", 1),
    12: ("transmit_failed", 1),
    16: ("connected_seconds", 1),
    18: ("beacon_loss", 1),
    23: ("receive_bytes", 1),
    24: ("transmit_bytes", 1),
}
# The columns by their names in a file of fixtures in lower case, and how many make one of the unit.
_FIXTURE = {
    "connected": ("connected_seconds", 10**9),
    "inactive": ("inactive_seconds", 10**9),
    "receivedbytes": ("receive_bytes", 1),
    "transmittedbytes": ("transmit_bytes", 1),
    "receivedpackets": ("received_packets", 1),
    "transmittedpackets": ("transmitted_packets", 1),
    "receivebitrate": ("receive_bits_per_second", 1),
    "transmitbitrate": ("transmit_bits_per_second", 1),
    "signal": ("signal_dbm", 1),
    "transmitretries": ("transmit_retries", 1),
    "transmitfailed": ("transmit_failed", 1),
    "beaconloss": ("beacon_loss", 1),
}


class AccessPoint(NamedTuple):
    """What an interface is connected to."""

    bssid: str
    ssid: str
    mode: str


class Interface(NamedTuple):
    """A WiFi interface; a station is a row without its device."""

    name: str
    megahertz: int
    access_point: AccessPoint | None
    stations: list[Row]


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_wifi_*``.

    They have the interfaces of the network namespace of this process.
    """
    fixtures = sources.flags.text("fixtures")
    found = [*(_of_fixtures(sources, fixtures) if fixtures else _of_kernel())]
    stations = [
        {"device": interface.name, **station}
        for interface in found
        for station in interface.stations
    ]
    frequencies = [(each.name, each.megahertz * _HERTZ) for each in found]
    info = [(each.name, *each.access_point, 1) for each in found if each.access_point]
    labels = ("device", "mac_address")
    return [
        *family(
            "node_wifi_interface_frequency_hertz", "gauge", _FREQUENCY, ("device",), frequencies
        ),
        *family("node_wifi_station_info", "gauge", _INFO, _INFO_LABELS, info),
        *families("node_wifi_station_*", "gauge", _GAUGES, labels, stations),
        *families("node_wifi_station_*_total", "counter", _COUNTERS, labels, stations),
    ]


def _of_kernel() -> Iterator[Interface]:
    """Yield the interfaces that the kernel has.

    Raises:
        NoDataError: when no driver for WiFi is loaded.
    """
    nl80211 = next(
        (
            number(found[_FAMILY_ID])
            for found in _ask(_CONTROL, _GET_FAMILY)
            if text_of(found.get(_FAMILY_NAME, b"")) == b"nl80211"
        ),
        None,
    )
    if nl80211 is None:
        raise NoDataError("no driver for WiFi is loaded")
    for found in _ask(nl80211, _GET_INTERFACE):
        name = decoded(text_of(found.get(_NAME, b"")))
        if name:
            index = attribute(_INDEX, found[_INDEX])
            points = map(parse_access_point, _ask(nl80211, _GET_SCAN, index))
            yield Interface(
                name,
                number(found.get(_MEGAHERTZ, b"")),
                next(filter(None, points), None),
                [parse_station(each) for each in _ask(nl80211, _GET_STATION, index)],
            )


def _ask(kind: int, command: int, request: bytes = b"") -> Iterator[dict[int, bytes]]:
    """Yield the attributes of each answer to a command."""
    for answer in dump(GENERIC, kind, _HEADER.pack(command, 1) + request):
        yield attributes(answer[_HEADER.size :])


def parse_access_point(found: Mapping[int, bytes]) -> AccessPoint | None:
    """Return an access point that was found, or nothing where the interface does not use it."""
    own = attributes(found.get(_ACCESS_POINT, b""))
    if _STATUS not in own:
        return None
    elements, ssid = own.get(_ELEMENTS, b""), b""
    while len(elements) > 1:
        kind, length = elements[:2]
        if kind == _SSID:
            ssid = elements[2 : 2 + length]
        elements = elements[2 + length :]
    mode = _MODES.get(number(own[_STATUS]), "unknown")
    return AccessPoint(_shown(own.get(_BSSID, b"")), decoded(ssid), mode)


def parse_station(found: Mapping[int, bytes]) -> Row:
    """Return the row of a station, without its device. What the driver lacks is 0."""
    own = attributes(found.get(_STATION, b""))
    row: dict[str, str | float] = dict.fromkeys((*_GAUGES, *_COUNTERS), 0)
    row["mac_address"] = _shown(found.get(_MAC, b""))
    for kind, (column, divisor) in _NUMBERS.items():
        if kind in own:
            value = number(own[kind])
            row[column] = value if divisor == 1 else value / divisor
    row["receive_bits_per_second"] = _bits(own.get(_RECEIVE_RATE, b""))
    row["transmit_bits_per_second"] = _bits(own.get(_TRANSMIT_RATE, b""))
    row["signal_dbm"] = int.from_bytes(own.get(_SIGNAL, b"")[:1], "little", signed=True)
    return row


def _bits(rate: bytes) -> int:
    """Return a rate in bits per second; the kernel has it in 100 kb/s, with 16 or 32 bits."""
    found = attributes(rate)
    return number(found.get(_RATE_32, found.get(_RATE_16, b""))) * 100_000


def _shown(address: bytes) -> str:
    return address.hex(":")


def _of_fixtures(sources: Sources, folder: str) -> Iterator[Interface]:
    """Yield the interfaces in files, as node_exporter's tests have them.

    Names in them may be in upper or lower case, and what is 0 or empty may be absent.
    """

    def read(name: str) -> Any:
        file = sources.optional(f"{folder}/{name}")
        return json.loads(file.data, object_hook=_lowered) if file else None

    for each in read("interfaces.json") or ():
        name = each.get("name")
        if name:
            point = read(f"{name}/bss.json")
            stations = read(f"{name}/stationinfo.json") or ()
            yield Interface(
                name,
                each.get("frequency", 0),
                point and _fixture_access_point(point),
                [_fixture_station(station) for station in stations],
            )


def _fixture_access_point(found: Mapping[str, Any]) -> AccessPoint:
    mode = _MODES.get(found.get("status", 0), "unknown")
    return AccessPoint(_fixture_address(found, "bssid"), found.get("ssid", ""), mode)


def _fixture_station(found: Mapping[str, Any]) -> Row:
    values = {column: found.get(name, 0) / divisor for name, (column, divisor) in _FIXTURE.items()}
    return {"mac_address": _fixture_address(found, "hardwareaddr"), **values}


def _fixture_address(found: Mapping[str, Any], name: str) -> str:
    return _shown(base64.b64decode(found.get(name, "")))


def _lowered(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in found.items()}


FLAGS = (
    text(
        "fixtures",
        "",
        "Folder with files interfaces.json, and bss.json and stationinfo.json of each interface, "
        "to read instead, for tests.",
    ),
)
COLLECTORS = [Collector("wifi", collect, enabled=False, flags=FLAGS)]
