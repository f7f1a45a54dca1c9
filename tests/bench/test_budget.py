"""The exporter does no more work a datagram and a sample than when it was last looked at."""

import json
from functools import partial

import pytest

from bench.budget import FIGURES, SLACK, measured, steps

KEPT: dict[str, float] = json.loads(FIGURES.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def now() -> dict[str, float]:
    return measured()


@pytest.mark.parametrize("figure", KEPT)
def test_work_has_not_grown(figure: str, now: dict[str, float]) -> None:
    assert now[figure] <= KEPT[figure] * SLACK, (
        f"{figure} was {KEPT[figure]}; if that is worth it, "
        "`python -m bench.budget` keeps the new figures"
    )


def test_every_figure_is_kept(now: dict[str, float]) -> None:
    assert now.keys() == KEPT.keys()


def test_count_sees_loops_and_calls_of_c() -> None:
    def loop(times: int) -> None:
        for _ in range(times):
            pass

    def calls(times: int) -> None:
        for _ in range(times):
            abs(1)

    for work in (loop, calls):
        steps(partial(work, 1))
    looped = steps(lambda: loop(200)) - steps(lambda: loop(100))
    called = steps(lambda: calls(200)) - steps(lambda: calls(100))
    assert looped >= 200
    assert called >= looped + 300
