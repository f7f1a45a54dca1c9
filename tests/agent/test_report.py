"""Reports of what collectors return, numbered within the session."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pombo_agent import __version__
from pombo_agent.collecting.collection import Collection
from pombo_agent.collecting.collector import Collect
from pombo_agent.collecting.deadlines import Caller, Deadlines
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Row, numbers, record, table
from pombo_agent.report import Reporter, constant_sections
from pombo_agent.wakeup import EventWaiter
from pombo_cli.logs import LimitedLogger
from pombo_wire.reading import Datagram, read
from pombo_wire.section import Section
from pombo_wire.splitting import Form, Splitter
from support.datagrams import sections_in

HEADER = {"host": "pi", "session": 7, "seq": 0, "interval": 5}

Make = Callable[..., Reporter]
Warnings = list[tuple[str, dict[str, Any]]]


def memory(_: Sources) -> list[Section]:
    return record("memory", {"total": 1000})


def system(_: Sources) -> list[Section]:
    return record("system", {"load1": 0.5})


def clock(_: Sources) -> list[Section]:
    return record("system", {"time": 1.5, "load1": 0.75}) + record("memory", {"free": 400})


def no_data(_: Sources) -> list[Section]:
    raise NoDataError("no such device")


def disks(_: Sources) -> list[Section]:
    rows: list[Row] = [
        {"device": f"disk{number * number}", "reads": 123456789 * number} for number in range(400)
    ]
    return table("disks", rows)


def broken(_: Sources) -> list[Section]:
    raise ValueError("unreadable")


def negative(_: Sources) -> list[Section]:
    return record("memory", {"total": -1, "free": 5})


def missing(_: Sources) -> list[Section]:
    raise FileNotFoundError("no such file")


def nameless(_: Sources) -> list[Section]:
    return [Section("disks", {"device": ("x" * 256,)}, ("reads",), [1])]


def infinite(_: Sources) -> list[Section]:
    return numbers("vmstat", {"pgpgin": float("inf"), "pgpgout": float("nan"), "pgfault": 3})


@pytest.fixture(params=Form)
def reporter(request: pytest.FixtureRequest, this_machine: Sources, log: LimitedLogger) -> Make:
    def make(
        collectors: Mapping[str, Collect], labels: Mapping[str, str] | None = None
    ) -> Reporter:
        caller: Caller[Any] = Caller(EventWaiter(), Deadlines(30, 60, 60))
        collection = Collection(collectors, this_machine, caller, log)
        constant = constant_sections(labels or {})
        return Reporter(HEADER, constant, collection, Splitter(request.param), log)

    return make


def only(datagrams: list[bytes]) -> tuple[Datagram, dict[str, dict[str, Any]]]:
    """Return the only datagram, and its sections by name: their texts and numbers by column."""
    (datagram,) = map(read, datagrams)
    return datagram, {
        section.name: {**section.labels, **{n: tuple(c) for n, c in section.columns.items()}}
        for section in sections_in(datagram)
    }


def test_report_has_host_time_labels_and_sections(reporter: Make) -> None:
    reporting = reporter({"meminfo": memory, "system": system}, {"rack": "7"})
    datagram, found = only(reporting.next_report())
    header = datagram.header
    assert (header.host, header.session, header.seq, header.interval) == ("pi", 7, 0, 5)
    assert (header.part, header.parts, header.plan) == (0, 1, 0)
    assert header.time
    assert header.monotonic
    assert found["labels"] == {"rack": ("7",)}
    assert found["info"]["agent"] == (f"pombo-agent {__version__}",)
    assert found["memory"] == {"total": (1000,)}
    assert found["system"] == {"load1": (0.5,)}


def test_every_datagram_has_the_next_number_of_the_session(reporter: Make) -> None:
    reporting = reporter({"diskstats": disks})
    reports = [reporting.next_report(), reporting.next_report()]
    headers = [read(datagram).header for each in (*reports, reporting.byes()) for datagram in each]
    assert [header.seq for header in headers] == [*range(len(headers))]
    assert len(reports[0]) > 2
    for number, report in enumerate(reports):
        first = headers[number * len(report) :]
        assert [header.part for header in first[: len(report)]] == [*range(len(report))]
        assert {header.parts for header in first[: len(report)]} == {len(report)}


def test_bye_is_three_datagrams_without_sections(reporter: Make) -> None:
    byes = [*map(read, reporter({"meminfo": memory}).byes())]
    assert [bye.header.seq for bye in byes] == [0, 1, 2]
    assert all(bye.header.bye for bye in byes)
    assert {(bye.layout, bye.numbers) for bye in byes} == {(b"{}", b"")}


def test_byes_to_one_of_several_servers_use_no_number_of_the_others(reporter: Make) -> None:
    reporting = reporter({"meminfo": memory})
    reporting.next_report()
    byes = [*map(read, reporting.byes_to_one())]
    assert [bye.header.seq for bye in byes] == [1, 2, 3]
    assert all(bye.header.bye for bye in byes)
    assert [read(each).header.seq for each in reporting.next_report()] == [1]


@pytest.mark.parametrize("faulty", [broken, nameless])
def test_failing_collector_costs_its_own_section_alone(
    faulty: Collect, reporter: Make, warnings: Warnings
) -> None:
    _, found = only(reporter({"faulty": faulty, "system": system}).next_report())
    assert found.keys() == {"info", "system", "collectors", "process", "build"}
    assert found["system"] == {"load1": (0.5,)}
    assert [fields["collector"] for _, fields in warnings] == ["faulty"]


def test_number_that_json_lacks_costs_its_own_value_alone(
    reporter: Make, warnings: Warnings
) -> None:
    _, found = only(reporter({"vmstat": infinite}).next_report())
    assert found["vmstat"] == {"pgpgin": (None,), "pgpgout": (None,), "pgfault": (3,)}
    assert warnings == []


def test_value_that_its_column_cannot_have_costs_itself_alone(
    reporter: Make, warnings: Warnings
) -> None:
    _, found = only(reporter({"meminfo": negative}).next_report())
    assert found["memory"]["free"] == (5,)
    assert found["memory"].get("total", (None,)) == (None,)
    assert found["collectors"]["success"] == (1,)
    ((message, fields),) = warnings
    assert message == "collector skipped an item"
    assert (fields["collector"], fields["kind"]) == ("meminfo", "value")


@pytest.mark.parametrize("absent", [no_data, missing])
def test_collector_without_data_is_not_run_again_at_once(
    absent: Collect, reporter: Make, warnings: Warnings
) -> None:
    runs = []

    def collect(sources: Sources) -> list[Section]:
        runs.append(sources)
        return absent(sources)

    reporting = reporter({"dmi": collect, "system": system})
    for _ in range(3):
        _, found = only(reporting.next_report())
        assert found["collectors"]["success"] == (0, 1)
    assert len(runs) == 1
    assert warnings == []


def test_collector_keeps_what_it_has_kept(reporter: Make) -> None:
    def count(sources: Sources) -> list[Section]:
        sources.kept["runs"] = sources.kept.get("runs", 0) + 1
        return record("system", {"forks": sources.kept["runs"]})

    def other(sources: Sources) -> list[Section]:
        return record("system", {"interrupts": len(sources.kept)})

    reporting = reporter({"stat": count, "other": other})
    reports = [only(reporting.next_report())[1]["system"] for _ in range(2)]
    assert reports == [{"forks": (1,), "interrupts": (0,)}, {"forks": (2,), "interrupts": (0,)}]


def test_records_of_one_section_are_merged(reporter: Make) -> None:
    collectors = {"meminfo": memory, "loadavg": system, "time": clock}
    _, found = only(reporter(collectors).next_report())
    assert found["system"] == {"time": (1.5,), "load1": (0.75,)}
    assert found["memory"] == {"total": (1000,), "free": (400,)}


def test_report_has_duration_and_success_of_each_collector(
    reporter: Make, warnings: Warnings
) -> None:
    collectors = {"meminfo": memory, "faulty": broken, "dmi": no_data}
    _, found = only(reporter(collectors).next_report())
    outcomes = found["collectors"]
    assert outcomes["collector"] == ("meminfo", "faulty", "dmi")
    assert outcomes["success"] == (1, 0, 0)
    assert all(seconds >= 0 for seconds in outcomes["seconds"])
    assert all(round(seconds, 4) == seconds for seconds in outcomes["seconds"])
    assert [fields["collector"] for _, fields in warnings] == ["faulty"], "only failures are logged"


def test_layout_of_a_steady_host_stays_the_same(reporter: Make) -> None:
    reporting = reporter({"meminfo": memory, "system": system, "diskstats": disks}, {"rack": "7"})
    one, two = ([read(each).layout for each in reporting.next_report()] for _ in range(2))
    assert one == two


def test_section_that_fits_no_datagram_is_omitted_and_logged(
    reporter: Make, warnings: Warnings
) -> None:
    labels = {f"label_{number}": chr(0x4E00 + 97 * number) * 255 for number in range(30)}
    _, found = only(reporter({"system": system}, labels).next_report())
    assert found.keys() == {"info", "system", "collectors", "process", "build"}
    ((message, fields),) = warnings
    assert message == "omitted from report: too large"
    assert fields["detail"].startswith("labels: ")


def test_report_without_data_is_still_sent(reporter: Make) -> None:
    datagram, _ = only(reporter({"faulty": broken}).next_report())
    assert datagram.header.host == "pi"
