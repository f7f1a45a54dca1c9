"""Reports of whatever the collectors say, numbered within the session."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pombo_agent.collectors import Collector, NoDataError, Sources
from pombo_agent.report import Reporter, standing_parts
from pombo_cli.logs import LimitedLogger
from pombo_wire import Disks, Memory, Part, Report, System, decode

HEADER = Report("pi", session=7, seq=0, interval=5)

Make = Callable[..., Reporter]
Warnings = list[tuple[str, dict[str, Any]]]


def memory(_: Sources) -> list[Part]:
    return [("memory", Memory(total=1000))]


def system(_: Sources) -> list[Part]:
    return [("system", System(load1=0.5))]


def clock(_: Sources) -> list[Part]:
    return [("system", System(time=1.5)), ("memory", Memory(free=400))]


def lacking(_: Sources) -> list[Part]:
    raise NoDataError("no such device")


def disks(_: Sources) -> list[Part]:
    names = tuple(f"disk{number}" for number in range(200))
    return [("disks", Disks(names, reads=(123456789,) * 200))]


def broken(_: Sources) -> list[Part]:
    raise ValueError("unreadable")


def forbidden(_: Sources) -> list[Part]:
    return [("memory", Memory(total=-1))]


def nameless(_: Sources) -> list[Part]:
    return [("disks", Disks(("x" * 256,), reads=(1,)))]


@pytest.fixture
def reporter(this_machine: Sources, log: LimitedLogger) -> Make:
    def make(
        collectors: Mapping[str, Collector], labels: Mapping[str, str] | None = None
    ) -> Reporter:
        return Reporter(HEADER, standing_parts(labels or {}), collectors, this_machine, log)

    return make


def test_report_says_who_when_and_what(reporter: Make) -> None:
    (datagram,) = reporter({"meminfo": memory, "system": system}, {"rack": "7"}).datagrams()
    report = decode(datagram)
    assert (report.host, report.session, report.seq, report.interval) == ("pi", 7, 0, 5)
    assert report.time
    assert report.monotonic
    assert report.labels == {"rack": "7"}
    assert report.info
    assert report.info.agent == "pombo-agent 0.1.0"
    assert report.memory == Memory(total=1000)
    assert report.system == System(load1=0.5)


def test_every_datagram_has_the_next_number_of_the_session(reporter: Make) -> None:
    reporting = reporter({"diskstats": disks})
    datagrams = [*reporting.datagrams(), *reporting.datagrams(), *reporting.farewell()]
    assert [decode(datagram).seq for datagram in datagrams] == list(range(len(datagrams)))
    assert len(datagrams) > 9


def test_farewell_says_so_three_times_and_nothing_else(reporter: Make) -> None:
    farewell = [decode(datagram) for datagram in reporter({"meminfo": memory}).farewell()]
    assert farewell == [Report("pi", session=7, seq=seq, interval=5, bye=True) for seq in range(3)]


@pytest.mark.parametrize("culprit", [broken, forbidden, nameless])
def test_failing_collector_costs_its_own_section_alone(
    culprit: Collector, reporter: Make, warnings: Warnings
) -> None:
    (datagram,) = reporter({"culprit": culprit, "system": system}).datagrams()
    report = decode(datagram)
    assert report.system == System(load1=0.5)
    assert report.memory is None
    assert report.disks is None
    assert [fields["collector"] for _, fields in warnings] == ["culprit"]


def test_collectors_of_the_same_record_make_one(reporter: Make) -> None:
    collectors = {"meminfo": memory, "loadavg": system, "time": clock}
    (datagram,) = reporter(collectors).datagrams()
    report = decode(datagram)
    assert report.system == System(load1=0.5, time=1.5)
    assert report.memory == Memory(total=1000, free=400)


def test_report_says_how_each_collector_fared(reporter: Make, warnings: Warnings) -> None:
    collectors = {"meminfo": memory, "culprit": broken, "dmi": lacking}
    (datagram,) = reporter(collectors).datagrams()
    fared = decode(datagram).collectors
    assert fared
    assert (fared.collector, fared.success) == (("meminfo", "culprit", "dmi"), (1, 0, 0))
    assert fared.seconds
    assert all(seconds >= 0 for seconds in fared.seconds)
    assert [fields["collector"] for _, fields in warnings] == ["culprit"], (
        "only failures are logged"
    )


def test_host_with_nothing_to_say_still_reports(reporter: Make) -> None:
    (datagram,) = reporter({"culprit": broken}).datagrams()
    assert decode(datagram).host == "pi"
