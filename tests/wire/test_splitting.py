"""Splitting: each datagram is valid and within the limits, and together they are the report."""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pombo_wire import (
    MAPS,
    MAX_DATAGRAM_BYTES,
    SECTIONS,
    Cpu,
    Memory,
    Report,
    Swap,
    encode,
    split,
)
from pombo_wire.columns import ORDER
from pombo_wire.forms import packed, plain
from pombo_wire.limits import MAX_LAYOUT_ITEMS, MAX_PARTS, MAX_SECTIONS
from pombo_wire.packing import pack
from pombo_wire.reading import Datagram, read
from pombo_wire.section import Section, in_order
from pombo_wire.splitting import TARGET_BYTES, Form, Splitter
from support.datagrams import sections_in

HEADER: dict[str, Any] = {
    "host": "web-17.fra.example.net",
    "session": 1_763_953_012_345_678_901,
    "seq": 41_234,
    "time": 1_763_953_112.345,
    "monotonic": 345_678.123456,
    "interval": 5.0,
}

#: A number of usual length, and one of the longest of float64.
TYPICAL, LONGEST = 812_345.67, 2.2250738585072014e-308

MAKE: dict[Form, Callable[..., bytes]] = {Form.PACKED: packed, Form.JSON: plain}

BOTH = pytest.mark.parametrize("form", Form)

Cells = dict[tuple[str, tuple[str, ...], str], float | None]


def numbers(count: int, value: float) -> list[float | None]:
    """Return numbers of the size of ``value`` that have little in common."""
    random = Random(count)
    return [round(value * random.uniform(1, 2), 2) or value for _ in range(count)]


def table(name: str, *texts: Sequence[str], value: float) -> Section:
    """Return a table with every column, whose numbers differ."""
    fields, count = SECTIONS[name].__struct_fields__, SECTIONS[name].label_columns
    labels = dict(zip(fields[:count], map(tuple, texts), strict=True))
    values = fields[count:]
    return Section(name, labels, values, numbers(len(values) * len(texts[0]), value))


def cores(count: int, value: float) -> Section:
    return table("cpu", [str(number) for number in range(count)], value=value)


def disks(count: int, name: str, value: float) -> Section:
    return table("disks", [f"{name}{number}" for number in range(count)], value=value)


def interfaces(count: int, name: str, value: float) -> Section:
    return table("networks", [f"{name}{number}" for number in range(count)], value=value)


def mounts(count: int, name: str, value: float) -> Section:
    points = [f"{name}/{number}" for number in range(count)]
    devices = [f"/dev/mapper/vg-{number}" for number in range(count)]
    return table("filesystems", points, devices, ["ext4"] * count, value=value)


def named(name: str, count: int, value: float) -> Section:
    names = tuple(f"{'n' * (number % 50 + 1)}{number}" for number in range(count))
    return Section(name, {}, names, numbers(count, value))


def families(count: int) -> list[Section]:
    return [Section(f"jobs{n}_total", {}, (), [n], type="counter") for n in range(count)]


def record(name: str, **values: float | None) -> Section:
    return Section(name, {}, tuple(values), list(values.values()))


def cells(sections: Iterable[Section]) -> Cells:
    """Return the numbers of sections by section, texts of the row, and column."""
    found: Cells = {}
    for section in sections:
        texts = [*zip(*section.labels.values(), strict=True)] or [()]
        if not section.cells:
            found |= {(section.name, row, ""): None for row in texts}
        for at, cell in enumerate(section.cells):
            if at in section.absent:
                continue
            column, row = divmod(at, len(texts))
            name = section.values[column] if section.values else section.name
            found[section.name, texts[row], name] = cell
    return found


def received(datagrams: Iterable[bytes], limit: int = MAX_DATAGRAM_BYTES) -> list[Datagram]:
    """Check the bounds of datagrams, and return what they say."""
    found = []
    for datagram in datagrams:
        assert len(datagram) <= limit
        found.append(read(datagram))
        sections = sections_in(found[-1])
        assert len(sections) <= MAX_SECTIONS
        assert sum(section.items for section in sections) <= MAX_LAYOUT_ITEMS
    return found


def all_cells(datagrams: Iterable[Datagram]) -> Cells:
    """Return the numbers of all datagrams, of which no two have the same cell."""
    found: Cells = {}
    for section in chain.from_iterable(map(sections_in, datagrams)):
        its = cells([section])
        if section.labels and not section.values:
            its = dict.fromkeys(its)
        assert not its.keys() & found.keys()
        found |= its
    return found


def sent(
    sections: list[Section], form: Form, header: dict[str, Any] = HEADER, reserve: int = 0
) -> list[Datagram]:
    """Check the datagrams of a report where nothing is omitted, and return what they say."""
    datagrams, omitted = Splitter(form, reserve).datagrams(header, sections)
    assert omitted == []
    found = received(datagrams, MAX_DATAGRAM_BYTES - reserve)
    for part, datagram in enumerate(found):
        its = datagram.header
        assert (its.part, its.parts, its.plan) == (part, len(found), 0)
        assert its.seq == header["seq"] + part
        for name in header.keys() - {"seq"}:
            assert getattr(its, name) == header[name]
    assert all_cells(found) == cells(sections)
    return found


@BOTH
@pytest.mark.parametrize(
    "section",
    [
        *[cores(count, TYPICAL) for count in (1, 8, 64, 256)],
        mounts(100, "/srv/data", TYPICAL),
        interfaces(100, "veth", TYPICAL),
        disks(60, "sd", TYPICAL),
        *[named(name, 200, LONGEST) for name in MAPS if name != "gauges"],
        *[cores(count, LONGEST) for count in (1, 8, 64, 120)],
        mounts(50, "/" + "x" * 240, LONGEST),
        mounts(50, "/" + "\U0001f426" * 100, LONGEST),
        mounts(50, "/" + "\x01" * 60, LONGEST),
        interfaces(50, "x" * 250, LONGEST),
        disks(50, "\\" * 120, LONGEST),
    ],
    ids=lambda section: f"{section.name}-{len(section.cells)}",
)
def test_section_of_any_size_is_cut_between_its_rows(section: Section, form: Form) -> None:
    sent([section], form)


def test_report_that_fits_is_one_datagram_even_beyond_the_target() -> None:
    sections = [named("meminfo", 30, TYPICAL)]
    while len(packed(HEADER, sections)) <= TARGET_BYTES:
        sections[0] = named("meminfo", len(sections[0].values) + 1, TYPICAL)
    assert len(sent(sections, Form.PACKED)) == 1


@BOTH
def test_datagrams_of_a_split_report_are_cut_to_the_target(form: Form) -> None:
    sections = [cores(64, TYPICAL), interfaces(40, "eth", TYPICAL), named("netstat", 30, TYPICAL)]
    datagrams, _ = Splitter(form).datagrams(HEADER, sections)
    assert len(datagrams) > 3
    assert max(map(len, datagrams)) <= TARGET_BYTES
    assert min(map(len, datagrams[:-1])) > TARGET_BYTES / 2


@BOTH
def test_reserve_is_left_free(form: Form) -> None:
    datagrams, _ = Splitter(form, 100).datagrams(HEADER, [cores(64, TYPICAL)])
    assert max(map(len, datagrams)) <= TARGET_BYTES - 100
    sent([cores(4, TYPICAL)], form, reserve=400)


def test_sections_are_in_the_order_of_the_wire() -> None:
    sections = [
        *families(2)[::-1],
        named("vmstat", 3, 1),
        record("system", load1=1.0),
        cores(2, 1.0),
        Section("labels", {"rack": ("7",)}, (), ()),
    ]
    (datagram,) = sent(sections, Form.PACKED)
    names = [section.name for section in sections_in(datagram)]
    assert names == ["labels", "cpu", "system", "vmstat", "jobs0_total", "jobs1_total"]
    assert [name for name in ORDER if name in names] == names[:4]


@BOTH
def test_record_is_not_cut_and_neither_is_a_map_that_fits_a_datagram(form: Form) -> None:
    memory = record("memory", **dict.fromkeys(Memory.__struct_fields__, LONGEST))
    sections = [cores(40, TYPICAL), memory, named("netstat", 12, TYPICAL)]
    found = sent(sections, form)
    assert len(found) > 1
    names = [section.name for datagram in found for section in sections_in(datagram)]
    assert (names.count("memory"), names.count("netstat")) == (1, 1)


@BOTH
def test_sections_are_split_where_a_datagram_has_its_most_sections(form: Form) -> None:
    assert len(sent(families(MAX_SECTIONS + 1), form)) > 1


def test_rows_are_split_where_a_datagram_has_its_most_rows() -> None:
    devices = [str(number) for number in range(MAX_LAYOUT_ITEMS)]
    zeros = Section("arp", {"device": tuple(devices)}, ("entries",), [0] * len(devices))
    assert len(packed(HEADER, [zeros])) > MAX_DATAGRAM_BYTES
    same = Section("queue_length", {"queue": ("",) * 1100}, (), [0] * 1100, type="gauge")
    assert len(packed(HEADER, [same])) < MAX_DATAGRAM_BYTES / 2
    datagrams, _ = Splitter().datagrams(HEADER, [same])
    assert len(datagrams) == 2
    sent([zeros], Form.PACKED)


def test_rows_are_split_where_a_datagram_has_its_most_bytes_inflated() -> None:
    queues = tuple(f"{'x' * 240}{number}" for number in range(100))
    same = Section("queue_length", {"queue": queues}, (), [0] * 100, type="gauge")
    assert len(packed(HEADER, [same])) < TARGET_BYTES
    assert len(sent([same], Form.PACKED)) == 2


def plans(reports: Iterable[list[Section]], splitter: Splitter) -> list[tuple[int, int]]:
    """Return the number of the plan and of the datagrams of each report."""
    found = []
    for sections in reports:
        datagrams, omitted = splitter.datagrams(HEADER, sections)
        assert omitted == []
        its = received(datagrams)
        assert {(one.header.plan, one.header.parts) for one in its} == {
            (its[0].header.plan, len(its))
        }
        assert all_cells(its) == cells(sections)
        found.append((its[0].header.plan, len(its)))
    return found


def rows_by_datagram(datagrams: Iterable[bytes]) -> list[set[Any]]:
    return [{*cells(sections_in(datagram))} for datagram in received(datagrams)]


@BOTH
def test_plan_is_kept_while_numbers_grow_and_made_again_when_a_datagram_is_too_long(
    form: Form,
) -> None:
    splitter = Splitter(form)
    values = [10.0**n for n in range(15)]
    reports = [[cores(24, value), interfaces(10, "eth", value)] for value in values]
    found = plans(reports, splitter)
    numbers = [plan for plan, _ in found]
    assert numbers == sorted(numbers)
    assert numbers[0] == numbers[1] == 0
    assert 0 < numbers[-1] < 5
    counts = [count for _, count in found]
    assert counts == sorted(counts)
    for before, after in pairwise(found):
        assert (before == after) or before[0] + 1 == after[0]


@BOTH
def test_kept_plan_has_the_same_rows_in_each_datagram(form: Form) -> None:
    splitter = Splitter(form)
    one, _ = splitter.datagrams(HEADER, [cores(48, TYPICAL)])
    two, _ = splitter.datagrams(HEADER, [cores(48, 12 * TYPICAL)])
    assert len(one) > 1
    assert rows_by_datagram(one) == rows_by_datagram(two)


@BOTH
def test_other_rows_have_the_next_plan(form: Form) -> None:
    splitter = Splitter(form)
    reports = [[cores(count, TYPICAL)] for count in (40, 41, 41, 40)]
    assert [plan for plan, _ in plans(reports, splitter)] == [0, 1, 1, 2]


@BOTH
def test_report_of_one_datagram_keeps_the_number_of_its_plan(form: Form) -> None:
    splitter = Splitter(form)
    reports = [[cores(count, TYPICAL)] for count in (1, 2, 80, 2, 1)]
    found = plans(reports, splitter)
    assert [plan for plan, _ in found] == [0, 0, 1, 2, 2]
    assert [count > 1 for _, count in found] == [False, False, True, False, False]


def layouts(reports: Iterable[list[Section]], form: Form = Form.PACKED) -> list[list[Section]]:
    """Return the sections of reports that take one datagram each."""
    splitter = Splitter(form)
    found = []
    for sections in reports:
        datagrams, _ = splitter.datagrams(HEADER, sections)
        (datagram,) = received(datagrams)
        found.append(sections_in(datagram))
    return found


def disk(*values: float | None, names: tuple[str, ...] = ("reads",)) -> Section:
    devices = tuple(f"sd{n}" for n in range(len(values) // len(names)))
    return Section("disks", {"device": devices}, names, values)


def test_cell_that_had_a_value_is_null_and_one_that_never_had_is_absent() -> None:
    found = layouts([[disk(1, None, 3)], [disk(None, None, 4)], [disk(2, None, 5)]])
    assert [section.absent for (section,) in found] == [(1,)] * 3
    assert [[*section.cells] for (section,) in found] == [
        [1, None, 3],
        [None, None, 4],
        [2, None, 5],
    ]


def test_cell_that_gets_a_value_is_no_longer_absent() -> None:
    found = layouts([[disk(1, None)], [disk(1, 2)], [disk(1, None)]])
    assert [section.absent for (section,) in found] == [(1,), (), ()]


def test_other_rows_forget_which_cells_had_values() -> None:
    found = layouts([[disk(1, 2)], [disk(1, None, 3)]])
    assert found[1][0].absent == (1,)


def test_column_that_is_lacking_now_is_null() -> None:
    both = disk(1, 2, 3, 4, names=("read_bytes", "reads"))
    found = layouts([[both], [disk(5, 6)], [disk(7, 8, names=("writes",))], [both]])
    assert [section.values for (section,) in found] == [
        ("read_bytes", "reads"),
        ("read_bytes", "reads"),
        ("read_bytes", "reads", "writes"),
        ("read_bytes", "reads", "writes"),
    ]
    assert [[*section.cells] for (section,) in found] == [
        [1, 2, 3, 4],
        [None, None, 5, 6],
        [None, None, None, None, 7, 8],
        [1, 2, 3, 4, None, None],
    ]


def test_new_column_keeps_the_absent_cells_of_the_others() -> None:
    one = disk(1, None, names=("reads",))
    two = disk(1, None, 5, None, names=("reads", "writes"))
    found = layouts([[one], [two]])
    assert found[1][0].absent == (1, 3)


def test_value_of_a_map_that_is_lacking_now_is_null_in_both_forms() -> None:
    for form in Form:
        found = layouts([[record("vmstat", a=1, b=2)], [record("vmstat", b=3)]], form)
        assert found[1] == [Section("vmstat", {}, ("a", "b"), [None, 3])]


def test_section_that_was_lacking_has_the_same_layout_again() -> None:
    swap = record("vmstat", a=1)
    found = layouts([[disk(1, 2), swap], [swap], [disk(3, None), swap]])
    assert found[2][0].absent == ()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@BOTH
def test_number_that_json_lacks_is_unknown(value: float, form: Form) -> None:
    (found,) = layouts([[record("vmstat", a=value, b=2)]], form)
    assert found == [Section("vmstat", {}, ("a", "b"), [None, 2])]


@BOTH
def test_report_without_sections_is_one_datagram_with_the_header(form: Form) -> None:
    assert len(sent([], form)) == 1


def test_section_without_numbers_is_sent() -> None:
    sent([Section("time_zone", {"time_zone": ("CET",)}, (), ())], Form.PACKED)


def random_text(length: int, seed: int = 0) -> str:
    """Return a text of three bytes a character, which deflate makes little shorter."""
    return "".join(map(chr, Random(seed).choices(range(0x4E00, 0x9E00), k=length)))


def mounts_at(*points: str, device: str = "", fstype: str = "ext4") -> Section:
    count = len(points)
    labels = {"mountpoint": points, "device": (device,) * count, "fstype": (fstype,) * count}
    return Section("filesystems", labels, ("size",), numbers(count, TYPICAL))


@BOTH
def test_row_that_fits_no_datagram_is_omitted_and_named(form: Form) -> None:
    long = mounts_at(random_text(255), device=random_text(255, 1), fstype=random_text(255, 2))
    labels = {name: ("/", *texts, "/srv") for name, texts in long.labels.items()}
    section = long._replace(labels=labels, cells=[1, 2, 3])
    datagrams, omitted = Splitter(form).datagrams(HEADER, [section, cores(1, 1)])
    assert [line.partition(":")[0] for line in omitted] == ["filesystems"]
    found = all_cells(map(read, datagrams))
    points = {row[0] for name, row, _ in found if name == "filesystems"}
    assert points == {"/", "/srv"}
    assert all_cells(map(read, datagrams)).keys() > cells([cores(1, 1)]).keys()


@BOTH
def test_value_that_fits_no_datagram_is_omitted_and_the_rest_is_sent(form: Form) -> None:
    labels = Section("labels", {f"l{n}": (random_text(99, n),) for n in range(9)}, (), ())
    datagrams, omitted = Splitter(form).datagrams(HEADER, [labels, cores(1, 1.0)])
    assert [line.partition(":")[0] for line in omitted] == ["labels"]
    assert all_cells(map(read, datagrams)) == cells([cores(1, 1.0)])


@BOTH
def test_row_beyond_the_target_that_fits_the_limit_is_a_datagram_of_its_own(form: Form) -> None:
    point, device = random_text(150), random_text(100, 1)
    while len(MAKE[form](HEADER, [mounts_at(point, device=device)])) <= TARGET_BYTES + 30:
        device += random_text(1, len(device))
    section = mounts_at("/", point, "/srv", device=device)
    found = sent([section, cores(24, TYPICAL)], form)
    rows = [[row[0] for _, row, _ in cells(sections_in(one))] for one in found]
    assert [point] in rows


@BOTH
def test_header_that_fits_no_datagram_sends_nothing_and_is_named(form: Form) -> None:
    datagrams, omitted = Splitter(form).datagrams({"host": "\x01" * 255}, [cores(1, 1.0)])
    assert datagrams == []
    assert [line.partition(":")[0] for line in omitted] == ["header"]


def test_report_of_too_many_datagrams_is_cut_off_and_that_is_named() -> None:
    datagrams, omitted = Splitter(Form.JSON).datagrams(HEADER, [cores(700, LONGEST)])
    assert len(datagrams) == MAX_PARTS
    assert len(omitted) == 1
    assert f"a report has {MAX_PARTS}" in omitted[0]
    received(datagrams)


CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
NAMES = st.lists(st.text(CHARACTERS, max_size=12), min_size=1, max_size=40, unique=True)
NUMBERS = st.floats(0, 1e300)


@st.composite
def any_sections(draw: st.DrawFn) -> list[Section]:
    cpus, devices = draw(NAMES), draw(NAMES)
    sections = [
        table("cpu", cpus, value=draw(NUMBERS)),
        table("networks", devices, value=draw(NUMBERS)),
        record("memory", total=draw(NUMBERS)),
        record("vmstat", oom_kill=draw(NUMBERS)),
        Section("jobs_total", {"queue": tuple(devices)}, (), [1] * len(devices), type="counter"),
    ]
    return draw(st.permutations(sections))


@given(any_sections(), st.sampled_from(Form), st.integers(0, 200))
def test_any_report_splits_into_valid_datagrams(
    sections: list[Section], form: Form, reserve: int
) -> None:
    sent(sections, form, reserve=reserve)


@BOTH
def test_report_in_code_splits_into_reports_that_fit_a_datagram(form: Form) -> None:
    header = Report("pi", session=7, seq=3, time=1.5, interval=5)
    names = tuple(str(number) for number in range(48))
    cpu = Cpu(names, user=tuple(TYPICAL + n for n in range(48)), idle=(1.5,) * 48)
    reports, omitted = split(header, [("cpu", cpu), ("swap", Swap(total=3.0))], form)
    assert omitted == []
    assert [report.seq for report in reports] == [3 + part for part in range(len(reports))]
    assert [report.part for report in reports] == [*range(len(reports))]
    datagrams = [(pack if form is Form.PACKED else encode)(report) for report in reports]
    found = all_cells(received(datagrams))
    assert found["cpu", ("7",), "user"] == TYPICAL + 7
    assert found["swap", (), "total"] == 3
    assert len(found) == 97


def test_reports_without_a_session_have_no_parts() -> None:
    counts = {f"name{number}": TYPICAL + number for number in range(99)}
    reports, _ = split(Report("pi"), [("netstat", counts)], Form.JSON)
    assert len(reports) > 1
    assert {(report.part, report.parts, report.plan) for report in reports} == {(0, None, 0)}
    received(map(encode, reports))


def test_long_sections_follow_all_others() -> None:
    cores = tuple(map(str, range(129)))
    sections = [
        Section("cpu", {"cpu": cores}, ("user",), [1] * 129),
        Section("node_x", {"y": (*cores, "129")}, (), [1] * 130, type="gauge"),
        Section("softnet", {"cpu": cores}, ("processed",), [1] * 129),
        Section("disks", {"device": cores[:128]}, ("reads",), [1] * 128),
        Section("node_a", {}, (), [1], type="gauge"),
        Section("vmstat", {}, tuple(f"a{number}" for number in range(200)), [1] * 200),
        Section("system", {}, ("load1",), [1]),
    ]
    names = [section.name for section in in_order(sections)]
    assert names == ["disks", "system", "vmstat", "node_a", "cpu", "softnet", "node_x"]
