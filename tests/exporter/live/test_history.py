"""The last minutes of each host: a point a step, bounded, and nothing of hosts that are gone."""

import json

import pytest
from msgspec.structs import replace
from pombo_exporter.live.history import CURVES, POINTS, STEP_SECONDS, Histories
from pombo_exporter.views.describe import summaries
from pombo_exporter.views.schema import HostSummary
from pombo_wire import Memory
from support.builders import Agent, Exporter

START = 1_800_000_000.0


@pytest.fixture
def summary() -> HostSummary:
    exporter = Exporter()
    Agent(exporter).send(memory=Memory(total=8.0, available=6.0))
    [found] = summaries([exporter.host()], exporter.now)
    return found


def after(summary: HostSummary, *points: tuple[float, float | None]) -> Histories:
    """Return what is kept of a host's CPU, said at some seconds after the start."""
    found = Histories()
    for seconds, cpu in points:
        found.note(replace(summary, cpu_usage_ratio=cpu), START + seconds)
    return found


def cpu(histories: Histories, wall: float = START) -> list[float | None]:
    return curves(histories, wall)["cpu_usage_ratio"]


def curves(histories: Histories, wall: float = START) -> dict[str, list[float | None]]:
    found: dict[str, list[float | None]] = json.loads(histories.of("pi", wall).json())
    return found


def test_each_step_has_a_point_of_what_was_said_last_in_it(summary: HostSummary) -> None:
    found = after(summary, (0, 0.25), (1, 0.5), (5, 0.75), (10, None), (15, 1.0))
    assert cpu(found) == [0.5, 0.75, None, 1.0]
    assert found.of("pi", START).end_timestamp_seconds == START + 15
    assert curves(found)["memory_used_ratio"] == [0.25] * 4


def test_all_curves_have_as_many_points(summary: HostSummary) -> None:
    history = after(summary, *((5.0 * n, 0.5) for n in range(7))).of("pi", START)
    assert {len(getattr(history, name)) for name in CURVES} == {7}


def test_value_stands_until_the_next_one(summary: HostSummary) -> None:
    assert cpu(after(summary, (0, 0.25), (20, 0.5))) == [0.25, 0.5, 0.5, 0.5, 0.5]


def test_nothing_is_known_of_a_long_silence(summary: HostSummary) -> None:
    found = cpu(after(summary, (0, 0.25), (STEP_SECONDS * 20, 0.5)))
    assert found == [0.25, *[None] * 19, 0.5]


@pytest.mark.parametrize("silence", [STEP_SECONDS * POINTS, 1e9])
def test_silence_that_is_longer_than_the_curve_leaves_its_end(
    summary: HostSummary, silence: float
) -> None:
    assert cpu(after(summary, (0, 0.25), (silence, 0.5))) == [*[None] * (POINTS - 1), 0.5]


def test_curve_is_bounded(summary: HostSummary) -> None:
    found = after(summary, *((STEP_SECONDS * n, n / 1000) for n in range(POINTS * 3)))
    assert cpu(found) == [n / 1000 for n in range(POINTS * 2, POINTS * 3)]


def test_time_of_day_that_went_back_begins_anew(summary: HostSummary) -> None:
    assert cpu(after(summary, (1000, 0.25), (0, 0.5), (5, 0.75))) == [0.5, 0.75]


def test_host_that_is_dropped_or_was_never_heard_has_no_points(summary: HostSummary) -> None:
    found = after(summary, (0, 0.25))
    assert len(found) == 1
    found.drop("pi")
    found.drop("never heard")
    assert len(found) == 0
    assert cpu(found) == []
    assert found.of("pi", START + 7).end_timestamp_seconds == START + 5
