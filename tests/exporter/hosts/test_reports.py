"""Reports in their slots: parts, plans, datagrams without parts, rates, limits."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pombo_exporter.hosts.host import Host
from pombo_exporter.hosts.limits import AdmissionError, Limits
from pombo_exporter.hosts.slots import cells_of
from pombo_wire import (
    Cpu,
    DecodeError,
    DiskInfo,
    Disks,
    Filesystems,
    Info,
    Memory,
    OpenFamily,
    Report,
    Swap,
    System,
)
from support.builders import Agent, Exporter, disks

#: A cell: its section, the row's key and the column.
Cell = tuple[str, Any, str]


def cells(host: Host) -> dict[Cell, float]:
    """Return the known cells that a host shows; none may be there twice."""
    found: dict[Cell, float] = {}
    for cell, value in _cells(host):
        assert cell not in found
        if not np.isnan(value):
            found[cell] = value
    return found


def _cells(host: Host) -> Iterator[tuple[Cell, float]]:
    for slot in host.shown():
        for section, start in zip(slot.sections, slot.arrangement.starts, strict=True):
            values = cells_of(section, slot.numbers, start)
            for column, numbers in zip(section.columns, values.tolist(), strict=True):
                for key, number in zip(section.keys(), numbers, strict=True):
                    yield (section.name, key, column), number


def values(host: Host, section: str, column: str) -> dict[Any, float]:
    """Return a column of a section by the keys of its rows."""
    return {
        key: value
        for (name, key, of), value in cells(host).items()
        if (name, of) == (section, column)
    }


def refusal(exporter: Exporter, report: Report) -> str:
    """Return the reason for which a report is refused; nothing that is stored changes."""
    before = exporter.roster.booked_bytes, exporter.roster.layouts.count
    with pytest.raises((DecodeError, AdmissionError)) as caught:
        exporter.take(report)
    assert str(caught.value).isprintable()
    assert (exporter.roster.booked_bytes, exporter.roster.layouts.count) == before
    return str(caught.value.reason)  # type: ignore[attr-defined]  # both have it


def part(number: int, parts: int = 2, plan: int = 0) -> dict[str, int]:
    return {"part": number, "parts": parts, "plan": plan}


# --- the parts of a report ---


def test_report_of_one_datagram_replaces_the_one_before() -> None:
    agent = Agent()
    agent.send(**part(0, 1), cpu=Cpu(("0", "1"), user=(1.0, 2.0)), memory=Memory(total=8))
    agent.send(**part(0, 1), cpu=Cpu(("0",), user=(3.0,)))
    assert cells(agent.exporter.host()) == {("cpu", "0", "user"): 3}


def test_parts_of_a_report_stand_side_by_side() -> None:
    agent = Agent()
    agent.send(**part(0), cpu=Cpu(("0", "1"), user=(1.0, 2.0)))
    agent.send(**part(1), cpu=Cpu(("2",), user=(3.0,)), memory=Memory(total=8))
    assert values(agent.exporter.host(), "cpu", "user") == {"0": 1, "1": 2, "2": 3}
    agent.send(**part(1), cpu=Cpu(("2",), user=(4.0,)), memory=Memory(total=9))
    assert values(agent.exporter.host(), "cpu", "user") == {"0": 1, "1": 2, "2": 4}
    assert values(agent.exporter.host(), "memory", "total") == {(): 9}


def test_first_parts_of_a_host_are_shown_before_the_others_arrive() -> None:
    agent = Agent()
    agent.send(**part(1, 3), memory=Memory(total=8))
    assert cells(agent.exporter.host()) == {("memory", (), "total"): 8}


def test_new_plan_is_shown_when_all_its_parts_are_there() -> None:
    agent = Agent()
    agent.send(**part(0), disks=disks(sda=1.0, sdb=2.0))
    agent.send(**part(1), disks=disks(sdc=3.0))
    agent.exporter.wait(5)
    agent.send(**part(0, 3, plan=1), disks=disks(sda=11.0))
    agent.send(**part(2, 3, plan=1), disks=disks(sdc=13.0))
    assert values(agent.exporter.host(), "disks", "read_bytes") == {"sda": 1, "sdb": 2, "sdc": 3}
    agent.send(**part(1, 3, plan=1), disks=disks(sdb=12.0))
    assert values(agent.exporter.host(), "disks", "read_bytes") == {"sda": 11, "sdb": 12, "sdc": 13}


def test_plan_whose_parts_never_all_arrive_is_shown_when_the_one_before_expires() -> None:
    agent = Agent()
    agent.send(**part(0, 1), memory=Memory(total=8))
    for _ in range(4):
        agent.exporter.wait(5)
        agent.send(**part(0, 2, plan=1), memory=Memory(total=9))
    assert values(agent.exporter.host(), "memory", "total") == {(): 9}


def test_third_plan_replaces_an_incomplete_second_one() -> None:
    agent = Agent()
    agent.send(**part(0, 1), memory=Memory(total=1))
    agent.send(**part(0, 2, plan=1), memory=Memory(total=2))
    agent.send(**part(0, 2, plan=2), memory=Memory(total=3))
    agent.send(**part(1, 2, plan=2), system=System(load1=1.0))
    assert values(agent.exporter.host(), "memory", "total") == {(): 3}
    assert agent.exporter.host().pending == []


def test_late_datagram_of_an_earlier_plan_changes_nothing() -> None:
    agent = Agent()
    late = agent.report(**part(0, 1), memory=Memory(total=1))
    agent.send(**part(0, 2, plan=1), memory=Memory(total=2))
    agent.send(**part(1, 2, plan=1), system=System(load1=1.0))
    shown = cells(agent.exporter.host())
    agent.exporter.take(late)
    assert cells(agent.exporter.host()) == shown
    assert agent.exporter.host().sequence.reordered == 1


def test_late_datagram_of_the_same_plan_changes_nothing() -> None:
    agent = Agent()
    agent.send(**part(0, 1), memory=Memory(total=1))
    late = agent.report(**part(0, 1), memory=Memory(total=2))
    agent.send(**part(0, 1), memory=Memory(total=3))
    agent.exporter.take(late)
    assert cells(agent.exporter.host()) == {("memory", (), "total"): 3}
    assert agent.exporter.host().sequence.reordered == 1


def test_part_that_is_lost_three_times_expires_alone() -> None:
    agent = Agent()
    agent.send(**part(0), memory=Memory(total=1))
    agent.send(**part(1), system=System(load1=1.0))
    for _ in range(3):
        agent.exporter.wait(5)
        agent.send(**part(0), memory=Memory(total=2))
    assert cells(agent.exporter.host()) == {("memory", (), "total"): 2}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"disks": disks(sda=1.0, sdb=1.0)}, {"disks": disks(sdb=1.0, sdc=1.0)}),
        ({"disks": disks(sda=1.0)}, {"disks": Disks(("sdb",), reads=(1.0,))}),  # other columns
        ({"memory": Memory(total=1)}, {"memory": Memory(free=1)}),
        ({"meminfo": {"MemTotal_bytes": 1.0}}, {"memory": Memory(total=1)}),
        (
            {"swap": Swap(total=1)},
            {"meminfo": {"MemFree_bytes": 1.0}},
        ),
        ({"meminfo": {"a": 1.0, "b": 1.0}}, {"meminfo": {"b": 1.0}}),
        ({"gauges": {"x": 1.0}}, {"families": {"x": OpenFamily("gauge", values=(1.0,))}}),
        (
            {"gauges": {"x_y": 1.0}},
            {"families": {"x_*": OpenFamily("gauge", columns={"y": (1.0,)})}},
        ),
        (
            {"families": {"x": OpenFamily("gauge", labels={"a": ("1",)}, values=(1.0,))}},
            {"families": {"x": OpenFamily("gauge", labels={"b": ("1",)}, values=(1.0,))}},
        ),
        ({"meminfo": {"x": 1.0}}, {"gauges": {"node_memory_x": 1.0}}),
    ],
)
def test_no_two_parts_of_a_report_have_the_same_series(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    agent = Agent()
    agent.send(**part(0), **first)
    shown = cells(agent.exporter.host())
    reason = refusal(agent.exporter, agent.report(**part(1), **second))
    assert reason in {"repeated_row", "invalid_field"}
    assert cells(agent.exporter.host()) == shown


def test_maps_and_open_families_may_be_divided() -> None:
    agent = Agent()
    one = OpenFamily("gauge", labels={"a": ("1",)}, values=(1.0,))
    two = OpenFamily("gauge", labels={"a": ("2",)}, values=(2.0,))
    agent.send(**part(0), meminfo={"a": 1.0}, families={"x": one})
    agent.send(**part(1), meminfo={"b": 2.0}, families={"x": two})
    assert cells(agent.exporter.host()) == {
        ("meminfo", (), "a"): 1,
        ("meminfo", (), "b"): 2,
        ("x", "1", "x"): 1,
        ("x", "2", "x"): 2,
    }


# --- rates ---


def rate(host: Host, device: str) -> float | None:
    """Return the bytes read a second of a disk, None where no rate can be derived."""
    for slot in host.shown():
        for section, start, first in zip(
            slot.sections, slot.arrangement.starts, slot.arrangement.rate_starts, strict=True
        ):
            if (
                section.name == "disks"
                and device in {*section.keys()}
                and slot.previous is not None
            ):
                row = [*section.keys()].index(device)
                now = cells_of(section, slot.numbers, start)[section.columns.index("read_bytes")]
                before = np.frombuffer(slot.previous)[first + row]
                found = float((now[row] - before) / slot.elapsed)
                return None if np.isnan(found) else found
    return None


def test_rate_continues_when_a_row_appears_or_disappears() -> None:
    agent = Agent()
    host = agent.exporter.host
    agent.send(**part(0, 1), disks=disks(sda=100.0, sdb=200.0))
    agent.exporter.wait(5)
    agent.send(**part(0, 1), disks=disks(sdc=1.0, sdb=250.0, sda=150.0))
    assert [rate(host(), name) for name in ("sda", "sdb", "sdc")] == [10, 10, None]
    agent.exporter.wait(5)
    agent.send(**part(0, 1), disks=disks(sda=250.0, sdc=51.0))
    assert [rate(host(), name) for name in ("sda", "sdb", "sdc")] == [20, None, 10]


def test_rate_continues_when_rows_move_to_another_part() -> None:
    agent = Agent()
    agent.send(**part(0, 1), disks=disks(sda=100.0, sdb=200.0))
    agent.exporter.wait(5)
    agent.send(**part(0, 2, plan=1), disks=disks(sda=150.0))
    agent.seq -= 1  # the parts of a report have one time
    second = agent.report(**part(1, 2, plan=1), disks=disks(sdb=300.0))
    agent.seq += 1
    agent.exporter.take(Report(**{**fields(second), "seq": agent.seq - 1}))
    assert [rate(agent.exporter.host(), name) for name in ("sda", "sdb")] == [10, 20]


def fields(report: Report) -> dict[str, Any]:
    return {name: getattr(report, name) for name in report.__struct_fields__}


def test_new_session_and_missing_clock_have_no_rate() -> None:
    exporter = Exporter()
    for session, seq, monotonic in ((1, 0, 5.0), (2, 0, 15.0), (2, 1, None), (2, 2, 25.0)):
        exporter.wait(8 if seq == 0 else 0)  # until another session may take the name
        exporter.take(
            Report(
                "pi", session=session, seq=seq, monotonic=monotonic, parts=1, interval=5.0,
                disks=disks(sda=seq + 1.0),
            )
        )  # fmt: skip
        exporter.wait(5)
        assert rate(exporter.host(), "sda") is None


def test_row_with_an_absent_or_unknown_value_has_no_rate_and_costs_no_other_row() -> None:
    agent = Agent()
    for first, second in ((1.0, None), (2.0, 3.0), (None, 4.0)):
        agent.send(**part(0, 1), disks=Disks(("sda", "sdb"), read_bytes=(first, second)))
        agent.exporter.wait(5)
    assert [rate(agent.exporter.host(), name) for name in ("sda", "sdb")] == [None, 0.2]


# --- datagrams without parts ---


def test_section_without_parts_replaces_the_one_of_its_name() -> None:
    exporter = Exporter()
    exporter.take(Report("pi", gauges={"a": 1.0, "b": 2.0}, disks=disks(sda=1.0, sdb=1.0)))
    exporter.take(Report("pi", gauges={"b": 3.0, "c": 4.0}, disks=disks(sdc=5.0)))
    assert cells(exporter.host()) == {
        ("a", (), "a"): 1,
        ("b", (), "b"): 3,
        ("c", (), "c"): 4,
        ("disks", "sdc", "read_bytes"): 5,
    }


def test_each_section_without_parts_lives_by_its_own_interval() -> None:
    exporter = Exporter()
    exporter.take(Report("pi", interval=100.0, gauges={"slow": 1.0}))
    exporter.take(Report("pi", interval=1.0, gauges={"fast": 1.0}))
    exporter.take(Report("pi", interval=100.0, gauges={"other": 1.0}))
    exporter.wait(3)
    assert {section for section, *_ in cells(exporter.host())} == {"slow", "other"}


def test_script_adds_to_an_agents_report_but_does_not_replace_it() -> None:
    agent = Agent()
    agent.send(**part(0, 1), memory=Memory(total=8), gauges={"queue": 1.0})
    agent.exporter.take(Report("pi", gauges={"room": 21.5}))
    for report in (
        Report("pi", memory=Memory(total=9)),
        Report("pi", gauges={"queue": 2.0}),
        Report("pi", families={"queu*": OpenFamily("gauge", columns={"e": (2.0,)})}),
        Report("pi", meminfo={"MemTotal_bytes": 9.0}),
    ):
        assert refusal(agent.exporter, report) in {"conflict", "repeated_row"}
    assert values(agent.exporter.host(), "memory", "total") == {(): 8}
    assert values(agent.exporter.host(), "room", "room") == {(): 21.5}


def test_agents_report_replaces_what_a_script_sent_before() -> None:
    agent = Agent()
    for name in ("queue", "room", "part_x"):
        agent.exporter.take(Report("pi", gauges={name: 1.0}))
    agent.exporter.take(Report("pi", memory=Memory(total=1)))
    agent.send(
        **part(0, 1),
        meminfo={"MemTotal_bytes": 8.0},
        gauges={"queue": 2.0},
        families={"part_*": OpenFamily("gauge", columns={"x": (2.0,)})},
    )
    assert cells(agent.exporter.host()) == {
        ("room", (), "room"): 1,
        ("queue", (), "queue"): 2,
        ("part_*", (), "part_x"): 2,
        ("meminfo", (), "MemTotal_bytes"): 8,
    }


# --- what is checked, and the limits ---


@pytest.mark.parametrize(
    ("sections", "name"),
    [
        ({"memory": Memory(total=8, free=-1.0)}, "memory.free"),
        ({"disks": Disks(("a", "b"), read_bytes=(1.0, 2.0), reads=(3.0, -4.0))}, "disks.reads"),
        ({"meminfo": {"x": 1.0, "y": -1.0}}, "meminfo.y"),
        ({"families": {"c_total": OpenFamily("counter", values=(-1.0,))}}, "c_total.c_total"),
    ],
)
@pytest.mark.parametrize("header", [{"parts": 1}, {}])
def test_negative_value_is_refused_by_its_name(
    sections: dict[str, Any], name: str, header: dict[str, int]
) -> None:
    agent = Agent()
    with pytest.raises(DecodeError, match=f"`{name}` is negative"):
        agent.send(**header, **sections)


def test_values_that_may_be_negative_are_stored() -> None:
    agent = Agent()
    agent.send(**part(0, 1), gauges={"outside": -3.0}, info=Info("a -1"))
    assert values(agent.exporter.host(), "outside", "outside") == {(): -3}


def exporter_with(**limits: int) -> Exporter:
    return Exporter(Limits(**limits))


def test_limit_of_series_counts_rows_and_columns() -> None:
    agent = Agent(exporter_with(series_per_host=20))
    agent.send(**part(0, 1), disks=disks(a=1.0))
    per_row = agent.exporter.host().series
    rows = 20 // per_row
    names = [f"d{number}" for number in range(rows)]
    agent.send(**part(0, 1), disks=disks(**dict.fromkeys(names, 1.0)))
    report = agent.report(**part(0, 1), disks=disks(**dict.fromkeys([*names, "more"], 1.0)))
    assert refusal(agent.exporter, report) == "series_limit"
    assert len(cells(agent.exporter.host())) == rows


def test_limit_of_items_is_for_a_whole_host() -> None:
    exporter = Exporter()
    most = Limits().items_per_host // 18  # a gauge is a section, a row and a column
    for start in range(0, most, 50):
        names = range(start, min(start + 50, most))
        exporter.take(Report("pi", gauges={f"g{n}": 1.0 for n in names}))
    assert refusal(exporter, Report("pi", gauges={"more": 1.0})) == "section_limit"
    exporter.take(Report("pi", gauges={"g0": 2.0}))
    assert len(cells(exporter.host())) == most


def test_limits_of_a_host_are_for_one_plan() -> None:
    agent = Agent(exporter_with(series_per_host=20, items_per_host=60))
    before, after = ({"gauges": {f"g{n}": 1.0 for n in names}} for names in ((1, 2), (2, 3)))
    agent.send_parts(before, {"gauges": {"x": 1.0}}, plan=1)
    agent.send_parts(after, {"gauges": {"y": 1.0}}, plan=2)
    assert [name for name, *_ in cells(agent.exporter.host())] == ["g2", "g3", "y"]
    report = agent.report(parts=2, plan=3, gauges={f"g{n}": 1.0 for n in range(5)})
    assert refusal(agent.exporter, report) == "section_limit"


def test_limit_of_open_families_counts_different_names() -> None:
    exporter = exporter_with(families=3)
    exporter.take(Report("pi", gauges={"a": 1.0, "b": 1.0}, meminfo={"c": 1.0}))
    exporter.take(Report("other", gauges={"a": 1.0, "b": 1.0}))
    assert refusal(exporter, Report("other", gauges={"d": 1.0})) == "family_limit"
    exporter.take(Report("other", session=1, seq=0, parts=1, gauges={"a": 1.0}))
    assert exporter.roster.layouts.types.keys() == {"a", "b", "node_memory_c"}


def test_limit_of_layouts_counts_different_sections() -> None:
    exporter = exporter_with(layouts=2)
    exporter.take(Report("pi", disks=disks(sda=1.0), memory=Memory(total=1)))
    exporter.take(Report("other", disks=disks(sda=1.0), memory=Memory(total=1)))
    assert refusal(exporter, Report("other", disks=disks(sdb=1.0))) == "layout_limit"


def test_limit_of_bytes_refuses_what_would_exceed_it_and_nothing_else() -> None:
    exporter = exporter_with(bytes=50_000)

    def report(number: int, value: float) -> Report:
        name = f"g{number}"
        return Report(f"host-{number}", gauges={name: value}, labels={"rack": "x" * 200})

    fitting = 0
    while exporter.refuses(report(fitting, 1.0)) is None:
        fitting += 1
    assert exporter.refuses(report(fitting, 1.0)) == "bytes_limit"
    assert exporter.roster.booked_bytes <= 50_000
    assert fitting > 3
    exporter.take(report(0, 5.0))
    assert values(exporter.host("host-0"), "g0", "g0") == {(): 5}


def test_bytes_and_sections_are_free_again_when_hosts_are_gone() -> None:
    agent = Agent(Exporter(Limits(forget_after=10.0)))
    agent.send(**part(0), disks=disks(sda=1.0), disk_info=DiskInfo(*(("x",) for _ in range(8))))
    agent.send(**part(1), filesystems=Filesystems(("/",), ("/dev/sda",), ("ext4",), size=(1.0,)))
    agent.exporter.take(Report("pi", gauges={"room": 1.0}))
    assert agent.exporter.roster.booked_bytes > 1024
    agent.exporter.wait(600)
    assert agent.exporter.roster.hosts == {}
    assert agent.exporter.roster.booked_bytes == 0
    assert agent.exporter.roster.layouts.count == 0
    assert agent.exporter.roster.layouts.types == {}


def test_section_is_stored_once_for_all_hosts() -> None:
    exporter = Exporter()
    for number in range(5):
        report = Report(f"host-{number}", session=1, seq=0, parts=1, cpu=Cpu(("0",), user=(1.0,)))
        exporter.take(report)
    assert exporter.roster.layouts.count == 1
    assert {
        id(slot.sections[0]) for host in exporter.roster.hosts.values() for slot in host.shown()
    } == {id(exporter.host("host-0").shown()[0].sections[0])}
