"""Sections without what the exporter would refuse."""

import pytest
from pombo_agent.collecting.reading import Skips
from pombo_agent.collecting.repair import valid
from pombo_wire.section import Section


@pytest.fixture
def skips() -> Skips:
    return Skips()


def test_valid_section_is_not_changed(skips: Skips) -> None:
    section = Section("disks", {"device": ("a", "b")}, ("reads",), [1, None])
    assert valid(section, skips) is section
    assert skips.count == 0


def test_of_rows_with_the_same_keys_the_first_is_kept(skips: Skips) -> None:
    labels = {"mountpoint": ("/", "/", "/"), "device": ("a", "a", "b"), "fstype": ("x", "x", "x")}
    section = Section("filesystems", labels, ("size", "free"), [1, 2, 3, 4, 5, 6])
    kept = {"mountpoint": ("/", "/"), "device": ("a", "b"), "fstype": ("x", "x")}
    assert valid(section, skips) == Section("filesystems", kept, ("size", "free"), [1, 3, 4, 6])
    assert skips.examples == {"row": ("named twice: / a x", "filesystems")}


def test_row_is_identified_by_its_keys_and_not_by_its_other_texts(skips: Skips) -> None:
    section = Section("sensor_chips", {"chip": ("a", "a"), "chip_name": ("x", "y")}, (), ())
    assert valid(section, skips).labels == {"chip": ("a",), "chip_name": ("x",)}


def test_every_label_of_an_open_family_identifies_its_row(skips: Skips) -> None:
    labels = {"a": ("1", "1", "1"), "b": ("x", "y", "x")}
    section = Section("node_x", labels, (), [1, 2, 3], type="gauge", help="Text.")
    found = valid(section, skips)
    assert (found.labels, [*found.cells]) == ({"a": ("1", "1"), "b": ("x", "y")}, [1, 2])


def test_negative_number_is_unknown_where_the_column_has_none(skips: Skips) -> None:
    section = Section("interfaces", {"device": ("a", "b")}, ("mtu", "speed"), [-1, 2, -3, 4])
    assert [*valid(section, skips).cells] == [None, 2, -3, 4]
    assert skips.examples == {"value": ("not a number of this column: -1", "interfaces mtu")}
    for kind in ("gauge", "untyped", "histogram", "summary"):
        assert valid(Section("node_x", {}, (), [-1], type=kind), skips).cells == [-1]
    assert valid(Section("node_x", {}, (), [-1], type="counter"), skips).cells == [None]
    several = Section("node_*", {"a": ("1", "2")}, ("x", "y"), [1, -2, -3, 4], type="counter")
    assert valid(several, skips).cells == [1, None, None, 4]


def test_column_with_an_invalid_name_is_dropped(skips: Skips) -> None:
    section = Section("vmstat", {}, ("a b", "ok", "", "x" * 65, "-c"), [1, 2, 3, 4, 5])
    assert valid(section, skips) == Section("vmstat", {}, ("ok",), [2])
    assert skips.count == 4
    helps = ("1", "2")
    family = Section("node_*", {"a": ("b",)}, ("é", "c"), [1, 2], type="gauge", help=helps)
    assert valid(family, skips)._replace(cells=()) == family._replace(
        values=("c",), help=("2",), cells=()
    )


def test_mistake_of_a_collector_is_an_error(skips: Skips) -> None:
    with pytest.raises(ValueError, match="disks"):
        valid(Section("disks", {"device": ("a",)}, ("reads",), [1, 2]), skips)
