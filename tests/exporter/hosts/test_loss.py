"""Datagrams received and lost in the last ten minutes, of counts that never end."""

from array import array

import pytest
from pombo_exporter.hosts.loss import NO_SAMPLES, WINDOW_SECONDS, sampled, since

SECOND = 1.0


def after(seconds: int, *, lost_at: int = -1) -> "array[float]":
    """Return the samples of a host that sends ten datagrams a second, and loses 500 at once."""
    samples = NO_SAMPLES
    for second in range(seconds + 1):
        samples = sampled(samples, second * SECOND, *counts(second, lost_at))
    return samples


def counts(second: int, lost_at: int) -> tuple[float, float]:
    return 10.0 * second, 500.0 if 0 <= lost_at <= second else 0.0


def test_host_without_a_sample_has_all_its_counts() -> None:
    assert since(NO_SAMPLES, 7, 3) == (7, 3)


def test_counts_begin_with_the_host() -> None:
    assert since(after(0), 30, 2) == (30, 2)
    assert since(after(300, lost_at=1), *counts(300, 1)) == (3000, 500)


@pytest.mark.parametrize("seconds", [1000, 5000, 5119])
def test_window_is_ten_to_twelve_minutes_long(seconds: int) -> None:
    received, _ = since(after(seconds), *counts(seconds, -1))
    assert WINDOW_SECONDS <= received / 10 <= WINDOW_SECONDS + 120


def test_loss_leaves_the_window() -> None:
    assert since(after(599, lost_at=1), *counts(599, 1))[1] == 500
    assert since(after(800, lost_at=1), *counts(800, 1))[1] == 0


def test_samples_are_bounded_and_those_before_stay_unchanged() -> None:
    samples = after(5000)
    assert len(samples) <= 3 * 7
    before = array("d", samples)
    sampled(samples, 6000, 1, 1)
    assert samples == before


def test_of_samples_that_are_older_than_the_window_the_newest_is_kept() -> None:
    newest = after(5000)[-3]
    samples = sampled(after(5000), 1e6, 50_000, 500)
    assert [*samples[::3]] == [newest, 1e6]
