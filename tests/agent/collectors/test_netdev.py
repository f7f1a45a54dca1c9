"""The collector ``netdev``."""

import re
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pombo_agent.collecting.flags import Filter, Flags
from pombo_agent.collecting.netlink import attribute
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import netdev
from pombo_agent.options import COLLECTORS
from pombo_wire.section import Section
from support.collectors import default_excludes

ColumnOf = Callable[[list[Section], str, str], dict[str, Any]]
WriteFiles = Callable[[Path, dict[str, str]], Path]


NET_DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
eth0:134427160 3462 1 2 3 4 5 6 240278 2636 7 8 9 10 11 12
"""  # noqa: E501  # as the kernel writes it


def test_interface_is_read_even_where_no_space_follows_its_name() -> None:
    rows = netdev.parse_net_dev(File(NET_DEV.encode()))
    assert list(rows) == ["lo", "eth0"]
    assert rows["eth0"] == {
        "device": "eth0",
        "receive_bytes": 134427160,
        "receive_packets": 3462,
        "receive_errors": 1,
        "receive_drops": 2,
        "receive_fifo": 3,
        "receive_frame": 4,
        "receive_compressed": 5,
        "receive_multicast": 6,
        "transmit_bytes": 240278,
        "transmit_packets": 2636,
        "transmit_errors": 7,
        "transmit_drops": 8,
        "transmit_fifo": 9,
        "transmit_collisions": 10,
        "transmit_carrier": 11,
        "transmit_compressed": 12,
    }


def test_device_that_the_user_excludes_is_not_reported(
    this_machine: Sources, column_of: ColumnOf
) -> None:
    everything = column_of(COLLECTORS["netdev"].collect(this_machine), "networks", "receive_bytes")
    assert "lo" in everything
    flags = Flags({**this_machine.flags.values, "device": Filter(exclude=re.compile("^lo$"))})
    parts = COLLECTORS["netdev"].collect(this_machine._replace(flags=flags))
    assert column_of(parts, "networks", "receive_bytes").keys() == everything.keys() - {"lo"}
    assert default_excludes()["netdev.device"] is None


STATISTICS = (
    "collisions",
    "multicast",
    *(f"rx_{name}" for name in ("crc_errors", "dropped", "errors", "fifo_errors", "frame_errors")),
    *(f"rx_{name}" for name in ("length_errors", "missed_errors", "nohandler", "over_errors")),
    *(f"tx_{name}" for name in ("aborted_errors", "carrier_errors", "dropped", "errors")),
    *(f"tx_{name}" for name in ("fifo_errors", "heartbeat_errors", "window_errors")),
)


@pytest.fixture
def families(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> Callable[..., dict[str, float | None]]:
    """Return a function that takes flags, and returns what eth0 has by column and family."""
    path = "sys/class/net/eth0/statistics"
    files = {f"{path}/{name}": f"{100 + at}\n" for at, name in enumerate(STATISTICS)}
    write_files(tmp_path, {**files, "proc/1/net/dev": NET_DEV})
    sources = this_machine._replace(procfs=tmp_path / "proc", sysfs=tmp_path / "sys")

    def collect(**given: bool) -> dict[str, float | None]:
        flags = {name.replace("_", "-"): value for name, value in given.items()}
        own = Flags({**this_machine.flags.values, **flags})
        sections = netdev.collect(sources._replace(flags=own))
        return {
            section.name.replace("*", name) if section.type else name: cells[-1]
            for section in sections
            for name, cells in (section.columns or {"": section.cells}).items()
        }

    return collect


Families = Callable[..., dict[str, float | None]]


def test_packets_without_a_handler_are_what_netlink_adds(families: Families) -> None:
    with_netlink, without = families(), families(netlink=False)
    assert with_netlink == {**without, "receive_nohandler": 100 + STATISTICS.index("rx_nohandler")}
    assert without["receive_drops"] == 2


def test_detailed_metrics_are_those_of_the_kernel(families: Families) -> None:
    found = families(enable_detailed_metrics=True)
    shown = {
        f"node_network_{name.replace('rx_', 'receive_').replace('tx_', 'transmit_')}_total": 100
        + at
        for at, name in enumerate(STATISTICS)
        if name != "rx_nohandler"
    }
    assert found == {
        "receive_bytes": 134427160,
        "receive_packets": 3462,
        "receive_compressed": 5,
        "receive_nohandler": 100 + STATISTICS.index("rx_nohandler"),
        "transmit_bytes": 240278,
        "transmit_packets": 2636,
        "transmit_compressed": 12,
        **shown,
    }


def test_detailed_metrics_without_netlink_are_those_of_the_file(families: Families) -> None:
    ordinary = families(netlink=False)
    renamed = {"receive_errors", "receive_drops", "transmit_errors", "transmit_drops"}
    assert families(netlink=False, enable_detailed_metrics=True) == {
        **{name: value for name, value in ordinary.items() if name not in renamed},
        "node_network_receive_errors_total": 1,
        "node_network_receive_dropped_total": 2,
        "node_network_transmit_errors_total": 7,
        "node_network_transmit_dropped_total": 8,
    }


def address(bits: int, interface: int, text: str, local: str = "") -> bytes:
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    parts = attribute(1, socket.inet_pton(family, text))
    if local:
        parts += attribute(2, socket.inet_pton(family, local))
    return struct.pack("=4BI", family, bits, 0, 0, interface) + parts


def test_addresses_have_the_scope_that_node_exporter_gives_them() -> None:
    messages = [
        address(8, 1, "127.0.0.1", "127.0.0.1"),
        address(24, 2, "192.0.2.9", "192.0.2.9"),
        address(32, 3, "198.51.100.1", "198.51.100.2"),  # a point-to-point link, and its peer
        address(16, 2, "169.254.7.7", "169.254.7.7"),
        address(128, 1, "::1"),
        address(64, 2, "fe80::7"),
        address(64, 2, "fe8::7"),
        struct.pack("=4BI", 99, 0, 0, 0, 2) + attribute(1, b"odd"),
    ]
    assert [*netdev.parse_addresses(messages, {1: "lo", 2: "eth0", 3: "tun0"})] == [
        ("lo", "127.0.0.1", "8", "link-local", 1),
        ("eth0", "192.0.2.9", "24", "global", 1),
        ("tun0", "198.51.100.2", "32", "global", 1),
        ("eth0", "169.254.7.7", "16", "link-local", 1),
        ("lo", "::1", "128", "link-local", 1),
        ("eth0", "fe80::7", "64", "link-local", 1),
        ("eth0", "fe8::7", "64", "global", 1),
    ]


def test_addresses_of_this_machine_are_reported(this_machine: Sources) -> None:
    flags = Flags({**this_machine.flags.values, "address-info": True})
    *_, section = netdev.collect(this_machine._replace(flags=flags))
    assert section.name == "node_network_address_info"
    assert "127.0.0.1" in section.labels["address"]
