"""The log of what happened to hosts: what is in it, once each, and within its bound."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pytest
from pombo_exporter.hosts.host import Host
from pombo_exporter.hosts.limits import Limits
from pombo_exporter.hosts.roster import HostEvent
from pombo_exporter.runtime.pacing import StepClock
from pombo_exporter.views.event_log import CAPACITY, MOST_NAMES, TOGETHER, EventLog
from pombo_exporter.views.schema import Event
from pombo_wire import Report, System
from support.builders import SESSION, WALL, Agent, Exporter, restarted

DAY = 86_400.0


@dataclass
class Logged(Exporter):
    """An exporter with a log, which settles after each step of time."""

    log: EventLog = field(default_factory=EventLog)

    def _record(self, event: HostEvent, host: Host) -> None:
        self.log.take(event, host, self.now, self.wall)

    def wait(self, seconds: float) -> None:
        super().wait(seconds)
        deque(self.log.settle(self.roster, self.now, self.wall, StepClock()), maxlen=0)


def kinds(exporter: Logged) -> list[str]:
    """Return what is in the log, the oldest first."""
    return [str(event.kind) for event in reversed(exporter.log.newest_first())]


def started(exporter: Logged, name: str = "pi", *, uptime: float = DAY, **more: Any) -> Agent:
    """Return an agent that has sent its first report, of a host that is up for a day."""
    agent = Agent(exporter, name, **more)
    agent.send(system=System(uptime=uptime))
    return agent


def test_host_that_dies_is_down_once_and_back_once() -> None:
    exporter = Logged()
    agent = started(exporter)
    exporter.wait(60)
    assert kinds(exporter) == ["new", "down"]
    down = exporter.log.newest_first()[0]
    assert down.hosts == ["pi"]
    assert WALL + 15 <= down.first_timestamp_seconds <= WALL + 16
    agent.run(60)
    assert kinds(exporter) == ["new", "down", "back"]


def test_host_that_is_late_now_and_then_is_not_in_the_log() -> None:
    exporter = Logged()
    agent = started(exporter)
    for _ in range(20):
        exporter.wait(12)
        agent.send()
    assert kinds(exporter) == ["new"]


@pytest.mark.parametrize(("uptime", "kind"), [(DAY, "restarted"), (20.0, "rebooted")])
@pytest.mark.parametrize("bye", [True, False])
@pytest.mark.parametrize("after", [10.0, 40.0])
def test_agent_that_starts_again_is_told_from_a_host_that_does(
    uptime: float,
    kind: str,
    bye: bool,  # noqa: FBT001
    after: float,
) -> None:
    exporter = Logged()
    agent = started(exporter)
    exporter.wait(5)
    agent.send(bye=bye)
    exporter.wait(after)
    uptime = min(uptime, after - 1) if kind == "rebooted" else uptime
    again = restarted(agent)
    again.send(system=System(uptime=uptime))
    again.run(20, system=System(uptime=uptime + 20))
    found = [each for each in kinds(exporter) if each not in {"new", "stopped", "down", "back"}]
    assert found == [kind]
    assert kinds(exporter).count("new") == 1
    assert ("stopped" in kinds(exporter)) is bye


def test_restart_of_a_host_without_uptime_is_one_of_its_agent() -> None:
    exporter = Logged()
    agent = started(exporter)
    exporter.wait(20)
    again = restarted(agent)
    again.send()
    again.run(20)
    assert "restarted" not in kinds(exporter)
    again.run(20)
    assert kinds(exporter)[-1] == "restarted"


def test_two_agents_under_one_name_are_one_event_while_they_go_on() -> None:
    exporter = Logged()
    agent = started(exporter)
    other = Agent(exporter, session=SESSION - 1)
    for _ in range(100):
        exporter.wait(5)
        exporter.refuses(other.report())
        agent.send()
    assert kinds(exporter) == ["new", "duplicate"]
    agent.run(700)
    exporter.refuses(other.report())
    agent.send()
    assert kinds(exporter) == ["new", "duplicate", "duplicate"]


def test_host_that_is_forgotten_is_in_the_log_and_new_after_that() -> None:
    exporter = Logged(Limits(forget_after=60))
    agent = started(exporter)
    exporter.wait(100)
    agent.send()
    assert kinds(exporter) == ["new", "down", "forgotten", "new"]


def test_flood_of_new_hosts_is_one_entry_with_the_first_names() -> None:
    exporter = Logged()
    for number in range(312):
        exporter.take(Report(f"host-{number}", interval=600.0))
    [event] = exporter.log.newest_first()
    assert event == Event(1, event.kind, WALL, WALL, 312, [f"host-{n}" for n in range(MOST_NAMES)])
    exporter.wait(TOGETHER)
    exporter.take(Report("later", interval=600.0))
    assert [each.count for each in exporter.log.newest_first()] == [1, 312]


def test_log_is_bounded_and_counts_what_it_drops() -> None:
    exporter = Logged(Limits(hosts=10_000))
    for number in range(CAPACITY + 7):
        exporter.take(Report(f"host-{number}", interval=3600.0))
        exporter.now += TOGETHER
        exporter.wall += TOGETHER
    assert len(exporter.log) == CAPACITY
    assert exporter.log.dropped == 7
    events = exporter.log.newest_first()
    assert events[0].hosts == [f"host-{CAPACITY + 6}"]
    assert events[-1].hosts == ["host-7"]


def test_entries_are_found_since_a_time_and_since_an_event() -> None:
    exporter = Logged()
    exporter.take(Report("one", interval=600.0))
    exporter.wait(20)
    before, serial = exporter.wall, exporter.log.serial
    exporter.take(Report("two", interval=600.0))
    exporter.wait(5)
    exporter.take(Report("three", interval=600.0))
    [event] = exporter.log.newest_first(before)
    assert event.hosts == ["two", "three"]
    assert exporter.log.newest_first(before + 5) == [event]
    assert exporter.log.newest_first(before + 6) == []
    assert exporter.log.changed_since(serial, 9) == [event]
    assert exporter.log.changed_since(serial + 1, 9) == [event]
    assert exporter.log.changed_since(serial + 2, 9) == []
    assert len(exporter.log.changed_since(0, 1)) == 1
