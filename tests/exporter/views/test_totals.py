"""The totals of a fleet: sums over the hosts that are not down, and counts of all."""

from typing import Any

import pytest
from pombo_exporter.hosts.host import State
from pombo_exporter.runtime.pacing import StepClock
from pombo_exporter.views import describe
from pombo_exporter.views.schema import FleetTotals
from pombo_exporter.views.status import HostTotals
from pombo_wire import Cpu, Memory, Networks
from support.builders import Agent, Exporter


def measured(moment: float, cores: int = 4) -> dict[str, Any]:
    """Return sections of a host that is half busy, with a quarter of 100 bytes available."""
    names = tuple(map(str, range(cores)))
    counted = ("lo", "eth0")
    return {
        "cpu": Cpu(names, user=(moment,) * cores, idle=(moment,) * cores),
        "memory": Memory(total=100.0, available=25.0),
        "networks": Networks(
            counted, receive_bytes=(9 * moment, 10 * moment), transmit_bytes=(9 * moment, moment)
        ),
    }


def totals(exporter: Exporter) -> tuple[HostTotals, FleetTotals]:
    found = HostTotals()
    with exporter.roster.snapshot(exporter.now, exporter.wall) as snapshot:
        for _ in found.count(snapshot, StepClock()):
            pass
    return found, found.totals(12.5)


def test_totals_are_of_the_hosts_that_are_not_down() -> None:
    exporter = Exporter()
    one, two = Agent(exporter, "one"), Agent(exporter, "two", interval=60.0)
    gone, bare = Agent(exporter, "gone"), Agent(exporter, "bare", interval=60.0)
    for agent in (one, two, gone):
        agent.send(**measured(exporter.now))
    bare.send(memory=Memory(total=50.0))  # what is used of it is not known
    exporter.wait(20)
    one.send(**measured(exporter.now))
    two.send(**measured(exporter.now, cores=8))
    exporter.wait(10)
    counted, found = totals(exporter)
    assert counted.states == {State.LATE: 1, State.LIVE: 2, State.DOWN: 1}
    assert found.cpu_cores == 12
    assert found.cpu_busy_cores == pytest.approx(6.0)
    assert (found.memory_total_bytes, found.memory_used_bytes) == (200.0, 150.0)
    assert found.network_receive_bytes_per_second == pytest.approx(20.0)
    assert found.network_transmit_bytes_per_second == pytest.approx(2.0)
    assert found.datagram_loss_ratio == 0.0
    assert found.datagrams_per_second == 12.5


def test_loss_is_the_mean_of_the_hosts() -> None:
    exporter = Exporter()
    lossy, good = Agent(exporter, "lossy"), Agent(exporter, "good", interval=600.0)
    good.send()
    lossy.run(20)
    lossy.seq += 4
    lossy.run(30)
    [summary] = describe.summaries([exporter.host("lossy")], exporter.now)
    assert summary.datagram_loss_ratio > 0.2
    _, found = totals(exporter)
    assert found.datagram_loss_ratio == summary.datagram_loss_ratio / 2


def test_no_host_has_no_loss() -> None:
    _, found = totals(Exporter())
    assert found == FleetTotals(0, 0.0, 0.0, 0.0, 0.0, 0.0, None, 12.5)


def test_sums_that_no_number_can_hold_are_left_out() -> None:
    exporter = Exporter()
    for name in ("one", "two"):
        Agent(exporter, name).send(memory=Memory(total=1.7e308, available=0.0))
    _, found = totals(exporter)
    assert (found.memory_total_bytes, found.memory_used_bytes) == (0.0, 0.0)
