"""The history of each host: one point a step, bounded, and none for hosts that are gone."""

import asyncio
import json
from math import nan

import pytest
from pombo_exporter.live.history import CURVES, POINTS, STEP_SECONDS, Histories, HistorySampler
from pombo_exporter.runtime.pacing import Pacer
from pombo_wire import Cpu, Memory, Networks
from support.builders import Agent, Exporter

START = 1_800_000_000.0
INTERVAL = 5.0


def after(*points: tuple[float, float | None]) -> Histories:
    """Return the history of a host whose CPU was sampled at some seconds after the start."""
    found = Histories()
    for seconds, cpu in points:
        values = (nan if cpu is None else cpu, 0.25, 10.0, 20.0)
        found.record("pi", INTERVAL, values, START + seconds)
    return found


def cpu(histories: Histories, wall: float = START) -> list[float | None]:
    return curves(histories, wall)["cpu_usage_ratio"]


def curves(histories: Histories, wall: float = START) -> dict[str, list[float | None]]:
    found: dict[str, list[float | None]] = json.loads(histories.of("pi", wall).json())
    return found


def test_each_step_has_a_point_with_its_last_value() -> None:
    found = after((0, 0.25), (1, 0.5), (5, 0.75), (10, None), (15, 1.0))
    assert cpu(found) == [0.5, 0.75, None, 1.0]
    assert found.of("pi", START).end_timestamp_seconds == START + 15
    assert curves(found)["memory_used_ratio"] == [0.25] * 4


def test_all_curves_have_as_many_points() -> None:
    history = after(*((5.0 * n, 0.5) for n in range(7))).of("pi", START)
    assert {len(getattr(history, name)) for name in CURVES} == {7}


def test_value_is_repeated_until_the_next_one() -> None:
    assert cpu(after((0, 0.25), (20, 0.5))) == [0.25, 0.5, 0.5, 0.5, 0.5]


def test_long_silence_has_no_values() -> None:
    found = cpu(after((0, 0.25), (STEP_SECONDS * 20, 0.5)))
    assert found == [0.25, *[None] * 19, 0.5]


@pytest.mark.parametrize("silence", [STEP_SECONDS * POINTS, 1e9])
def test_silence_that_is_longer_than_the_curve_leaves_the_last_point(silence: float) -> None:
    assert cpu(after((0, 0.25), (silence, 0.5))) == [*[None] * (POINTS - 1), 0.5]


def test_curve_is_bounded() -> None:
    found = after(*((STEP_SECONDS * n, n / 1000) for n in range(POINTS * 3)))
    assert cpu(found) == [n / 1000 for n in range(POINTS * 2, POINTS * 3)]


def test_curve_starts_over_when_the_wall_clock_goes_back() -> None:
    assert cpu(after((1000, 0.25), (0, 0.5), (5, 0.75))) == [0.5, 0.75]


def test_dropped_or_unknown_host_has_no_points() -> None:
    found = after((0, 0.25))
    assert len(found) == 1
    found.drop("pi")
    found.drop("unknown")
    assert len(found) == 0
    assert cpu(found) == []
    assert found.of("pi", START + 7).end_timestamp_seconds == START + 5


def test_sampler_records_values_of_the_summary_and_drops_hosts_that_are_gone() -> None:
    exporter = Exporter()
    agents = [Agent(exporter, host=name, interval=1.0) for name in ("stays", "dies", "leaves")]
    for moment in (0.0, 1.0):
        exporter.wait(1)
        for agent in agents:
            agent.send(
                cpu=Cpu(("0",), user=(moment / 4,), idle=(moment * 3 / 4,)),
                memory=Memory(total=8.0, available=2.0),
                networks=Networks(("eth0",), (30 * moment,), transmit_bytes=(10 * moment,)),
            )
    histories = Histories()
    sampler = HistorySampler(exporter.roster, histories, Pacer())
    asyncio.run(sampler.sample(exporter.now, exporter.wall))
    assert sorted(histories.names()) == ["dies", "leaves", "stays"]
    exporter.wait(2)
    agents[0].send(memory=Memory(total=8.0, available=2.0))
    agents[2].send(bye=True)
    exporter.wait(2)
    before = histories.of("dies", exporter.wall)
    asyncio.run(sampler.sample(exporter.now, exporter.wall))
    assert sorted(histories.names()) == ["dies", "stays"]
    assert histories.of("dies", exporter.wall).json() == before.json()  # it is down
    found = histories.of("stays", exporter.wall)
    assert found.cpu_usage_ratio[0] == 0.25
    assert found.memory_used_ratio[0] == 0.75
    assert found.network_receive_bytes_per_second[0] == 30
    assert found.network_transmit_bytes_per_second[0] == 10


def test_sampling_of_an_empty_roster_records_nothing() -> None:
    exporter, histories = Exporter(), Histories()
    asyncio.run(HistorySampler(exporter.roster, histories, Pacer()).sample(0.0, START))
    assert len(histories) == 0
