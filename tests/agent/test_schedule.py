"""Times of reports, on a clock that the tests set."""

from itertools import islice

from pombo_agent.schedule import ticks


class FakeClock:
    """A clock that only waits and the test advance."""

    def __init__(self, *, late: float = 0) -> None:
        self.now, self.stop, self._late = 1000.0, False, late

    def read(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        if seconds:
            self.now += seconds + self._late
        return self.stop


def test_first_tick_is_immediate() -> None:
    clock = FakeClock()
    assert next(ticks(5, clock.read, clock.wait)) == 1000
    assert clock.now == 1000


def test_late_waits_do_not_add_up() -> None:
    clock = FakeClock(late=0.25)
    assert list(islice(ticks(1, clock.read, clock.wait), 1000))[-1] == 1999
    assert clock.now == 1999.25


def test_time_that_a_report_takes_does_not_delay_the_next() -> None:
    clock = FakeClock()
    starts = []
    for _ in islice(ticks(5, clock.read, clock.wait), 4):
        starts.append(clock.now)
        clock.now += 3
    assert starts == [1000, 1005, 1010, 1015]


def test_missed_ticks_are_skipped_and_not_caught_up() -> None:
    clock = FakeClock()
    starts = []
    for tick in islice(ticks(5, clock.read, clock.wait), 4):
        starts.append((tick, clock.now))
        if len(starts) == 2:
            clock.now += 23
    assert starts == [(1000, 1000), (1005, 1005), (1030, 1030), (1035, 1035)]


def test_interrupted_wait_is_resumed() -> None:
    clock = FakeClock(late=-2)
    waits = islice(ticks(5, clock.read, lambda left: clock.wait(max(left, 2.5))), 3)
    assert list(waits) == [1000, 1005, 1010]
    assert clock.now >= 1010


def test_stop_during_a_wait_ends_immediately() -> None:
    clock = FakeClock()
    seen = []
    for tick in ticks(5, clock.read, clock.wait):
        seen.append(tick)
        clock.stop = len(seen) == 3
    assert seen == [1000, 1005, 1010]
    assert clock.now == 1015


def test_stop_ends_even_if_each_report_takes_longer_than_the_interval() -> None:
    clock = FakeClock()
    seen = 0
    for _ in ticks(5, clock.read, lambda _: clock.stop):
        seen += 1
        clock.now += 5
        clock.stop = seen == 3
        assert seen <= 3
    assert seen == 3
