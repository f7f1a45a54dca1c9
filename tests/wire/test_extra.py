"""The table of processes: written in both forms, shortened to the room, read and checked."""

import hashlib
import json
from math import inf
from typing import Any

import pytest
from pombo_wire import MAX_DATAGRAM_BYTES, DecodeError, Extra, Reason
from pombo_wire.columns import EXTRA
from pombo_wire.extra import Fitter, ranks
from pombo_wire.limits import MAX_INFLATED_BYTES, MAX_PROCESSES
from pombo_wire.reading import inflate, read, read_extra
from pombo_wire.section import Section
from pombo_wire.splitting import Form, Splitter
from support.crafted import packed, plain

BOTH = pytest.mark.parametrize("form", Form)

#: A command line with which a datagram cannot be deflated much.
LONG = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(4))[:240]

HEADER = {"host": "web-17.fra.example.net", "session": 1_763_953_012_345_678_901, "seq": 4}


def processes(count: int, command: str = "", first: int = 0) -> Section:
    """Return that many processes, of which the first use the most."""
    numbers = range(first, first + count)
    labels = {
        "pid": tuple(str(40_000 + 37 * number) for number in numbers),
        "name": tuple(f"worker-{number * number}" for number in numbers),
        "user": ("www-data",) * count,
        "command": tuple(command and f"{command} {number}" for number in numbers),
    }
    assert tuple(labels) == EXTRA["processes"].labels
    cells = [*(1.7e9 + 311 * n for n in numbers), *((90 - n) / 90 for n in numbers)]
    cells += [70_000_000 - 12_345 * n for n in numbers]
    return Section("processes", labels, EXTRA["processes"].values, cells)


def maps(count: int, value: float = 1e6) -> Section:
    names = tuple(f"value{number}" for number in range(count))
    return Section("meminfo", {}, names, [value * (n + 1) / 7 for n in range(count)])


def cores(count: int) -> Section:
    texts = {"cpu": tuple(map(str, range(count)))}
    return Section("cpu", texts, ("user",), [1e6 * (n + 1) / 7 for n in range(count)])


def sent(splitter: Splitter, *sections: Section) -> tuple[list[bytes], list[Extra]]:
    """Return the datagrams of a report, and what each says in its tables."""
    datagrams, omitted = splitter.datagrams(HEADER, sections)
    assert omitted == []
    assert max(map(len, datagrams)) <= MAX_DATAGRAM_BYTES
    return datagrams, [read_extra(read(datagram).extra) for datagram in datagrams]


def rows(extra: Extra) -> int:
    return len(extra.processes.pid) if extra.processes else 0


@BOTH
def test_processes_are_read_as_they_were_written(form: Form) -> None:
    for command in ("", "python3 -m http.server"):
        table = processes(3, command)
        _, [extra] = sent(Splitter(form), maps(1), table)
        given: dict[str, Any] = {**table.labels, **table.columns}
        assert extra.processes
        if not command:
            assert extra.processes.command is None  # as no row has one
            del given["command"]
        assert {name: getattr(extra.processes, name) for name in given} == {
            name: tuple(column) for name, column in given.items()
        }


def test_processes_are_no_part_of_the_layout() -> None:
    datagrams, _ = sent(Splitter(), maps(1), processes(3))
    assert read(datagrams[0]).layout == read(sent(Splitter(), maps(1))[0][0]).layout
    assert b"\n" not in read(datagrams[0]).extra


@BOTH
def test_other_processes_need_no_new_plan(form: Form) -> None:
    splitter = Splitter(form)
    for first in range(5):
        table = processes(2, first=first)
        datagrams, extras = sent(splitter, cores(300), table)
        assert len(datagrams) > 1
        assert {read(datagram).header.plan for datagram in datagrams} == {0}
        [found] = [extra.processes for extra in extras if extra.processes]
        assert found.pid == table.labels["pid"]


@BOTH
@pytest.mark.parametrize("count", [*range(20, 280, 13)])
def test_processes_never_need_a_datagram_of_their_own(count: int, form: Form) -> None:
    alone, _ = sent(Splitter(form), maps(count))
    datagrams, extras = sent(Splitter(form), maps(count), processes(10, command="x" * 200))
    assert len(datagrams) == len(alone)
    assert sum(extra != Extra() for extra in extras) <= 1
    for one, other, extra in zip(datagrams, alone, extras, strict=True):
        if extra == Extra():
            assert one == other


def test_shortest_datagram_of_a_report_has_the_processes() -> None:
    alone, _ = sent(Splitter(), cores(300))
    _, extras = sent(Splitter(), cores(300), processes(5))
    sizes = [len(datagram) for datagram in alone]
    assert [rows(extra) for extra in extras].index(5) == sizes.index(min(sizes))


def test_texts_are_cut_first_then_columns_and_then_rows() -> None:
    """With more and more numbers in the only datagram, less and less of the table is sent."""
    seen: list[tuple[int, int, bool, bool]] = []
    for count in range(20, 400):
        if len(sent(Splitter(), maps(count))[0]) > 1:
            break
        _, [extra] = sent(Splitter(), maps(count), processes(5, command=LONG))
        table = extra.processes
        if table:
            longest = max(map(len, table.command or ("",)))
            found = len(table.pid), longest, bool(table.start_time), bool(table.user)
            assert table.pid == processes(5).labels["pid"][: len(table.pid)]
            assert table.cpu
            assert table.memory
        else:
            found = 0, 0, False, False
        if not seen or seen[-1] != found:
            seen.append(found)
    assert seen == [
        (5, len(LONG) + 2, True, True),
        (5, 80, True, True),
        (5, 24, True, True),
        (5, 24, False, True),
        (5, 24, False, False),
        (5, 0, False, False),
        (3, 0, False, False),
        (2, 0, False, False),
        (1, 0, False, False),
        (0, 0, False, False),
    ]


def test_rows_that_are_kept_are_the_most_by_cpu_and_by_memory() -> None:
    values = (5, 4, 3, 0, 0, 0), (1, 2, 0, 9, 8, 7)
    assert ranks(*values) == [1, 2, 3, 1, 2, 3]
    assert ranks((None, 0), (None, 3)) == [inf, 1]
    assert ranks((), (1, 2)) == [2, 1]
    labels = {"pid": tuple("012345"), "name": tuple("abcdef"), "user": ("",) * 6}
    table = Section("processes", labels, ("cpu", "memory"), [*values[0], *values[1]])
    room = 110

    def attempt(line: bytes) -> bytes | None:
        return line if len(line) < room else None

    line = Fitter().fitted(table, attempt)
    assert line is not None
    assert json.loads(line)["processes"]["name"] == ["a", "b", "d", "e"]


def test_more_is_sent_again_when_there_has_been_room_for_some_reports() -> None:
    for count in range(20, 400):
        splitter = Splitter()
        _, [extra] = sent(splitter, maps(count), processes(5))
        if rows(extra) == 1:
            break
    for _ in range(60):
        _, [extra] = sent(splitter, maps(count, value=7), processes(5))
    assert rows(extra) == 5
    assert extra.processes
    assert extra.processes.start_time


@pytest.mark.parametrize("table", [processes(5), processes(64, command="x" * 200)])
def test_most_reports_take_one_attempt(table: Section) -> None:
    made: list[int] = []

    def attempt(line: bytes) -> bytes | None:
        made.append(len(line))
        return line if len(line) < 500 else None

    fitter = Fitter()
    fitter.fitted(table, attempt)
    made.clear()
    for _ in range(60):
        assert fitter.fitted(table, attempt)
    assert len(made) <= 70


def test_processes_without_room_for_any_row_are_left_out() -> None:
    splitter = Splitter(Form.JSON, reserve=1000)
    for _ in range(30):
        _, [extra] = sent(splitter, maps(2), processes(5, command="x" * 200))
        assert rows(extra) == 0


def test_lines_with_processes_are_within_the_bound_of_bytes() -> None:
    table = processes(MAX_PROCESSES, command="x" * 240)
    datagrams, [extra] = sent(Splitter(), maps(1), table)
    assert len(datagrams) == 1
    assert len(inflate(datagrams[0])) <= MAX_INFLATED_BYTES
    assert rows(extra) > 0


# ---- reading -------------------------------------------------------------------------------------


def refusal(tables: dict[str, Any]) -> set[Reason]:
    """Return why tables are refused in either form."""
    reasons = set()
    for datagram in (packed(b"{}", b"[]", json.dumps(tables).encode()), plain(**tables)):
        with pytest.raises(DecodeError) as caught:
            read(datagram)
        assert str(caught.value).isprintable()
        reasons.add(caught.value.reason)
    return reasons


GOOD: dict[str, Any] = {"pid": ["1", "2"], "name": ["init", "Täube 🐦"]}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"user": ["", "x" * 255], "command": ["a\u2028", "\u202e <script>"]},
        {"cpu": [0, 1e300], "memory": [None, 2**70], "start_time": None},
        {"pid": ["0000000000", "9999999999"], "moon": [[[1]]]},
    ],
)
def test_table_within_its_bounds_is_read_from_both_forms(fields: dict[str, Any]) -> None:
    table = {**GOOD, **fields}
    line = json.dumps({"processes": table}).encode()
    found = [
        read_extra(read(datagram).extra)
        for datagram in (packed(b"{}", b"[]", line), plain(processes=table))
    ]
    assert found[0] == found[1]
    assert found[0].processes
    assert found[0].processes.name == tuple(table["name"])


INVALID: list[dict[str, Any]] = [
    {"pid": [1, 2]},
    {"pid": ["1", "-2"]},
    {"pid": ["1", "2\n"]},
    {"pid": ["1", "12345678901"]},
    {"pid": []},
    {"pid": None},
    {"name": None},
    {"name": ["a", 5]},
    {"name": ["a", "x" * 256]},
    {"name": "ab"},
    {"name": ["a", "\x1b[2J"]},
    {"user": ["a\n", "b"]},
    {"command": ["a", "b\x9b"]},
    {"command": ["a", "\x7f"]},
    {"cpu": ["1", "2"]},
    {"cpu": [1, -1]},
    {"cpu": [1, True]},
    {"cpu": 5},
    {"memory": [1, [2]]},
    {"start_time": [{}, {}]},
    {"pid": [str(n) for n in range(65)], "name": ["a"] * 65},
]


@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        *[(Reason.INVALID_FIELD, wrong) for wrong in INVALID],
        (Reason.UNEQUAL_COLUMNS, {"name": ["a"]}),
        (Reason.UNEQUAL_COLUMNS, {"cpu": [1]}),
        (Reason.REPEATED_ROW, {"pid": ["1", "1"]}),
    ],
)
def test_other_table_is_refused_in_both_forms(reason: Reason, fields: dict[str, Any]) -> None:
    assert refusal({"processes": {**GOOD, **fields}}) == {reason}


@pytest.mark.parametrize("table", [[], 5, "a", True])
def test_table_that_is_no_object_is_refused(table: object) -> None:
    assert refusal({"processes": table}) == {Reason.INVALID_FIELD}


def test_fourth_line_that_cannot_be_written_again_is_refused() -> None:
    for levels in (250, 300, 900):
        nested = b'{"x":%b%b}' % (b"[" * levels, b"]" * levels)
        if levels == 250:
            assert read(packed(b"{}", b"[]", nested)).extra == nested
            continue
        with pytest.raises(DecodeError) as caught:
            read(packed(b"{}", b"[]", nested))
        assert caught.value.reason is Reason.INVALID_FIELD
    text = b'{"x":"%b"}' % (b"[" * 900)
    assert read(packed(b"{}", b"[]", text)).extra == text


def test_plain_datagram_without_tables_has_no_extra() -> None:
    assert read(plain(extra={"x": 1}, moon=5)).extra == b""
