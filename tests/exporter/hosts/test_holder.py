"""Who holds a name, and when another agent may take it."""

from pombo_exporter.hosts.holder import (
    ACCEPT,
    CONFLICT,
    PLAIN_OF_SEALED,
    REPLAYED,
    TAKE,
    UNPROVEN,
    Claim,
    Holder,
    Verdict,
)

CHALLENGE = b"8 random"
OTHER_CHALLENGE = b"8 others"


def sealed(session: int, salt: bytes = b"salt", challenge: bytes = bytes(8)) -> Claim:
    return Claim(session, salt, b"rnd", challenge, 0)


def held_by(claim: Claim, *heard: Claim, challenge: bytes = CHALLENGE) -> Holder:
    """Return a holder that has been heard so many times more."""
    holder = Holder()
    holder.take(claim, lambda _: challenge)
    for each in heard:
        holder.heard(each, is_newest=True)
    return holder


def judged(holder: Holder, claim: Claim, *, is_free: bool = False) -> Verdict:
    return holder.judge(claim, is_free=is_free, is_down=False)


def test_first_agent_takes_a_name() -> None:
    assert judged(Holder(), Claim(5)) is TAKE
    assert judged(Holder(), sealed(0)) is TAKE


def test_another_agent_waits_until_the_holder_is_silent() -> None:
    for first, other in ((Claim(5), Claim(9)), (sealed(5), sealed(9, b"other"))):
        holder = held_by(first, first)
        assert judged(holder, first) is ACCEPT
        assert judged(holder, other) is CONFLICT
        assert judged(holder, other, is_free=True) is TAKE


def test_one_plain_datagram_does_not_hold_a_name() -> None:
    forged = Claim(2**63 - 1)
    holder = held_by(forged)
    assert judged(holder, Claim(5)) is CONFLICT
    holder.refused(Claim(5))
    assert judged(holder, Claim(6)) is CONFLICT
    assert judged(holder, Claim(5)) is TAKE, "its second datagram"
    holder.take(Claim(5), lambda _: b"")
    holder.heard(Claim(5), is_newest=True)
    assert judged(holder, Claim(6), is_free=True) is TAKE, "the forged session was the greatest"


def test_sealed_agent_takes_the_name_of_a_plain_one_at_once() -> None:
    assert judged(held_by(Claim(9), Claim(9)), sealed(5)) is TAKE
    assert judged(held_by(sealed(9)), sealed(10, b"other")) is CONFLICT


def test_older_session_is_replayed_unless_it_is_plain_and_the_host_is_down() -> None:
    plain = held_by(Claim(9), Claim(9))
    assert judged(plain, Claim(5), is_free=True) is REPLAYED
    assert plain.judge(Claim(5), is_free=True, is_down=True) is TAKE
    one_way = held_by(sealed(9), sealed(9))
    assert one_way.judge(sealed(9, b"other"), is_free=True, is_down=True) is REPLAYED
    assert one_way.judge(sealed(10, b"other"), is_free=True, is_down=True) is TAKE


def test_where_an_agent_was_proven_another_one_must_show_the_challenge() -> None:
    holder = held_by(sealed(9), sealed(9, challenge=CHALLENGE))
    assert holder.proven
    assert judged(holder, sealed(10, b"other")) is CONFLICT
    assert judged(holder, sealed(10, b"other", OTHER_CHALLENGE), is_free=True) is UNPROVEN
    shown = sealed(5, b"other", CHALLENGE)
    assert judged(holder, shown) is CONFLICT, "the holder reports"
    assert judged(holder, shown, is_free=True) is TAKE, "a clock that went back"
    holder.take(shown, lambda _: OTHER_CHALLENGE)
    assert holder.proven, "so the next one must show the new challenge"
    assert holder.challenge == OTHER_CHALLENGE


def test_holder_that_shows_another_challenge_is_not_proven() -> None:
    assert not held_by(sealed(9), sealed(9, challenge=OTHER_CHALLENGE)).proven


def test_sealed_name_refuses_plain_datagrams() -> None:
    holder = held_by(sealed(5), sealed(5))
    assert judged(holder, Claim(9), is_free=True) is PLAIN_OF_SEALED


def test_two_agents_under_one_salt_are_clones() -> None:
    holder = held_by(sealed(5), sealed(5))
    assert holder.is_clone(b"two", is_newest=True)
    assert not holder.is_clone(b"two", is_newest=False)
    assert not holder.is_clone(sealed(5).rnd, is_newest=True)
