"""Sealed datagrams that an exporter takes, refuses and answers."""

import json
from copy import copy
from ipaddress import ip_address

import pytest
from pombo_exporter.hosts.host import Address, State
from pombo_exporter.ingest.intake import Intake
from pombo_exporter.ingest.sealed import SealedIntake
from pombo_exporter.seal.crypto import CRYPTO
from pombo_exporter.seal.key_file import Keys
from pombo_exporter.seal.opening import Opener
from pombo_wire import Report, encode
from pombo_wire.keys import derived, new_fleet_key
from pombo_wire.sealing import (
    ACCEPTED,
    CONFLICT,
    NO_CHALLENGE,
    PROBE,
    WANTS_ANSWER,
    Acknowledgement,
    Sealer,
)
from support.builders import ADDRESS, OTHER_ADDRESS, SESSION, Exporter

FLEET = new_fleet_key(CRYPTO)
NAME = "pi"


class Agent:
    """An agent that seals, with a salt of its own, and remembers the challenge that it is given."""

    def __init__(
        self, exporter: "Sealed", session: int = SESSION, address: Address = ADDRESS
    ) -> None:
        self.exporter, self.session, self.address = exporter, session, address
        key = derived(CRYPTO, FLEET, 0, NAME)
        self.sealer = Sealer(CRYPTO, key.kid, 0, key.key, NAME.encode())
        self.challenge = NO_CHALLENGE

    def datagram(self, flags: int = WANTS_ANSWER, **fields: object) -> bytes:
        report = {"session": self.session, "time": self.exporter.wall, "interval": 5, **fields}
        return self.sealer.seal(json.dumps(report).encode(), self.challenge, flags)

    def send(self, flags: int = WANTS_ANSWER, **fields: object) -> Acknowledgement | None:
        """Send a report; return its acknowledgement, and show the challenge from then on."""
        self.exporter.answers.clear()
        self.exporter.take(self.datagram(flags, **fields), self.address)
        if not self.exporter.answers:
            return None
        [(answer, address)] = self.exporter.answers
        assert address == self.address
        found = self.sealer.acknowledgement(answer)
        assert found is not None
        self.challenge = found.challenge
        return found


class Sealed(Exporter):
    """An exporter with keys, whose answers are kept."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.answers: list[tuple[bytes, Address]] = []
        self.keys = Keys({FLEET.kid: FLEET}, set(), {})
        self.opener = Opener(CRYPTO, self.keys)
        sealed = SealedIntake(
            self.roster, self.opener, CRYPTO, lambda *answer: self.answers.append(answer)
        )
        self.intake = Intake(self.roster, lambda: self.now, sealed)

    def take(self, datagram: bytes | Report, address: Address = ADDRESS) -> None:
        given = encode(datagram) if isinstance(datagram, Report) else datagram
        self.intake.take(given, address, self.now, self.wall)

    def refused(self) -> dict[str, int]:
        return {reason: count for reason, count in self.intake.refused.items() if count}


@pytest.fixture
def exporter() -> Sealed:
    return Sealed()


def proven(exporter: Sealed, session: int = SESSION) -> Agent:
    """Return an agent that has shown the challenge."""
    agent = Agent(exporter, session)
    for value in (1, 2):
        agent.send(gauges={"x": value})
        exporter.wait(5)
    assert exporter.host().holder.proven
    return agent


def test_report_is_stored_and_answered(exporter: Sealed) -> None:
    agent = Agent(exporter)
    answer = agent.send(gauges={"x": 1})
    assert answer is not None
    assert exporter.value("x") == 1
    assert (answer.seq, answer.flags, answer.port) == (0, ACCEPTED, ADDRESS[1])
    assert answer.address == bytes(10) + b"\xff\xff" + ip_address("192.0.2.1").packed
    assert answer.time_ms == round(exporter.wall * 1000)
    assert answer.challenge == exporter.host().holder.challenge != NO_CHALLENGE
    assert not exporter.host().holder.proven
    exporter.wait(5)
    agent.send(gauges={"x": 2})
    assert exporter.host().holder.proven


def test_a_name_is_answered_once_a_second_and_only_if_it_asks(exporter: Sealed) -> None:
    agent = Agent(exporter)
    assert agent.send() is not None
    assert agent.send() is None
    exporter.wait(1)
    assert agent.send(flags=0) is None
    assert agent.send() is not None


def test_recorded_datagrams_are_replayed_and_not_answered(exporter: Sealed) -> None:
    agent = Agent(exporter)
    recorded = agent.datagram(gauges={"x": 1})
    exporter.take(recorded)
    exporter.wait(5)
    exporter.answers.clear()
    exporter.take(recorded, OTHER_ADDRESS)
    assert exporter.refused() == {"replayed": 1}
    assert exporter.answers == []
    for number in range(70):
        agent.send(gauges={"x": number})
    exporter.take(recorded, OTHER_ADDRESS)
    assert exporter.refused() == {"replayed": 2}
    assert exporter.value("x") == 69


def test_who_repeats_an_earlier_agent_takes_no_answer_from_the_present_one(
    exporter: Sealed,
) -> None:
    earlier = proven(exporter)
    recorded = earlier.datagram()
    exporter.wait(5)
    agent = Agent(exporter, SESSION + 10**10)
    exporter.wait(5)
    for _ in range(3):
        agent.send()
        exporter.wait(5)
    assert exporter.host().holder.proven
    assert exporter.host().holder.salt == agent.sealer.salt
    exporter.answers.clear()
    exporter.take(recorded, OTHER_ADDRESS)
    assert [address for _, address in exporter.answers] == [OTHER_ADDRESS]
    assert agent.send() is not None


def test_repetitions_are_counted_for_their_host_and_not_in_a_snapshot_of_before(
    exporter: Sealed,
) -> None:
    agent = Agent(exporter)
    recorded = [agent.datagram(gauges={"x": number}) for number in range(3)]
    for datagram in (recorded[0], recorded[2]):
        exporter.take(datagram)
    snapshot = exporter.roster.snapshot(exporter.now, exporter.wall)
    for datagram in (recorded[2], recorded[0], recorded[1]):
        exporter.take(datagram)
    [before] = snapshot
    assert (before.sequence.received, before.sequence.duplicate) == (2, 0)
    sequence = exporter.host().sequence
    assert (sequence.received, sequence.duplicate, sequence.reordered) == (5, 2, 1)
    assert exporter.refused() == {"replayed": 2}


def test_agent_may_say_bye_several_times_and_nothing_else_after_it(exporter: Sealed) -> None:
    agent = Agent(exporter)
    agent.send(gauges={"x": 1.0})
    byes = [agent.datagram(bye=True) for _ in range(3)]
    for bye in (byes[1], byes[0], byes[2]):
        exporter.take(bye)
    assert exporter.refused() == {}
    exporter.take(byes[2])
    exporter.take(agent.datagram(gauges={"x": 2.0}))
    assert exporter.refused() == {"replayed": 2}
    assert [*exporter.roster.listed()] == []


def test_what_was_recorded_does_not_come_back_after_a_bye(exporter: Sealed) -> None:
    agent = Agent(exporter)
    recorded = [agent.datagram(gauges={"x": number}) for number in range(3)]
    exporter.take(recorded[0])
    exporter.take(agent.datagram(bye=True))
    for datagram in recorded[1:]:
        exporter.take(datagram)
    assert exporter.refused() == {"replayed": 2}
    assert exporter.value("x") is None


def test_other_agent_with_the_key_waits_and_must_show_the_challenge(exporter: Sealed) -> None:
    holder = proven(exporter)
    other = Agent(exporter, SESSION + 10**9, OTHER_ADDRESS)
    answer = other.send(gauges={"x": 9})
    assert answer is not None
    assert answer.flags == CONFLICT
    assert exporter.refused() == {"conflict": 1}
    assert exporter.value("x") == 2
    other.challenge = NO_CHALLENGE
    exporter.wait(8)
    answer = other.send(gauges={"x": 9})
    assert answer is not None
    assert answer.flags == 0
    assert exporter.refused() == {"conflict": 1, "unproven": 1}
    other.send(gauges={"x": 9})
    assert exporter.value("x") == 9
    assert exporter.roster.holder_changes == 1
    holder.send(gauges={"x": 3})
    assert exporter.refused()["conflict"] == 2


def test_recording_of_an_older_session_is_replayed_where_no_agent_was_proven(
    exporter: Sealed,
) -> None:
    older = Agent(exporter, SESSION)
    recorded = [older.datagram(flags=0, gauges={"x": number}) for number in range(3)]
    exporter.take(recorded[0])
    exporter.wait(8)
    Agent(exporter, SESSION + 10**9).send(flags=0, gauges={"x": 7})
    exporter.wait(8)
    exporter.take(recorded[1])
    exporter.wait(60)
    exporter.take(recorded[2])
    assert exporter.refused() == {"replayed": 2}


def test_sealed_name_refuses_plain_datagrams_until_it_is_forgotten(exporter: Sealed) -> None:
    Agent(exporter).send(gauges={"x": 1})
    exporter.take(b'{"host":"pi","gauges":{"y":1}}')
    exporter.take(Report(NAME, session=SESSION + 1, seq=0, gauges={"x": 2.0}))
    assert exporter.refused() == {"plain_of_sealed": 2}
    exporter.wait(100)
    exporter.take(b'{"host":"pi","gauges":{"y":1}}')
    assert exporter.refused() == {"plain_of_sealed": 3}
    exporter.roster.forget(NAME, exporter.now)
    exporter.take(b'{"host":"pi","gauges":{"y":1}}')
    assert exporter.value("y") == 1


def test_probe_is_answered_and_touches_no_host(exporter: Sealed) -> None:
    agent = Agent(exporter)
    answer = agent.send(PROBE | WANTS_ANSWER)
    assert answer is not None
    assert (answer.challenge, answer.flags) == (NO_CHALLENGE, ACCEPTED)
    assert exporter.roster.hosts == {}


def test_probes_of_one_name_are_answered_20_times_a_second_in_bunches(exporter: Sealed) -> None:
    agent = Agent(exporter)
    sent, answered = 0, 0
    for _ in range(100):  # half a second late, and then ten at once
        for _ in range(10):
            sent += 1
            answered += agent.send(PROBE | WANTS_ANSWER) is not None
        exporter.now += 0.5
    assert (sent, answered) == (1000, 1000)
    for _ in range(100):
        answered += agent.send(PROBE | WANTS_ANSWER) is not None
    assert answered == 1010
    exporter.now += 10
    assert agent.send(PROBE | WANTS_ANSWER) is not None


def test_probes_of_one_name_take_no_answers_from_another(exporter: Sealed) -> None:
    agent = Agent(exporter)
    for _ in range(100):
        agent.send(PROBE | WANTS_ANSWER)
    other = derived(CRYPTO, FLEET, 0, "other")
    exporter.answers.clear()
    sealer = Sealer(CRYPTO, other.kid, 0, other.key, b"other")
    exporter.take(sealer.seal(b"{}", flags=PROBE | WANTS_ANSWER))
    assert len(exporter.answers) == 1


def probed(exporter: Sealed) -> int:
    """Return the flags of the answer to a probe."""
    answer = Agent(exporter).send(PROBE | WANTS_ANSWER)
    assert answer is not None
    return answer.flags


def test_answer_to_a_probe_tells_of_two_agents_for_a_minute(exporter: Sealed) -> None:
    first, second = proven(exporter), Agent(exporter, SESSION + 1, OTHER_ADDRESS)
    assert probed(exporter) == ACCEPTED
    second.send()
    assert probed(exporter) == ACCEPTED, "the holder may be dead"
    first.send()
    assert probed(exporter) == ACCEPTED | CONFLICT
    exporter.wait(59)
    assert probed(exporter) == ACCEPTED | CONFLICT
    exporter.wait(2)
    assert probed(exporter) == ACCEPTED


def test_answer_to_a_probe_tells_of_no_agent_that_was_started_again(exporter: Sealed) -> None:
    first, again = proven(exporter), Agent(exporter, SESSION + 1)
    first.send()
    again.send()
    assert exporter.refused() == {"conflict": 1}
    exporter.wait(8)
    again.send()
    again.send()
    assert exporter.host().session == SESSION + 1
    assert probed(exporter) == ACCEPTED


def test_answer_to_a_probe_tells_of_a_clone(exporter: Sealed) -> None:
    agent = proven(exporter)
    clone = Agent(exporter, address=OTHER_ADDRESS)
    clone.sealer, clone.challenge = copy(agent.sealer), agent.challenge
    agent.send()
    clone.send()
    assert exporter.refused() == {"conflict": 1}
    assert probed(exporter) == ACCEPTED | CONFLICT


def test_clone_under_the_same_salt_is_a_conflict(exporter: Sealed) -> None:
    agent = Agent(exporter)
    agent.send()
    clone = Agent(exporter, address=OTHER_ADDRESS)
    clone.sealer = copy(agent.sealer)
    exporter.wait(5)
    agent.send(gauges={"x": 1})
    exporter.take(clone.datagram(gauges={"x": 2}), OTHER_ADDRESS)
    assert exporter.refused() == {"conflict": 1}
    assert exporter.value("x") == 1


def test_denied_hosts_and_old_generations_lose_their_name_at_once(exporter: Sealed) -> None:
    Agent(exporter).send(gauges={"x": 1})
    exporter.take(b'{"host":"plain","gauges":{"y":1}}')
    exporter.opener.use(Keys({FLEET.kid: FLEET}, {b"plain"}, {b"pi": 1}))
    exporter.roster.revoke(exporter.opener.is_revoked, exporter.now)
    assert exporter.roster.hosts == {}
    Agent(exporter).send()
    exporter.take(b'{"host":"plain","gauges":{"y":1}}')
    assert exporter.refused() == {"revoked": 2}


def test_agent_that_starts_after_a_bye_learns_the_challenge_from_an_answer(
    exporter: Sealed,
) -> None:
    proven(exporter).send(flags=0, bye=True)
    again = Agent(exporter, SESSION + 10**9)
    again.send(gauges={"x": 3})
    assert exporter.refused() == {"unproven": 1}
    exporter.wait(5)
    again.send(gauges={"x": 3})
    assert exporter.value("x") == 3


def test_sealed_name_is_kept_after_its_bye_until_it_would_be_forgotten(exporter: Sealed) -> None:
    agent = Agent(exporter)
    recorded = [agent.datagram(gauges={"x": number}) for number in range(3)]
    agent.send(gauges={"x": 4})
    agent.send(bye=True)
    exporter.wait(60)
    for datagram in recorded:
        exporter.take(datagram)
    exporter.take(b'{"host":"pi","gauges":{"y":1}}')
    assert exporter.refused() == {"replayed": 3, "plain_of_sealed": 1}
    assert [*exporter.roster.listed()] == []
    exporter.wait(3600)
    assert exporter.roster.hosts == {}


def test_only_sealed_datagrams_are_taken_where_that_is_required(exporter: Sealed) -> None:
    intake = Intake(exporter.roster, lambda: 0.0, None, require_sealed=True)
    intake.take(b'{"host":"pi"}', ADDRESS, exporter.now, exporter.wall)
    assert intake.refused["not_sealed"] == 1
    intake.take(Agent(exporter).datagram(), ADDRESS, exporter.now, exporter.wall)
    assert intake.refused["unknown_key"] == 1


# --- after a restart, with a state file ---


def started_again(before: Sealed) -> Sealed:
    """Return another run of an exporter, which knows what the one before has kept."""
    after = Sealed(now=7.0, wall=before.wall)
    after.keys.fleets.update(before.keys.fleets)
    for record in before.roster.remembered():
        assert after.roster.restore(record, after.now)
    return after


def test_recording_is_replayed_and_the_agent_goes_on_at_once(exporter: Sealed) -> None:
    agent = Agent(exporter)
    recorded = [agent.datagram(flags=0, gauges={"x": number}) for number in range(5)]
    for datagram in recorded[:3]:
        exporter.take(datagram)
    after = started_again(exporter)
    for datagram in recorded[:3]:
        after.take(datagram, OTHER_ADDRESS)
    assert after.refused() == {"replayed": 3}
    assert after.value("pombo_host_up") == 0
    after.take(agent.datagram(flags=0, gauges={"x": 7}))
    assert (after.value("pombo_host_up"), after.value("x")) == (1, 7)
    for datagram in recorded:
        after.take(datagram, OTHER_ADDRESS)
    assert after.refused() == {"replayed": 8}, "also those that the file did not know"
    assert after.value("pombo_host_datagrams_lost_total") == 0
    assert after.roster.address_changes == 0


def test_other_agent_of_a_proven_name_must_show_a_challenge_that_is_new(exporter: Sealed) -> None:
    holder = proven(exporter)
    after = started_again(exporter)
    assert after.host().holder.challenge not in (holder.challenge, b"")
    other = Agent(after, SESSION + 10**9, OTHER_ADDRESS)
    other.challenge = holder.challenge
    answer = other.send(gauges={"x": 9})
    assert after.refused() == {"unproven": 1}
    assert answer is not None
    assert answer.challenge == after.host().holder.challenge
    assert after.value("pombo_host_up") == 0
    after.wait(1)
    other.send(gauges={"x": 9})
    assert after.value("x") == 9


def test_holder_goes_on_after_a_restart_and_learns_the_new_challenge(exporter: Sealed) -> None:
    holder = proven(exporter)
    after = started_again(exporter)
    holder.exporter = after
    assert holder.challenge != after.host().holder.challenge
    holder.send(gauges={"x": 3})
    assert holder.challenge == after.host().holder.challenge
    assert (after.value("x"), after.refused()) == (3, {})


def test_session_of_an_unproven_name_must_be_greater_than_the_one_before(
    exporter: Sealed,
) -> None:
    Agent(exporter).send(flags=0)
    after = started_again(exporter)
    Agent(after, SESSION - 1).send(flags=0)
    assert after.refused() == {"replayed": 1}
    Agent(after, SESSION + 1).send(flags=0)
    assert after.value("pombo_host_up") == 1


def test_sealed_name_refuses_plain_datagrams_after_the_restart(exporter: Sealed) -> None:
    Agent(exporter).send()
    after = started_again(started_again(exporter))
    after.take(b'{"host":"pi","gauges":{"y":1}}')
    after.take(Report(NAME, session=SESSION + 1, seq=0, gauges={"x": 2.0}))
    assert after.refused() == {"plain_of_sealed": 2}


def test_host_is_down_until_it_is_heard_and_forgotten_after_the_usual_time(
    exporter: Sealed,
) -> None:
    Agent(exporter).send(gauges={"x": 1})
    after = started_again(exporter)
    after.wait(3590)
    assert after.host().state_at(after.now) is State.DOWN
    assert after.samples()["pombo_host_up", ()] == 0
    assert after.samples()["pombo_host_last_report_timestamp_seconds", ()] == exporter.wall
    assert after.samples()["pombo_host_interval_seconds", ()] == 5
    assert after.events() == []
    after.wait(20)
    assert [*after.roster.remembered()] == []
    assert after.roster.hosts == {}


def test_session_that_said_bye_has_ended_for_the_next_run_too(exporter: Sealed) -> None:
    agent = Agent(exporter)
    recorded = [agent.datagram(gauges={"x": number}) for number in range(2)]
    agent.send(bye=True)
    late = agent.datagram(gauges={"x": 9})
    after = started_again(exporter)
    for datagram in (*recorded, late):
        after.take(datagram)
    assert after.refused() == {"replayed": 3}
    assert after.exposition() == ""


def test_program_that_seals_without_a_session_is_not_listed_until_it_is_heard(
    exporter: Sealed,
) -> None:
    script = Agent(exporter, 0)
    recorded = script.datagram(gauges={"x": 1})
    exporter.take(recorded)
    after = started_again(exporter)
    assert after.exposition() == ""
    after.take(recorded)
    assert after.refused() == {"replayed": 1}
    after.take(script.datagram(gauges={"x": 2}))
    assert after.value("x") == 2


def test_plain_agent_goes_on_and_another_one_may_take_its_name(exporter: Sealed) -> None:
    for seq in range(3):
        exporter.take(Report("plain", session=SESSION, seq=seq, gauges={"x": float(seq)}))
    exporter.take(Report("gone", session=SESSION, seq=0))
    exporter.take(Report("gone", session=SESSION, seq=1, bye=True))
    exporter.take(Report("script", gauges={"x": 2.0}))
    after = started_again(exporter)
    assert [*after.roster.hosts] == ["plain"]
    assert after.samples("plain")["pombo_host_up", ()] == 0
    after.take(Report("plain", session=SESSION, seq=5, gauges={"x": 7.0}))
    assert after.samples("plain")["x", ()] == 7
    again = started_again(exporter)
    again.take(Report("plain", session=SESSION - 9, seq=5, gauges={"x": 7.0}))
    assert again.samples("plain")["x", ()] == 7
