"""Packing: a datagram has the header, the layout and the numbers, in the order of the wire."""

import json
import zlib
from typing import Any

import pytest
from pombo_wire import (
    Cpu,
    DiskInfo,
    Disks,
    Info,
    Memory,
    Report,
    System,
    TimeZone,
)
from pombo_wire.forms import PACKED, read_dictionary
from pombo_wire.packing import pack
from pombo_wire.reports import parts_of, sections_of
from pombo_wire.schema import OpenFamily
from pombo_wire.section import Section


def lines(datagram: bytes) -> list[bytes]:
    """Return the lines of a packed datagram, inflated as docs/wire.md says."""
    assert datagram[0] == PACKED
    inflater = zlib.decompressobj(-15, read_dictionary(datagram[1]))
    inflated = inflater.decompress(datagram[2:])
    assert inflater.eof
    assert not inflater.unused_data
    return inflated.split(b"\n")


def unpacked(report: Report) -> tuple[Any, Any, Any]:
    header, layout, numbers = map(json.loads, lines(pack(report)))
    return header, layout, numbers


def test_lines_are_compact_json_in_the_order_of_the_wire() -> None:
    report = Report(
        "pi",
        session=17,
        seq=3,
        interval=5,
        parts=1,
        labels={"room": "a"},
        time_zone=TimeZone("CET", 3600),
        system=System(load1=0.5),
        cpu=Cpu(("0", "1"), user=(7.0, 9.5), idle=(1.25, 3)),
    )
    assert lines(pack(report)) == [
        b'{"host":"pi","session":17,"seq":3,"interval":5,"parts":1}',
        (
            b'{"labels":{"room":"a"},'
            b'"cpu":{"labels":{"cpu":["0","1"]},"values":["user","idle"]},'
            b'"system":{"values":["load1"]},'
            b'"time_zone":{"labels":{"time_zone":["CET"]},"values":["offset"]}}'
        ),
        b"[7,9.5,1.25,3,0.5,3600]",
    ]


def test_order_of_the_parts_does_not_matter() -> None:
    report = Report(
        "pi",
        info=Info(agent="a"),
        labels={"a": "b"},
        disks=Disks(("sda",), reads=(1.0,)),
        memory=Memory(total=1),
        vmstat={"oom_kill": 1},
        families={name: OpenFamily("counter", values=(1,)) for name in ("b_total", "a_total")},
        gauges={"room_celsius": 20},
    )
    parts = parts_of(report)
    expected = ["info", "labels", "disks", "memory", "vmstat", "*", "a_total", "b_total"]
    for order in (parts, parts[::-1], parts[3:] + parts[:3]):
        assert [section.name for section in sections_of(order)] == expected


def test_cell_without_a_number_is_absent() -> None:
    disks = Disks(("sda", "sdb"), read_bytes=(1.0, None), written_bytes=(None, 4.0), reads=None)
    _, layout, numbers = unpacked(Report("pi", disks=disks, system=System(uptime=9)))
    assert layout == {
        "disks": {
            "labels": {"device": ["sda", "sdb"]},
            "values": ["read_bytes", "written_bytes"],
            "absent": [1, 2],
        },
        "system": {"values": ["uptime"]},
    }
    assert numbers == [1, 4, 9]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_number_that_json_lacks_is_null(value: float) -> None:
    _, layout, numbers = unpacked(Report("pi", vmstat={"a": value, "b": 2.0}))
    assert layout == {"vmstat": {"values": ["a", "b"]}}
    assert numbers == [None, 2]


@pytest.mark.parametrize(
    "value", [0.0, -0.0, 1.0, 10.0, 10.01, 1e16, 1.5e300, 5e-324, 2**63, 2**53 + 1, -125000.0]
)
def test_number_keeps_its_value(value: float) -> None:
    _, _, numbers = unpacked(Report("pi", vmstat={"a": value, "b": value}))
    assert numbers == [value, value]


def test_section_of_texts_has_all_its_label_columns_and_no_numbers() -> None:
    table = DiskInfo(("sda",), ("8",), ("0",), ("",), ("",), ("",), ("S1",), ("",))
    _, layout, numbers = unpacked(Report("pi", disk_info=table, time_zone=TimeZone("CET", 3600)))
    assert list(layout["disk_info"]["labels"]) == list(DiskInfo.__struct_fields__)
    assert layout["disk_info"].keys() == {"labels"}
    assert layout["time_zone"] == {"labels": {"time_zone": ["CET"]}, "values": ["offset"]}
    assert numbers == [3600]


def test_open_families_have_a_type_and_the_rows_of_the_sender() -> None:
    queues: dict[str, tuple[str, ...]] = {"queue": ("in", "out")}
    families = {
        "queue_length": OpenFamily("gauge", "Jobs that wait.", queues, (4, 5)),
        "jobs_*": OpenFamily(
            "counter",
            ("Jobs done.", "Jobs lost."),
            queues,
            columns={"done_total": (1, 2), "lost_total": (3, None)},
        ),
        "restarts_total": OpenFamily("counter", values=(7,)),
    }
    _, layout, numbers = unpacked(Report("pi", families=families, gauges={"celsius": 20.5}))
    queues_as_json = {"queue": ["in", "out"]}
    assert layout == {
        "*": {"type": "gauge", "values": ["celsius"]},
        "jobs_*": {
            "type": "counter",
            "help": ["Jobs done.", "Jobs lost."],
            "labels": queues_as_json,
            "values": ["done_total", "lost_total"],
            "absent": [3],
        },
        "queue_length": {"type": "gauge", "help": "Jobs that wait.", "labels": queues_as_json},
        "restarts_total": {"type": "counter"},
    }
    assert numbers == [20.5, 1, 2, 3, 4, 5, 7]


def test_gauges_beside_a_family_that_uses_their_place_have_members_of_their_own() -> None:
    families = {"*": OpenFamily("counter", columns={"a_total": (1,)})}
    _, layout, numbers = unpacked(Report("pi", families=families, gauges={"celsius": 20.5}))
    assert layout == {
        "*": {"type": "counter", "values": ["a_total"]},
        "celsius": {"type": "gauge"},
    }
    assert numbers == [1, 20.5]


def test_bye_has_an_empty_layout_and_no_numbers() -> None:
    assert lines(pack(Report("pi", session=1, seq=9, bye=True, parts=1)))[1:] == [b"{}", b"[]"]


def test_cells_are_column_after_column() -> None:
    [cpu] = sections_of([("cpu", Cpu(("0", "1"), user=(1, 2), idle=(3, 4)))])
    assert cpu == Section("cpu", {"cpu": ("0", "1")}, ("user", "idle"), [1, 2, 3, 4])


def test_header_beyond_its_bound_is_an_error() -> None:
    with pytest.raises(ValueError, match="header has"):
        pack(Report("\x01" * 255))


@pytest.mark.parametrize("number", [0, 255])
def test_unknown_dictionary_is_an_error(number: int) -> None:
    with pytest.raises(ValueError, match=f"no dictionary has the number {number}"):
        pack(Report("pi"), dictionary=number)


def test_tables_of_one_section_are_one_whose_rows_follow_each_other() -> None:
    one = Disks(("sda",), reads=(1.0,), discards=(2.0,))
    other = Disks(("sdb", "sdc"), read_bytes=(3.0, 4.0), reads=(5.0, 6.0))
    (section,) = sections_of([("disks", one), ("disks", other)])
    assert section == Section(
        "disks",
        {"device": ("sda", "sdb", "sdc")},
        ("read_bytes", "reads", "discards"),
        [None, 3.0, 4.0, 1.0, 5.0, 6.0, 2.0, None, None],
        absent=(0, 7, 8),
    )
