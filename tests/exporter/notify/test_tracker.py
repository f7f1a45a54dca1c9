"""A problem is announced once, when it has lasted; and so is its end."""

from pombo_exporter.notify.alerts import Alert, Key, Kind, Words
from pombo_exporter.notify.tracker import Tracker
from pombo_exporter.runtime.pacing import StepClock

HOLD = 30.0
WALL = 1_800_000_000.0
OVER = Words("over", "")


def alert(name: str = "pi") -> Alert:
    return Alert(Key(Kind.DOWN, name), {}, WALL, Words("down", ""))


def due(tracker: Tracker, now: float) -> list[tuple[str, bool]]:
    """Return the hosts of which something is announced, and whether that is a problem."""
    found = [each for each in tracker.due(now, StepClock()) if each is not None]
    return [(each.key.host, each.is_firing) for each in found]


def tracker(most: int = 10) -> Tracker:
    return Tracker(HOLD, most)


def test_problem_is_announced_once_when_it_has_lasted() -> None:
    problems = tracker()
    problems.began(alert(), 0.0)
    assert due(problems, HOLD - 0.1) == []
    assert due(problems, HOLD) == [("pi", True)]
    assert due(problems, 2 * HOLD) == []


def test_problem_that_is_over_too_soon_is_never_announced() -> None:
    problems = tracker()
    problems.began(alert(), 0.0)
    problems.ended(alert().key, OVER, HOLD / 2, WALL)
    assert due(problems, 3 * HOLD) == []
    assert alert().key not in problems


def test_end_is_announced_when_it_has_lasted_and_has_the_time_at_which_it_came() -> None:
    problems = tracker()
    problems.began(alert(), 0.0)
    assert due(problems, HOLD) == [("pi", True)]
    problems.ended(alert().key, OVER, 100.0, WALL + 100)
    assert due(problems, 100.0 + HOLD - 0.1) == []
    [end] = filter(None, problems.due(100.0 + HOLD, StepClock()))
    assert (end.starts_at, end.ends_at, end.words) == (WALL, WALL + 100, OVER)


def test_host_that_flaps_is_announced_once_and_its_end_once() -> None:
    problems = tracker()
    problems.began(alert(), 0.0)
    assert due(problems, HOLD) == [("pi", True)]
    said = []
    for second in range(40, 400, 20):
        problems.ended(alert().key, OVER, second, WALL + second)
        said += due(problems, second + 10)
        problems.began(alert(), second + 10)
        said += due(problems, second + 10)
    assert said == []
    problems.ended(alert().key, OVER, 400, WALL + 400)
    assert due(problems, 400 + HOLD) == [("pi", False)]


def test_problem_that_never_lasts_long_enough_is_not_announced() -> None:
    problems = tracker()
    for second in range(0, 400, 20):
        problems.began(alert(), second)
        problems.ended(alert().key, OVER, second + 10, WALL)
        assert due(problems, second + 10) == []


def test_problem_that_was_announced_before_a_restart_is_not_announced_but_its_end_is() -> None:
    problems = tracker()
    problems.known(alert())
    problems.began(alert(), 0.0)
    assert due(problems, 10 * HOLD) == []
    problems.ended(alert().key, OVER, 10 * HOLD, WALL)
    assert due(problems, 11 * HOLD) == [("pi", False)]


def test_more_problems_than_the_most_are_left_out_and_counted() -> None:
    problems = tracker(most=2)
    for name in ("a", "b", "c", "d", "a"):
        problems.began(alert(name), 0.0)
    problems.known(alert("e"))
    assert due(problems, HOLD) == [("a", True), ("b", True)]
    assert problems.left_out == 2
    problems.ended(alert("a").key, OVER, HOLD, WALL)
    assert due(problems, 2 * HOLD) == [("a", False)]
    problems.began(alert("c"), 2 * HOLD)
    assert due(problems, 3 * HOLD) == [("c", True)]


def test_problems_of_a_burst_are_counted_until_they_are_over() -> None:
    problems = tracker()
    for name in ("a", "b"):
        problems.began(alert(name), 0.0)
    marked = [problems.mark_burst(each) for each in problems.due(HOLD, StepClock()) if each]
    assert [each.in_burst for each in marked] == [True, True]
    assert problems.firing_of_burst == 2
    problems.ended(alert("a").key, OVER, HOLD, WALL)
    [end] = filter(None, problems.due(2 * HOLD, StepClock()))
    assert (end.in_burst, end.is_firing, problems.firing_of_burst) == (True, False, 1)


def test_problem_that_is_dropped_leaves_room_and_is_never_over() -> None:
    problems = tracker(most=1)
    problems.began(alert("a"), 0.0)
    [found] = filter(None, problems.due(HOLD, StepClock()))
    problems.mark_burst(found)
    problems.ended(alert("a").key, OVER, HOLD, WALL)
    problems.drop(alert("a").key)
    assert (problems.is_full, problems.firing_of_burst, problems.left_out) == (False, 0, 1)
    problems.began(alert("b"), HOLD)
    assert due(problems, 3 * HOLD) == [("b", True)]
