"""A snapshot has every host as it was at one moment, whatever changes while it is read."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any
from weakref import ref

import pytest
from pombo_exporter.hosts.host import Host
from pombo_exporter.hosts.snapshot import Snapshot
from pombo_wire import Memory
from support.builders import Agent, Exporter, disks, restarted

HOSTS = 5


def fleet() -> tuple[Exporter, list[Agent]]:
    exporter = Exporter()
    agents = [Agent(exporter, f"host-{number}") for number in range(HOSTS)]
    for agent in agents:
        agent.send(memory=Memory(total=1.0), disks=disks(sda=1.0))
    return exporter, agents


def state(host: Host) -> dict[str, Any]:
    """Return all fields of a host that answers are rendered from, by value."""
    slots = [
        ([section.raw for section in slot.sections], slot.numbers, slot.previous, slot.stamp)
        for slot in host.shown()
    ]
    counters = host.sequence
    return {
        "name": host.name,
        "address": host.address,
        "seen": (host.last_seen, host.last_seen_wall, host.interval, host.clock_offset),
        "labels": (host.label_text, host.info_text, host.labels),
        "counters": (
            *(counters.received, counters.lost, counters.duplicate, counters.reordered),
            host.conflicts,
        ),
        "slots": slots,
    }


def snapshot_of(exporter: Exporter) -> Snapshot:
    return exporter.roster.snapshot(exporter.now, exporter.wall)


def report(_: Exporter, agent: Agent) -> None:
    agent.send(memory=Memory(total=2.0), disks=disks(sda=2.0), labels={"rack": "7"})


def lose(_: Exporter, agent: Agent) -> None:
    agent.seq += 100
    agent.send(gauges={"x": 1.0})


def rearrange(_: Exporter, agent: Agent) -> None:
    agent.send(disks=disks(sdb=1.0))


def restart(exporter: Exporter, agent: Agent) -> None:
    exporter.wait(8)
    restarted(agent).send(memory=Memory(total=3.0))


def stop(_: Exporter, agent: Agent) -> None:
    agent.send(bye=True)


def forget(exporter: Exporter, agent: Agent) -> None:
    exporter.roster.forget(agent.host, exporter.now)


def fall_silent(exporter: Exporter, _: Agent) -> None:
    exporter.wait(20)


def add(exporter: Exporter, _: Agent) -> None:
    Agent(exporter, f"new-{exporter.now}").send(memory=Memory(total=1.0))


def send_part(_: Exporter, agent: Agent) -> None:
    agent.send(part=1, parts=2, plan=1, memory=Memory(total=5.0))


CHANGES = [send_part, report, lose, rearrange, restart, stop, forget, fall_silent, add]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("read", range(HOSTS + 1))
def test_hosts_are_as_they_were_however_many_were_read_before_a_change(
    change: Callable[[Exporter, Agent], None], read: int
) -> None:
    exporter, agents = fleet()
    expected = [state(host) for host in exporter.roster.listed()]
    hosts = iter(snapshot_of(exporter))
    found = [state(host) for host in islice(hosts, read)]
    for agent in agents:
        change(exporter, agent)
    found += [state(host) for host in hosts]
    assert found == expected


def test_snapshots_of_several_moments_do_not_disturb_each_other() -> None:
    exporter, agents = fleet()
    expected, snapshots = [], []
    for agent in agents:
        expected.append([state(host) for host in exporter.roster.listed()])
        snapshots.append(snapshot_of(exporter))
        report(exporter, agent)
    found = [[state(host) for host in snapshot] for snapshot in reversed(snapshots)]
    assert found == expected[::-1]


def test_host_that_was_read_or_belongs_to_a_closed_snapshot_is_not_copied() -> None:
    exporter, agents = fleet()
    with snapshot_of(exporter) as snapshot:
        hosts: Iterator[Host] = iter(snapshot)
        assert next(hosts) is exporter.host(agents[0].host)
        report(exporter, agents[0])
        report(exporter, agents[1])
        assert next(hosts) is not exporter.host(agents[1].host)
        assert next(hosts) is exporter.host(agents[2].host)
        assert snapshot.is_open
    assert not snapshot.is_open
    assert [*hosts] == []
    report(exporter, agents[3])
    assert not snapshot.copies


def test_host_that_said_bye_is_in_no_later_snapshot() -> None:
    exporter, agents = fleet()
    stop(exporter, agents[1])
    snapshot = snapshot_of(exporter)
    report(exporter, restarted(agents[1]))
    assert [host.name for host in snapshot] == ["host-0", "host-2", "host-3", "host-4"]
    assert len([*snapshot_of(exporter)]) == HOSTS


def test_roster_drops_snapshots_that_are_read_or_closed() -> None:
    exporter, agents = fleet()
    read, closed, still_open = (snapshot_of(exporter) for _ in range(3))
    assert len([*read]) == HOSTS
    closed.close()
    references = [ref(each) for each in (read, closed, still_open)]
    del read, closed, still_open
    report(exporter, agents[0])
    assert [reference() is not None for reference in references] == [False, False, True]


def test_empty_roster_makes_an_empty_snapshot() -> None:
    snapshot = snapshot_of(Exporter())
    assert [*snapshot] == []
    assert not snapshot.is_open
