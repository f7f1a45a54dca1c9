"""Reports of what collectors return, numbered within the session."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pombo_agent.collectors import Collector, NoDataError, Sources
from pombo_agent.report import Reporter, constant_parts
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


def no_data(_: Sources) -> list[Part]:
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
        return Reporter(HEADER, constant_parts(labels or {}), collectors, this_machine, log)

    return make


def test_report_has_host_time_labels_and_sections(reporter: Make) -> None:
    (datagram,) = reporter({"meminfo": memory, "system": system}, {"rack": "7"}).next_report()
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
    datagrams = [*reporting.next_report(), *reporting.next_report(), *reporting.byes()]
    assert [decode(datagram).seq for datagram in datagrams] == list(range(len(datagrams)))
    assert len(datagrams) > 9


def test_bye_is_three_datagrams_without_sections(reporter: Make) -> None:
    byes = [decode(datagram) for datagram in reporter({"meminfo": memory}).byes()]
    assert byes == [Report("pi", session=7, seq=seq, interval=5, bye=True) for seq in range(3)]


@pytest.mark.parametrize("faulty", [broken, forbidden, nameless])
def test_failing_collector_costs_its_own_section_alone(
    faulty: Collector, reporter: Make, warnings: Warnings
) -> None:
    (datagram,) = reporter({"faulty": faulty, "system": system}).next_report()
    report = decode(datagram)
    assert report.system == System(load1=0.5)
    assert report.memory is None
    assert report.disks is None
    assert [fields["collector"] for _, fields in warnings] == ["faulty"]


def test_records_of_one_section_are_merged(reporter: Make) -> None:
    collectors = {"meminfo": memory, "loadavg": system, "time": clock}
    (datagram,) = reporter(collectors).next_report()
    report = decode(datagram)
    assert report.system == System(load1=0.5, time=1.5)
    assert report.memory == Memory(total=1000, free=400)


def test_report_has_duration_and_success_of_each_collector(
    reporter: Make, warnings: Warnings
) -> None:
    collectors = {"meminfo": memory, "faulty": broken, "dmi": no_data}
    (datagram,) = reporter(collectors).next_report()
    outcomes = decode(datagram).collectors
    assert outcomes
    assert (outcomes.collector, outcomes.success) == (("meminfo", "faulty", "dmi"), (1, 0, 0))
    assert outcomes.seconds
    assert all(seconds >= 0 for seconds in outcomes.seconds)
    assert [fields["collector"] for _, fields in warnings] == ["faulty"], "only failures are logged"


def test_report_without_data_is_still_sent(reporter: Make) -> None:
    (datagram,) = reporter({"faulty": broken}).next_report()
    assert decode(datagram).host == "pi"
