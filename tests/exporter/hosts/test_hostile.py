"""Any datagrams: only two errors, right totals, no series twice, nothing stored of refused ones."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pombo_exporter.hosts.limits import AdmissionError
from pombo_wire import SECTIONS, DecodeError
from pombo_wire.reading import read
from support.books import LOW, State, check_books, check_limits, check_refused, check_series
from support.builders import ADDRESS, Exporter
from support.crafted import deflated

from bench.fleets.hostile import COSTLY, FAMILIES

_WALL = 1_800_000_000.0


_TEXTS = st.sampled_from(["a", "b", "c"])
_COLUMNS = st.lists(_TEXTS, max_size=3, unique=True)


@st.composite
def members(draw: st.DrawFn) -> tuple[str, dict[str, Any], int]:
    """Return a section that may be valid: its name and layout, and how many cells it has."""
    rows = draw(st.lists(_TEXTS, min_size=1, max_size=3, unique=True))
    columns = draw(_COLUMNS)
    which = draw(st.sampled_from(["open", "star", "table", "map", "record", "newer", "info"]))
    labels = {draw(st.sampled_from(["x", "y"])): rows} if draw(st.booleans()) else {}
    if which == "open":
        name, columns = draw(st.sampled_from(["f_a", "f_b"])), ["f"]
        body: dict[str, Any] = {"type": draw(st.sampled_from(["gauge", "counter"]))}
    elif which == "star":
        name, body = draw(st.sampled_from(["f_*", "*_a"])), {"type": "gauge", "values": columns}
    elif which == "map":
        name, body, labels = draw(st.sampled_from(["meminfo", "vmstat"])), {"values": columns}, {}
    elif which == "newer":
        name, body = "newer", {"values": columns}
    else:
        known = {"table": ["cpu", "disks", "arp"], "record": ["memory", "swap"], "info": ["info"]}
        name = draw(st.sampled_from(known[which]))
        kind = SECTIONS[name]
        texts, values = (
            kind.__struct_fields__[: kind.label_columns],
            kind.__struct_fields__[kind.label_columns :],
        )
        labels = dict.fromkeys(texts, rows if which == "table" else rows[:1])
        columns = [*values[: draw(st.integers(0, 3))]]
        body = {"values": columns}
    return (
        name,
        body | ({"labels": labels} if labels else {}),
        len(columns) * (len(next(iter(labels.values()), " "))),
    )


@st.composite
def layouts(draw: st.DrawFn) -> tuple[dict[str, Any], int]:
    """Return a layout that may be valid, and how many numbers it has."""
    found: dict[str, Any] = {}
    count = 0
    for name, body, cells in draw(st.lists(members(), max_size=3, unique_by=lambda each: each[0])):
        if cells and draw(st.booleans()):
            body["absent"] = sorted(draw(st.sets(st.integers(0, cells - 1))))
            count -= len(body["absent"])
        found[name] = body
        count += cells
    if draw(st.integers(0, 3)) == 0:
        found["labels"] = {"room": draw(_TEXTS)}
    return found, count


def datagram_of(header: dict[str, Any], layout: dict[str, Any], count: int, *rest: Any) -> bytes:
    """Return a packed datagram with as many numbers, all of them 1."""
    lines = [header, layout, [1] * count, *rest]
    return deflated(b"\n".join(json.dumps(each, separators=(",", ":")).encode() for each in lines))


@st.composite
def packed_datagrams(draw: st.DrawFn) -> bytes:
    """Return packed datagrams, most of which are valid."""
    return datagram_of({"host": "pi", "session": 1, "seq": 0, "parts": 2}, *draw(layouts()))


@given(st.binary(max_size=1300) | st.binary(max_size=40).map(lambda each: b"\xb0\x01" + each))
def test_no_bytes_raise_anything_but_the_two_errors(datagram: bytes) -> None:
    roster = Exporter().roster
    before = State(roster)
    try:
        roster.admit(read(datagram), ADDRESS, 0.0, _WALL)
    except (DecodeError, AdmissionError):
        check_refused(before, State(roster))


@given(packed_datagrams(), st.data())
def test_a_datagram_with_a_changed_byte_raises_nothing_but_the_two_errors(
    datagram: bytes, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(datagram) - 1))
    changed = datagram[:place] + bytes([data.draw(st.integers(0, 255))]) + datagram[place + 1 :]
    roster = Exporter().roster
    before = State(roster)
    try:
        roster.admit(read(changed), ADDRESS, 0.0, _WALL)
    except (DecodeError, AdmissionError):
        check_refused(before, State(roster))


class AnyHistory(RuleBasedStateMachine):
    """Datagrams, silence and forgetting in any order, with low limits."""

    def __init__(self) -> None:
        super().__init__()
        self.exporter = Exporter(LOW)
        self.seq = 100

    @rule(
        host=st.sampled_from(["pi", "pi", "nas", "vm", "fourth"]),
        session=st.sampled_from([1, 1, 1, 1, 1, 2]),
        order=st.tuples(st.sampled_from([0, 0, 0, 0, 1, 3]), st.integers(0, 1)),
        plan=st.sampled_from([0, 0, 0, 1]),
        layout=layouts(),
    )
    def report(
        self,
        host: str,
        *,
        session: int,
        order: tuple[int, int],
        plan: int,
        layout: tuple[dict[str, Any], int],
    ) -> None:
        self.seq += 1
        before, part = order
        header = {"host": host, "session": session, "seq": self.seq - before, "interval": 30}
        header |= {"part": part, "parts": 2, "plan": plan, "monotonic": float(self.seq)}
        self.send(datagram_of(header, *layout))

    @rule(
        host=st.sampled_from(["pi", "nas"]),
        interval=st.sampled_from([1, 30]),
        layout=layouts(),
        extra=st.sampled_from([(), ({"a": "b" * 40},)]),
    )
    def script(
        self,
        host: str,
        interval: int,
        layout: tuple[dict[str, Any], int],
        extra: tuple[dict[str, str], ...],
    ) -> None:
        self.send(datagram_of({"host": host, "interval": interval}, *layout, *extra))

    @rule(host=st.sampled_from(["pi", "nas"]), session=st.sampled_from([1, 2]))
    def bye(self, host: str, session: int) -> None:
        self.seq += 1
        header = {"host": host, "session": session, "seq": self.seq, "bye": True}
        self.send(datagram_of(header, {}, 0))

    def send(self, datagram: bytes) -> None:
        before = State(self.exporter.roster)
        try:
            self.exporter.take_datagram(datagram)
            event("accepted")
        except (DecodeError, AdmissionError) as error:
            event(str(error.reason))
            check_refused(before, State(self.exporter.roster))

    @rule(seconds=st.sampled_from([0.5, 0.5, 4.0, 16.0, 95.0]))
    def wait(self, seconds: float) -> None:
        self.exporter.wait(seconds)

    @precondition(lambda self: self.exporter.roster.hosts)
    @rule(place=st.integers(0, 2))
    def forget(self, place: int) -> None:
        names = [*self.exporter.roster.hosts]
        self.exporter.roster.forget(names[place % len(names)], self.exporter.now)

    @invariant()
    def books_are_right(self) -> None:
        check_books(self.exporter.roster)

    @invariant()
    def no_series_is_there_twice(self) -> None:
        check_series(self.exporter.roster)

    @invariant()
    def limits_hold(self) -> None:
        check_limits(self.exporter.roster)

    def teardown(self) -> None:
        self.exporter.wait(3 * 30 + LOW.forget_after + 31)
        assert not self.exporter.roster.hosts
        assert self.exporter.roster.booked_bytes == self.exporter.roster.layouts.count == 0
        assert not self.exporter.roster.layouts.types


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=150, stateful_step_count=30)


@pytest.mark.parametrize("name", FAMILIES)
def test_totals_are_right_after_costly_datagrams(name: str) -> None:
    for params in COSTLY[name]:
        attack = FAMILIES[name].attack(params)
        exporter = Exporter()
        for datagram in [*attack.prepared, *attack.round(0), *attack.round(1)]:
            with suppress(DecodeError, AdmissionError):
                exporter.take_datagram(datagram)
        check_books(exporter.roster)
        check_series(exporter.roster)
