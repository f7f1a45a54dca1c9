"""The collector ``wifi``."""

import base64
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pombo_agent.collecting.flags import Flags
from pombo_agent.collecting.netlink import attribute
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import wifi
from pombo_wire.section import Section

WriteFiles = Callable[[Path, dict[str, str]], Path]

NL80211 = 31
ADDRESS = bytes((2, 0xFC, 0, 0, 0, 7))
SSID = "café".encode()

FAMILIES = {
    "node_wifi_interface_frequency_hertz": {("wlan0",): 2_412_000_000},
    "node_wifi_station_info": {("wlan0", "02:fc:00:00:00:07", "café", "client"): 1},
    "node_wifi_station_inactive_seconds": 0.4,
    "node_wifi_station_receive_bits_per_second": 2.566e9,
    "node_wifi_station_transmit_bits_per_second": 1.44e7,
    "node_wifi_station_signal_dbm": -52,
    "node_wifi_station_connected_seconds_total": 30,
    "node_wifi_station_receive_bytes_total": 2**33,
    "node_wifi_station_transmit_bytes_total": 77,
    "node_wifi_station_transmit_retries_total": 10,
    "node_wifi_station_transmit_failed_total": 2,
    "node_wifi_station_beacon_loss_total": 1,
    "node_wifi_station_received_packets_total": 21,
    "node_wifi_station_transmitted_packets_total": 23,
}


def values(sections: list[Section]) -> dict[str, Any]:
    """Return the value of each family; of those about stations, which have one row, no labels."""
    found: dict[str, Any] = {}
    for section in sections:
        rows = [*zip(*section.labels.values(), strict=True)]
        columns = section.columns or {"": section.cells}
        if "mac_address" not in section.labels:
            found[section.name] = dict(zip(rows, section.cells, strict=True))
            continue
        assert rows == [("wlan0", "02:fc:00:00:00:07")]
        found |= {section.name.replace("*", name): cell for name, (cell,) in columns.items()}
    return found


def u32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def answers() -> dict[tuple[int, int], list[bytes]]:
    """Return what the kernel answers to each command of a family of generic netlink."""
    elements = b"\1\2xx\0" + bytes((len(SSID),)) + SSID
    point = attribute(1, ADDRESS) + attribute(6, elements)
    station = (
        u32(1, 400)
        + u32(2, 5)
        + u32(3, 77)
        + attribute(7, struct.pack("=b", -52))
        + attribute(8, attribute(1, struct.pack("=H", 144)))
        + u32(9, 21)
        + u32(10, 23)
        + u32(11, 10)
        + u32(12, 2)
        + attribute(14, attribute(1, struct.pack("=H", 1)) + u32(5, 25660))
        + u32(16, 30)
        + u32(18, 1)
        + attribute(23, struct.pack("=Q", 2**33))
    )
    return {
        (16, 3): [
            attribute(1, struct.pack("=H", 16)) + attribute(2, b"nlctrl\0"),
            attribute(1, struct.pack("=H", NL80211)) + attribute(2, b"nl80211\0"),
        ],
        (NL80211, 5): [
            u32(3, 4) + attribute(4, b"wlan0\0") + u32(38, 2412),
            u32(1, 0),  # a virtual device without a name
        ],
        (NL80211, 32): [attribute(47, point), attribute(47, point + u32(9, 1))],
        (NL80211, 17): [attribute(6, ADDRESS) + attribute(21, station)],
    }


def test_interface_has_its_access_point_and_stations(
    this_machine: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = answers()

    def dump(_protocol: int, kind: int, body: bytes) -> Iterator[bytes]:
        return (bytes(4) + answer for answer in known[kind, body[0]])

    monkeypatch.setattr(wifi, "dump", dump)
    assert values(wifi.collect(this_machine)) == FAMILIES


def test_host_without_a_driver_for_wifi_has_no_data(
    this_machine: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wifi, "dump", lambda *_: iter(()))
    with pytest.raises(NoDataError):
        wifi.collect(this_machine)


def test_fixtures_are_read_instead_of_the_kernel(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    address = base64.b64encode(ADDRESS).decode()
    station = {
        "HardwareAddr": address,
        "Connected": 30 * 10**9,
        "Inactive": 4 * 10**8,
        "ReceivedBytes": 2**33,
        "TransmittedBytes": 77,
        "ReceivedPackets": 21,
        "TransmittedPackets": 23,
        "ReceiveBitrate": 2566000000,
        "TransmitBitrate": 14400000,
        "Signal": -52,
        "TransmitRetries": 10,
        "TransmitFailed": 2,
        "BeaconLoss": 1,
    }
    point = {"SSID": SSID.decode(), "BSSID": address, "Status": 1}
    files = {
        "interfaces.json": json.dumps([{"Name": "wlan0", "Frequency": 2412}, {"Name": ""}]),
        "wlan0/bss.json": json.dumps(point),
        "wlan0/stationinfo.json": json.dumps([station]),
    }
    flags = Flags({"fixtures": str(write_files(tmp_path, files))})
    assert values(wifi.collect(this_machine._replace(flags=flags))) == FAMILIES


def test_names_in_fixtures_may_be_in_lower_case_and_values_absent(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    address = base64.b64encode(ADDRESS).decode()
    interfaces = [{"name": "wlan0", "type": 2, "frequency": 2412}, {"type": 10}]
    files = {
        "interfaces.json": json.dumps(interfaces),
        "wlan0/bss.json": json.dumps({"ssid": SSID.decode(), "bssid": address}),
        "wlan0/stationinfo.json": json.dumps([{"hardwareaddr": address, "signal": -52}]),
    }
    flags = Flags({"fixtures": str(write_files(tmp_path, files))})
    found = values(wifi.collect(this_machine._replace(flags=flags)))
    labelled = {family: rows for family, rows in FAMILIES.items() if isinstance(rows, dict)}
    zeros = dict.fromkeys(FAMILIES, 0)
    assert found == {**zeros, **labelled, "node_wifi_station_signal_dbm": -52}
