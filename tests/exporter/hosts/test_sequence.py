"""The count of each host's datagrams: it ends at the truth, and never falls on its way."""

from collections.abc import Collection
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from pombo_exporter.hosts.sequence import WINDOW, SequenceTracker


class Counts(NamedTuple):
    received: int
    lost: int
    duplicate: int
    reordered: int


def counts(tracker: SequenceTracker) -> Counts:
    return Counts(tracker.received, tracker.lost, tracker.duplicate, tracker.reordered)


def booked(*numbers: int, now: float = 0.0) -> SequenceTracker:
    tracker = SequenceTracker()
    for number in numbers:
        tracker.record(number, now)
    return tracker


def remembered(tracker: SequenceTracker) -> int:
    """Return how many numbers a tracker keeps, whatever it calls them."""
    kept = (getattr(tracker, name) for name in tracker.__struct_fields__)
    return sum(len(value) for value in kept if isinstance(value, Collection))


def test_datagrams_in_order_are_only_received() -> None:
    tracker = booked(*range(1000))
    tracker.expire_gaps(float("inf"))
    assert counts(tracker) == Counts(1000, 0, 0, 0)


def test_each_new_number_is_fresh_and_each_repeated_one_is_not() -> None:
    tracker = SequenceTracker()
    assert [tracker.record(number, 0.0) for number in (0, 2, 1, 2, 0, 1, 3)] == [
        *(True, True, True),
        *(False, False, False),
        True,
    ]
    assert counts(tracker) == Counts(7, 0, 3, 1)


def test_gap_that_is_filled_within_the_window_is_reordered_and_not_lost() -> None:
    tracker = booked(0, *range(2, 2 + WINDOW - 1), 1)
    tracker.expire_gaps(float("inf"))
    assert counts(tracker) == Counts(WINDOW + 1, 0, 0, 1)


def test_gap_is_lost_once_it_has_left_the_window_and_not_before() -> None:
    tracker = booked(0, *range(2, WINDOW + 1))
    assert tracker.lost == 0
    tracker.record(WINDOW + 1, 0.0)
    assert tracker.lost == 1


def test_gap_is_lost_once_its_time_is_over_and_not_before() -> None:
    tracker = booked(0)
    tracker.record(2, 10.0)
    tracker.expire_gaps(9.9)
    assert tracker.lost == 0
    tracker.expire_gaps(10.0)
    tracker.expire_gaps(20.0)
    assert tracker.lost == 1


def test_number_written_off_and_arriving_after_all_is_reordered_and_stays_lost() -> None:
    tracker = booked(0, 2)
    tracker.expire_gaps(0.0)
    assert tracker.record(1, 1.0)
    assert not tracker.record(1, 1.0)
    assert counts(tracker) == Counts(4, 1, 1, 1)


def test_number_behind_the_window_is_taken_for_reordered() -> None:
    tracker = booked(*range(200))
    assert tracker.record(200 - WINDOW - 1, 0.0)
    assert not tracker.record(200 - WINDOW, 0.0)
    assert counts(tracker) == Counts(202, 0, 1, 1)


def test_leap_of_any_length_loses_what_it_leapt_over_in_no_time_and_no_memory() -> None:
    tracker = booked(0, 2**62)
    assert tracker.lost == 2**62 - 1 - WINDOW + 1
    assert remembered(tracker) < WINDOW
    tracker.expire_gaps(float("inf"))
    assert counts(tracker) == Counts(2, 2**62 - 1, 0, 0)


def test_session_that_begins_at_nought_counts_what_came_before_its_first_datagram() -> None:
    tracker = booked(0, 1)
    tracker.start_session(0)
    tracker.record(3, 0.0)
    tracker.expire_gaps(float("inf"))
    assert counts(tracker) == Counts(3, 3, 0, 0)


def test_session_that_was_met_midway_counts_nothing_from_before() -> None:
    tracker = SequenceTracker()
    tracker.start_session(41)
    tracker.record(41, 0.0)
    tracker.expire_gaps(float("inf"))
    assert counts(tracker) == Counts(1, 0, 0, 0)


def test_straggler_from_before_a_session_was_met_is_reordered_and_no_duplicate() -> None:
    tracker = SequenceTracker()
    tracker.start_session(41)
    tracker.record(41, 0.0)
    assert tracker.record(40, 0.0)
    assert not tracker.record(41, 0.0)
    assert counts(tracker) == Counts(3, 0, 1, 1)


def test_gaps_of_the_last_session_are_lost_with_it() -> None:
    tracker = booked(0, 5)
    tracker.start_session(0)
    assert tracker.lost == 4
    tracker.record(0, 0.0)
    tracker.expire_gaps(float("inf"))
    assert counts(tracker) == Counts(3, 4, 0, 0)


def test_numbers_written_off_in_the_last_session_mean_nothing_in_the_next() -> None:
    tracker = booked(0, 5)
    tracker.expire_gaps(0.0)
    tracker.start_session(0)
    for number in range(6):
        assert tracker.record(number, 0.0)
    assert counts(tracker) == Counts(8, 4, 0, 0)


@st.composite
def journeys(draw: st.DrawFn) -> list[int]:
    """Return the numbers from 0 on as a road delivers them: some never, some twice, some late."""
    delays = st.lists(st.integers(0, WINDOW - 2), max_size=3)
    copies = draw(st.lists(delays, min_size=1, max_size=150))
    arrivals = [
        (number + delay, number) for number, delayed in enumerate(copies) for delay in delayed
    ]
    return [number for _, number in sorted(arrivals, key=lambda pair: pair[0])]


def truth(arrivals: list[int]) -> Counts:
    """Return what happened, found by remembering everything."""
    seen: set[int] = set()
    duplicate = reordered = 0
    for number in arrivals:
        duplicate += number in seen
        reordered += number not in seen and number < max(seen, default=-1)
        seen.add(number)
    lost = max(seen, default=-1) + 1 - len(seen)
    return Counts(len(arrivals), lost, duplicate, reordered)


@given(journeys())
def test_after_any_journey_within_the_window_the_counts_are_the_truth(arrivals: list[int]) -> None:
    tracker = booked(*arrivals)
    tracker.expire_gaps(float("inf"))
    assert counts(tracker) == truth(arrivals)


NUMBERS = st.integers(0, 200) | st.integers(0, 2**63 - 1)
EVENTS = (
    st.tuples(st.just("book"), NUMBERS)
    | st.tuples(st.just("settle"), st.integers(0, 200))
    | st.tuples(st.just("begin"), NUMBERS)
)


@given(st.lists(EVENTS, max_size=200))
def test_no_counter_ever_falls_and_memory_stays_within_the_window(
    events: list[tuple[str, int]],
) -> None:
    tracker, before = SequenceTracker(), Counts(0, 0, 0, 0)
    for now, (name, number) in enumerate(events):
        if name == "book":
            tracker.record(number, float(now))
        elif name == "settle":
            tracker.expire_gaps(float(number))
        else:
            tracker.start_session(number)
        after = counts(tracker)
        assert all(new >= old for new, old in zip(after, before, strict=True))
        assert remembered(tracker) <= WINDOW
        before = after
    booked_in_all = sum(name == "book" for name, _ in events)
    assert before.received == booked_in_all
