"""Rows and values to sections."""

import pytest
from pombo_agent.collecting.tables import Cell, Row, families, family, numbers, record, table
from pombo_wire.forms import packed
from pombo_wire.layout import read_section, split_members
from pombo_wire.reading import read
from pombo_wire.section import Section, check
from pombo_wire.splitting import Form, Splitter


def disks(devices: tuple[str, ...], values: tuple[str, ...], *cells: float | None) -> list[Section]:
    return [Section("disks", {"device": devices}, values, [*cells])]


def test_rows_are_one_table() -> None:
    rows: list[Row] = [{"cpu": "0", "user": 1.0}, {"cpu": "1", "user": 2.0}]
    assert table("cpu", rows) == [Section("cpu", {"cpu": ("0", "1")}, ("user",), [1.0, 2.0])]


def test_row_without_a_value_that_another_has_lacks_a_number() -> None:
    rows: list[Row] = [
        {"device": "sda", "reads": 1, "io_seconds": 5},
        {"device": "sdb", "reads": 2, "io_seconds": None, "discards": None},
        {"device": "sdc", "io_seconds": 7},
    ]
    expected = disks(("sda", "sdb", "sdc"), ("reads", "io_seconds"), 1, 2, None, 5, None, 7)
    assert table("disks", rows) == expected


def test_columns_are_in_the_order_of_the_schema() -> None:
    (section,) = table("disks", [{"device": "sda", "writes": 1, "reads": 2, "read_bytes": 3}])
    assert section.values == ("read_bytes", "reads", "writes")


def test_zero_is_a_value() -> None:
    assert table("disks", [{"device": "sda", "reads": 0}]) == disks(("sda",), ("reads",), 0)


def test_no_rows_make_no_table() -> None:
    assert table("disks", []) == []


def test_text_that_the_wire_forbids_is_made_valid() -> None:
    rows: list[Row] = [{"device": "caf\udce9\0", "reads": 1}, {"device": "x" * 300, "reads": 2}]
    (section,) = table("disks", rows)
    texts = ("caf\N{REPLACEMENT CHARACTER}", "x" * 255)
    assert [section] == disks(texts, ("reads",), 1, 2)
    (member,) = split_members(read(packed({"host": "pi"}, [section])).layout)
    assert read_section(member).texts == (texts,)


def test_record_has_its_texts_made_valid_and_no_others() -> None:
    (found,) = record("uname", {"nodename": "pi\0", "release": "x" * 300, "colour": "blue"})
    assert (found.values, [*found.cells]) == ((), [])
    assert found.labels == {
        "sysname": ("",),
        "release": ("x" * 255,),
        "version": ("",),
        "machine": ("",),
        "nodename": ("pi",),
        "domainname": ("",),
    }


def test_record_has_the_values_that_are_known() -> None:
    found = record("system", {"load5": None, "uptime": 0, "load1": 0.5, "colour": 3})
    assert found == [Section("system", {}, ("uptime", "load1"), [0, 0.5])]
    assert record("system", {"load1": None}) == []


def test_numbers_keep_their_names_and_order() -> None:
    assert numbers("vmstat", {"b": 1, "a": 2}) == [Section("vmstat", {}, ("b", "a"), (1, 2))]
    assert numbers("vmstat", {}) == []


def test_rows_of_families_have_their_columns_and_helps() -> None:
    helps = {"reads": "Reads.", "writes": "Writes.", "errors": "Errors."}
    rows: list[Row] = [
        {"device": "a", "writes": 1, "colour": 3},
        {"device": b"b", "writes": 2, "reads": -3},
    ]
    (found,) = families("node_x_*_total", "counter", helps, ("device",), rows)
    assert found == Section(
        "node_x_*_total",
        {"device": ("a", "b")},
        ("reads", "writes"),
        [None, -3, 1, 2],
        type="counter",
        help=("Reads.", "Writes."),
    )
    assert families("node_x_*_total", "counter", helps, ("device",), []) == []
    assert families("node_x_*_total", "counter", helps, ("device",), [{"device": "a"}]) == []


def test_family_has_the_rows_with_a_value() -> None:
    rows: list[tuple[Cell, ...]] = [("0", b"DMA", 1), ("0", "Normal", None), ("1", "Normal", -2)]
    assert family("node_x", "gauge", "Text.", ("node", "zone"), rows) == [
        Section(
            "node_x",
            {"node": ("0", "1"), "zone": ("DMA", "Normal")},
            (),
            (1, -2),
            type="gauge",
            help="Text.",
        )
    ]
    assert family("node_x", "gauge", "Text.", (), [(5,)])[0].cells == (5,)
    assert family("node_x", "gauge", "Text.", ("node",), [("0", None)]) == []


@pytest.mark.parametrize(
    "section",
    [
        Section("disks", {"device": ("x" * 256,)}, ("reads",), [1]),
        Section("disks", {"device": ("\udcff",)}, ("reads",), [1]),
        Section("disks", {"device": ("a", "b")}, ("reads",), [1]),
        Section("disks", {"device": ("a", "a")}, ("reads",), [1, 2]),
        Section("disks", {"device": ("a",)}, ("reads",), [-1]),
        Section("vmstat", {}, ("pgpgin",), [-1]),
        Section("vmstat", {}, ("pg pgin",), [1]),
        Section("vmstat", {}, ("x" * 65,), [1]),
        Section("disks", {"device": ("a",)}, ("reads",), ["1"]),  # type: ignore[list-item]
        Section("disks", {"device": ("a",)}, ("reads",), [True]),
        Section("node_a_*", {"b": ("c", "c")}, ("d",), [1, 2], type="gauge"),
        Section("node_a_*", {"b": ("c",)}, ("d", "e"), [1], type="gauge"),
        Section("node_a_*", {"b": ("c",)}, ("d e",), [1], type="gauge"),
        Section("node_a", {"b": ("c", "d")}, (), [1], type="gauge"),
        Section("node_a", {"b c": ("d",)}, (), [1], type="gauge"),
        Section("node_a", {"instance": ("d",)}, (), [1], type="gauge"),
        Section("node_a", {f"l{n}": ("d",) for n in range(17)}, (), [1], type="gauge"),
        Section("node a", {"b": ("c",)}, (), [1], type="gauge"),
        Section("pombo_a", {"b": ("c",)}, (), [1], type="gauge"),
        Section("up", {}, (), [1], type="gauge"),
        Section("*", {}, ("up",), [1], type="gauge"),
        Section("*_a", {}, ("pombo",), [1], type="gauge"),
    ],
)
def test_section_that_the_exporter_would_refuse_is_an_error(section: Section) -> None:
    with pytest.raises(ValueError):
        check(section)


def test_section_of_valid_texts_and_numbers_is_none() -> None:
    check(Section("disks", {"device": ("x" * 255, "")}, ("reads",), [1, None]))
    check(Section("interfaces", {"device": ("eth0",)}, ("mtu", "speed"), [1500, -125_000]))
    check(Section("vmstat", {}, ("oom_kill",), [float("nan")]))
    check(Section("node_a_*", {"b": ("c",)}, ("d",), [-1], type="gauge"))
    check(Section("node_a", {"b": ("c", "d")}, (), [-1, None], type="gauge"))
    check(Section("node_a_*", {}, ("x" * 150,), [1], type="gauge"))
    check(Section("labels", {"rack": ("7",)}, (), ()))


def test_families_with_more_texts_than_a_datagram_has_room_for_are_sent_all_the_same() -> None:
    helps = {f"statistic_{number}": f"Number {number} of the port." * 3 for number in range(40)}
    rows: list[Row] = [
        {"port": port, **{name: 10**12 + at for at, name in enumerate(helps) if at != skipped}}
        for skipped, port in enumerate("ab")
    ]
    sections = families("node_switch_*_total", "counter", helps, ("port",), rows)
    assert sections[0] == Section(
        "node_switch_statistic_0_total",
        {"port": ("b",)},
        (),
        (10**12,),
        type="counter",
        help=helps["statistic_0"],
    )
    assert [len(section.cells) for section in sections] == [1, 1, *[2] * 38]
    for form in Form:
        assert Splitter(form).datagrams({"host": "pi"}, sections)[1] == []
