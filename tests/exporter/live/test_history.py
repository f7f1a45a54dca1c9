"""The history of each host: one point a step, bounded, and none for hosts that are gone."""

import asyncio
import gc
import json
import tracemalloc
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pombo_exporter.hosts.limits import Limits
from pombo_exporter.ingest.intake import Intake
from pombo_exporter.live.feed import Feed, topics_of
from pombo_exporter.live.history import FIELDS, Histories, HistorySampler
from pombo_exporter.live.points import CURVES, POINTS, SLAB, STEP_SECONDS, decoded, encoded
from pombo_exporter.live.topics import Sources
from pombo_exporter.runtime.moment import Moment
from pombo_exporter.runtime.pacing import Pacer
from pombo_exporter.stats import Counters, ReceiveBuffer
from pombo_wire import Cpu, Memory, Networks
from support.builders import MONOTONIC, WALL, Agent, Exporter
from support.sse import parse_events

START = 1_800_000_000.0  # begins a minute
INTERVAL = 5.0
MEBIBYTE = 2**20


def record(found: Histories, seconds: float, cpu: float | None, name: str = "pi") -> None:
    """Record a host whose CPU has this usage so many seconds after the start."""
    values = np.array((nan if cpu is None else cpu, 0.25, 10.0, 20.0)).reshape(CURVES, 1)
    found.record([name], [INTERVAL], values, START + seconds)


def after(*points: tuple[float, float | None]) -> Histories:
    """Return the history of a host whose CPU was sampled at some seconds after the start."""
    found = Histories()
    for seconds, cpu in points:
        record(found, seconds, cpu)
    return found


def cpu(histories: Histories, wall: float = START) -> list[float | None]:
    return curves(histories, wall)["cpu_usage_ratio"]


def curves(histories: Histories, wall: float = START) -> dict[str, list[float | None]]:
    found: dict[str, list[float | None]] = json.loads(histories.of("pi", wall).json())
    return found


def minutes(histories: Histories, name: str = "cpu_usage_ratio") -> list[float | None]:
    found = json.loads(histories.minutes_of("pi", START).json())
    points: list[float | None] = found[name]
    return points


def test_each_step_has_a_point_with_its_last_value() -> None:
    found = after((0, 0.25), (1, 0.5), (5, 0.75), (10, None), (15, 1.0))
    assert cpu(found) == [0.5, 0.75, None, 1.0]
    assert found.of("pi", START).end_timestamp_seconds == START + 15
    assert curves(found)["memory_used_ratio"] == [0.25] * 4


def test_all_curves_have_as_many_points() -> None:
    history = after(*((5.0 * n, 0.5) for n in range(7))).of("pi", START)
    assert {name: len(points) for name, points in history.curves.items()} == dict.fromkeys(
        FIELDS, 7
    )


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


# --- points ---


@given(st.floats(0, 1), st.floats(0, 2**50))
def test_points_are_close_to_what_was_measured(ratio: float, rate: float) -> None:
    found = decoded(encoded(np.array([[ratio], [ratio], [rate], [rate]])).T)
    assert found[0, 0] == pytest.approx(ratio, abs=0.00005001)
    assert found[2, 0] == pytest.approx(rate, rel=0.0003, abs=0.51)


def test_impossible_and_unknown_values_have_no_points() -> None:
    values = np.array([[nan, -1.0, inf, 0.0]] * CURVES)
    known = np.isfinite(decoded(encoded(values).T))
    assert known.tolist() == [[False, False, False, True]] * CURVES


def test_value_over_any_bound_is_the_greatest_point() -> None:
    found = decoded(encoded(np.array([[9.0], [1e300], [1e300], [2.0**60]])).T)
    assert np.isfinite(found).all()
    assert found[2, 0] == found[3, 0] > 1e15


# --- minutes ---


def test_minute_has_the_mean_and_the_greatest_of_its_points() -> None:
    found = after(*((5.0 * n, 0.5 if n % 12 else 1.0) for n in range(24)), (120, 0.25))
    assert minutes(found) == [pytest.approx(6.5 / 12, abs=1e-4)] * 2 + [0.25]
    assert minutes(found, "cpu_usage_ratio_max") == [1, 1, 0.25]
    assert minutes(found, "memory_used_ratio") == [0.25] * 3
    assert minutes(found, "network_transmit_bytes_per_second_max") == [20] * 3
    assert found.minutes_of("pi", START).end_timestamp_seconds == START + 120


def test_unknown_points_do_not_count_for_a_minute() -> None:
    found = after((0, 0.5), (5, None), (10, 0.25), (60, None))
    assert minutes(found) == [0.375, None]


def test_steps_that_a_sample_fills_count_for_the_minute_before_it() -> None:
    found = after((0, 0.25), (50, 0.25), (65, 0.75))
    # From 0 to 45 and at 50 it was 0.25, at 55 and from 60 on 0.75.
    assert minutes(found) == [pytest.approx((11 * 0.25 + 0.75) / 12, abs=1e-4), 0.75]


def test_minutes_of_a_long_silence_are_unknown() -> None:
    for silent in (3, 8):
        found = after((0, 0.25), (60 * silent, 0.5))
        assert minutes(found) == [0.25, *[None] * (silent - 1), 0.5]


def test_minutes_are_bounded_and_may_be_more_or_none() -> None:
    for seconds, length in ((3600.0, 60), (90.0, 2), (7200.0, 70), (0.0, 0)):
        found = Histories(seconds=seconds)
        for minute in range(70):
            record(found, 60 * minute + 55, minute / 100)
        assert minutes(found) == [n / 100 for n in range(70 - length, 70)]


def test_minutes_start_over_when_the_wall_clock_goes_back() -> None:
    found = after(*((60.0 * n, 0.25) for n in range(30)), (115, 0.5), (175, 0.75))
    assert minutes(found) == [0.5, 0.75]


def test_hosts_of_one_batch_have_curves_of_their_own() -> None:
    found = Histories()
    names = [f"host-{number}" for number in range(3 * SLAB)]
    for step in range(30):
        some = names[step % 3 :: 1 + step % 2]
        values = np.array([[names.index(each) / 1000 for each in some]] * CURVES)
        found.record(some, [INTERVAL] * len(some), values, START + 5 * step)
    for number, name in enumerate(names):
        history, hour = found.of(name, START), found.minutes_of(name, START)
        for points in (history.curves["memory_used_ratio"], hour.curves["cpu_usage_ratio_max"]):
            assert {*points.tolist()} == {np.float32(number / 1000).item()}


def test_new_host_in_the_place_of_another_has_none_of_its_points() -> None:
    found = after(*((5.0 * n, 0.5) for n in range(30)))
    record(found, 150, 0.5, "other")
    found.drop("pi")
    record(found, 150, 0.75)
    assert cpu(found) == [0.75]
    assert minutes(found) == [0.75]


# --- memory ---


def test_memory_is_what_is_booked_and_at_most_that_of_all_hosts() -> None:
    hosts = 1000
    record(Histories(), 0, 0.5)  # what is made once
    gc.collect()
    tracemalloc.start()
    try:
        found = Histories(hosts)
        for number in range(2 * hosts):
            record(found, 0, 0.5, f"host-{number}")
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(found) == hosts
    assert found.memory == (found.memory.limit, hosts * found.bytes_of_host)
    # Names and their dict are not booked here: a host is booked for them itself.
    assert found.memory.used <= taken <= 1.2 * found.memory.used
    for number in range(hosts):
        found.drop(f"host-{number}")
    assert (len(found), found.memory.used) == (0, 0)


def test_ten_thousand_hosts_take_less_than_20_mebibytes() -> None:
    assert Histories(10_000).memory.limit < 14 * MEBIBYTE
    assert Histories(10_000, 0).memory.limit < 5 * MEBIBYTE
    assert Histories(50_000).memory.limit < 70 * MEBIBYTE


# --- sampling ---


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
    found = histories.of("stays", exporter.wall).curves
    assert found["cpu_usage_ratio"][0] == 0.25
    assert found["memory_used_ratio"][0] == 0.75
    assert found["network_receive_bytes_per_second"][0] == 30
    assert found["network_transmit_bytes_per_second"][0] == 10


def test_sampling_of_an_empty_roster_records_nothing() -> None:
    exporter, histories = Exporter(), Histories()
    asyncio.run(HistorySampler(exporter.roster, histories, Pacer()).sample(0.0, START))
    assert len(histories) == 0


def test_page_of_a_host_that_died_an_hour_ago_has_its_last_minutes_and_its_hour_before() -> None:
    """The exporter's clocks are advanced by hand; nothing else is different from a real hour."""
    exporter = Exporter(Limits(forget_after=3600.0))
    agent = Agent(exporter, host="dies")
    histories = Histories()
    sampler = HistorySampler(exporter.roster, histories, Pacer())
    counters = Counters(
        exporter.roster,
        Intake(exporter.roster, lambda: exporter.now),
        lambda: 0,
        ReceiveBuffer(2, 1),
        MONOTONIC,
        WALL,
    )
    sources = Sources(
        exporter.roster,
        counters,
        histories,
        Pacer(),
        lambda: Moment(exporter.now, exporter.wall),
    )

    def live(seconds: int, *, reports: bool) -> None:
        for _ in range(0, seconds, STEP_SECONDS):
            exporter.wait(STEP_SECONDS)
            if reports:
                agent.send(memory=Memory(total=8.0, available=2.0), gauges={"x": 7.0})
            asyncio.run(sampler.sample(exporter.now, exporter.wall))

    async def page() -> tuple[str, dict[str, Any]]:
        feed = Feed(topics_of(sources))
        with feed.subscribe("dies") as subscriber:
            await feed.publish()
            text = b"".join(frame.plain for event in subscriber.queue for frame in event)
        [(name, data)] = parse_events(text.decode())
        return name, data

    live(3700, reports=True)
    heard = exporter.wall
    live(3600, reports=False)
    name, data = asyncio.run(page())
    host, history, hour = data["host"], data["history"], data["minutes"]
    assert (name, host["state"], host["last_seen_timestamp_seconds"]) == ("snapshot", "down", heard)
    assert host["last_seen_age_seconds"] == 3600
    assert (host["memory_used_ratio"], host["gauges"]) == (0.75, {"x": 7})
    assert [reason["id"] for reason in host["reasons"]] == ["down"]
    # It is not known to be down for three intervals, for which its values are those of before.
    assert heard <= history["end_timestamp_seconds"] <= heard + 3 * agent.interval
    assert history["memory_used_ratio"] == [0.75] * POINTS
    assert hour["end_timestamp_seconds"] <= history["end_timestamp_seconds"]
    assert hour["memory_used_ratio"] == hour["memory_used_ratio_max"] == [0.75] * 60
    assert data["thresholds"]["memory"] == [0.9, 0.97]
    live(120, reports=False)
    assert asyncio.run(page()) == ("gone", {})
    assert histories.memory.used == 0
