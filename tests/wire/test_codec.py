"""The codec: valid reports, and the reasons for which others are refused."""

import json
import string
from collections.abc import Callable
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect
from pombo_wire import (
    MAPS,
    MAX_DATAGRAM_BYTES,
    SECTIONS,
    DecodeError,
    Reason,
    Report,
    Table,
    decode,
    encode,
)

RESERVED = ["up", "ALERTS", "__name", "host_up", "node_load1", "pombo_x", "process_x"]
RESERVED += ["python_info", "prometheus_x", "scrape_duration_seconds"]

CHARACTERS = st.characters(codec="utf-8")


def values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Return valid values of a field, short enough for several in one datagram."""
    return MAKERS[type(kind)](kind)


def texts(kind: inspect.StrType) -> st.SearchStrategy[str]:
    if kind.pattern is None:
        return st.text(CHARACTERS, min_size=kind.min_length or 0, max_size=20)
    names = st.text(string.ascii_letters + string.digits + "_", max_size=20)
    return names.map(lambda name: f"x{name}")


def records(kind: inspect.StructType) -> st.SearchStrategy[Any]:
    fields = {field.name: values(field.type) for field in kind.fields}
    return st.fixed_dictionaries(fields).map(lambda found: kind.cls(**found))


@st.composite
def tables(draw: st.DrawFn, kind: inspect.StructType) -> Table:
    """Return a table whose rows differ in their keys."""
    table = kind.cls
    assert issubclass(table, Table)
    keys, rest = kind.fields[: table.label_columns], kind.fields[table.label_columns :]
    cells = [values(column(field.type).item_type) for field in keys]
    rows = draw(
        st.lists(
            st.tuples(*cells),
            min_size=1,
            max_size=3,
            unique_by=lambda row: row[: table.key_columns],
        )
    )
    found: dict[str, Any] = dict(
        zip([field.name for field in keys], zip(*rows, strict=True), strict=True)
    )
    for field in rest:
        if draw(st.booleans()):
            cell = values(column(field.type).item_type)
            found[field.name] = tuple(draw(st.tuples(*[cell] * len(rows))))
    return table(**found)


def column(kind: inspect.Type) -> inspect.VarTupleType:
    """Return the column that is not ``None``."""
    members = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    [found] = [member for member in members if isinstance(member, inspect.VarTupleType)]
    return found


MAKERS: dict[type[inspect.Type], Callable[[Any], st.SearchStrategy[Any]]] = {
    inspect.NoneType: lambda _: st.none(),
    inspect.BoolType: lambda _: st.booleans(),
    inspect.IntType: lambda kind: st.integers(kind.ge, kind.le),
    inspect.FloatType: lambda kind: st.floats(
        kind.ge, kind.le, allow_nan=False, allow_infinity=False
    ),
    inspect.StrType: texts,
    inspect.DictType: lambda kind: st.dictionaries(
        values(kind.key_type), values(kind.value_type), max_size=4
    ),
    inspect.UnionType: lambda kind: st.one_of([values(member) for member in kind.types]),
    inspect.StructType: lambda kind: tables(kind) if issubclass(kind.cls, Table) else records(kind),
}


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Return a report with some of the schema's fields."""
    kind = inspect.type_info(Report)
    assert isinstance(kind, inspect.StructType)
    fields = {field.name: field.type for field in kind.fields}
    optional = sorted(set(fields) - {"host", "session", "seq"})
    chosen = draw(st.sets(st.sampled_from(optional), max_size=6))
    chosen |= {"host"} | draw(st.sampled_from([{"session", "seq"}, set()]))
    found = {name: draw(values(fields[name])) for name in sorted(chosen)}
    if (found.get("session") is None) is not (found.get("seq") is None):
        found |= {"session": 1, "seq": 1}
    return Report(**found)


def refusal(datagram: bytes) -> Reason:
    with pytest.raises(DecodeError) as caught:
        decode(datagram)
    assert str(caught.value).isprintable()
    return caught.value.reason


def refusal_of(**fields: Any) -> Reason:
    return refusal(json.dumps({"host": "pi"} | fields).encode())


def assert_report_or_reason(datagram: bytes) -> None:
    try:
        report = decode(datagram)
    except DecodeError:
        return
    assert msgspec.convert(msgspec.to_builtins(report), Report) == report
    msgspec.json.decode(encode(report), type=Report)  # no NaN, no infinity
    for name, section in SECTIONS.items():
        table = getattr(report, name)
        if issubclass(section, Table) and table is not None:
            columns = [part for part in msgspec.structs.astuple(table) if part is not None]
            keys = list(zip(*columns[: table.key_columns], strict=True))
            assert len({len(part) for part in columns}) == 1
            assert len(set(keys)) == len(keys)


@given(reports())
def test_decoding_reverses_encoding_unless_the_report_is_too_large(report: Report) -> None:
    datagram = encode(report)
    if len(datagram) > MAX_DATAGRAM_BYTES:
        assert refusal(datagram) is Reason.TOO_LARGE
    else:
        assert decode(datagram) == report


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_is_decoded_with_all_its_fields(name: str) -> None:
    section = SECTIONS[name]
    kind = inspect.type_info(section)
    assert isinstance(kind, inspect.StructType)
    fields = kind.fields
    count = section.label_columns
    texts = {field.name: f"{field.name} \u00e9" for field in fields[:count]}
    numbers = {field.name: n + 0.5 for n, field in enumerate(fields[count:])}
    found: dict[str, Any] = texts | numbers
    if issubclass(section, Table):
        found = {field: (value, value * 2) for field, value in found.items()}
    filled = section(**found)
    report = Report("pi", **{name: filled})  # type: ignore[arg-type]  # by its name
    assert decode(encode(report)) == report


@pytest.mark.parametrize("name", MAPS)
def test_every_map_is_decoded_with_its_names(name: str) -> None:
    report = Report("pi", **{name: {"Active_anon": 8.0, "x1": 0.5}})  # type: ignore[arg-type]  # by its name
    assert decode(encode(report)) == report


def test_host_alone_is_a_report() -> None:
    assert decode(b'{"host":"pi"}\n') == Report("pi")


def test_fields_of_a_newer_agent_are_ignored() -> None:
    datagram = b'{"host":"pi","moon":{"phase":[1,2]},"memory":{"total":8,"colour":"red"}}'
    report = decode(datagram)
    assert report.host == "pi"
    assert report.memory is not None
    assert report.memory.total == 8


def test_longest_datagram_is_accepted_and_one_byte_more_is_not() -> None:
    longest = b'{"host":"pi"}'.ljust(MAX_DATAGRAM_BYTES)
    assert decode(longest) == Report("pi")
    assert refusal(longest + b" ") is Reason.TOO_LARGE


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\n",
        b"host=pi",
        b'{"host":"pi"',
        b'{"host":"pi"}{}',
        b'\xef\xbb\xbf{"host":"pi"}',
        b'{"host":"\xff"}',
        b'{"host":"\xed\xa0\x80"}',
        rb'{"host":"\ud800"}',
        rb'{"host":"pi","gauges":{"\udc00":1}}',
        b'{"host":"a\nb"}',
        b'{"host":"pi","gauges":{"x":NaN}}',
        b'{"host":"pi","gauges":{"x":Infinity}}',
        b'{"host":"pi","x":' + b"[" * 1100,
        b'{"x":' * 200,
    ],
)
def test_bytes_other_than_one_json_text_are_not_json(datagram: bytes) -> None:
    assert refusal(datagram) is Reason.NOT_JSON


@pytest.mark.parametrize("datagram", [b"[]", b"null", b"5", b'"pi"', b"{}", b"[" * 1200])
def test_json_that_is_no_object_with_a_host_is_an_invalid_field(datagram: bytes) -> None:
    assert refusal(datagram) is Reason.INVALID_FIELD


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 400])
def test_number_beyond_float64_is_an_invalid_field(number: str) -> None:
    datagram = f'{{"host":"pi","gauges":{{"x":{number}}}}}'.encode()
    assert refusal(datagram) is Reason.INVALID_FIELD


@pytest.mark.parametrize(
    "fields",
    [
        {"host": ""},
        {"host": "x" * 256},
        {"host": 5},
        {"host": None},
        {"session": 1},
        {"seq": 1},
        {"session": -1, "seq": 0},
        {"session": 2**63, "seq": 0},
        {"session": 1, "seq": 1.5},
        {"time": -1},
        {"time": "now"},
        {"monotonic": -0.1},
        {"interval": 0},
        {"interval": 3601},
        {"bye": 1},
        {"labels": {"rack": 7}},
        {"labels": {"": "x"}},
        {"labels": {"_rack": "x"}},
        {"labels": {"ra-ck": "x"}},
        {"labels": {"rack\n": "x"}},
        {"labels": {"r" * 65: "x"}},
        {"labels": {"rack": "x" * 256}},
        {"labels": {f"rack{n}": "" for n in range(33)}},
        {"gauges": {"x": "21.5"}},
        {"gauges": {"x": None}},
        {"gauges": {"x": True}},
        {"gauges": {"": 1}},
        {"gauges": {"1x": 1}},
        {"gauges": {"x:y": 1}},
        {"gauges": {"x\n": 1}},
        {"gauges": {"x" * 201: 1}},
        {"gauges": [1]},
        {"info": {"agent": 1}},
        {"memory": {"total": -1}},
        {"memory": {"total": "8"}},
        {"memory": 8},
        {"meminfo": {"Active(anon)": 1}},
        {"meminfo": {"": 1}},
        {"meminfo": {"x\n": 1}},
        {"meminfo": {"x": -1}},
        {"meminfo": {"x": None}},
        {"cpu": {}},
        {"cpu": {"user": [1]}},
        {"cpu": {"cpu": []}},
        {"cpu": {"cpu": ["0"], "user": []}},
        {"cpu": {"cpu": ["0"], "user": [-1]}},
        {"cpu": {"cpu": ["0"], "user": [None]}},
        {"cpu": {"cpu": ["0"], "user": 1}},
        {"cpu": {"cpu": [0]}},
        {"filesystems": {"mountpoint": ["/"], "device": ["sda"]}},
    ],
    ids=lambda fields: json.dumps(fields)[:60],
)
def test_field_of_a_wrong_type_or_out_of_bounds_is_invalid(fields: dict[str, Any]) -> None:
    assert refusal_of(**fields) is Reason.INVALID_FIELD


@pytest.mark.parametrize(
    "fields",
    [
        {"cpu": {"cpu": ["0", "1"], "user": [1]}},
        {"cpu": {"cpu": ["0"], "user": [1], "idle": [1, 2]}},
        {"filesystems": {"mountpoint": ["/"], "device": ["a", "b"], "fstype": ["ext4"]}},
    ],
    ids=json.dumps,
)
def test_columns_of_different_lengths_are_refused(fields: dict[str, Any]) -> None:
    assert refusal_of(**fields) is Reason.UNEQUAL_COLUMNS


def test_two_rows_with_the_same_key_are_refused() -> None:
    assert refusal_of(cpu={"cpu": ["0", "1", "0"]}) is Reason.REPEATED_ROW
    mount = {"mountpoint": ["/"] * 2, "device": ["a"] * 2, "fstype": ["ext4"] * 2}
    assert refusal_of(filesystems=mount) is Reason.REPEATED_ROW


def test_rows_that_differ_in_one_key_are_two_rows() -> None:
    mount = {"mountpoint": ["/", "/"], "device": ["a", "b"], "fstype": ["ext4"] * 2}
    assert decode(json.dumps({"host": "pi", "filesystems": mount}).encode()).filesystems


@pytest.mark.parametrize("name", RESERVED)
def test_gauge_with_a_name_of_prometheus_or_pombo_is_refused(name: str) -> None:
    assert refusal_of(gauges={"fine": 1, name: 1}) is Reason.RESERVED_NAME


@pytest.mark.parametrize("name", ["instance", "job", "le", "quantile", "system", "agent"])
def test_label_that_the_exporter_sets_is_refused(name: str) -> None:
    assert refusal_of(labels={"rack": "7", name: "x"}) is Reason.RESERVED_NAME


def test_gauges_that_only_resemble_reserved_names_are_accepted() -> None:
    gauges = {"uptime_of_my_app": 1.0, "hosts": 2.0, "_x": 3.0, "my_node_load": 4.0}
    assert decode(json.dumps({"host": "pi", "gauges": gauges}).encode()).gauges == gauges


@given(st.binary(max_size=MAX_DATAGRAM_BYTES + 100))
def test_any_bytes_are_a_report_or_have_a_reason(datagram: bytes) -> None:
    assert_report_or_reason(datagram)


@given(reports(), st.data())
def test_a_damaged_datagram_is_a_report_or_has_a_reason(
    report: Report, data: st.DataObject
) -> None:
    datagram = bytearray(encode(report)[:MAX_DATAGRAM_BYTES])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(datagram)))
        end = data.draw(st.integers(start, min(start + 8, len(datagram))))
        datagram[start:end] = data.draw(st.binary(max_size=4))
    assert_report_or_reason(bytes(datagram))


KEYS = sorted(
    {field for kind in (Report, *SECTIONS.values()) for field in kind.__struct_fields__} | {"x", ""}
)


@given(
    st.dictionaries(
        st.sampled_from(KEYS),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
            ),
            max_leaves=12,
        ),
    ),
    st.booleans(),
)
def test_any_json_is_a_report_or_has_a_reason(fields: dict[str, Any], host: bool) -> None:  # noqa: FBT001 - drawn, not passed
    assert_report_or_reason(json.dumps(fields | ({"host": "pi"} if host else {})).encode())


def test_schema_bounds_every_label_and_column() -> None:
    for section in SECTIONS.values():
        for name, hint in section.__annotations__.items():
            if issubclass(section, Table) and name not in ("key_columns", "label_columns"):
                bounds = [meta for part in (hint, *get_args(hint)) for meta in metas(part)]
                assert any(meta.max_length for meta in bounds), f"{section.__name__}.{name}"


def metas(hint: Any) -> list[msgspec.Meta]:
    return [meta for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]
