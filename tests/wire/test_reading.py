"""Reading datagrams: what plain and packed ones say, and the reasons for which one is refused."""

import ast
import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pombo_wire
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect
from pombo_wire import (
    MAPS,
    MAX_DATAGRAM_BYTES,
    SECTIONS,
    DecodeError,
    Header,
    OpenFamily,
    Reason,
    Report,
    Table,
    encode,
)
from pombo_wire.layout import SectionLayout
from pombo_wire.limits import MAX_HEADER_BYTES, MAX_INFLATED_BYTES, MAX_PARTS
from pombo_wire.packing import pack
from pombo_wire.reading import Datagram, dictionary, read
from support.crafted import (
    HEADER,
    cells_of,
    cells_of_report,
    deflated,
    layout_of,
    own_labels_of,
    packed,
    plain,
    read_all,
    sections_of,
)
from support.strategies import reports

MOST = 2**63 - 1


def refusal(datagram: bytes) -> Reason:
    """Return why a datagram is refused."""
    with pytest.raises(DecodeError) as caught:
        read_all(datagram)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 4000
    return caught.value.reason


def refusal_of(**fields: Any) -> Reason:
    return refusal(plain(**fields))


def numbers_of(datagram: Datagram) -> list[float | None]:
    """Return the numbers, None where unknown."""
    found = np.frombuffer(datagram.numbers).tolist()
    return [None if math.isnan(number) else number for number in found]


# ---- both forms ----------------------------------------------------------------------------------


def header_of(report: Report) -> Header:
    return Header(*(getattr(report, name) for name in Header.__struct_fields__))


def texts_of(datagram: Datagram) -> dict[str, Any]:
    """Return the texts of each section; gauges, of which packed datagrams have one, by name."""
    found: dict[str, Any] = {}
    for section in sections_of(datagram):
        texts = (section.labels, section.texts, section.rows, section.type, section.helps)
        if section.name == "*":
            found |= {name: (texts, (name,)) for name in section.columns}
        else:
            found[section.name] = (texts, section.columns)
    return found


@given(reports())
def test_plain_and_packed_datagrams_say_what_the_report_says(report: Report) -> None:
    datagrams = [encode(report), pack(report)]
    for datagram in datagrams:
        if len(datagram) > MAX_DATAGRAM_BYTES:
            assert refusal(datagram) is Reason.TOO_LARGE
    found = [read(datagram) for datagram in datagrams if len(datagram) <= MAX_DATAGRAM_BYTES]
    for each in found:
        assert each.header == header_of(report)
        assert cells_of(each) == cells_of_report(report)
        assert own_labels_of(each) == report.labels
        assert texts_of(each) == texts_of(found[0])
        if any(number is not None and number < 0 for number in numbers_of(each)):
            assert each.has_negative


def filled(name: str) -> Any:
    """Return a section with all its fields; a table has two rows."""
    kind = SECTIONS[name]
    fields = kind.__struct_fields__
    count = kind.label_columns
    found: dict[str, Any] = {field: f"{field} \u00e9" for field in fields[:count]}
    found |= {field: at + 0.5 for at, field in enumerate(fields[count:])}
    if issubclass(kind, Table):
        found = {field: (value, value * 2) for field, value in found.items()}
    return kind(**found)


@pytest.mark.parametrize("write", [encode, pack])
@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_is_read_with_all_its_fields(name: str, write: Any) -> None:
    report = Report("pi", **{name: filled(name)})
    found, [section], _ = read_all(write(report))
    kind = SECTIONS[name]
    fields = kind.__struct_fields__
    assert section.name == name
    assert section.labels == fields[: kind.label_columns]
    assert section.columns == fields[kind.label_columns :]
    assert section.rows == (2 if issubclass(kind, Table) else 1)
    assert cells_of(found) == cells_of_report(report)


@pytest.mark.parametrize("write", [encode, pack])
@pytest.mark.parametrize("name", [name for name in MAPS if name != "gauges"])
def test_every_map_is_read_with_its_names(name: str, write: Any) -> None:
    report = Report("pi", **{name: {"Active_anon": 8.0, "x1": 0.5}})  # type: ignore[arg-type]  # by its name
    found, [section], _ = read_all(write(report))
    assert (section.name, section.columns, section.rows) == (name, ("Active_anon", "x1"), 1)
    assert numbers_of(found) == [8, 0.5]


@pytest.mark.parametrize("write", [encode, pack])
def test_open_families_are_read_with_their_type_help_and_labels(write: Any) -> None:
    queues: dict[str, tuple[str, ...]] = {"queue": ("in", "out")}
    families = {
        "jobs_waiting": OpenFamily("gauge", "Jobs that wait.", queues, (4, -5)),
        "jobs_*_total": OpenFamily(
            "counter", ("Done.", "Lost."), queues, columns={"done": (1, 2), "lost": (3, 4)}
        ),
        "restarts_total": OpenFamily("counter", values=(7,)),
    }
    found, sections, _ = read_all(write(Report("pi", families=families)))
    by_name = {section.name: section for section in sections}
    single, several, bare = (by_name[name] for name in families)
    assert (single.columns, single.type, single.helps) == (
        ("jobs_waiting",),
        "gauge",
        ("Jobs that wait.",),
    )
    assert single.labels == ("queue",)
    assert single.texts == (("in", "out"),)
    assert several.columns == ("jobs_done_total", "jobs_lost_total")
    assert (several.type, several.helps) == ("counter", ("Done.", "Lost."))
    assert (bare.columns, bare.rows, bare.helps) == (("restarts_total",), 1, ())
    assert cells_of(found)["jobs_waiting", (("queue", "out"),)] == -5
    assert cells_of(found)["jobs_lost_total", (("queue", "in"),)] == 3


@pytest.mark.parametrize("host", ["p", "x" * 255, "\U0001f99c" * 100, "a\nb", "\u202e", "\x00"])
@pytest.mark.parametrize("write", [encode, pack])
def test_host_may_have_any_characters(host: str, write: Any) -> None:
    assert read(write(Report(host))).header == Header(host)


# ---- forms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("blank", [b"", b"\n", b" \t\r\n"])
def test_host_alone_is_a_report_with_white_space_around_it(blank: bytes) -> None:
    found = read(blank + HEADER + blank)
    assert found == Datagram(Header("pi"), b"{}", b"")


def test_form_is_in_the_first_byte() -> None:
    forms = {bytes((first,)): refusal(bytes((first, 0xFF))) for first in range(256)}
    unknown = {first for first, reason in forms.items() if reason is Reason.UNKNOWN_FORM}
    assert {*forms} - unknown == {b"{", b" ", b"\t", b"\r", b"\n", b"\xb0"}
    assert refusal(b"") is Reason.UNKNOWN_FORM


@pytest.mark.parametrize(
    "datagram", [b"[]", b"null", b"5", b'"pi"', b"host=pi", b'\xef\xbb\xbf{"host":"pi"}']
)
def test_other_first_bytes_are_an_unknown_form(datagram: bytes) -> None:
    assert refusal(datagram) is Reason.UNKNOWN_FORM


def test_longest_datagram_is_accepted_and_one_byte_more_is_not() -> None:
    longest = HEADER.ljust(MAX_DATAGRAM_BYTES)
    assert read(longest).header == Header("pi")
    assert refusal(longest + b" ") is Reason.TOO_LARGE
    assert refusal(b"\xb0".ljust(MAX_DATAGRAM_BYTES + 1, b"\x01")) is Reason.TOO_LARGE


# ---- the header ----------------------------------------------------------------------------------

VALID_HEADERS: list[dict[str, Any]] = [
    {"host": "x" * 255},
    {"session": 0, "seq": 0},
    {"session": MOST, "seq": MOST},
    {"session": None, "seq": None},
    {"time": 0, "monotonic": 1e308},
    {"interval": 0.1},
    {"interval": 3600},
    {"bye": True},
    {"session": 1, "seq": 2, "parts": 1},
    {"session": 1, "seq": 2, "parts": MAX_PARTS, "part": MAX_PARTS - 1, "plan": MOST},
    {"colour": "red", "moon": {"phase": [1, 2]}},
]

INVALID_HEADERS: list[dict[str, Any]] = [
    {"host": ""},
    {"host": "x" * 256},
    {"host": 5},
    {"host": None},
    {"host": ["pi"]},
    {"session": 1},
    {"seq": 1},
    {"session": None, "seq": 1},
    {"session": -1, "seq": 0},
    {"session": 2**63, "seq": 0},
    {"session": 2**64, "seq": 0},
    {"session": 10**300, "seq": 0},
    {"session": 1, "seq": 1.5},
    {"session": 1, "seq": True},
    {"session": "1", "seq": "1"},
    {"time": -1},
    {"time": "now"},
    {"time": True},
    {"monotonic": -0.1},
    {"interval": 0},
    {"interval": 0.09},
    {"interval": 3601},
    {"bye": 1},
    {"bye": None},
    {"part": 1},
    {"plan": 1},
    {"parts": 1},
    {"session": 1, "seq": 2, "parts": 0},
    {"session": 1, "seq": 2, "parts": MAX_PARTS + 1},
    {"session": 1, "seq": 2, "parts": 2, "part": 2},
    {"session": 1, "seq": 2, "parts": 2, "part": -1},
    {"session": 1, "seq": 2, "parts": 2, "plan": -1},
    {"session": 1, "seq": 2, "parts": 2, "plan": 2**63},
]


def short(fields: Any) -> str:
    return json.dumps(fields)[:60]


@pytest.mark.parametrize("fields", VALID_HEADERS, ids=short)
def test_header_within_its_bounds_is_read_from_both_forms(fields: dict[str, Any]) -> None:
    whole = {"host": "pi"} | fields
    expected = Header(**{key: whole[key] for key in whole.keys() & {*Header.__struct_fields__}})
    assert read(plain(**fields)).header == expected
    assert read(packed(header=json.dumps(whole).encode())).header == expected


@pytest.mark.parametrize("fields", INVALID_HEADERS, ids=short)
def test_header_out_of_its_bounds_is_invalid_in_both_forms(fields: dict[str, Any]) -> None:
    assert refusal_of(**fields) is Reason.INVALID_FIELD
    header = json.dumps({"host": "pi"} | fields).encode()
    assert refusal(packed(header=header)) is Reason.INVALID_FIELD


@pytest.mark.parametrize("header", [b"{}", b"[]", b"5", b'"pi"', b"null", b'{"hosts":"pi"}'])
def test_header_without_a_host_is_an_invalid_field(header: bytes) -> None:
    assert refusal(packed(header=header)) is Reason.INVALID_FIELD
    if header.startswith(b"{"):
        assert refusal(header) is Reason.INVALID_FIELD


def test_last_of_two_fields_of_one_name_counts() -> None:
    twice = b'{"host":"a","host":"b"}'
    assert read(twice).header == read(packed(header=twice)).header == Header("b")


def test_longest_header_is_accepted_and_one_byte_more_is_not() -> None:
    longest = HEADER.ljust(MAX_HEADER_BYTES)
    assert read(packed(header=longest)).header == Header("pi")
    assert refusal(packed(header=longest + b" ")) is Reason.TOO_LARGE


# ---- packed datagrams ----------------------------------------------------------------------------


def test_lines_of_a_packed_datagram_are_header_layout_and_numbers() -> None:
    layout = layout_of(system={"values": ["load1", "load5"]})
    assert read(packed(layout, b"[1.5,-2]")) == Datagram(
        Header("pi"), layout, np.array([1.5, -2]).tobytes(), has_negative=True
    )


def test_fourth_line_is_an_object_that_is_kept_unchanged() -> None:
    extra = b'{ "top":[{"name":"\xc3\xa9","cpu":1e300}] }'
    assert read(packed(b"{}", b"[]", extra)).extra == extra
    assert read(packed(b"{}", b"[]", b"{}")).extra == b"{}"
    assert read(packed(b"{}", b"[]", b"")).extra == b""


@pytest.mark.parametrize("extra", [b"[]", b"5", b"null", b"{", b'{"a":1e400}', b'{"a":"\xff"}'])
def test_fourth_line_that_is_no_object_is_not_json(extra: bytes) -> None:
    assert refusal(packed(b"{}", b"[]", extra)) is Reason.NOT_JSON


@pytest.mark.parametrize(
    "lines",
    [b"", HEADER, HEADER + b"\n{}", HEADER + b"\n{}\n[]\n{}\n{}", b"\n" * MAX_INFLATED_BYTES],
    ids=["none", "one", "two", "five", "only line feeds"],
)
def test_other_than_three_or_four_lines_are_not_json(lines: bytes) -> None:
    assert refusal(deflated(lines)) is Reason.NOT_JSON


def test_most_inflated_bytes_are_accepted_and_one_more_is_not() -> None:
    lines = HEADER + b"\n{}\n[]"
    assert read(deflated(lines.ljust(MAX_INFLATED_BYTES))).header == Header("pi")
    assert refusal(deflated(lines.ljust(MAX_INFLATED_BYTES + 1))) is Reason.TOO_LARGE


def test_bomb_is_inflated_no_further_than_the_bound() -> None:
    bomb = deflated(b" " * 10**6)
    assert len(bomb) <= MAX_DATAGRAM_BYTES
    assert refusal(bomb) is Reason.TOO_LARGE


@pytest.mark.parametrize("number", [n for n in range(256) if n != 1])
def test_other_dictionaries_than_the_first_are_unknown(number: int) -> None:
    datagram = bytearray(packed())
    datagram[1] = number
    assert refusal(bytes(datagram)) is Reason.UNKNOWN_DICTIONARY


def test_datagram_that_ends_before_its_dictionary_is_refused() -> None:
    assert refusal(b"\xb0") is Reason.UNKNOWN_DICTIONARY


def test_stream_that_ends_early_or_late_is_not_deflate() -> None:
    whole = packed(layout_of(system={"values": ["load1"]}), b"[1]")
    for length in range(2, len(whole)):
        assert refusal(whole[:length]) is Reason.NOT_DEFLATE
    assert refusal(whole + b"\x00") is Reason.NOT_DEFLATE
    assert refusal(whole + whole) is Reason.NOT_DEFLATE


@pytest.mark.parametrize("wbits", [15, 31], ids=["zlib", "gzip"])
def test_stream_with_a_head_is_not_deflate(wbits: int) -> None:
    compressor = zlib.compressobj(9, wbits=wbits)
    stream = compressor.compress(HEADER + b"\n{}\n[]") + compressor.flush()
    assert refusal(b"\xb0\x01" + stream) is Reason.NOT_DEFLATE


def test_stream_without_a_dictionary_or_compression_is_accepted() -> None:
    lines = HEADER + b"\n{}\n[]"
    for level in (0, 9):
        compressor = zlib.compressobj(level, wbits=-15)
        stream = compressor.compress(lines) + compressor.flush()
        assert read(b"\xb0\x01" + stream).header == Header("pi")


def test_dictionary_has_a_number_of_one_byte() -> None:
    assert dictionary(1)
    assert dictionary(0) is None
    assert dictionary(-1) is None


# ---- numbers -------------------------------------------------------------------------------------


def values_layout(count: int) -> bytes:
    return layout_of(vmstat={"values": [f"x{number}" for number in range(count)]})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"[]", []),
        (b" [ 1 ,\t2.5 ] ", [1, 2.5]),
        (b"[null,1,null]", [None, 1, None]),
        (b"[1e308,5e-324,-0.0]", [1e308, 5e-324, 0]),
        (b"[1e-400]", [0]),
        (b"[9007199254740993,18446744073709551615]", [2**53, 2.0**64]),
        (b"[123456789012345678901234567890]", [123456789012345678901234567890.0]),
        (b"[" + b"9" * 300 + b"]", [float("9" * 300)]),
    ],
)
def test_numbers_are_read_as_float64_and_null_is_unknown(
    line: bytes, expected: list[float | None]
) -> None:
    assert numbers_of(read(packed(values_layout(len(expected)), line))) == expected


@pytest.mark.parametrize(
    "line",
    [
        b"[true]",
        b"[1,false]",
        b'["1"]',
        b'["x"]',
        b"[[1]]",
        b"[[]]",
        b"[{}]",
        b'[null,"NaN"]',
        b"{}",
        b'{"0":1}',
        b"null",
        b"5",
        b'"[1]"',
        b"[" * 500 + b"]" * 500,
    ],
)
def test_other_json_than_an_array_of_numbers_is_an_invalid_field(line: bytes) -> None:
    assert refusal(packed(values_layout(1), line)) is Reason.INVALID_FIELD


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[1,]",
        b"[1 2]",
        b"[01]",
        b"[.5]",
        b"[+1]",
        b"[0x1]",
        b"[NaN]",
        b"[Infinity]",
        b"[1e400]",
        b"[-1e400]",
        b"[" + b"9" * 400 + b"]",
        b"[1][2]",
        b"[1",
        b"[" * 5000,
    ],
)
def test_numbers_that_are_no_json_or_beyond_float64_are_not_json(line: bytes) -> None:
    assert refusal(packed(values_layout(1), line)) is Reason.NOT_JSON


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=20))
def test_numbers_keep_their_values(numbers: list[float | None]) -> None:
    line = json.dumps(numbers).encode()
    assert numbers_of(read(packed(values_layout(len(numbers)), line))) == numbers


# ---- plain datagrams -----------------------------------------------------------------------------


def test_fields_of_a_newer_agent_are_ignored() -> None:
    datagram = b'{"host":"pi","moon":{"phase":[1,2]},"memory":{"total":8,"colour":"red"}}'
    found, [memory], _ = read_all(datagram)
    assert (memory.name, memory.columns) == ("memory", ("total",))
    assert numbers_of(found) == [8]


def test_null_is_unknown_and_a_column_that_is_null_is_left_out() -> None:
    found, sections, _ = read_all(
        plain(
            cpu={"cpu": ["0", "1"], "user": [None, 1], "idle": None},
            system={"load1": None, "load5": 2},
            vmstat={"pgfault": None},
        )
    )
    columns = {section.name: section.columns for section in sections}
    assert columns == {"cpu": ("user",), "system": ("load1", "load5"), "vmstat": ("pgfault",)}
    assert numbers_of(found) == [None, 1, None, 2, None]


@pytest.mark.parametrize(
    "datagram",
    [
        b"\n",
        b'{"host":"pi"',
        b'{"host":"pi"}{}',
        b'{"host":"\xff"}',
        b'{"host":"\xed\xa0\x80"}',
        rb'{"host":"\ud800"}',
        rb'{"host":"pi","gauges":{"\udc00":1}}',
        b'{"host":"a\nb"}',
        b'{"host":"pi","gauges":{"x":NaN}}',
        b'{"host":"pi","gauges":{"x":Infinity}}',
        b'{"host":"pi","gauges":{"x":1e400}}',
        b'{"host":"pi","gauges":{"x":-1e400}}',
        b'{"host":"pi","gauges":{"x":%b}}' % (b"9" * 400),
        b'{"host":"pi","moon":1e400}',
        b'{"host":"pi","x":' + b"[" * 1100,
        b'{"x":' * 200,
        b" []",
        b"\n5",
    ],
)
def test_plain_bytes_other_than_one_json_object_are_not_json(datagram: bytes) -> None:
    assert refusal(datagram) is Reason.NOT_JSON


VALID_FIELDS: list[dict[str, Any]] = [
    {"labels": {"r" * 64: "x" * 255}},
    {"labels": {f"rack{n}": "" for n in range(32)}},
    {"labels": {}},
    {"labels": None, "gauges": None, "families": None, "cpu": None, "meminfo": None},
    {"gauges": {"x" * 200: -1}},
    {"gauges": {"_x": 1e308, "hosts": 2, "uptime_of_my_app": 1, "my_node_load": 4}},
    {"gauges": {"x": None}},
    {"gauges": {}},
    {"info": {}},
    {"info": {"agent": "x" * 255}},
    {"system": {"load1": None}},
    {"meminfo": {"x" * 64: 1, "0": None}},
    {"cpu": {"cpu": [""]}},
    {"cpu": {"cpu": ["0"], "user": None}},
    {"cpu": {"cpu": ["0", "1"], "user": [None, 1]}},
    {"families": {"x": {"type": "gauge", "values": [1]}}},
    {"families": {"x": {"type": "gauge", "help": "", "labels": {}, "values": [None]}}},
    {"families": {"x": {"type": "counter", "labels": {"a": ["1", "2"]}, "values": [1, 2]}}},
    {"families": {"x_*": {"type": "counter", "columns": {}}}},
    {"families": {"x_*": {"type": "counter", "help": ["A", "B"], "columns": {"a": [1], "b": [2]}}}},
    {"families": {"*": {"type": "counter", "columns": {"a": [1], "b": [2]}}}},
]

INVALID_FIELDS: list[dict[str, Any]] = [
    {"labels": {"rack": 7}},
    {"labels": {"rack": None}},
    {"labels": {"": "x"}},
    {"labels": {"_rack": "x"}},
    {"labels": {"ra-ck": "x"}},
    {"labels": {"rack\n": "x"}},
    {"labels": {"r" * 65: "x"}},
    {"labels": {"rack": "x" * 256}},
    {"labels": {f"rack{n}": "" for n in range(33)}},
    {"labels": []},
    {"labels": "x"},
    {"gauges": {"x": "21.5"}},
    {"gauges": {"x": True}},
    {"gauges": {"x": [1]}},
    {"gauges": {"x": {}}},
    {"gauges": {"": 1}},
    {"gauges": {"1x": 1}},
    {"gauges": {"x:y": 1}},
    {"gauges": {"x\n": 1}},
    {"gauges": {"x*": 1, "y": 2}},
    {"gauges": {"x" * 201: 1}},
    {"gauges": [1]},
    {"gauges": "x"},
    {"gauges": 5},
    {"gauges": True},
    {"info": {"agent": 1}},
    {"info": {"agent": None}},
    {"info": {"agent": ["x"]}},
    {"info": {"agent": "x" * 256}},
    {"memory": {"total": "8"}},
    {"memory": {"total": True}},
    {"memory": {"total": [8]}},
    {"memory": 8},
    {"meminfo": {"Active(anon)": 1}},
    {"meminfo": {"": 1}},
    {"meminfo": {"x\n": 1}},
    {"meminfo": {"x" * 65: 1}},
    {"meminfo": {"x": "1"}},
    {"meminfo": {"x": False}},
    {"meminfo": ["x"]},
    {"cpu": {}},
    {"cpu": {"user": [1]}},
    {"cpu": {"cpu": []}},
    {"cpu": {"cpu": None}},
    {"cpu": {"cpu": "0"}},
    {"cpu": {"cpu": [0]}},
    {"cpu": {"cpu": [None]}},
    {"cpu": {"cpu": [["0"]]}},
    {"cpu": {"cpu": ["x" * 256]}},
    {"cpu": {"cpu": ["0"], "user": 1}},
    {"cpu": {"cpu": ["0"], "user": ["1"]}},
    {"cpu": {"cpu": ["0"], "user": [True]}},
    {"cpu": {"cpu": ["0"], "user": [[1]]}},
    {"filesystems": {"mountpoint": ["/"], "device": ["sda"]}},
    {"families": []},
    {"families": {"x": 5}},
    {"families": {"x": {"values": [1]}}},
    {"families": {"x": {"type": None, "values": [1]}}},
    {"families": {"x": {"type": "info", "values": [1]}}},
    {"families": {"x": {"type": ["gauge"], "values": [1]}}},
    {"families": {"x": {"type": "gauge"}}},
    {"families": {"x": {"type": "gauge", "values": 1}}},
    {"families": {"x": {"type": "gauge", "values": ["1"]}}},
    {"families": {"x": {"type": "gauge", "columns": {"a": [1]}}}},
    {"families": {"x": {"type": "gauge", "labels": {"a": 5}, "values": [1]}}},
    {"families": {"x": {"type": "gauge", "labels": {"a": None}, "values": [1]}}},
    {"families": {"x": {"type": "gauge", "labels": {"a": "b"}, "values": [1]}}},
    {"families": {"x": {"type": "gauge", "labels": {"a": [1]}, "values": [1]}}},
    {"families": {"x": {"type": "gauge", "labels": {"a": []}, "values": []}}},
    {"families": {"x": {"type": "gauge", "labels": ["a"], "values": [1]}}},
    {"families": {"x": {"type": "gauge", "help": 5, "values": [1]}}},
    {"families": {"x": {"type": "gauge", "help": "a\nb", "values": [1]}}},
    {"families": {"x": {"type": "gauge", "help": ["a", "b"], "values": [1]}}},
    {"families": {"x_*": {"type": "gauge", "values": [1], "columns": []}}},
    {"families": {"x_*": {"type": "gauge", "columns": {"a": 1}}}},
    {"families": {"x_*": {"type": "gauge", "columns": {"a-b": [1]}}}},
    {"families": {"\u202e*": 5}},
    {"families": {"x_*": {"type": "gauge", "columns": {"\x1b[2J": 1}}}},
    {"families": {"x_*": {"type": "gauge", "help": ["a"], "columns": {"a": [1], "b": [2]}}}},
    {"families": {"x_*_*": {"type": "gauge", "columns": {"a": [1]}}}},
    {"families": {"x": {"type": "gauge", "values": [1]}}, "gauges": {"x": 1}},
]


@pytest.mark.parametrize("fields", VALID_FIELDS, ids=short)
def test_field_within_its_bounds_is_read(fields: dict[str, Any]) -> None:
    read_all(plain(**fields))


@pytest.mark.parametrize("fields", INVALID_FIELDS, ids=short)
def test_field_of_a_wrong_type_or_out_of_its_bounds_is_invalid(fields: dict[str, Any]) -> None:
    assert refusal_of(**fields) is Reason.INVALID_FIELD


@pytest.mark.parametrize("levels", [100, 250, 260, 550])
@pytest.mark.parametrize(
    "datagram",
    [
        '{"host":"pi","labels":%s}',
        '{"host":"pi","info":{"agent":%s}}',
        '{"host":"pi","cpu":{"cpu":%s}}',
        '{"host":"pi","cpu":{"cpu":["0"],"user":%s}}',
        '{"host":"pi","memory":{"total":%s}}',
        '{"host":"pi","meminfo":{"x":%s}}',
        '{"host":"pi","gauges":{"x":%s}}',
        '{"host":"pi","families":{"x":{"type":"gauge","values":%s}}}',
        '{"host":"pi","families":{"x":{"type":%s,"values":[1]}}}',
        '{"host":"pi","families":{"x":{"type":"gauge","help":%s,"values":[1]}}}',
        '{"host":"pi","families":{"x":{"type":"gauge","labels":{"a":%s},"values":[1]}}}',
    ],
)
def test_lists_within_lists_are_an_invalid_field(datagram: str, levels: int) -> None:
    nested = "[" * levels + "]" * levels
    reason = refusal((datagram % nested).encode())
    assert reason in (Reason.INVALID_FIELD, Reason.UNEQUAL_COLUMNS)


@pytest.mark.parametrize(
    "fields",
    [
        {"cpu": {"cpu": ["0", "1"], "user": [1]}},
        {"cpu": {"cpu": ["0"], "user": []}},
        {"cpu": {"cpu": ["0"], "user": [1], "idle": [1, 2]}},
        {"filesystems": {"mountpoint": ["/"], "device": ["a", "b"], "fstype": ["ext4"]}},
        {"families": {"x": {"type": "gauge", "values": [1, 2]}}},
        {"families": {"x": {"type": "gauge", "labels": {"a": ["1", "2"]}, "values": [1]}}},
        {
            "families": {
                "x": {"type": "gauge", "labels": {"a": ["1"], "b": ["2", "3"]}, "values": [1]}
            }
        },
        {"families": {"x_*": {"type": "gauge", "columns": {"a": [1], "b": [1, 2]}}}},
    ],
    ids=short,
)
def test_columns_of_different_lengths_are_refused(fields: dict[str, Any]) -> None:
    assert refusal_of(**fields) is Reason.UNEQUAL_COLUMNS


def test_two_rows_with_the_same_keys_are_refused() -> None:
    assert refusal_of(cpu={"cpu": ["0", "1", "0"]}) is Reason.REPEATED_ROW
    mount = {"mountpoint": ["/"] * 2, "device": ["a"] * 2, "fstype": ["ext4"] * 2}
    assert refusal_of(filesystems=mount) is Reason.REPEATED_ROW
    read_all(plain(filesystems=mount | {"device": ["a", "b"]}))
    labels = {"a": ["1", "1"], "b": ["2", "2"]}
    family = {"type": "gauge", "labels": labels, "values": [1, 2]}
    assert refusal_of(families={"x": family}) is Reason.REPEATED_ROW
    read_all(plain(families={"x": family | {"labels": labels | {"b": ["2", "3"]}}}))


RESERVED = ["up", "ALERTS", "ALERTS_FOR_STATE", "__name", "host_up", "pombo_x", "process_x"]
RESERVED += ["python_info", "scrape_duration_seconds"]
RESERVED += ["cpu", "os", "meminfo", "labels"]


@pytest.mark.parametrize("name", RESERVED)
def test_family_with_a_name_of_prometheus_pombo_or_a_section_is_refused(name: str) -> None:
    assert refusal_of(gauges={"fine": 1, name: 1}) is Reason.RESERVED_NAME
    assert refusal_of(families={name: {"type": "gauge", "values": [1]}}) is Reason.RESERVED_NAME
    columns = {"fine": [1], name: [1]}
    assert refusal_of(families={"*": {"type": "gauge", "columns": columns}}) is Reason.RESERVED_NAME


@pytest.mark.parametrize("name", sorted(pombo_wire.RESERVED_LABELS))
def test_label_that_the_exporter_sets_is_refused(name: str) -> None:
    assert refusal_of(labels={"rack": "7", name: "x"}) is Reason.RESERVED_NAME


@pytest.mark.parametrize("name", ["instance", "job"])
def test_label_of_a_family_that_prometheus_sets_is_refused(name: str) -> None:
    family = {"type": "gauge", "labels": {name: ["x"]}, "values": [1]}
    assert refusal_of(families={"x": family}) is Reason.RESERVED_NAME


# ---- any bytes -----------------------------------------------------------------------------------


def assert_read_or_refused(datagram: bytes) -> None:
    try:
        found, sections, _ = read_all(datagram)
    except DecodeError as error:
        detail = str(error)
    else:
        assert_consistent(found, sections)
        return
    assert detail.isprintable()
    assert len(detail) < 4000


def assert_consistent(found: Datagram, sections: list[SectionLayout]) -> None:
    assert len(found.numbers) % 8 == 0
    assert not np.isinf(np.frombuffer(found.numbers)).any()
    for section in sections:
        assert section.count >= 0
        assert len(section.texts) == len(section.labels)
        assert all(len(texts) == section.rows for texts in section.texts)


@given(st.binary(max_size=MAX_DATAGRAM_BYTES + 100))
def test_any_bytes_are_read_or_refused_with_a_reason(datagram: bytes) -> None:
    assert_read_or_refused(datagram)


@given(st.binary(max_size=200))
def test_any_bytes_after_the_form_are_read_or_refused(stream: bytes) -> None:
    assert_read_or_refused(b"\xb0\x01" + stream)
    assert_read_or_refused(b"{" + stream)


def damaged(data: st.DataObject, original: bytes) -> bytes:
    """Return bytes with a few of them replaced, added or removed."""
    found = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(found)))
        end = data.draw(st.integers(start, min(start + 8, len(found))))
        found[start:end] = data.draw(st.binary(max_size=4) | st.sampled_from(PIECES))
    return bytes(found)


PIECES = [b'"', b"{", b"}", b"[", b"]", b",", b":", b"1e308", b"null", b"true", b"\\u0000", b"\n"]


@given(reports(), st.data())
def test_damaged_datagram_is_read_or_refused(report: Report, data: st.DataObject) -> None:
    assert_read_or_refused(damaged(data, encode(report)[:MAX_DATAGRAM_BYTES]))
    assert_read_or_refused(damaged(data, pack(report)[:MAX_DATAGRAM_BYTES]))


@given(reports(), st.data())
def test_packed_datagram_of_damaged_lines_is_read_or_refused(
    report: Report, data: st.DataObject
) -> None:
    lines = zlib.decompressobj(-15, dictionary(1) or b"").decompress(pack(report)[2:])
    assert_read_or_refused(deflated(damaged(data, lines)))


KEYS = sorted(
    {field for kind in (Report, *SECTIONS.values()) for field in kind.__struct_fields__}
    | {*OpenFamily.__struct_fields__, "absent", "x", "x_*", ""}
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(KEYS), JSON), st.booleans())
def test_any_json_is_read_or_refused(fields: dict[str, Any], host: bool) -> None:  # noqa: FBT001 - drawn, not passed
    assert_read_or_refused(json.dumps(fields | ({"host": "pi"} if host else {})).encode())
    layout = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
    assert_read_or_refused(packed(layout.encode(errors="replace")))


@given(st.lists(JSON, max_size=4))
def test_any_json_in_place_of_numbers_is_read_or_refused(values: list[Any]) -> None:
    assert_read_or_refused(packed(b"{}", json.dumps(values).encode()))


# ---- numbers of strangers ------------------------------------------------------------------------

FLOOD = "1e308," * 180 + "1e308"  # what fits into a plain datagram


@pytest.mark.parametrize(
    "datagram",
    [
        f'{{"host":"pi","time":[{FLOOD}]}}',
        f'{{"host":"pi","moon":[{FLOOD}]}}',
        f'{{"host":"pi","labels":[{FLOOD}]}}',
        f'{{"host":"pi","gauges":{{"x":[{FLOOD}]}}}}',
        f'{{"host":"pi","cpu":{{"cpu":[{FLOOD}]}}}}',
        f'{{"host":"pi","cpu":{{"cpu":["0"],"user":[{FLOOD}]}}}}',
        f'{{"host":"pi","families":{{"x":[{FLOOD}]}}}}',
    ],
)
def test_flood_of_long_numbers_is_refused_in_each_field(datagram: str) -> None:
    if "moon" in datagram:
        read_all(datagram.encode())
    else:
        assert refusal(datagram.encode()) in (Reason.INVALID_FIELD, Reason.UNEQUAL_COLUMNS)


def test_flood_of_long_numbers_is_read_or_refused_in_each_line() -> None:
    flood = b"[" + b"1e308," * 2000 + b"1e308]"
    assert refusal(packed(b'{"x":%b}' % flood)) is Reason.INVALID_FIELD
    assert refusal(packed(b'{"cpu":{"absent":%b}}' % flood)) is Reason.INVALID_FIELD
    assert refusal(packed(b'{"labels":{"x":%b}}' % flood)) is Reason.INVALID_FIELD
    assert len(read(packed(b"{}", flood)).numbers) == 8 * 2001
    assert read(packed(b"{}", b"[]", b'{"x":%b}' % flood)).extra
    assert refusal(packed(header=b'{"host":%b}' % flood[:400])) is Reason.NOT_JSON


#: The modules through which the bytes of strangers go, and all that they decode or write with
#: msgspec: a decoder of `Raw` skips numbers and makes none of them.
READERS = {
    "reading": ["msgspec.json.encode(_extra(tables))"],
    "layout": ["msgspec.json.Decoder(dict[str, msgspec.Raw])"],
}


@pytest.mark.parametrize("module", READERS)
def test_msgspec_decodes_no_number_of_strangers(module: str) -> None:
    path = Path(pombo_wire.__file__).with_name(f"{module}.py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    uses = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert [use for use in uses if use.startswith(("msgspec.json", "json."))] == READERS[module]
    names = [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]
    assert not {"json", "decode", "Decoder"} & {*names}


def test_schema_bounds_every_label_and_column() -> None:
    for name, kind in SECTIONS.items():
        info = inspect.type_info(kind)
        assert isinstance(info, inspect.StructType)
        for field in info.fields if issubclass(kind, Table) else ():
            members = (
                field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
            )
            columns = [each for each in members if isinstance(each, inspect.VarTupleType)]
            assert all(each.max_length for each in columns), f"{name}.{field.name}"
            assert len(columns) == 1, f"{name}.{field.name}"
