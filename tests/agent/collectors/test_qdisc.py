"""The collector ``qdisc``."""

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pombo_agent.collecting.flags import Filter, Flags
from pombo_agent.collecting.netlink import attribute
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import qdisc
from pombo_wire.section import Section

ColumnOf = Callable[[list[Section], str, str], dict[str, Any]]

ROOT = 0xFFFFFFFF


def discipline(interface: int, parent: int, *statistics: bytes) -> bytes:
    header = struct.pack("=4xiIII", interface, 0x80010000, parent, 1)
    return header + attribute(1, b"fq_codel\0") + attribute(7, b"".join(statistics))


BASIC = attribute(1, struct.pack("=QII", 2**40, 17, 0))
QUEUE = attribute(3, struct.pack("=5I", 3, 4500, 5, 6, 7))


def test_root_of_each_interface_has_a_row() -> None:
    messages = [
        discipline(2, ROOT, BASIC, QUEUE),
        discipline(2, 0x80010001, BASIC, QUEUE),  # of a class: the root counts its packets too
        discipline(3, 0, BASIC),
        discipline(9, ROOT, BASIC, QUEUE),  # an interface that is gone
    ]
    assert [*qdisc.parse_qdiscs(messages, {2: "eth0", 3: "eth1"})] == [
        {
            "device": "eth0",
            "kind": "fq_codel",
            "bytes": 2**40,
            "packets": 17,
            "current_queue_length": 3,
            "backlog": 4500,
            "drops": 5,
            "requeues": 6,
            "overlimits": 7,
        },
        {"device": "eth1", "kind": "fq_codel", "bytes": 2**40, "packets": 17},
    ]


@pytest.fixture
def fixtures(this_machine: Sources, tmp_path: Path) -> Sources:
    """Return sources with a file of fixtures."""
    found = [
        {"IfaceName": "wlan0", "Parent": 0, "Kind": "fq", "Bytes": 42, "Qlen": 3},
        {"ifaceName": "eth0", "kind": "pfifo_fast", "bytes": 83, "drops": 1},
        {"IfaceName": "eth0", "Parent": 1, "Kind": "fq", "Bytes": 5},
    ]
    (tmp_path / "results.json").write_text(json.dumps(found), encoding="ascii")
    return this_machine._replace(flags=Flags({"device": Filter(), "fixtures": str(tmp_path)}))


def test_fixtures_are_read_instead_of_the_kernel(fixtures: Sources, column_of: ColumnOf) -> None:
    counters, gauges = qdisc.collect(fixtures)
    assert counters.labels["kind"] == ("fq", "pfifo_fast")
    assert column_of([counters], "node_qdisc_*_total", "bytes") == {"wlan0": 42, "eth0": 83}
    assert column_of([gauges], "node_qdisc_*", "current_queue_length") == {"wlan0": 3, "eth0": 0}


def test_device_that_the_user_excludes_is_not_reported(fixtures: Sources) -> None:
    flags = Flags({**fixtures.flags.values, "device": Filter(exclude=re.compile("^wlan"))})
    counters, _ = qdisc.collect(fixtures._replace(flags=flags))
    assert counters.labels["device"] == ("eth0",)
