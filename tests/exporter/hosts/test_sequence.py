"""Counters of a host's datagrams: right in the end, and never falling."""

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


def tracker_with(*numbers: int, now: float = 0.0) -> SequenceTracker:
    tracker = SequenceTracker()
    for number in numbers:
        tracker.record(number, now)
    return tracker


def stored(tracker: SequenceTracker) -> int:
    """Return how many items a tracker stores, in all its fields."""
    values = (getattr(tracker, name) for name in tracker.__struct_fields__)
    return sum(len(value) for value in values if isinstance(value, Collection))


#: The most items that a tracker stores: for each number of a window, the number and a time.
MAX_STORED = 2 * WINDOW


def test_datagrams_in_order_are_only_received() -> None:
    tracker = tracker_with(*range(1000))
    tracker.expire_gaps(float("inf"))
    assert counts(tracker) == Counts(1000, 0, 0, 0)


def test_record_returns_whether_a_number_is_new() -> None:
    tracker = SequenceTracker()
    assert [tracker.record(number, 0.0) for number in (0, 2, 1, 2, 0, 1, 3)] == [
        *(True, True, True),
        *(False, False, False),
        True,
    ]
    assert counts(tracker) == Counts(7, 0, 3, 1)


def test_gap_that_is_filled_within_the_window_is_reordered_and_not_lost() -> None:
    tracker = tracker_with(0, *range(2, 2 + WINDOW - 1), 1)
    tracker.expire_gaps(float("inf"))
    assert counts(tracker) == Counts(WINDOW + 1, 0, 0, 1)


def test_gap_is_lost_once_it_has_left_the_window_and_not_before() -> None:
    tracker = tracker_with(0, *range(2, WINDOW + 1))
    assert tracker.lost == 0
    tracker.record(WINDOW + 1, 0.0)
    assert tracker.lost == 1


def test_gap_is_lost_once_it_expires_and_not_before() -> None:
    tracker = tracker_with(0)
    tracker.record(2, 10.0)
    tracker.expire_gaps(9.9)
    assert tracker.lost == 0
    tracker.expire_gaps(10.0)
    tracker.expire_gaps(20.0)
    assert tracker.lost == 1


def test_lost_number_that_arrives_after_all_is_reordered_and_stays_lost() -> None:
    tracker = tracker_with(0, 2)
    tracker.expire_gaps(0.0)
    assert tracker.record(1, 1.0)
    assert not tracker.record(1, 1.0)
    assert counts(tracker) == Counts(4, 1, 1, 1)


def test_number_behind_the_window_is_counted_as_reordered() -> None:
    tracker = tracker_with(*range(200))
    assert tracker.record(200 - WINDOW - 1, 0.0)
    assert not tracker.record(200 - WINDOW, 0.0)
    assert counts(tracker) == Counts(202, 0, 1, 1)


def test_gap_of_any_length_is_lost_without_memory_for_each_number() -> None:
    tracker = tracker_with(0, 2**62)
    assert tracker.lost == 2**62 - 1 - WINDOW + 1
    assert stored(tracker) < MAX_STORED
    tracker.expire_gaps(float("inf"))
    assert counts(tracker) == Counts(2, 2**62 - 1, 0, 0)


def test_session_that_starts_at_zero_has_lost_the_numbers_before_its_first_datagram() -> None:
    tracker = tracker_with(0, 1)
    tracker.start_session(0)
    tracker.record(3, 0.0)
    tracker.expire_gaps(float("inf"))
    assert counts(tracker) == Counts(3, 3, 0, 0)


def test_session_that_starts_at_its_first_datagram_has_lost_nothing_before() -> None:
    tracker = SequenceTracker()
    tracker.start_session(41)
    tracker.record(41, 0.0)
    tracker.expire_gaps(float("inf"))
    assert counts(tracker) == Counts(1, 0, 0, 0)


def test_number_before_the_start_of_a_session_is_reordered_and_no_duplicate() -> None:
    tracker = SequenceTracker()
    tracker.start_session(41)
    tracker.record(41, 0.0)
    assert tracker.record(40, 0.0)
    assert not tracker.record(41, 0.0)
    assert counts(tracker) == Counts(3, 0, 1, 1)


def test_gaps_of_the_last_session_are_lost_with_it() -> None:
    tracker = tracker_with(0, 5)
    tracker.start_session(0)
    assert tracker.lost == 4
    tracker.record(0, 0.0)
    tracker.expire_gaps(float("inf"))
    assert counts(tracker) == Counts(3, 4, 0, 0)


def test_lost_numbers_of_the_last_session_mean_nothing_in_the_next() -> None:
    tracker = tracker_with(0, 5)
    tracker.expire_gaps(0.0)
    tracker.start_session(0)
    for number in range(6):
        assert tracker.record(number, 0.0)
    assert counts(tracker) == Counts(8, 4, 0, 0)


@st.composite
def arrivals_in_the_window(draw: st.DrawFn) -> list[int]:
    """Return the numbers from 0 on as a network delivers them: lost, doubled and delayed."""
    delays = st.lists(st.integers(0, WINDOW - 2), max_size=3)
    copies = draw(st.lists(delays, min_size=1, max_size=150))
    arrivals = [
        (number + delay, number) for number, delayed in enumerate(copies) for delay in delayed
    ]
    return [number for _, number in sorted(arrivals, key=lambda pair: pair[0])]


def expected_counts(arrivals: list[int]) -> Counts:
    """Return the counts of a tracker with unlimited memory."""
    seen: set[int] = set()
    duplicate = reordered = 0
    for number in arrivals:
        duplicate += number in seen
        reordered += number not in seen and number < max(seen, default=-1)
        seen.add(number)
    lost = max(seen, default=-1) + 1 - len(seen)
    return Counts(len(arrivals), lost, duplicate, reordered)


@given(arrivals_in_the_window())
def test_counts_are_right_for_any_arrivals_within_the_window(arrivals: list[int]) -> None:
    tracker = tracker_with(*arrivals)
    tracker.expire_gaps(float("inf"))
    assert counts(tracker) == expected_counts(arrivals)


NUMBERS = st.integers(0, 200) | st.integers(0, 2**63 - 1)
EVENTS = (
    st.tuples(st.just("record"), NUMBERS)
    | st.tuples(st.just("expire"), st.integers(0, 200))
    | st.tuples(st.just("start"), NUMBERS)
)


@given(st.lists(EVENTS, max_size=200))
def test_no_counter_ever_falls_and_memory_is_bounded_by_the_window(
    events: list[tuple[str, int]],
) -> None:
    tracker, before = SequenceTracker(), Counts(0, 0, 0, 0)
    for now, (name, number) in enumerate(events):
        if name == "record":
            known = not tracker.is_behind_window(number)
            was_received = tracker.was_received(number)
            is_new = tracker.record(number, float(now))
            assert was_received is not (is_new and known)
        elif name == "expire":
            tracker.expire_gaps(float(number))
        else:
            tracker.start_session(number)
        after = counts(tracker)
        assert all(new >= old for new, old in zip(after, before, strict=True))
        assert stored(tracker) <= MAX_STORED
        before = after
    recorded_events = sum(name == "record" for name, _ in events)
    assert before.received == recorded_events


def test_leap_beyond_what_is_possible_is_skipped_and_the_rest_lost() -> None:
    tracker = tracker_with(0)
    tracker.record(2**63 - 1, 0.0, possible=100.9)
    assert (tracker.skipped, tracker.lost) == (2**63 - 2 - 100, 101 - WINDOW)
    assert tracker.record(2**63 - 1 - WINDOW + 1, 1.0), "it is late"
    tracker.expire_gaps(float("inf"))
    assert (tracker.lost, tracker.reordered) == (99, 1)


def test_numbers_that_a_host_did_not_need_are_possible_later_for_ten_minutes() -> None:
    tracker = SequenceTracker()
    tracker.start_session(0, now=100.0)
    assert tracker.possible(1.0, 10.0, 110.0) == WINDOW
    assert tracker.possible(1.0, 10.0, 400.0) == 300
    assert tracker.possible(1.0, 10.0, 9999.0) == 600
    assert tracker.possible(1.0, 5000.0, 9999.0) == 5000
    tracker.record(250, 400.0, tracker.possible(1.0, 10.0, 400.0))
    assert tracker.possible(1.0, 10.0, 430.0) == 80
