"""The collector ``netclass``."""

from collections.abc import Callable
from pathlib import Path

from pombo_agent.collectors import Sources, netclass

WriteFiles = Callable[[Path, dict[str, str]], Path]


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


def test_speed_becomes_bytes_and_hexadecimal_flags_a_number() -> None:
    assert netclass.interface_row("eth0", ETH0) == {
        "device": "eth0",
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


def test_interface_that_is_down_has_neither_carrier_nor_speed() -> None:
    row = netclass.interface_row("ifb0", {"operstate": "down", "mtu": "1500"})
    assert {name: value for name, value in row.items() if value is not None} == {
        "device": "ifb0",
        "up": 0,
        "mtu": 1500,
    }
    assert netclass.interface_row("eth1", ETH0 | {"speed": "-1"})["speed"] == -125_000


def test_file_that_is_no_interface_is_ignored(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    files = {"class/net/bonding_masters": "bond0\n", "class/net/bond0/mtu": "9000\n"}
    sources = this_machine._replace(sysfs=write_files(tmp_path, files))
    parts = dict(netclass.collect(sources))
    assert parts["interfaces"].device == ("bond0",)
    assert parts["network_info"].operstate == ("",)
