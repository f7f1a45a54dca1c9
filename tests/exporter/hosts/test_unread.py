"""What is refused before its inside is read would be refused afterwards, and counts the same."""

import json
from collections.abc import Iterator
from copy import deepcopy
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pombo_exporter.hosts.holder import Claim
from pombo_exporter.hosts.host import Host
from pombo_exporter.hosts.limits import AdmissionError
from pombo_exporter.hosts.roster import Roster
from pombo_wire.reading import Outer, read
from support.builders import ADDRESS, OTHER_ADDRESS, SESSION, Exporter

NAME = "pi"
INTERVAL = 5.0

#: Who sends, by how much the number differs from the next one, whether the challenge is shown,
#: whether it is a clone, whether it is a bye, and the seconds until the next datagram.
SENT = st.tuples(
    st.integers(0, 2),
    st.sampled_from([0, 0, 0, 1, 2, -1, -2, -5, -70]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([False] * 9 + [True]),
    st.sampled_from([0.0, 0.5, 2.5, 5.0, 8.0, 16.0, 40.0]),
)


class Side:
    """An exporter that judges datagrams before it reads them, or only afterwards."""

    def __init__(self, *, before: bool) -> None:
        self.exporter, self._before = Exporter(), before
        self.refused_unread = 0
        numbers = count(1)

        def counted(size: int) -> bytes:
            return next(numbers).to_bytes(size, "big")

        other = self.exporter
        other.roster = Roster(other.limits, other.table.catalog(), lambda *_: None, 0.0, counted)

    def take(self, claim: Claim, seq: int, inside: bytes, number: int) -> str | None:
        """Take a datagram; return the reason of its refusal."""
        exporter, address = self.exporter, (ADDRESS, OTHER_ADDRESS)[number % 2]
        try:
            if self._before:
                unread = claim._replace(session=0)
                try:
                    exporter.roster.refuse_unread(NAME, unread, seq, address, exporter.now)
                except AdmissionError:
                    self.refused_unread += 1
                    raise
            datagram = read(inside, Outer(NAME, seq))
            exporter.roster.admit(datagram, address, exporter.now, exporter.wall, claim)
        except AdmissionError as error:
            return error.reason
        return None

    def state(self) -> object:
        host = self.exporter.roster.hosts.get(NAME)
        return None if host is None else [*fields(host)]


def fields(host: Host) -> Iterator[object]:
    """Yield what is kept of a host, but not the objects that differ between two exporters."""
    for name in host.__struct_fields__:
        value = getattr(host, name)
        if name in {"sequence", "holder"}:
            yield name, [getattr(value, each) for each in value.__struct_fields__]
        elif name not in {"slots", "pending", "loose"}:
            yield name, value


@given(st.lists(SENT, max_size=60))
def test_both_orders_refuse_and_count_the_same(
    sent: list[tuple[int, int, bool, bool, bool, float]],
) -> None:
    sides = Side(before=True), Side(before=False)
    following = [0, 0, 0]
    for number, (who, difference, shows, is_clone, bye, wait) in enumerate(sent):
        seq = max(0, following[who] + difference)
        following[who] = max(following[who], seq + 1)
        challenge = sides[1].exporter.roster.challenge_of(NAME) if shows else b"none"
        # The number decides the random bytes, so a number that is sent again is a repetition.
        rnd = b"clone" if is_clone else b"%d" % seq
        session = SESSION + who * 10**9
        claim = Claim(session, b"salt %d" % who, rnd, challenge, 0)
        header = {"session": session, "time": sides[0].exporter.wall, "interval": INTERVAL}
        inside = json.dumps({**header, "bye": bye}).encode()
        reasons = {side.take(claim, seq, inside, number) for side in sides}
        assert len(reasons) == 1
        assert deepcopy(sides[0].state()) == sides[1].state()
        for side in sides:
            side.exporter.wait(wait)


@pytest.mark.parametrize(("salt", "expected"), [(b"salt 1", "replayed"), (b"salt 0", "conflict")])
def test_repetitions_of_this_agent_and_of_an_earlier_one_are_not_read(
    salt: bytes, expected: str
) -> None:
    side = Side(before=True)
    for who in (0, 1):
        for seq in range(3):
            claim = Claim(SESSION + who, b"salt %d" % who, b"%d" % seq, b"none", 0)
            header = {"session": claim.session, "time": side.exporter.wall, "interval": INTERVAL}
            bye = seq == 2 and who == 0
            inside = json.dumps({**header, "bye": bye}).encode()
            assert side.take(claim, seq, inside, 0) is None
            side.exporter.wait(INTERVAL)
    assert side.take(Claim(0, salt, b"1", b"none", 0), 1, b"not read", 1) == expected
    assert side.refused_unread == 1
