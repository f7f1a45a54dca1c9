"""When the agent reports, on a clock that the tests set."""

from itertools import islice

from pombo_agent.schedule import ticks


class World:
    """A clock that stands still but for waits and what the test adds to it."""

    def __init__(self, *, late: float = 0) -> None:
        self.now, self.stop, self._late = 1000.0, False, late

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        if seconds:
            self.now += seconds + self._late
        return self.stop


def test_first_tick_comes_at_once() -> None:
    world = World()
    assert next(ticks(5, world.clock, world.wait)) == 1000
    assert world.now == 1000


def test_late_waits_do_not_add_up() -> None:
    world = World(late=0.25)
    assert list(islice(ticks(1, world.clock, world.wait), 1000))[-1] == 1999
    assert world.now == 1999.25


def test_time_that_a_report_takes_does_not_delay_the_next() -> None:
    world = World()
    starts = []
    for _ in islice(ticks(5, world.clock, world.wait), 4):
        starts.append(world.now)
        world.now += 3
    assert starts == [1000, 1005, 1010, 1015]


def test_missed_ticks_are_skipped_and_not_made_up_for() -> None:
    world = World()
    starts = []
    for tick in islice(ticks(5, world.clock, world.wait), 4):
        starts.append((tick, world.now))
        if len(starts) == 2:
            world.now += 23
    assert starts == [(1000, 1000), (1005, 1005), (1030, 1030), (1035, 1035)]


def test_interrupted_wait_is_resumed() -> None:
    world = World(late=-2)
    waits = islice(ticks(5, world.clock, lambda left: world.wait(max(left, 2.5))), 3)
    assert list(waits) == [1000, 1005, 1010]
    assert world.now >= 1010


def test_stop_during_the_wait_ends_at_once() -> None:
    world = World()
    seen = []
    for tick in ticks(5, world.clock, world.wait):
        seen.append(tick)
        world.stop = len(seen) == 3
    assert seen == [1000, 1005, 1010]
    assert world.now == 1015


def test_stop_is_heard_even_if_each_report_takes_longer_than_the_interval() -> None:
    world = World()
    seen = 0
    for _ in ticks(5, world.clock, lambda _: world.stop):
        seen += 1
        world.now += 5
        world.stop = seen == 3
        assert seen <= 3
    assert seen == 3
