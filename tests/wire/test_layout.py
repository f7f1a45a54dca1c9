"""Reading a layout line: its members, the texts of each section, and their bounds."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pombo_wire import MAPS, RESERVED_LABELS, SECTIONS, DecodeError, Reason, Record
from pombo_wire.layout import (
    SectionLayout,
    join_members,
    read_own_labels,
    read_section,
    split_members,
)
from pombo_wire.limits import (
    MAX_COLUMN_NAME,
    MAX_FAMILY_NAME,
    MAX_INFLATED_BYTES,
    MAX_LABEL_COLUMNS,
    MAX_LABEL_NAME,
    MAX_SECTIONS,
    MAX_TEXT,
    RESERVED_FAMILIES,
    RESERVED_FAMILY_LABELS,
    RESERVED_FAMILY_PREFIXES,
)
from support.crafted import layout_of


def member(name: str, **layout: Any) -> bytes:
    return json.dumps({name: layout}, separators=(",", ":")).encode()[1:-1]


def section(name: str, **layout: Any) -> SectionLayout:
    return read_section(member(name, **layout))


def reason_of(call: Any, *args: Any, **kwargs: Any) -> Reason:
    with pytest.raises(DecodeError) as caught:
        call(*args, **kwargs)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 4000
    return caught.value.reason


def refusal(name: str, **layout: Any) -> Reason:
    return reason_of(section, name, **layout)


# ---- members -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b'{"a":{}}',
        b'{"cpu":{"labels":{"cpu":["0"]},"values":["user"]},"x":{}}',
        b'{"x":{ "labels" : { } },"y":"\\u00e9","z":[{},{"a":1}],"":null}',
        '{"\u00e9":{}}'.encode(),
    ],
)
def test_members_joined_are_the_line(line: bytes) -> None:
    members = split_members(line)
    assert len(members) == len(json.loads(line))
    assert join_members(members) == line


@pytest.mark.parametrize(
    "line",
    [
        b" {}",
        b"{} ",
        b"{ }",
        b'{"a":{}, "b":{}}',
        b'{"a" :{}}',
        b'{"a": {}}',
        b'{"a":{} }',
        b'{"a":{},"a":{}}',
        rb'{"\u0061":{}}',
        rb'{"a\/b":{}}',
        rb'{"a\n":{}}',
        rb'{"\"":{}}',
    ],
)
def test_layout_with_spaces_escapes_or_repeated_names_is_invalid(line: bytes) -> None:
    json.loads(line)
    assert reason_of(split_members, line) is Reason.INVALID_FIELD


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"5",
        b"null",
        b'"a"',
        b'{"a":{}',
        b'{"a":{}}}',
        b'{"a":{}}{}',
        b'{"a"}',
        b"{a:{}}",
        b'{"a":{},}',
        b'{"a":NaN}',
        b'{"a":tru}',
        b'{"\xff":{}}',
        b'{"a\tb":{}}',
        rb'{"\ud800":{}}',
        b'{"a":%b}' % (b"[" * 5000),
    ],
)
def test_line_that_is_no_json_object_is_not_json(line: bytes) -> None:
    assert reason_of(split_members, line) is Reason.NOT_JSON


def test_lists_nested_too_deep_are_not_json_when_split_or_when_read() -> None:
    line = b'{"a":%b%b}' % (b"[" * 5000, b"]" * 5000)

    def read_all(line: bytes) -> None:
        for member in split_members(line):
            read_section(member)

    assert reason_of(read_all, line) is Reason.NOT_JSON


@pytest.mark.parametrize(
    "value",
    [b'"\xff"', b'{"a":"\xed\xa0\x80"}', rb'{"a":"\ud800"}', b"[1e400]", b'{"type":1e400}'],
)
def test_section_that_is_no_valid_json_is_not_json(value: bytes) -> None:
    assert reason_of(read_section, b'"x":%b' % value) is Reason.NOT_JSON
    assert reason_of(read_own_labels, b'"labels":%b' % value) is Reason.NOT_JSON


def test_most_sections_are_accepted_and_one_more_is_not() -> None:
    most: dict[str, Any] = {f"x{number}": {} for number in range(MAX_SECTIONS)}
    assert len(split_members(layout_of(**most))) == MAX_SECTIONS
    assert reason_of(split_members, layout_of(**most, more={})) is Reason.TOO_LARGE


# ---- the owner's labels --------------------------------------------------------------------------


def own_labels(labels: Any) -> dict[str, str]:
    return read_own_labels(json.dumps({"labels": labels}).encode()[1:-1])


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"room": "attic"},
        {"A_1": ""},
        {"r" * MAX_LABEL_NAME: "x" * MAX_TEXT},
        {f"rack{number}": "" for number in range(32)},
    ],
)
def test_own_labels_within_their_bounds_are_read(labels: dict[str, str]) -> None:
    assert own_labels(labels) == labels


@pytest.mark.parametrize(
    "labels",
    [
        [],
        None,
        "x",
        {"rack": 7},
        {"rack": None},
        {"rack": ["x"]},
        {"": "x"},
        {"_rack": "x"},
        {"1rack": "x"},
        {"ra-ck": "x"},
        {"rack\n": "x"},
        {"r\u00e4ck": "x"},
        {"r" * (MAX_LABEL_NAME + 1): "x"},
        {"rack": "x" * (MAX_TEXT + 1)},
        {f"rack{number}": "" for number in range(33)},
        {"x" * 10_000: "x"},
    ],
    ids=lambda labels: json.dumps(labels)[:40],
)
def test_own_labels_out_of_their_bounds_are_invalid(labels: Any) -> None:
    assert reason_of(own_labels, labels) is Reason.INVALID_FIELD


@pytest.mark.parametrize("name", sorted(RESERVED_LABELS))
def test_own_label_that_the_exporter_sets_is_reserved(name: str) -> None:
    assert reason_of(own_labels, {"rack": "7", name: "x"}) is Reason.RESERVED_NAME


# ---- sections ------------------------------------------------------------------------------------


def test_section_has_its_texts_columns_and_absent_cells() -> None:
    labels = {"chip": ["a", "a"], "sensor": ["t1", "t2"]}
    found = section("temperatures", labels=labels, values=["celsius", "max"], absent=[1, 3])
    assert found == SectionLayout(
        "temperatures",
        ("chip", "sensor"),
        (("a", "a"), ("t1", "t2")),
        ("celsius", "max"),
        2,
        (1, 3),
    )
    assert (found.count, found.items) == (2, 16 + 2 + 2 + 2)


def test_section_without_labels_has_one_row() -> None:
    found = section("system", values=["load1"])
    assert (found.labels, found.texts, found.rows, found.count) == ((), (), 1, 1)


def test_labels_in_bytes_are_those_of_an_exposition_with_each_column() -> None:
    # Two rows of `cpu` with one character each; \u00e9 has two bytes.
    texts = {"cpu": ["0", "\u00e9"]}
    assert section("cpu", labels=texts).label_bytes == 2 * len("cpu") + 3
    assert section("cpu", labels=texts, values=["user", "idle"]).label_bytes == 2 * 9


def labels_of(name: str, rows: int = 1) -> dict[str, list[str]]:
    """Return label columns of a section of the schema."""
    kind = SECTIONS[name]
    names = kind.__struct_fields__[: kind.label_columns]
    return {label: [f"{label}{row}" for row in range(rows)] for label in names}


@pytest.mark.parametrize("name", SECTIONS)
def test_section_of_the_schema_has_the_label_columns_of_the_schema(name: str) -> None:
    labels = labels_of(name)
    values = SECTIONS[name].__struct_fields__[len(labels) :]
    assert section(name, labels=labels, values=values).columns == values
    assert refusal(name, labels=labels | {"more": ["x"]}) is Reason.INVALID_FIELD
    if labels:
        assert refusal(name) is Reason.INVALID_FIELD
        assert refusal(name, labels={"x": ["0"]}) is Reason.INVALID_FIELD
    if len(labels) > 1:
        reverse = dict(reversed(labels.items()))
        assert refusal(name, labels=reverse) is Reason.INVALID_FIELD


@pytest.mark.parametrize("name", SECTIONS)
def test_record_has_one_row_and_a_table_several(name: str) -> None:
    labels = labels_of(name, 2)
    if not issubclass(SECTIONS[name], Record):
        assert section(name, labels=labels).rows == 2
    elif labels:
        assert refusal(name, labels=labels) is Reason.REPEATED_ROW


@pytest.mark.parametrize("name", [name for name in MAPS if name != "gauges"])
def test_map_has_free_names_and_no_labels(name: str) -> None:
    longest = "x" * MAX_COLUMN_NAME
    values = ["Active_anon", "1x", longest]
    assert section(name, values=values).columns == tuple(values)
    assert refusal(name, labels={"x": ["0"]}, values=["a"]) is Reason.INVALID_FIELD
    for invalid in (f"{longest}x", "", "_x", "a-b", "a\n", "\u00e9"):
        assert refusal(name, values=[invalid]) is Reason.INVALID_FIELD


def test_columns_and_fields_of_a_newer_agent_are_accepted() -> None:
    found = section("system", values=["load1", "load60"], unit="s", colours={"a": [1]})
    assert found.columns == ("load1", "load60")


def test_section_of_a_newer_agent_is_counted() -> None:
    found = section("zfs_2", labels={"pool": ["a", "b"]}, values=["reads", "writes"], absent=[3])
    assert (found.type, found.rows, found.count) == (None, 2, 3)


@pytest.mark.parametrize(
    "layout",
    [
        {"labels": []},
        {"labels": None},
        {"labels": {"cpu": "0"}},
        {"labels": {"cpu": [0]}},
        {"labels": {"cpu": [None]}},
        {"labels": {"cpu": [["0"]]}},
        {"labels": {"cpu": []}},
        {"labels": {"cpu": ["x" * (MAX_TEXT + 1)]}},
        {"values": "user"},
        {"values": None},
        {"values": [1]},
        {"values": [None]},
        {"values": ["us er"]},
        {"values": [""]},
        {"values": ["x" * (MAX_COLUMN_NAME + 1)]},
        {"absent": 0},
        {"absent": None},
        {"absent": ["0"]},
        {"absent": [True]},
        {"absent": [0.0]},
        {"absent": [1e308]},
        {"absent": [[0]]},
        {"absent": [-1]},
        {"absent": [4]},
        {"absent": [10**30]},
        {"absent": [0, 0]},
        {"absent": [1, 0]},
        {"absent": [0, 2, 1, 3]},
        {"type": ""},
        {"type": 5},
        {"help": 5},
    ],
    ids=lambda layout: json.dumps(layout)[:40],
)
def test_section_with_a_wrong_type_or_out_of_its_bounds_is_invalid(layout: dict[str, Any]) -> None:
    whole = {"labels": {"cpu": ["0", "1"]}, "values": ["user", "idle"]}
    section("cpu", **whole, absent=[0, 1, 2, 3])
    assert refusal("cpu", **whole | layout) is Reason.INVALID_FIELD


@pytest.mark.parametrize("value", [b"5", b"null", b"[]", b'"x"', b"true", b"1e308"])
@pytest.mark.parametrize("name", [b"cpu", b"x", b"meminfo"])
def test_section_that_is_no_object_is_invalid(name: bytes, value: bytes) -> None:
    assert reason_of(read_section, b'"%b":%b' % (name, value)) is Reason.INVALID_FIELD


@pytest.mark.parametrize("name", ["", "a b", "a-b", "a.b", "\u202e", "\x7f", "a\u2028", "x" * 201])
def test_section_with_an_invalid_name_is_invalid(name: str) -> None:
    raw = f'"{name}":{{}}'.encode()
    assert reason_of(read_section, raw) is Reason.INVALID_FIELD


def test_longest_text_has_255_characters_of_any_length() -> None:
    text = "\U0001f99c" * MAX_TEXT
    assert section("cpu", labels={"cpu": [text]}).texts == ((text,),)


def test_label_columns_of_different_lengths_are_refused() -> None:
    labels = {"chip": ["a", "b"], "sensor": ["t1"]}
    assert refusal("fans", labels=labels) is Reason.UNEQUAL_COLUMNS
    assert refusal("x", type="gauge", labels=labels) is Reason.UNEQUAL_COLUMNS
    assert refusal("x", labels=labels) is Reason.UNEQUAL_COLUMNS


def test_keys_of_the_schema_or_else_all_labels_identify_a_row() -> None:
    assert refusal("cpu", labels={"cpu": ["0", "1", "0"]}) is Reason.REPEATED_ROW
    # `chip_name` describes the row and is no key.
    assert (
        refusal("sensor_chips", labels={"chip": ["a", "a"], "chip_name": ["b", "c"]})
        is Reason.REPEATED_ROW
    )
    texts = {"chip": ["a", "a"], "sensor": ["b", "b"], "label": ["c", "d"]}
    assert refusal("sensor_labels", labels=texts) is Reason.REPEATED_ROW
    assert section("sensor_labels", labels=texts | {"sensor": ["b", "c"]}).rows == 2
    labels = {"a": ["1", "1"], "b": ["2", "3"]}
    assert section("x", type="gauge", labels=labels).rows == 2
    assert refusal("x", type="gauge", labels=labels | {"b": ["2", "2"]}) is Reason.REPEATED_ROW


@pytest.mark.parametrize("name", ["system", "meminfo", "x", "x_*"])
def test_column_that_is_named_twice_is_refused(name: str) -> None:
    kind = {"type": "gauge"} if "*" in name else {}
    assert refusal(name, values=["load1", "load5", "load1"], **kind) is Reason.REPEATED_ROW


# ---- open families -------------------------------------------------------------------------------


def test_name_of_an_open_family_without_a_star_is_its_column() -> None:
    found = section("x" * MAX_FAMILY_NAME, type="gauge", help="Some.")
    assert (found.columns, found.count, found.helps) == (("x" * MAX_FAMILY_NAME,), 1, ("Some.",))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("*", ("a", "b_1")),
        ("x_*", ("x_a", "x_b_1")),
        ("*_x", ("a_x", "b_1_x")),
        ("x_*_y", ("x_a_y", "x_b_1_y")),
        ("_*", ("_a", "_b_1")),
    ],
)
def test_values_stand_for_the_star_of_a_name(name: str, expected: tuple[str, ...]) -> None:
    found = section(name, type="counter", values=["a", "b_1"])
    assert (found.columns, found.type, found.count) == (expected, "counter", 2)
    assert section(name, type="counter").count == 0


def test_help_is_one_text_for_each_value_or_none() -> None:
    values = ["a", "b"]
    several = {"type": "gauge", "values": values}
    assert section("x_*", **several, help=["A.", "B."]).helps == ("A.", "B.")
    assert section("x_*", **several, help=["A.", ""]).helps == ("A.", "")
    assert section("x_*", **several).helps == ()
    longest = "\u00e9" * MAX_TEXT
    assert section("x", type="gauge", help=longest).helps == (longest,)
    for helps in ("A.", ["A."], ["A.", "B.", "C."], ["A.", "B\n"], ["A.", f"{longest}x"], [1, 2]):
        assert refusal("x_*", **several, help=helps) is Reason.INVALID_FIELD


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("x", {"values": ["a"]}),
        ("1x", {}),
        ("x" * (MAX_FAMILY_NAME + 1), {}),
        ("x_*", {"values": ["a-b"]}),
        ("x_*", {"values": ["a:b"]}),
        ("x_*", {"values": ["a*"]}),
        ("x_*", {"values": ["a\n"]}),
        ("x_*_*", {"values": ["a"]}),
        ("*", {"values": ["1a"]}),
        ("*", {"values": [""]}),
        ("x_*", {"values": ["x" * MAX_FAMILY_NAME]}),
        ("x", {"labels": {"_a": ["1"]}}),
        ("x", {"labels": {"a-b": ["1"]}}),
        ("x", {"labels": {"": ["1"]}}),
        ("x", {"labels": {"a" * (MAX_LABEL_NAME + 1): ["1"]}}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_open_family_with_an_invalid_name_is_invalid(name: str, layout: dict[str, Any]) -> None:
    assert refusal(name, type="gauge", **layout) is Reason.INVALID_FIELD


def taken() -> list[str]:
    names = [*RESERVED_FAMILIES, *(f"{prefix}x" for prefix in RESERVED_FAMILY_PREFIXES)]
    return [*names, *SECTIONS, *MAPS, "labels"]


@pytest.mark.parametrize("name", taken())
def test_open_family_with_a_name_that_is_taken_is_refused(name: str) -> None:
    assert refusal("*", type="gauge", values=["fine", name]) is Reason.RESERVED_NAME
    assert refusal(f"{name[0]}*", type="counter", values=[name[1:]]) is Reason.RESERVED_NAME
    if name != "labels":  # this member of a layout has the owner's labels
        assert refusal(name, type="gauge") is Reason.RESERVED_NAME


@pytest.mark.parametrize("name", sorted(RESERVED_FAMILY_LABELS))
def test_label_that_prometheus_sets_is_refused(name: str) -> None:
    assert refusal("x", type="gauge", labels={name: ["a"]}) is Reason.RESERVED_NAME


def test_most_label_columns_are_accepted_and_one_more_is_not() -> None:
    labels = {f"x{number}": ["a"] for number in range(MAX_LABEL_COLUMNS)}
    assert len(section("x", type="gauge", labels=labels).labels) == MAX_LABEL_COLUMNS
    assert refusal("x", type="gauge", labels=labels | {"more": ["a"]}) is Reason.TOO_LARGE


# ---- any JSON ------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)

LAYOUTS = st.fixed_dictionaries(
    {},
    optional={
        "labels": VALUES
        | st.dictionaries(
            st.sampled_from(["cpu", "device", "x"]), st.lists(st.text(max_size=1), max_size=3)
        ),
        "values": VALUES | st.lists(st.sampled_from(["user", "idle", "a", "a b"]), max_size=3),
        "absent": VALUES | st.lists(st.integers(-1, 9), max_size=4),
        "type": VALUES | st.sampled_from(["gauge", "counter"]),
        "help": VALUES,
    },
)


@given(st.sampled_from(["cpu", "system", "info", "meminfo", "x", "x_*", "*", "zfs"]), LAYOUTS)
def test_any_section_is_read_with_consistent_sizes_or_refused(
    name: str, layout: dict[str, Any]
) -> None:
    try:
        found = section(name, **layout)
    except DecodeError:
        return
    assert found.count == len(found.columns) * found.rows - len(found.absent) >= 0
    assert all(len(texts) == found.rows for texts in found.texts)
    assert len({*found.columns}) == len(found.columns)
    assert len(found.helps) in (0, len(found.columns))
    assert len(member(name, **layout)) < MAX_INFLATED_BYTES
