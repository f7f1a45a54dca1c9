"""Sections: read once, shared by their users, dropped with the last one."""

import json
from typing import Any

import pytest
from pombo_exporter.hosts.layouts import Layouts, Section
from pombo_wire import DecodeError
from support.builders import TABLE


def member(name: str, **layout: Any) -> bytes:
    return json.dumps({name: layout}, separators=(",", ":"))[1:-1].encode()


def section(name: str, **layout: Any) -> Section:
    return Layouts(TABLE.catalog()).find(member(name, **layout))


def test_section_lives_as_long_as_it_has_users() -> None:
    layouts = Layouts(TABLE.catalog())
    raw = member("cpu", labels={"cpu": ["0"]}, values=["user"])
    found = layouts.find(raw)
    assert (layouts.count, layouts.booked_bytes) == (0, 0)
    layouts.use([found])
    assert layouts.find(raw) is found
    layouts.use([found])
    layouts.release([found])
    assert layouts.find(raw) is found
    assert layouts.count == 1
    assert layouts.booked_bytes > found.booked_bytes > len(raw)
    layouts.release([found])
    assert (layouts.count, layouts.booked_bytes) == (0, 0)
    assert layouts.find(raw) is not found


def test_sections_with_equal_columns_share_them() -> None:
    layouts = Layouts(TABLE.catalog())
    one, two = (
        layouts.find(member("disks", labels={"device": [name]}, values=["reads", "writes"]))
        for name in ("sda", "sdb")
    )
    layouts.use([one, two])
    assert one is not two
    assert one.columns is two.columns


def test_numbers_of_which_rates_are_derived_are_ranges_without_absent_cells() -> None:
    columns = ["read_bytes", "written_bytes", "reads", "io_now"]
    labels = {"device": ["a", "b", "c"]}
    assert section("disks", labels=labels, values=columns).rates == ((0, 6),)
    # Without the cells 1 and 4, the first two columns have two numbers each.
    found = section("disks", labels=labels, values=columns, absent=[1, 4, 11])
    assert (found.rates, found.count) == (((0, 4),), 9)
    split = section("disks", labels=labels, values=["read_bytes", "io_now", "written_bytes"])
    assert split.rates == ((0, 3), (6, 9))
    assert section("disks", labels=labels, values=["reads"]).rates == ()
    assert section("disks", labels=labels, values=["read_bytes"], absent=[0, 1, 2]).rates == ()


def test_unsigned_numbers_are_those_of_the_schema_and_of_counters() -> None:
    assert section("timex", values=["offset", "status", "tick"]).unsigned == ((1, 2),)
    assert section("meminfo", values=["a", "b"]).unsigned == ((0, 2),)
    assert section("x_total", type="counter").unsigned == ((0, 1),)
    assert section("x", type="gauge").unsigned == ()


@pytest.mark.parametrize(
    ("found", "families", "kind"),
    [
        (section("meminfo", values=["MemFree_bytes"]), ("node_memory_MemFree_bytes",), "gauge"),
        (section("vmstat", values=["oom_kill"]), ("node_vmstat_oom_kill",), "untyped"),
        (section("x", type="gauge"), ("x",), "gauge"),
        (
            section("node_xfs_*", type="counter", values=["a_total", "b_total"]),
            ("node_xfs_a_total", "node_xfs_b_total"),
            "counter",
        ),
        (section("cpu", labels={"cpu": ["0"]}, values=["user"]), (), ""),
    ],
)
def test_families_of_maps_and_open_families_have_full_names(
    found: Section, families: tuple[str, ...], kind: str
) -> None:
    assert (found.families, found.type) == (families, kind)


def test_texts_helps_and_keys_are_read_from_the_bytes() -> None:
    labels = {"mountpoint": ["/", "/é"], "device": ["a", "a"], "fstype": ["x", "x"]}
    filesystems = section("filesystems", labels=labels, values=["size"])
    assert filesystems.texts() == (("/", "/é"), ("a", "a"), ("x", "x"))
    assert [*filesystems.keys()] == [("/", "a", "x"), ("/é", "a", "x")]
    assert [*section("memory", values=["total"]).keys()] == [()]
    assert [*section("time_zone", labels={"time_zone": ["CET"]}).keys()] == [()]
    assert section("x", type="gauge", help="What it is.").helps() == ["What it is."]
    assert section("x", type="gauge").helps() == []
    assert section("a_*", type="gauge", values=["b"], help=["B."]).helps() == ["B."]
    own = Layouts(TABLE.catalog()).find(b'"labels":{"rack":"7"}')
    assert own.own_labels() == {"rack": "7"}


def test_types_of_an_open_family_are_counted_by_section() -> None:
    layouts = Layouts(TABLE.catalog())
    gauge, counter = (layouts.find(member("x_total", type=kind)) for kind in ("gauge", "counter"))
    again = layouts.find(member("x_total", type="gauge", help="x"))
    assert layouts.types.new([gauge, again]) == 1
    assert layouts.types.new([gauge, counter]) == 2
    layouts.use([gauge, counter, again])
    assert layouts.types == {"x_total": ["gauge", "counter"]}
    assert layouts.types.new([gauge, counter]) == 0
    layouts.release([gauge])
    assert layouts.types == {"x_total": ["gauge", "counter"]}
    layouts.release([again])
    assert layouts.types == {"x_total": ["counter"]}
    layouts.release([counter])
    assert not layouts.types


@pytest.mark.parametrize(
    "raw",
    [
        member("node_load1", type="gauge"),
        member("node_*", type="gauge", values=["load1"]),
        member("host_cpu_usage_ratio", type="gauge"),
        member("node_cpu_seconds_total", type="counter"),
    ],
)
def test_family_of_the_exporters_table_cannot_be_sent_as_an_open_one(raw: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        Layouts(TABLE.catalog()).find(raw)
    assert caught.value.reason == "reserved_name"


def test_section_of_a_newer_agent_has_numbers_and_no_series() -> None:
    found = section("moon", labels={"phase": ["new", "full"]}, values=["light"])
    assert (found.count, found.series, found.families) == (2, 0, ())
