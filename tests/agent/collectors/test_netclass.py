"""The collector ``netclass``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.flags import Flags
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import netclass
from pombo_wire.section import Section

Interface = Callable[[dict[str, str]], dict[str, float]]
WriteFiles = Callable[[Path, dict[str, str]], Path]
ColumnOf = Callable[[list[Section], str, str], dict[str, float | None]]


ETH0 = {
    "carrier": "1",
    "carrier_changes": "3",
    "carrier_up_count": "2",
    "carrier_down_count": "1",
    "mtu": "1500",
    "tx_queue_len": "1000",
    "flags": "0x1003",
    "dormant": "0",
    "addr_assign_type": "0",
    "dev_id": "0x1f",
    "ifindex": "4",
    "iflink": "7",
    "link_mode": "0",
    "name_assign_type": "1",
    "netdev_group": "0",
    "type": "1",
    "speed": "1000",
    "operstate": "up",
}


@pytest.fixture
def interface(this_machine: Sources, tmp_path: Path, write_files: WriteFiles) -> Interface:
    def read(files: dict[str, str]) -> dict[str, float]:
        write_files(tmp_path / "class/net/eth0", files)
        section, _ = netclass.collect(this_machine._replace(sysfs=tmp_path))
        return {name: cell for name, (cell,) in section.columns.items() if cell is not None}

    return read


def test_speed_becomes_bytes_and_hexadecimal_flags_a_number(interface: Interface) -> None:
    assert interface(ETH0) == {
        "up": 1,
        "speed": 125_000_000,
        "flags": 4099,
        "device_id": 31,
        "carrier": 1,
        "carrier_changes": 3,
        "carrier_up_changes": 2,
        "carrier_down_changes": 1,
        "mtu": 1500,
        "transmit_queue_length": 1000,
        "dormant": 0,
        "address_assign_type": 0,
        "iface_id": 4,
        "iface_link": 7,
        "iface_link_mode": 0,
        "name_assign_type": 1,
        "net_dev_group": 0,
        "protocol_type": 1,
    }


def test_interface_that_is_down_has_neither_carrier_nor_speed(interface: Interface) -> None:
    assert interface({"operstate": "down", "mtu": "1500"}) == {"up": 0, "mtu": 1500}
    assert interface(ETH0 | {"speed": "-1"})["speed"] == -125_000


def test_speed_that_is_invalid_is_omitted_where_the_user_says_so(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles, column_of: ColumnOf
) -> None:
    speeds = {"eth0": "-1\n", "eth1": "0\n", "eth2": "10\n"}
    files = {f"class/net/{device}/speed": text for device, text in speeds.items()}
    flags = Flags({**this_machine.flags.values, "ignore-invalid-speed": True})
    sources = this_machine._replace(sysfs=write_files(tmp_path, files), flags=flags)
    found = column_of(netclass.collect(sources), "interfaces", "speed")
    assert found == {"eth0": None, "eth1": 0, "eth2": 1_250_000}


def test_file_that_is_no_interface_is_ignored(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    files = {"class/net/bonding_masters": "bond0\n", "class/net/bond0/mtu": "9000\n"}
    sources = this_machine._replace(sysfs=write_files(tmp_path, files))
    found = {section.name: section.labels for section in netclass.collect(sources)}
    assert found["interfaces"]["device"] == ("bond0",)
    assert found["network_info"]["operstate"] == ("",)
