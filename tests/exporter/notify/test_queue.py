"""A queue keeps the last alert of each problem, within bounds, and says when to try again."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pombo_exporter.notify.alerts import Alert, Key, Kind, Words
from pombo_exporter.notify.grouping import MOST_ALERTS, MOST_BYTES, Batch, Links
from pombo_exporter.notify.queue import MOST_AGE, MOST_RETRY_AFTER, Queue

WALL = 1_800_000_000.0
LINKS = Links("http://pombo", lambda name: f"http://pombo/host?name={name}")


def down(name: str = "pi", *, in_burst: bool = False, **labels: str) -> Alert:
    words = Words(f"{name} is down", "")
    return Alert(Key(Kind.DOWN, name), labels, WALL, words, in_burst=in_burst)


def up(name: str = "pi", *, in_burst: bool = False) -> Alert:
    return down(name, in_burst=in_burst).resolved(Words(f"{name} is back", ""), WALL + 60)


def queue(capacity: int = 1000) -> Queue:
    return Queue(capacity, lambda: 1.0)


def batch(waiting: Queue, *, still_firing: bool = False) -> Batch:
    found = waiting.batch(LINKS, lambda _: still_firing)
    assert found is not None
    return found


def all_batches(waiting: Queue) -> list[dict[str, Any]]:
    """Deliver everything; return the payloads."""
    found = []
    while len(waiting):
        made = batch(waiting)
        found.append(json.loads(made.body))
        waiting.delivered(made.alerts)
    return found


def said(payload: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["labels"]["instance"], each["status"]) for each in payload["alerts"]]


def test_each_problem_is_a_request_of_its_own_in_the_order_of_its_coming() -> None:
    waiting = queue()
    for name in ("b", "a", "c"):
        waiting.put(down(name), 0.0)
    assert [said(each) for each in all_batches(waiting)] == [
        [("b", "firing")],
        [("a", "firing")],
        [("c", "firing")],
    ]
    assert waiting.batch(LINKS, lambda _: False) is None
    assert waiting.due_in(0.0) is None


def test_burst_is_in_few_requests_of_bounded_size() -> None:
    waiting = queue(10_000)
    for number in range(5000):
        waiting.put(down(f"host-{number}", in_burst=True, site="x" * 100), 0.0)
    found = []
    while len(waiting):
        made = batch(waiting)
        assert len(made.body) <= MOST_BYTES + 2048
        assert len(made.alerts) <= MOST_ALERTS
        found.append(json.loads(made.body))
        waiting.delivered(made.alerts)
    assert len(found) <= 60
    assert len({each["groupKey"] for each in found}) == 1
    names = [name for each in found for name, _ in said(each)]
    assert names == [f"host-{number}" for number in range(5000)]
    left = [each["truncatedAlerts"] for each in found]
    assert left == [
        5000 - sum(len(each["alerts"]) for each in found[: at + 1]) for at in range(len(found))
    ]


def test_problem_that_was_over_before_it_was_sent_is_not_sent_at_all() -> None:
    waiting = queue()
    waiting.put(down(), 0.0)
    waiting.put(up(), 1.0)
    assert (len(waiting), waiting.dropped) == (0, 0)


def test_end_of_a_problem_is_sent_if_the_receiver_may_have_heard_of_it() -> None:
    waiting = queue()
    waiting.put(down(), 0.0)
    first = batch(waiting)
    waiting.put(up(), 1.0)  # while the request is under way
    waiting.failed(2.0)
    assert said(json.loads(batch(waiting).body)) == [("pi", "resolved")]
    waiting.delivered(first.alerts)  # no alert of this request waits any more
    assert len(waiting) == 1


def test_last_alert_of_a_problem_takes_the_place_of_the_others() -> None:
    waiting = queue()
    waiting.put(up(), 0.0)
    again = down()
    waiting.put(again, 1.0)
    assert batch(waiting).alerts == [again]
    assert len(waiting) == 1


def test_full_queue_drops_what_has_waited_for_longest() -> None:
    waiting = queue(capacity=3)
    for name in "abcde":
        waiting.put(down(name), 0.0)
    assert (len(waiting), waiting.dropped) == (3, 2)
    assert [said(each)[0][0] for each in all_batches(waiting)] == ["c", "d", "e"]


def test_pauses_grow_to_a_minute_and_end_with_success() -> None:
    waiting = queue()
    waiting.put(down(), 0.0)
    pauses = []
    for _ in range(9):
        waiting.failed(0.0)
        pauses.append(waiting.due_in(0.0))
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    made = batch(waiting)
    waiting.delivered(made.alerts)
    waiting.put(down("b"), 0.0)
    assert waiting.due_in(0.0) == 0
    waiting.failed(0.0)
    assert waiting.due_in(0.0) == 1


@pytest.mark.parametrize(
    ("asked", "pause"), [(0.0, 1.0), (0.5, 1.0), (17.0, 17.0), (1e9, MOST_RETRY_AFTER)]
)
def test_receiver_may_ask_for_a_longer_pause_within_a_bound(asked: float, pause: float) -> None:
    waiting = queue()
    waiting.put(down(), 0.0)
    waiting.failed(100.0, asked)
    assert waiting.due_in(100.0) == pause
    waiting.try_now()
    assert waiting.due_in(100.0) == 0


def test_alerts_are_dropped_when_they_have_waited_for_an_hour() -> None:
    waiting = queue()
    waiting.put(down("a"), 0.0)
    waiting.put(down("b"), MOST_AGE - 1)
    waiting.failed(MOST_AGE)
    assert (len(waiting), waiting.dropped) == (1, 1)
    assert said(json.loads(batch(waiting).body)) == [("b", "firing")]


def test_refused_alerts_are_dropped_and_counted() -> None:
    waiting = queue()
    waiting.put(down("a"), 0.0)
    waiting.put(down("b"), 0.0)
    waiting.refused(batch(waiting).alerts)
    assert (len(waiting), waiting.dropped, waiting.due_in(0.0)) == (1, 1, 0)


def burst(count: int) -> Queue:
    waiting = queue()
    for number in range(count):
        waiting.put(down(f"host-{number}", in_burst=True), 0.0)
    return waiting


def taken_by(waiting: Queue, most: int) -> list[dict[str, Any]]:
    """Deliver to a receiver that accepts so many alerts at a time; return what it accepts."""
    found: list[dict[str, Any]] = []
    for _ in range(1000):
        made = waiting.batch(LINKS, lambda _: True)
        if made is None:
            return found
        if len(made.alerts) > most:
            waiting.refused(made.alerts, may_be_long=True)
        else:
            found.append(json.loads(made.body))
            waiting.delivered(made.alerts)
    raise AssertionError("it does not end")


def test_receiver_that_takes_fewer_alerts_at_a_time_gets_fewer_and_all() -> None:
    waiting = burst(300)
    found = taken_by(waiting, 30)
    assert [len(each["alerts"]) for each in found] == [25] * 12
    assert waiting.dropped == 0


def test_receiver_that_makes_messages_gets_one_of_a_burst_with_the_number_of_all() -> None:
    waiting = burst(300)
    [found] = taken_by(waiting, 7)
    assert (len(found["alerts"]), found["truncatedAlerts"]) == (6, 294)
    assert (len(waiting), waiting.dropped) == (0, 294)
    waiting.put(down("alone"), 0.0)
    [found] = taken_by(waiting, 7)
    assert said(found) == [("alone", "firing")]


def test_what_comes_while_a_message_about_a_burst_is_sent_is_not_left_out() -> None:
    waiting = burst(100)
    taken_by(waiting, 7)
    for number in range(20):
        waiting.put(down(f"later-{number}", in_burst=True), 0.0)
    made = batch(waiting)
    waiting.put(down("last", in_burst=True), 0.0)
    waiting.delivered(made.alerts)
    assert said(json.loads(batch(waiting).body)) == [("last", "firing")]


def test_receiver_that_refuses_one_alert_as_well_gets_no_more_of_the_burst() -> None:
    waiting = burst(1000)
    requests = 0
    while len(waiting):
        waiting.refused(batch(waiting).alerts, may_be_long=True)
        requests += 1
    assert requests <= 8
    assert waiting.dropped == 1000


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.sampled_from("pfdr"))))
def test_receiver_ends_with_the_last_state_of_each_problem(
    steps: list[tuple[str, bool, str]],
) -> None:
    """Whatever happens between: what it heard last is so, or it was never told of the problem."""
    waiting = queue()
    last: dict[str, str] = {}
    heard: dict[str, str] = {}
    for now, (name, firing, what) in enumerate(steps):
        if what == "p":
            waiting.put(down(name) if firing else up(name), now)
            last[name] = "firing" if firing else "resolved"
        elif (made := waiting.batch(LINKS, lambda _: False)) is not None:
            if what == "f":
                waiting.failed(now)
                continue
            heard |= dict(said(json.loads(made.body)))
            waiting.delivered(made.alerts)
    for payload in all_batches(waiting):
        heard |= dict(said(payload))
    assert {name: heard.get(name, "resolved") for name in last} == last
