"""Rows to tables, and texts to records."""

from pombo_agent.collectors.tables import Row, record, tables
from pombo_wire import (
    Cpu,
    DiskInfo,
    Disks,
    Filesystems,
    Report,
    Uname,
    decode,
    encode,
)


def test_rows_with_the_same_columns_make_one_table() -> None:
    rows: list[Row] = [{"cpu": "0", "user": 1.0}, {"cpu": "1", "user": 2.0}]
    assert tables(Cpu, rows) == [("cpu", Cpu(("0", "1"), user=(1.0, 2.0)))]


def test_row_with_other_columns_makes_a_table_of_its_own() -> None:
    rows: list[Row] = [
        {"device": "sda", "reads": 1, "io_seconds": 5},
        {"device": "sdb", "reads": 2, "io_seconds": None},
        {"device": "sdc", "reads": 3, "io_seconds": 7},
    ]
    assert tables(Disks, rows) == [
        ("disks", Disks(("sda", "sdc"), reads=(1, 3), io_seconds=(5, 7))),
        ("disks", Disks(("sdb",), reads=(2,))),
    ]


def test_zero_is_a_value() -> None:
    assert tables(Disks, [{"device": "sda", "reads": 0}]) == [
        ("disks", Disks(("sda",), reads=(0,)))
    ]


def test_no_rows_make_no_table() -> None:
    assert tables(Disks, []) == []


def test_of_rows_with_the_same_keys_the_first_is_used() -> None:
    row: dict[str, str | float | None] = {
        "mountpoint": "/",
        "device": "a",
        "fstype": "ext4",
        "size": 1,
    }
    found = tables(Filesystems, [row, {**row, "size": 2}, {**row, "device": "b"}])
    assert found == [
        ("filesystems", Filesystems(("/", "/"), ("a", "b"), ("ext4", "ext4"), size=(1, 1)))
    ]


def test_text_that_the_wire_forbids_is_made_valid() -> None:
    rows: list[Row] = [{"device": "caf\udce9", "reads": 1}, {"device": "x" * 300, "reads": 2}]
    ((_, table),) = tables(Disks, rows)
    assert table == Disks(("caf\N{REPLACEMENT CHARACTER}", "x" * 255), reads=(1, 2))
    assert decode(encode(Report("pi", disks=table))).disks == table


def test_rows_beyond_the_maximum_of_a_table_make_another() -> None:
    found = tables(Disks, [{"device": str(number), "reads": number} for number in range(2500)])
    assert [len(table.device) for _, table in found] == [1024, 1024, 452]


def test_row_is_identified_by_its_keys_and_not_by_its_other_texts() -> None:
    rows = [
        {"device": "sda", "major": "8", "minor": "0", "model": "A"},
        {"device": "sda", "major": "9", "minor": "0", "model": "B"},
    ]
    found = tables(DiskInfo, rows)
    empty = ("",)
    assert found == [
        ("disk_info", DiskInfo(("sda",), ("8",), ("0",), ("A",), empty, empty, empty, empty))
    ]


def test_record_has_the_texts_of_its_fields_made_valid() -> None:
    texts = {"nodename": "pi\0", "release": "x" * 300, "colour": "blue"}
    assert record(Uname, texts) == ("uname", Uname(nodename="pi", release="x" * 255))
