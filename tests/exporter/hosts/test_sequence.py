"""The count of each host's datagrams: it ends at the truth, and never falls on its way."""

from collections.abc import Collection
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from pombo_exporter.hosts.sequence import WINDOW, Ledger


class Counts(NamedTuple):
    received: int
    lost: int
    duplicate: int
    reordered: int


def counts(ledger: Ledger) -> Counts:
    return Counts(ledger.received, ledger.lost, ledger.duplicate, ledger.reordered)


def booked(*numbers: int, now: float = 0.0) -> Ledger:
    ledger = Ledger()
    for number in numbers:
        ledger.book(number, now)
    return ledger


def remembered(ledger: Ledger) -> int:
    """Return how many numbers a ledger keeps, whatever it calls them."""
    kept = (getattr(ledger, name) for name in ledger.__struct_fields__)
    return sum(len(value) for value in kept if isinstance(value, Collection))


def test_datagrams_in_order_are_only_received() -> None:
    ledger = booked(*range(1000))
    ledger.settle(float("inf"))
    assert counts(ledger) == Counts(1000, 0, 0, 0)


def test_each_new_number_is_fresh_and_each_repeated_one_is_not() -> None:
    ledger = Ledger()
    assert [ledger.book(number, 0.0) for number in (0, 2, 1, 2, 0, 1, 3)] == [
        *(True, True, True),
        *(False, False, False),
        True,
    ]
    assert counts(ledger) == Counts(7, 0, 3, 1)


def test_gap_that_is_filled_within_the_window_is_reordered_and_not_lost() -> None:
    ledger = booked(0, *range(2, 2 + WINDOW - 1), 1)
    ledger.settle(float("inf"))
    assert counts(ledger) == Counts(WINDOW + 1, 0, 0, 1)


def test_gap_is_lost_once_it_has_left_the_window_and_not_before() -> None:
    ledger = booked(0, *range(2, WINDOW + 1))
    assert ledger.lost == 0
    ledger.book(WINDOW + 1, 0.0)
    assert ledger.lost == 1


def test_gap_is_lost_once_its_time_is_over_and_not_before() -> None:
    ledger = booked(0)
    ledger.book(2, 10.0)
    ledger.settle(9.9)
    assert ledger.lost == 0
    ledger.settle(10.0)
    ledger.settle(20.0)
    assert ledger.lost == 1


def test_number_written_off_and_arriving_after_all_is_reordered_and_stays_lost() -> None:
    ledger = booked(0, 2)
    ledger.settle(0.0)
    assert ledger.book(1, 1.0)
    assert not ledger.book(1, 1.0)
    assert counts(ledger) == Counts(4, 1, 1, 1)


def test_number_behind_the_window_is_taken_for_reordered() -> None:
    ledger = booked(*range(200))
    assert ledger.book(200 - WINDOW - 1, 0.0)
    assert not ledger.book(200 - WINDOW, 0.0)
    assert counts(ledger) == Counts(202, 0, 1, 1)


def test_leap_of_any_length_loses_what_it_leapt_over_in_no_time_and_no_memory() -> None:
    ledger = booked(0, 2**62)
    assert ledger.lost == 2**62 - 1 - WINDOW + 1
    assert remembered(ledger) < WINDOW
    ledger.settle(float("inf"))
    assert counts(ledger) == Counts(2, 2**62 - 1, 0, 0)


def test_session_that_begins_at_nought_counts_what_came_before_its_first_datagram() -> None:
    ledger = booked(0, 1)
    ledger.begin(0)
    ledger.book(3, 0.0)
    ledger.settle(float("inf"))
    assert counts(ledger) == Counts(3, 3, 0, 0)


def test_session_that_was_met_midway_counts_nothing_from_before() -> None:
    ledger = Ledger()
    ledger.begin(41)
    ledger.book(41, 0.0)
    ledger.settle(float("inf"))
    assert counts(ledger) == Counts(1, 0, 0, 0)


def test_straggler_from_before_a_session_was_met_is_reordered_and_no_duplicate() -> None:
    ledger = Ledger()
    ledger.begin(41)
    ledger.book(41, 0.0)
    assert ledger.book(40, 0.0)
    assert not ledger.book(41, 0.0)
    assert counts(ledger) == Counts(3, 0, 1, 1)


def test_gaps_of_the_last_session_are_lost_with_it() -> None:
    ledger = booked(0, 5)
    ledger.begin(0)
    assert ledger.lost == 4
    ledger.book(0, 0.0)
    ledger.settle(float("inf"))
    assert counts(ledger) == Counts(3, 4, 0, 0)


def test_numbers_written_off_in_the_last_session_mean_nothing_in_the_next() -> None:
    ledger = booked(0, 5)
    ledger.settle(0.0)
    ledger.begin(0)
    for number in range(6):
        assert ledger.book(number, 0.0)
    assert counts(ledger) == Counts(8, 4, 0, 0)


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
    ledger = booked(*arrivals)
    ledger.settle(float("inf"))
    assert counts(ledger) == truth(arrivals)


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
    ledger, before = Ledger(), Counts(0, 0, 0, 0)
    for now, (name, number) in enumerate(events):
        if name == "book":
            ledger.book(number, float(now))
        elif name == "settle":
            ledger.settle(float(number))
        else:
            ledger.begin(number)
        after = counts(ledger)
        assert all(new >= old for new, old in zip(after, before, strict=True))
        assert remembered(ledger) <= WINDOW
        before = after
    booked_in_all = sum(name == "book" for name, _ in events)
    assert before.received == booked_in_all
