"""The collectors, as the agent runs them."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from pombo_agent.collecting.collection import (
    NO_DATA_SECONDS,
    Collection,
    collection_deadlines,
    mount_deadlines,
    usages_by,
)
from pombo_agent.collecting.collector import Collect
from pombo_agent.collecting.deadlines import Caller, Deadlines
from pombo_agent.collecting.sources import NoDataError, Sources, Usage
from pombo_agent.collecting.tables import Cell, families, family, numbers, record, table
from pombo_agent.wakeup import EventWaiter
from pombo_cli.logs import LimitedLogger
from pombo_wire.section import Section

Warnings = list[tuple[str, dict[str, Any]]]
Make = Callable[..., Collection]
PATIENT = Deadlines(30, 60, 60)


def system(_: Sources) -> list[Section]:
    return record("system", {"load1": 0.5})


def odd(sources: Sources) -> list[Section]:
    sources.skips.add("value", b"N/A", "/proc/x", 2)
    sources.skips.add("line", b"cut", "/proc/y")
    return numbers("vmstat", {"pgfault": 1})


def rows(*devices: str) -> Collect:
    found: list[tuple[Cell, ...]] = [(device, 1) for device in devices]
    return lambda _: family("node_x", "gauge", "Text.", ("device",), found)


@pytest.fixture
def collection(this_machine: Sources, log: LimitedLogger) -> Make:
    def make(
        collectors: dict[str, Collect],
        deadlines: Deadlines = PATIENT,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> Collection:
        caller: Caller[Any] = Caller(EventWaiter(), deadlines)
        return Collection(collectors, this_machine, caller, log, clock)

    return make


def outcomes(sections: list[Section]) -> dict[str, dict[str, float | None]]:
    """Return the columns of the section ``collectors`` by collector."""
    (section,) = [each for each in sections if each.name == "collectors"]
    columns = section.columns.items()
    names = section.labels["collector"]
    return {name: {c: cells[at] for c, cells in columns} for at, name in enumerate(names)}


def test_collector_that_hangs_is_absent_until_it_has_returned(
    collection: Make, warnings: Warnings
) -> None:
    release, returned = threading.Event(), threading.Event()

    def hang(_: Sources) -> list[Section]:
        if not release.is_set():
            assert release.wait(60)
            returned.set()
        return record("memory", {"total": 5})

    runs = collection({"hwmon": hang, "loadavg": system}, Deadlines(0.05, 0.3, 0.3))
    for _ in range(2):
        found = runs.sections()
        assert [section.name for section in found] == ["system", "collectors"]
        assert outcomes(found)["hwmon"] == {"seconds": None, "success": 0}
        assert outcomes(found)["loadavg"]["success"] == 1
    assert warnings == [("collector has not returned", {"collector": "hwmon"})] * 2
    release.set()
    assert returned.wait(60)
    for _ in range(100_000):
        found = runs.sections()
        if "memory" in [section.name for section in found]:
            assert outcomes(found)["hwmon"]["success"] == 1
            return
    raise AssertionError("waited for the collector to be run again")


def test_collectors_without_a_thread_are_absent_and_logged_in_one_line(
    this_machine: Sources, log: LimitedLogger, warnings: Warnings
) -> None:
    def refuse(_: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    caller: Caller[Any] = Caller(EventWaiter(), PATIENT, start=refuse)
    collectors = {"loadavg": system, "vmstat": odd}
    found = Collection(collectors, this_machine, caller, log).sections()
    assert [section.name for section in found] == ["collectors"]
    assert {row["success"] for row in outcomes(found).values()} == {0}
    assert warnings == [("no time or thread left for collectors", {"collectors": "loadavg vmstat"})]


def test_skipped_items_are_counted_and_logged_by_kind(collection: Make, warnings: Warnings) -> None:
    runs = collection({"vmstat": odd, "loadavg": system})
    for count in (3, 6):
        found = outcomes(runs.sections())
        assert {name: row["skipped"] for name, row in found.items()} == {
            "vmstat": count,
            "loadavg": 0,
        }
    assert warnings[:2] == [
        (
            "collector skipped an item",
            {"collector": "vmstat", "kind": "value", "item": "N/A", "file": "/proc/x"},
        ),
        (
            "collector skipped an item",
            {"collector": "vmstat", "kind": "line", "item": "cut", "file": "/proc/y"},
        ),
    ]


def test_report_has_no_count_while_nothing_was_skipped(collection: Make) -> None:
    assert "skipped" not in outcomes(collection({"loadavg": system}).sections())["loadavg"]


def test_collector_without_data_is_run_again_after_a_minute(collection: Make) -> None:
    times = []
    now = [0.0]

    def absent(_: Sources) -> list[Section]:
        times.append(now[0])
        raise NoDataError("none")

    runs = collection({"dmi": absent}, clock=lambda: now[0])
    for seconds in (0, 5, NO_DATA_SECONDS - 1, NO_DATA_SECONDS, NO_DATA_SECONDS + 5):
        now[0] = seconds
        assert outcomes(runs.sections())["dmi"] == {"seconds": 0, "success": 0}
    assert times == [0, NO_DATA_SECONDS]


def test_collector_that_fails_has_taken_time_however_fast_it_was(
    collection: Make, warnings: Warnings
) -> None:
    def fail(_: Sources) -> list[Section]:
        raise ValueError("wrong")

    found = outcomes(collection({"dmi": fail}).sections())["dmi"]
    assert found["success"] == 0
    assert found["seconds"] is not None
    assert found["seconds"] > 0
    assert len(warnings) == 1


def test_family_belongs_to_one_collector(collection: Make, warnings: Warnings) -> None:
    found = collection({"one": rows("a"), "two": rows("a", "b"), "loadavg": system}).sections()
    assert [section.labels for section in found if section.name == "node_x"] == [{"device": ("a",)}]
    ((message, fields),) = warnings
    assert (message, fields["collector"]) == ("collector failed", "two")


def test_table_that_is_returned_twice_is_a_mistake(collection: Make, warnings: Warnings) -> None:
    def twice(_: Sources) -> list[Section]:
        return table("disks", [{"device": "a"}]) + table("disks", [{"device": "a"}])

    found = collection({"diskstats": twice, "loadavg": system}).sections()
    assert [section.name for section in found] == ["system", "collectors"]
    assert outcomes(found)["diskstats"]["success"] == 0
    assert [fields["collector"] for _, fields in warnings] == ["diskstats"]


def test_mount_without_an_answer_has_a_reason() -> None:
    release = threading.Event()

    def usage(path: str) -> Usage:
        if path == "/nfs":
            assert release.wait(60)
        if path == "/denied":
            raise PermissionError(path)
        return {"size": 1}

    caller: Caller[Usage] = Caller(EventWaiter(), Deadlines(0.05, 0.3, 0.3))
    usages = usages_by(caller, usage)
    found, faults = usages(["/", "/nfs", "/denied", "/data"])
    assert found == {"/": {"size": 1}, "/data": {"size": 1}}
    assert {path: type(error) for path, error in faults.items()} == {
        "/nfs": TimeoutError,
        "/denied": PermissionError,
    }
    release.set()


@pytest.mark.parametrize("interval", [0.1, 1, 5, 60, 3600])
def test_deadlines_are_a_fraction_of_the_interval_and_bounded(interval: float) -> None:
    whole, mounts = collection_deadlines(interval), mount_deadlines(interval)
    assert 0 < whole.call < whole.round <= 2
    assert whole.round < whole.longest <= max(0.9 * interval, 0.7) or interval < 1.5
    assert 0 < mounts.call <= mounts.round < whole.round
    assert mounts.longest == mounts.round
    assert whole.round <= max(interval / 2, 0.1)


def test_family_of_another_collector_is_left_out(collection: Make, warnings: Warnings) -> None:
    def several(_: Sources) -> list[Section]:
        helps = {"a": "A.", "b": "B."}
        return families("node_x_*", "gauge", helps, ("d",), [{"d": "1", "a": 1, "b": 2}])

    def others(_: Sources) -> list[Section]:
        helps = {"x_b": "B.", "y": "Y.", "vmstat_pgfault": "Faults."}
        return [
            *families("node_*", "gauge", helps, (), [{"x_b": 3, "y": 4, "vmstat_pgfault": 5}]),
            *family("node_x_a", "gauge", "A.", (), [(6,)]),
        ]

    def faults(_: Sources) -> list[Section]:
        return numbers("vmstat", {"pgfault": 7})

    runs = collection({"one": several, "two": faults, "three": others})
    for _ in range(2):
        found = runs.sections()
        assert [section.name for section in found] == ["node_x_*", "vmstat", "node_*", "collectors"]
        assert found[2].values == ("y",)
        assert found[2].cells == [4]
        assert found[2].help == ("Y.",)
    assert [fields["error"] for _, fields in warnings[:3]] == [
        "node_x_b belongs to the collector one",
        "node_vmstat_pgfault belongs to the collector two",
        "node_x_a belongs to the collector one",
    ]
