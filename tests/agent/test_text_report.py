"""A report as text for people."""

import re

import pytest
from pombo_agent import text_report
from pombo_wire import (
    Cpu,
    Disks,
    Filesystems,
    Info,
    Memory,
    Part,
    System,
    Temperatures,
)
from pombo_wire.reports import sections_of


def rendered(
    *parts: Part, width: int = 100, host: str = "pi", sizes: tuple[int, ...] = (68,)
) -> list[str]:
    header = {"host": host, "session": 1, "seq": 0, "time": 1_800_000_000.0, "interval": 5.0}
    return text_report.render(header, sections_of(parts), sizes, width).splitlines()


def test_head_has_the_host_and_the_number_of_datagrams() -> None:
    assert rendered()[:2] == [
        "pi: reports every 5 s, in 1 datagram of 68 B",
        "at 2027-01-15 08:00:00 UTC",
    ]


def test_values_of_a_record_have_their_units() -> None:
    lines = rendered(
        ("memory", Memory(total=2**34, free=512.0)),
        ("system", System(uptime=7325.0, boot_time=0.0, load1=0.25, entropy_pool=256.0)),
        ("info", Info(agent="pombo-agent 1")),
    )
    assert lines[2:] == [
        "",
        "info",
        "  agent  pombo-agent 1",
        "",
        "system",
        "  boot_time     1970-01-01 00:00:00 UTC",
        "  uptime        2 h 2 min",
        "  load1         0.25",
        "  entropy_pool  256 bit",
        "",
        "memory",
        "  total  16.0 GiB",
        "  free   512 B",
    ]


def test_rows_of_a_table_are_aligned_and_empty_columns_omitted() -> None:
    cpu = Cpu(("0", "10"), user=(60.0, 1.0), idle=(0.0, 90.0))
    assert rendered(("cpu", cpu))[4:] == [
        "  cpu   user        idle",
        "  0    1 min         0 s",
        "  10     1 s  1 min 30 s",
    ]


def test_head_counts_datagrams_and_their_bytes() -> None:
    assert "in 2 datagrams of 1.9 KiB" in rendered(sizes=(1000, 950))[0]


def test_missing_value_of_a_row_is_a_dash() -> None:
    disks = Disks(("a", "b"), reads=(1.0, None), writes=(None, 2.0))
    lines = rendered(("disks", disks))
    assert lines[4:] == [
        "  device  reads  writes",
        "  a           1       -",
        "  b           -       2",
    ]


def test_wide_table_continues_below_with_the_keys_of_its_rows() -> None:
    filesystems = Filesystems(
        ("/",), ("/dev/sda",), ("ext4",), size=(1e12,), free=(1e11,), available=(1e10,)
    )
    lines = rendered(("filesystems", filesystems), width=60)[4:]
    assert max(map(len, lines)) <= 60
    assert [line.split()[0] for line in lines] == ["mountpoint", "/"] * 2
    assert re.search(r"\bsize\b", lines[0])
    assert re.search(r"\bavailable\b", lines[2])


@pytest.mark.parametrize("width", [0, 1, 10])
def test_no_column_is_lost_in_a_small_width(width: int) -> None:
    text = " ".join(rendered(("disks", Disks(("sda",), reads=(1.0,), writes=(2.0,))), width=width))
    assert "reads" in text
    assert "writes" in text


def test_maps_labels_and_gauges_are_shown() -> None:
    lines = rendered(
        ("labels", {"rack": "7"}),
        ("gauges", {"room_temperature_celsius": 21.5}),
        ("meminfo", {"MemTotal_bytes": 2048.0, "HugePages_Total": 3.0}),
    )
    assert "  rack  7" in lines
    assert "  room_temperature_celsius  21.5" in lines
    assert "  MemTotal_bytes   2.0 KiB" in lines
    assert "  HugePages_Total  3" in lines


def test_temperature_below_zero_is_shown_in_degrees() -> None:
    lines = rendered(("temperatures", Temperatures(("chip",), ("temp1",), celsius=(-3.5,))))
    assert lines[-1].endswith("-3.5 °C")


def test_names_cannot_move_the_cursor() -> None:
    hostile = "\x1b[2J\r\nx"
    lines = rendered(
        ("disks", Disks((hostile,), reads=(1.0,))),
        ("info", Info(system=hostile)),
        ("labels", {"rack": hostile}),
        host=hostile,
    )
    assert all(line.isprintable() for line in lines)
    assert sum("\\x1b[2J\\r\\nx" in line for line in lines) == 4
