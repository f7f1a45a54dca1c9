"""The collector ``netdev``."""

import re
from collections.abc import Callable
from typing import Any

from pombo_agent.collecting.flags import Filter, Flags
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import netdev
from pombo_agent.options import COLLECTORS
from pombo_wire.section import Section
from support.collectors import default_excludes

ColumnOf = Callable[[list[Section], str, str], dict[str, Any]]


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
    flags = Flags({"device": Filter(exclude=re.compile("^lo$"))})
    parts = COLLECTORS["netdev"].collect(this_machine._replace(flags=flags))
    assert column_of(parts, "networks", "receive_bytes").keys() == everything.keys() - {"lo"}
    assert default_excludes()["netdev.device"] is None
