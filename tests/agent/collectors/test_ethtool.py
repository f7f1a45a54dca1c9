"""The collector ``ethtool``."""

import errno
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import ethtool
from pombo_agent.collectors.ethtool import Driver, Link, Port
from pombo_wire.section import Section

ColumnOf = Callable[[list[Section], str, str], dict[str, Any]]

DRIVER = Driver("e1000e", "5.11.0", "0.5-4", "0000:00:1f.6", "")
STATISTICS = {"rx_packets": 2**40, "tx_timeout": 3}


def kernel(request: bytes, size: int) -> bytes:
    """Answer as the kernel, which writes all that the driver has."""
    [command] = struct.unpack_from("=I", request)
    if command == 0x1:
        answer = struct.pack("=III", command, 0x102FF, 0x20) + bytes(6) + b"\1" + bytes(25)
    elif command == 0x3:
        texts = (DRIVER.name, DRIVER.version, DRIVER.firmware, DRIVER.bus, DRIVER.rom)
        padded = b"".join(text.encode().ljust(32, b"\0") for text in texts)
        answer = struct.pack("=I", command) + padded + bytes(16) + struct.pack("=I12x", 2)
    elif command == 0x1B:
        names = [*STATISTICS, "one more"]
        answer = request + b"".join(name.encode().ljust(32, b"\0") for name in names)
    else:
        answer = request + struct.pack("=3Q", *STATISTICS.values(), 7)
    assert len(answer) <= size
    return answer.ljust(size, b"\0")


def test_kernel_answers_about_link_driver_and_statistics(this_machine: Sources) -> None:
    port = ethtool.read_port(this_machine, "eth0", kernel)
    assert port == Port("eth0", Link(0x102FF, 0x20, 1), DRIVER, STATISTICS)


def test_interface_without_a_driver_has_nothing_and_is_no_fault(this_machine: Sources) -> None:
    def refuse(_request: bytes, _size: int) -> bytes:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    assert ethtool.read_port(this_machine, "tun0", refuse) == Port("tun0", None, None, {})
    assert this_machine.skips.count == 0


def test_bits_of_a_link_are_families(column_of: ColumnOf) -> None:
    ports = [
        Port("eth0", Link(0x102FF, 0x20, 1), None, {}),
        Port("tun0", None, None, {}),
        Port("veth0", Link(0, 0x6040, 0), None, {}),
    ]
    sections = ethtool.link_families(ports)
    rows = {
        section.name.removeprefix("node_network_"): [
            *zip(*section.labels.values(), section.cells, strict=True)
        ]
        for section in sections
        if not section.values
    }
    assert rows == {
        "supported_port_info": [
            ("eth0", "TP", 1),
            ("eth0", "MII", 1),
            ("eth0", "Backplane", 1),
        ],
        "supported_speed_bytes": [
            ("eth0", "half", "10baseT", 1_250_000),
            ("eth0", "full", "10baseT", 1_250_000),
            ("eth0", "half", "100baseT", 12_500_000),
            ("eth0", "full", "100baseT", 12_500_000),
            ("eth0", "half", "1000baseT", 125_000_000),
            ("eth0", "full", "1000baseT", 125_000_000),
        ],
        "advertised_speed_bytes": [("eth0", "full", "1000baseT", 125_000_000)],
    }
    expected = {
        "autonegotiate": (1, 0),
        "autonegotiate_supported": (1, 0),
        "pause_supported": (0, 0),
        "asymmetricpause_supported": (0, 0),
        "autonegotiate_advertised": (0, 1),
        "pause_advertised": (0, 1),
        "asymmetricpause_advertised": (0, 1),
    }
    for name, (eth0, veth0) in expected.items():
        assert column_of(sections, "node_network_*", name) == {"eth0": eth0, "veth0": veth0}


def statistics(found: dict[str, int], wanted: str = ".*") -> dict[str, tuple[float | None, str]]:
    """Return the value and the HELP text of each family that is made of statistics."""
    sections = ethtool.statistic_families([Port("eth0", None, None, found)], re.compile(wanted))
    return {
        section.name.replace("*", name): (section.cells[at], section.help[at])
        for section in sections
        for at, name in enumerate(section.values)
    }


def test_statistics_that_many_drivers_have_are_named_as_counters() -> None:
    assert statistics({"rx_packets": 5, "rx_crc_errors": 6, "port.tx_0": 7}) == {
        "node_ethtool_received_packets_total": (5, "Network interface packets received"),
        "node_ethtool_received_crc_errors": (6, "Network interface rx_crc_errors"),
        "node_ethtool_port_transmitted_0": (7, "Network interface port_tx_0"),
    }


def test_statistics_whose_names_become_equal_are_omitted() -> None:
    found = {"RX errors": 1, "rx.errors": 2, "Queue[0] rx": 3, "queue_0_rx_": 4, "_Alone": 5}
    assert statistics(found) == {
        "node_ethtool_queue_0_received": (3, "Network interface Queue_0_rx"),
        "node_ethtool_queue_0_received_": (4, "Network interface queue_0_rx_"),
        "node_ethtool_alone": (5, "Network interface _Alone"),
    }


def test_statistics_that_are_not_wanted_are_omitted() -> None:
    found = {"rx_packets": 5, "rx_crc_errors": 6}
    assert statistics(found, "^rx_crc").keys() == {"node_ethtool_received_crc_errors"}


def test_host_without_interfaces_in_sysfs_has_no_data(
    this_machine: Sources, tmp_path: Path
) -> None:
    with pytest.raises(NoDataError):
        ethtool.collect(this_machine._replace(sysfs=tmp_path))


def test_loopback_of_this_machine_has_neither_speed_nor_statistics(this_machine: Sources) -> None:
    sections = ethtool.collect(this_machine)
    assert all("lo" not in section.labels.get("type", ()) for section in sections)
