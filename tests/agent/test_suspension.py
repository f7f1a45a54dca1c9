"""Whether the system was suspended, by two clocks that the test advances."""

import pytest
from pombo_agent.suspension import Suspension


class Clocks:
    """The clocks of a system that may be suspended; reading takes ``reading`` seconds."""

    def __init__(self) -> None:
        self.now = 5000.0
        self.suspended = 0.0
        self.reading = 1e-6

    def boot(self) -> float:
        self.now += self.reading
        return self.now + self.suspended

    def monotonic(self) -> float:
        self.now += self.reading
        return self.now


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def suspension(clocks: Clocks) -> Suspension:
    return Suspension(clocks.boot, clocks.monotonic)


def test_time_that_passes_is_no_suspension(clocks: Clocks, suspension: Suspension) -> None:
    for seconds in (0.0, 5.0, 86_400.0):
        clocks.now += seconds
        assert suspension.new_seconds() == 0


def test_each_suspension_is_told_once(clocks: Clocks, suspension: Suspension) -> None:
    for seconds in (2.0, 3600.0, 86_400.0):
        clocks.suspended += seconds
        assert suspension.new_seconds() == pytest.approx(seconds, abs=0.001)
        assert suspension.new_seconds() == 0


def test_short_suspensions_add_up(clocks: Clocks, suspension: Suspension) -> None:
    told = []
    for _ in range(5):
        clocks.suspended += 0.4
        told.append(suspension.new_seconds())
    assert [round(seconds, 1) for seconds in told] == [0, 0, 1.2, 0, 0]


def test_process_that_waits_between_the_clocks_is_not_suspended(
    clocks: Clocks, suspension: Suspension
) -> None:
    clocks.reading = 3.0
    assert suspension.new_seconds() == 0
    clocks.reading = 1e-6
    assert suspension.new_seconds() == 0
    clocks.suspended += 60
    assert suspension.new_seconds() == pytest.approx(60, abs=0.001)


def test_suspension_of_a_process_that_waits_at_its_start_is_told_later(clocks: Clocks) -> None:
    clocks.reading = 3.0
    suspension = Suspension(clocks.boot, clocks.monotonic)
    clocks.reading = 1e-6
    assert suspension.new_seconds() == 0
    clocks.suspended += 60
    assert suspension.new_seconds() == pytest.approx(60, abs=0.001)


def test_this_system_is_not_suspended_now() -> None:
    suspension = Suspension()
    assert suspension.new_seconds() == 0
