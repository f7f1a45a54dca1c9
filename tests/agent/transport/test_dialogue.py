"""What an agent that seals knows of a server: salts, asking, and answers that count."""

from collections.abc import Callable
from typing import Any

import pytest
from pombo_agent.transport.crypto import CRYPTO
from pombo_agent.transport.dialogue import CONFLICT_SECONDS, Dialogue
from pombo_exporter.seal.crypto import CRYPTO as OF_EXPORTER
from pombo_wire.keys import HostKey
from pombo_wire.sealing import (
    ACCEPTED,
    CONFLICT,
    NO_CHALLENGE,
    PROBE,
    WANTS_ANSWER,
    Acknowledgement,
    acknowledgement,
    envelope,
    opened,
)
from support.clocks import Clock

REPORT = b'{"gauges":{"room_temperature_celsius":21.5}}'
CHALLENGE = b"8 bytes!"
T = 5.0  # seconds between reports


@pytest.fixture
def make(key: HostKey, clock: Clock) -> Callable[..., Dialogue]:
    def dialogue(interval: float = T, **options: Any) -> Dialogue:
        return Dialogue(CRYPTO, key, interval, clock, **options)

    return dialogue


Make = Callable[..., Dialogue]


def sent(dialogue: Dialogue, count: int = 1) -> list[bytes]:
    return [*dialogue.seal([REPORT] * count)]


def answer(
    key: HostKey, datagram: bytes, flags: int = ACCEPTED, challenge: bytes = CHALLENGE
) -> bytes:
    """Return what the exporter answers to a datagram, if it asks."""
    found = envelope(datagram)
    assert opened(OF_EXPORTER, key.key, found).flags & WANTS_ANSWER
    said = Acknowledgement(found.seq, challenge, 0, bytes(16), 40_000, flags)
    return acknowledgement(OF_EXPORTER, key.key, found.salt, said)


def salt(datagram: bytes) -> bytes:
    return envelope(datagram).salt


def challenge(key: HostKey, datagram: bytes) -> bytes:
    return opened(OF_EXPORTER, key.key, envelope(datagram)).challenge


def flags(key: HostKey, datagram: bytes) -> int:
    return opened(OF_EXPORTER, key.key, envelope(datagram)).flags


def test_each_server_and_each_start_has_a_salt_of_its_own(make: Make) -> None:
    salts = [salt(sent(make())[0]) for _ in range(3)]
    assert len(set(salts)) == 3


def test_numbers_start_from_0_and_are_never_used_twice(make: Make) -> None:
    dialogue = make()
    numbers = [envelope(each).seq for _ in range(3) for each in sent(dialogue, 2)]
    assert numbers == [0, 1, 2, 3, 4, 5]


def test_each_report_asks_and_a_bye_does_not(make: Make, key: HostKey) -> None:
    dialogue = make()
    assert [flags(key, each) for each in sent(dialogue, 2)] == [WANTS_ANSWER] * 2
    [bye] = dialogue.seal([b'{"bye":true}'], asks=False)
    assert flags(key, bye) == 0


def test_one_way_agent_never_asks_and_is_never_unheard(
    make: Make, key: HostKey, clock: Clock
) -> None:
    dialogue = make(asks=False)
    for _ in range(20):
        assert [flags(key, each) for each in sent(dialogue)] == [0]
        clock.now += T
    assert not dialogue.is_unheard


def test_probe_says_that_it_is_one(make: Make, key: HostKey) -> None:
    assert flags(key, sent(make(probes=True))[0]) == WANTS_ANSWER | PROBE


@pytest.mark.parametrize(
    ("interval", "reports"), [(0.5, 20), (1, 10), (3, 4), (5, 2), (7, 2), (60, 2), (3600, 2)]
)
@pytest.mark.parametrize("early", [0.0, 0.004])
def test_server_is_unheard_after_two_intervals_and_at_least_ten_seconds(
    interval: float, reports: int, early: float, make: Make, clock: Clock
) -> None:
    dialogue = make(interval)
    for _ in range(reports):
        assert not dialogue.is_unheard
        sent(dialogue)
        clock.now += interval
    clock.now -= early  # collecting took less time than before
    assert dialogue.is_unheard
    dialogue.ask_anew()
    assert not dialogue.is_unheard


def test_time_out_starts_with_the_first_report_that_is_not_answered(
    make: Make, key: HostKey, clock: Clock
) -> None:
    dialogue = make()
    for _ in range(5):
        assert dialogue.read(answer(key, sent(dialogue)[0])) is not None
        clock.now += T
        assert not dialogue.is_unheard
    sent(dialogue)
    clock.now += T
    assert not dialogue.is_unheard
    sent(dialogue)
    clock.now += T
    assert dialogue.is_unheard


def test_challenge_of_an_answer_is_shown_from_then_on(make: Make, key: HostKey) -> None:
    dialogue = make()
    [first] = sent(dialogue)
    assert challenge(key, first) == NO_CHALLENGE
    dialogue.read(answer(key, first))
    assert challenge(key, sent(dialogue)[0]) == CHALLENGE
    dialogue.read(answer(key, sent(dialogue)[0], challenge=b"another!"))
    assert challenge(key, sent(dialogue)[0]) == b"another!"


def test_answer_counts_once_and_none_before_it(make: Make, key: HostKey) -> None:
    dialogue = make()
    answers = [answer(key, each) for each in sent(dialogue, 3)]
    assert dialogue.read(answers[1]) is not None
    assert dialogue.read(answers[1]) is None
    assert dialogue.read(answers[0]) is None
    assert dialogue.read(answers[2]) is not None


@pytest.mark.parametrize(
    ("interval", "longest"), [(0.5, 60), (T, 60), (30, 60), (60, 120), (300, 600)]
)
def test_answer_counts_for_a_minute_or_two_intervals(
    interval: float, longest: float, make: Make, key: HostKey, clock: Clock
) -> None:
    dialogue = make(interval)
    first, second = (answer(key, each) for each in sent(dialogue, 2))
    clock.now += longest
    assert dialogue.read(first) is not None
    clock.now += 0.1
    assert dialogue.read(second) is None


def test_answer_that_is_forged_changed_or_of_another_salt_does_not_count(
    make: Make, key: HostKey
) -> None:
    dialogue, other = make(), make()
    [datagram], [of_other] = sent(dialogue), sent(other)
    right = answer(key, datagram)
    for place in range(len(right)):
        changed = bytearray(right)
        changed[place] ^= 1
        assert dialogue.read(bytes(changed)) is None
    assert dialogue.read(answer(key, of_other)) is None
    said = Acknowledgement(0, CHALLENGE, 0, bytes(16), 40_000, ACCEPTED)
    forged = acknowledgement(OF_EXPORTER, bytes(32), salt(datagram), said)
    assert dialogue.read(forged) is None
    assert dialogue.read(right[:-1]) is None
    assert dialogue.read(right + b"\0") is None
    assert dialogue.read(b"") is None
    assert dialogue.read(right) is not None


def test_conflict_draws_another_salt_at_most_once_in_ten_minutes(
    make: Make, key: HostKey, clock: Clock
) -> None:
    dialogue = make()
    start, salts = clock.now, []
    while clock.now < start + 3 * CONFLICT_SECONDS + 60:
        [datagram] = sent(dialogue)
        salts.append(salt(datagram))
        assert dialogue.read(answer(key, datagram, CONFLICT)) is not None
        clock.now += T
    assert len(set(salts)) == 4
    assert salts == sorted(salts, key=[*dict.fromkeys(salts)].index), "none comes back"


def test_agent_shows_the_challenge_under_another_salt(
    make: Make, key: HostKey, clock: Clock
) -> None:
    dialogue = make()
    [before] = sent(dialogue)
    dialogue.read(answer(key, before))
    clock.now += CONFLICT_SECONDS
    dialogue.read(answer(key, sent(dialogue)[0], CONFLICT))
    [after] = sent(dialogue)
    assert salt(after) != salt(before)
    assert envelope(after).seq == 0
    assert challenge(key, after) == CHALLENGE


def test_another_salt_is_drawn_before_the_numbers_end(make: Make) -> None:
    last = 5000
    dialogue = make(last_seq=last)
    numbers: dict[bytes, list[int]] = {}
    for _ in range(6):
        for datagram in sent(dialogue, 1000):
            numbers.setdefault(salt(datagram), []).append(envelope(datagram).seq)
    assert len(numbers) == 2
    assert all(found == [*range(len(found))] for found in numbers.values())
    assert max(map(max, numbers.values())) <= last


def test_own_predecessor_is_no_rival(make: Make, key: HostKey, clock: Clock) -> None:
    dialogue = make()
    rivals = []
    for _ in range(5):
        found = dialogue.read(answer(key, sent(dialogue)[0], CONFLICT))
        assert found is not None
        rivals.append(dialogue.has_rival(found))
        clock.now += T
    assert rivals == [False, False, True, True, True]


def test_numbers_that_may_be_acknowledged_are_bounded(make: Make, key: HostKey) -> None:
    dialogue = make()
    datagrams = sent(dialogue, 3000)
    assert dialogue.read(answer(key, datagrams[0])) is None
    assert dialogue.read(answer(key, datagrams[-1])) is not None


@pytest.mark.parametrize("ahead", [-86400.0, 0.0, 7.5])
def test_clocks_are_compared_at_the_time_of_the_report(
    key: HostKey, clock: Clock, ahead: float
) -> None:
    wall = Clock(1_800_000_000.0)
    dialogue = Dialogue(CRYPTO, key, T, clock, wall=wall)
    assert dialogue.clock_ahead is None
    [datagram] = sent(dialogue)
    found = envelope(datagram)
    time_ms = round((wall.now + ahead) * 1000)
    said = Acknowledgement(found.seq, CHALLENGE, time_ms, bytes(16), 40_000, ACCEPTED)
    clock.now += T  # the answer is read before the next report
    wall.now += T
    assert dialogue.read(acknowledgement(OF_EXPORTER, key.key, found.salt, said)) is not None
    assert dialogue.clock_ahead == pytest.approx(ahead, abs=0.001)


def test_clocks_are_not_compared_without_one(make: Make, key: HostKey) -> None:
    dialogue = make()
    assert dialogue.read(answer(key, sent(dialogue)[0])) is not None
    assert dialogue.clock_ahead is None
