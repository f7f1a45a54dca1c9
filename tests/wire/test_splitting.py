"""Splitting: each datagram is valid and within the limit, and together they are the report."""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace
from pombo_wire import (
    MAPS,
    MAX_DATAGRAM_BYTES,
    Cpu,
    Disks,
    Filesystems,
    Info,
    Memory,
    Networks,
    Part,
    Report,
    Swap,
    System,
    Table,
    decode,
    encode,
    split,
)

T = TypeVar("T", bound=Table)

HEADER = Report(
    "web-17.fra.example.net",
    session=1_763_953_012_345_678_901,
    seq=41_234,
    time=1_763_953_112.345,
    monotonic=345_678.123456,
    interval=5.0,
)

#: A number of usual length, and one of the longest of float64.
TYPICAL, LONGEST = 812_345.67, 2.2250738585072014e-308


def filled(kind: type[T], *keys: Iterable[str], value: float) -> T:
    """Return a table with every column, whose numbers differ in each row."""
    labels = [tuple(key) for key in keys]
    names = kind.__struct_fields__[kind.label_columns :]
    rows = range(len(labels[0]))
    columns = {name: tuple(value + row for row in rows) for name in names}
    return kind(*labels, **columns)


def cores(count: int, value: float) -> Part:
    return "cpu", filled(Cpu, map(str, range(count)), value=value)


def disks(count: int, name: str, value: float) -> Part:
    return "disks", filled(Disks, (f"{name}{n}" for n in range(count)), value=value)


def interfaces(count: int, name: str, value: float) -> Part:
    return "networks", filled(Networks, (f"{name}{n}" for n in range(count)), value=value)


def mounts(count: int, name: str, value: float) -> Part:
    points = [f"{name}/{n}" for n in range(count)]
    devices = [f"/dev/mapper/vg-{n}" for n in range(count)]
    return "filesystems", filled(Filesystems, points, devices, ["ext4"] * count, value=value)


def named(name: str, count: int, value: float) -> Part:
    return name, {f"{'n' * (n % 50 + 1)}{n}": value + n for n in range(count)}


def rows(parts: Iterable[Part]) -> dict[tuple[str, ...], dict[str, Any]]:
    """Return the values of each row of the parts, by section and keys."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for name, value in parts:
        if not isinstance(value, Table):
            cells = value if isinstance(value, dict) else asdict(value)
            pieces: dict[tuple[str, ...], dict[str, Any]] = {(name,): cells}
            if name in MAPS:
                pieces = {(name, key): {"": cell} for key, cell in cells.items()}
            assert not pieces.keys() & found.keys()
            found |= pieces
            continue
        columns = {field: column for field, column in asdict(value).items() if column is not None}
        for row in zip(*columns.values(), strict=True):
            key = name, *row[: value.key_columns]
            assert key not in found
            found[key] = dict(zip(columns, row, strict=True))
    return found


def sections(reports: Iterable[Report]) -> list[Part]:
    """Return the parts of decoded datagrams, without their headers."""
    names = set(Report.__struct_fields__) - set(HEADER_FIELDS)
    return [
        (name, value)
        for report in reports
        for name in names
        if (value := getattr(report, name)) is not None
    ]


HEADER_FIELDS = ("host", "session", "seq", "time", "monotonic", "interval", "bye")


def assert_splits(header: Report, parts: list[Part], limit: int = MAX_DATAGRAM_BYTES) -> int:
    """Check the result where nothing is omitted; return the number of datagrams."""
    reports, omitted = split(header, parts, limit)
    assert omitted == []
    datagrams = [encode(report) for report in reports]
    assert max(map(len, datagrams)) <= limit
    decoded = [decode(datagram) for datagram in datagrams]
    assert decoded == reports
    for number, report in enumerate(decoded):
        seq = None if header.seq is None else header.seq + number
        assert [getattr(report, name) for name in HEADER_FIELDS] == [
            getattr(replace(header, seq=seq), name) for name in HEADER_FIELDS
        ]
    assert rows(sections(decoded)) == rows(parts)
    return len(datagrams)


@pytest.mark.parametrize(
    "part",
    [
        *[cores(count, TYPICAL) for count in (1, 8, 64, 256)],
        mounts(200, "/srv/data", TYPICAL),
        interfaces(100, "veth", TYPICAL),
        disks(60, "sd", TYPICAL),
        *[named(name, 200, LONGEST) for name in MAPS],
        *[cores(count, LONGEST) for count in (1, 8, 64, 256)],
        mounts(200, "/" + "x" * 250, LONGEST),
        mounts(200, "/" + "\U0001f426" * 100, LONGEST),
        mounts(200, "/" + "\x01" * 60, LONGEST),
        interfaces(100, "x" * 250, LONGEST),
        disks(100, "\\" * 120, LONGEST),
    ],
    ids=lambda part: f"{part[0]}-{len(rows([part]))}",
)
def test_table_of_any_size_is_cut_between_its_rows(part: Part) -> None:
    assert_splits(HEADER, [part])


def test_report_of_a_host_takes_at_most_one_datagram_more_than_its_bytes_need() -> None:
    parts: list[Part] = [
        ("labels", {"rack": "7", "team": "storage"}),
        ("info", Info("0.1.0", "Linux", "6.1.0-18-amd64", "x86_64")),
        ("system", System(1.7e9, 81_234.5, 0.5, 0.25, 0.125)),
        cores(8, TYPICAL),
        ("memory", Memory(*[8_345_678_848.0] * 10)),
        ("swap", Swap(*[1_073_741_824.0] * 5)),
        mounts(12, "/srv", TYPICAL),
        disks(4, "nvme", TYPICAL),
        interfaces(6, "eth", TYPICAL),
        ("gauges", {"room_temperature_celsius": 21.5}),
    ]
    size = sum(len(msgspec.json.encode({name: value})) for name, value in parts)
    room = MAX_DATAGRAM_BYTES - len(encode(HEADER))
    assert assert_splits(HEADER, parts) <= -(-size // room) + 1


def test_part_fills_the_room_left_before_a_larger_part() -> None:
    parts: list[Part] = [("memory", Memory(total=8.0)), cores(16, LONGEST), ("swap", Swap(1.0))]
    reports, _ = split(HEADER, parts)
    assert len(reports) > 1
    assert reports[0].memory is not None
    assert reports[0].swap is not None


def test_pieces_of_a_map_stay_the_same_while_its_numbers_grow() -> None:
    def pieces(value: float) -> list[list[str]]:
        numbers = {f"Some_name_{n}_bytes": value for n in range(60)}
        reports, _ = split(HEADER, [("meminfo", numbers)])
        return [list(report.meminfo or ()) for report in reports]

    assert len(pieces(1e6)) == 2
    assert pieces(1e6) == pieces(1e9)


def test_small_parts_share_one_datagram() -> None:
    assert assert_splits(HEADER, [("memory", Memory(total=8.0)), cores(1, 1.0)]) == 1


def test_report_without_parts_is_one_datagram_with_the_header() -> None:
    assert split(HEADER, []) == ([HEADER], [])


def test_header_without_session_and_seq_is_kept() -> None:
    assert assert_splits(Report("pi"), [cores(64, TYPICAL)]) > 1


def test_rows_with_other_columns_may_be_another_part() -> None:
    plain = ("disks", Disks(("sda",), reads=(1.0,)))
    merging = ("disks", Disks(("sdb",), reads=(1.0,), reads_merged=(2.0,)))
    assert assert_splits(HEADER, [plain, merging]) == 2


def test_row_that_fits_no_datagram_is_omitted_and_named() -> None:
    long = "\x01" * 255
    name, table = mounts(3, "/srv", TYPICAL)
    mixed = replace(table, device=(table.device[0], long, table.device[2]))
    reports, omitted = split(HEADER, [(name, mixed)])
    assert [line.partition(":")[0] for line in omitted] == ["filesystems"]
    kept = rows(sections(decode(encode(report)) for report in reports))
    assert {key[1] for key in kept} == {"/srv/0", "/srv/2"}


def test_value_that_fits_no_datagram_is_omitted_and_the_rest_is_sent() -> None:
    labels = {f"label_{n}": "x" * 200 for n in range(10)}
    reports, omitted = split(HEADER, [("labels", labels), cores(1, 1.0)])
    assert [line.partition(":")[0] for line in omitted] == ["labels"]
    assert rows(sections(reports)) == rows([cores(1, 1.0)])


def test_header_that_fits_no_datagram_sends_nothing_and_is_named() -> None:
    reports, omitted = split(replace(HEADER, host="\x01" * 255), [cores(1, 1.0)])
    assert reports == []
    assert [line.partition(":")[0] for line in omitted] == ["header"]


CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
NAMES = st.lists(st.text(CHARACTERS, max_size=12), min_size=1, max_size=40, unique=True)
NUMBERS = st.floats(0, allow_infinity=False)


@st.composite
def any_parts(draw: st.DrawFn) -> list[Part]:
    cpus, devices = draw(NAMES), draw(NAMES)
    parts: list[Part] = [
        ("cpu", filled(Cpu, cpus, value=draw(NUMBERS))),
        ("networks", filled(Networks, devices, value=draw(NUMBERS))),
        ("disks", Disks(tuple(devices))),
        ("memory", Memory(total=draw(NUMBERS))),
    ]
    return draw(st.permutations(parts))


@given(any_parts(), st.integers(1000, MAX_DATAGRAM_BYTES))
def test_any_report_splits_within_any_limit_that_its_rows_fit(
    parts: list[Part], limit: int
) -> None:
    assert_splits(HEADER, parts, limit)
