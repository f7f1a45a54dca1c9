"""The roster: states of hosts, sessions, conflicts, limits, and what is forgotten."""

from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace
from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.limits import AdmissionError, Limits, RefusalReason
from pombo_exporter.hosts.roster import HostEvent
from pombo_wire import Info, Memory, OpenFamily, Report, Swap
from support.books import check_books
from support.builders import ADDRESS, OTHER_ADDRESS, SESSION, Agent, Exporter, disks, restarted

# --- live, late, down, forgotten ---


def test_host_is_live_then_late_then_down_then_forgotten() -> None:
    agent = Agent(Exporter(Limits(forget_after=100)))
    agent.send(memory=Memory(total=8))
    seen = []
    for seconds in (9.9, 0.1, 4.9, 0.1, 99.9):
        agent.exporter.wait(seconds)
        late, up = agent.exporter.value("pombo_host_late"), agent.exporter.value("pombo_host_up")
        seen.append((up, late, agent.exporter.value("host_memory_total_bytes")))
    assert seen == [(1, 0, 8), (1, 1, 8), (1, 1, 8), (0, 0, None), (0, 0, None)]
    agent.exporter.wait(0.1)
    assert agent.exporter.roster.hosts == {}
    assert agent.exporter.events() == [
        HostEvent.NEW,
        HostEvent.LATE,
        HostEvent.DOWN,
        HostEvent.FORGOTTEN,
    ]


def test_silence_is_measured_in_the_hosts_own_intervals() -> None:
    agent = Agent(interval=300.0)
    agent.send()
    agent.exporter.wait(599)
    assert agent.exporter.host().state_at(agent.exporter.now) is State.LIVE
    agent.exporter.wait(300)
    assert agent.exporter.host().state_at(agent.exporter.now) is State.LATE
    agent.exporter.wait(1)
    assert agent.exporter.host().state_at(agent.exporter.now) is State.DOWN


def test_host_with_its_values_is_late_for_as_many_intervals_as_the_exporter_is_told() -> None:
    agent = Agent(Exporter(Limits(down_after=24)))
    agent.send(parts=1, memory=Memory(total=8))
    seen = []
    for seconds in (15, 104.9, 0.1):
        agent.exporter.wait(seconds)
        late, up = agent.exporter.value("pombo_host_late"), agent.exporter.value("pombo_host_up")
        seen.append((up, late, agent.exporter.value("host_memory_total_bytes")))
    assert seen == [(1, 1, 8), (1, 1, 8), (0, 0, None)]


def test_values_of_a_silent_host_are_not_exposed_even_before_a_sweep() -> None:
    agent = Agent()
    agent.send(memory=Memory(total=8))
    agent.exporter.now += 15
    assert agent.exporter.value("pombo_host_up") == 0
    assert agent.exporter.value("host_memory_total_bytes") is None


def test_host_that_reports_again_is_live_and_keeps_its_counts() -> None:
    agent = Agent()
    agent.run(20)
    agent.exporter.wait(100)
    agent.run(5, memory=Memory(total=8))
    assert agent.exporter.value("pombo_host_up") == 1
    assert agent.exporter.value("host_memory_total_bytes") == 8
    assert agent.exporter.value("pombo_host_datagrams_received_total") == 5
    agent.exporter.wait(1)
    assert agent.exporter.events() == [
        HostEvent.NEW,
        HostEvent.LATE,
        HostEvent.DOWN,
        HostEvent.LIVE,
    ]


def test_clock_of_the_agent_does_not_change_the_state_of_its_host() -> None:
    exporter = Exporter()
    for name, offset in (("past", -1e9), ("future", 1e9)):
        exporter.take(Report(name, time=exporter.wall + offset, interval=5.0))
    for seconds, up in ((14.9, 1), (0.1, 0)):
        exporter.wait(seconds)
        for name in ("past", "future"):
            assert exporter.samples(name)["pombo_host_up", ()] == up
    assert exporter.samples("past")["pombo_host_clock_offset_seconds", ()] == -1e9
    assert exporter.samples("future")["pombo_host_clock_offset_seconds", ()] == 1e9


def test_datagram_that_was_overtaken_does_not_change_the_clock_offset() -> None:
    agent = Agent()
    agent.send()
    late = agent.report()
    agent.exporter.wait(5)
    agent.send()
    agent.exporter.take(late)
    assert agent.exporter.value("pombo_host_datagrams_reordered_total") == 1
    assert agent.exporter.value("pombo_host_clock_offset_seconds") == 0


def test_host_is_identified_by_its_name_whatever_its_address() -> None:
    agent = Agent()
    agent.send()
    agent.address = OTHER_ADDRESS
    agent.send()
    assert list(agent.exporter.roster.hosts) == ["pi"]
    assert agent.exporter.host().address == OTHER_ADDRESS
    assert agent.exporter.value("pombo_host_conflicts_total") == 0


def test_forgotten_hosts_leave_no_memory_behind() -> None:
    exporter = Exporter(Limits(forget_after=10))
    for number in range(50):
        Agent(exporter, f"host-{number}").send(disks=disks(sda=number))
    hosts = [*exporter.roster.hosts.values()]
    exporter.wait(14.9)
    assert all(host.shown() for host in hosts)
    exporter.wait(10)
    assert all(host.shown() for host in hosts)  # the values of the last report
    exporter.wait(0.1)
    assert not any(host.shown() for host in hosts)
    assert exporter.roster.hosts == {}


def with_hosts_that_are_down(names: str, limits: Limits | None = None) -> Exporter:
    """Return an exporter whose hosts are down."""
    exporter = Exporter(limits or Limits())
    for name in names:
        Agent(exporter, name).send_parts(texts(name), packed=True)
    exporter.wait(20)
    assert {host.state for host in exporter.roster.hosts.values()} == {State.DOWN}
    return exporter


def texts(name: str) -> dict[str, Any]:
    """Return sections that take some bytes: a family with texts that no other host has."""
    rows = tuple(f"{name}-{number}-{'x' * 200}" for number in range(40))
    return {"families": {f"x_{name}": OpenFamily("gauge", labels={"t": rows}, values=(1.0,) * 40)}}


@pytest.mark.parametrize(
    ("limit", "reason"),
    [("bytes", "bytes_limit"), ("families", "family_limit"), ("layouts", "layout_limit")],
)
def test_last_values_of_hosts_that_are_down_make_room_for_reports(limit: str, reason: str) -> None:
    roster = with_hosts_that_are_down("ab").roster
    used = {
        "bytes": roster.booked_bytes + 8192,  # enough for a host, but not for its values
        "families": len(roster.layouts.types),
        "layouts": roster.layouts.count,
    }
    exporter = with_hosts_that_are_down("ab", Limits(**{limit: used[limit]}))
    agent = Agent(exporter, "new")
    with pytest.raises(AdmissionError) as refused:
        agent.send_parts(texts("new"), packed=True)
    assert refused.value.reason == reason
    assert all(exporter.host(name).shown() for name in "ab")  # what is refused changes nothing
    exporter.wait(1)
    assert not any(exporter.host(name).shown() for name in "ab")
    agent.send_parts(texts("new"), packed=True)
    assert exporter.host("new").shown()
    assert {*exporter.roster.hosts} == {"a", "b", "new"}


def test_values_of_a_script_end_with_its_interval_and_stay_with_a_host_that_is_down() -> None:
    exporter = Exporter(Limits(forget_after=100))
    exporter.take(Report("pi", interval=10, gauges={"x": 1.0}))
    exporter.wait(29)
    assert exporter.value("x") == 1
    exporter.wait(2)
    assert exporter.value("x") is None
    assert exporter.host().shown()
    exporter.wait(100)
    assert exporter.roster.hosts == {}


# --- bye ---


def test_bye_removes_the_host_from_the_exposition_at_once() -> None:
    agent = Agent()
    agent.run(10, memory=Memory(total=8))
    agent.send(bye=True)
    assert agent.exporter.exposition() == ""
    agent.exporter.wait(15)
    assert agent.exporter.roster.hosts == {}
    assert agent.exporter.events() == [HostEvent.NEW, HostEvent.BYE]


def test_late_datagram_after_bye_does_not_bring_the_host_back() -> None:
    agent = Agent()
    agent.run(10)
    late = agent.report(memory=Memory(total=8))
    agent.send(bye=True)
    agent.exporter.take(late)
    assert agent.exporter.exposition() == ""
    assert agent.exporter.host().shown() == []
    agent.exporter.wait(15)
    assert agent.exporter.roster.hosts == {}


def test_agent_that_starts_after_bye_is_live_again() -> None:
    agent = Agent()
    agent.run(10)
    agent.send(bye=True)
    agent.exporter.wait(1)
    restarted(agent).send(memory=Memory(total=8))
    assert agent.exporter.value("pombo_host_up") == 1
    assert agent.exporter.value("host_memory_total_bytes") == 8
    assert agent.exporter.value("pombo_host_datagrams_lost_total") == 0


def test_bye_without_a_session_ends_only_a_host_without_a_session() -> None:
    agent = Agent()
    agent.send(memory=Memory(total=8))
    agent.exporter.take(Report("pi", bye=True))
    agent.run(5, memory=Memory(total=8))
    assert agent.exporter.value("host_memory_total_bytes") == 8
    agent.exporter.take(Report("plain", gauges={"x": 1.0}))
    agent.exporter.take(Report("plain", bye=True))
    assert agent.exporter.samples("plain") == {}


def test_host_without_a_session_may_report_again_after_bye() -> None:
    exporter = Exporter()
    for report in (Report("pi", gauges={"x": 1.0}), Report("pi", bye=True)):
        exporter.take(report)
    exporter.take(Report("pi", gauges={"x": 2.0}))
    assert exporter.value("x") == 2


# --- sequence numbers and sessions ---


def lost(exporter: Exporter) -> float:
    """Return the host's lost datagrams once all gaps have expired."""
    tracker = exporter.host().sequence
    tracker.expire_gaps(exporter.now)
    return tracker.lost


def test_restart_of_an_agent_is_no_loss() -> None:
    agent = Agent()
    agent.run(50)
    for _ in range(3):
        agent.exporter.wait(8)
        agent = restarted(agent)
        agent.run(50)
    assert lost(agent.exporter) == 0
    assert agent.exporter.host().sequence.received == 40


def test_agent_that_was_killed_reports_again_within_three_intervals() -> None:
    agent = Agent()
    agent.run(50)
    agent.exporter.wait(1)
    again = restarted(agent)
    refusals = []
    for _ in range(3):
        refusals.append(agent.exporter.refuses(again.report()))
        agent.exporter.wait(5)
    assert refusals == [RefusalReason.CONFLICT, RefusalReason.CONFLICT, None]
    assert agent.exporter.value("pombo_host_conflicts_total") == 0
    assert lost(agent.exporter) == 0


def test_labels_of_a_restarted_agent_replace_the_old_ones() -> None:
    agent = Agent()
    agent.send(labels={"rack": "7"}, info=Info(agent="1"))
    agent.exporter.wait(8)
    restarted(agent).send(info=Info(agent="1"))
    exposition = agent.exporter.exposition()
    assert 'agent="1"' in exposition
    assert "rack" not in exposition


def test_script_after_the_bye_of_an_agent_is_not_described_as_the_agent() -> None:
    agent = Agent()
    agent.send(labels={"rack": "7"}, info=Info(agent="1"))
    agent.send(bye=True)
    for _ in range(2):
        agent.exporter.take(Report("pi", gauges={"x": 1.0}))
        check_books(agent.exporter.roster)
    exposition = agent.exporter.exposition()
    assert 'agent=""' in exposition
    assert "rack" not in exposition


def test_agent_older_than_the_exporter_has_lost_nothing_before_its_first_datagram() -> None:
    agent = Agent(session=SESSION - 1, seq=5000)
    agent.run(10)
    assert lost(agent.exporter) == 0


def test_first_datagrams_of_an_agent_younger_than_the_exporter_count_when_lost() -> None:
    agent = Agent(session=SESSION + 10**9, seq=3)
    agent.run(10)
    assert lost(agent.exporter) == 3


def test_agent_that_reports_no_time_has_lost_nothing_before_its_first_datagram() -> None:
    exporter = Exporter()
    exporter.take(Report("pi", session=SESSION + 10**9, seq=3))
    assert lost(exporter) == 0


def test_agent_whose_host_was_forgotten_has_lost_nothing_before_its_next_datagram() -> None:
    agent = Agent(Exporter(Limits(forget_after=60)), session=SESSION + 10**9)
    agent.run(100)
    agent.exporter.wait(75)
    assert agent.exporter.roster.hosts == {}
    agent.run(10)
    assert lost(agent.exporter) == 0


def test_datagrams_refused_for_the_host_limit_are_not_lost() -> None:
    exporter = Exporter(Limits(hosts=1))
    other = Agent(exporter, "other")
    other.send()
    agent = Agent(exporter, session=SESSION + 10**9)
    for _ in range(10):
        assert exporter.refuses(agent.report()) == RefusalReason.HOST_LIMIT
    other.send(bye=True)
    exporter.wait(15)
    agent.run(5)
    assert lost(exporter) == 0


def test_lost_datagrams_are_counted_once_their_gap_expires() -> None:
    agent = Agent()
    agent.send()
    agent.seq += 2
    agent.send()
    assert agent.exporter.value("pombo_host_datagrams_lost_total") == 0
    agent.run(10)
    agent.exporter.wait(1)
    assert agent.exporter.value("pombo_host_datagrams_lost_total") == 2


def test_duplicate_is_counted_and_changes_nothing_else() -> None:
    agent = Agent()
    first = agent.report(gauges={"x": 1.0})
    agent.exporter.take(first)
    agent.exporter.wait(9)
    agent.exporter.take(first)
    assert agent.exporter.value("pombo_host_datagrams_duplicate_total") == 1
    assert agent.exporter.value("pombo_host_datagrams_received_total") == 2
    agent.exporter.wait(6)
    assert agent.exporter.value("pombo_host_up") == 0


def test_late_datagram_of_the_last_session_is_replayed_and_no_conflict() -> None:
    agent = Agent()
    agent.run(10, memory=Memory(total=1))
    late = agent.report(memory=Memory(total=1))
    agent.exporter.wait(8)
    restarted(agent).send(memory=Memory(total=2))
    assert agent.exporter.refuses(late) == RefusalReason.REPLAYED
    assert agent.exporter.value("host_memory_total_bytes") == 2
    assert agent.exporter.value("pombo_host_conflicts_total") == 0


# --- leaps of the sequence number ---


def test_leap_is_lost_only_as_far_as_the_interval_allows() -> None:
    for numbers in ([2**63 - 1], [2**40, 2**50, 2**62]):
        agent = Agent()
        agent.run(10)
        for agent.seq in numbers:
            agent.exporter.wait(5)
            agent.send()
        assert 0 < lost(agent.exporter) <= 100 * len(numbers)
        counted = agent.exporter.host().sequence
        assert counted.lost + counted.skipped + counted.received == numbers[-1] + 1
        exposed = agent.exporter.value("pombo_host_datagrams_skipped_total")
        assert exposed == float(counted.skipped)


def test_first_datagram_of_a_session_is_bounded_by_its_age() -> None:
    agent = Agent(session=SESSION + 10**9, seq=2**63 - 1)
    agent.send()
    assert 0 < lost(agent.exporter) <= 64
    assert agent.exporter.host().sequence.skipped > 2**62


def test_restarts_do_not_make_more_lost() -> None:
    agent = Agent()
    for _ in range(20):
        agent.send()
        agent.exporter.wait(8)
        agent = restarted(agent, seq=2**63 - 1)
        agent.send()
        agent.exporter.wait(8)
        agent = restarted(agent)
    assert lost(agent.exporter) <= 20 * 100


def reports_missed(agent: Agent, parts: int, reports: int) -> None:
    """Let an agent send reports that do not arrive, and then one that does."""
    agent.exporter.wait(reports * agent.interval)
    agent.seq += parts * reports
    send_numbers(agent, parts, range(parts))


def send_numbers(agent: Agent, parts: int, arriving: Iterable[int]) -> None:
    """Send the parts of a report of which only these arrive."""
    whole = agent.report()
    assert whole.seq is not None
    for part in arriving:
        gauges = {f"x{part}": 1.0}
        report = replace(whole, seq=whole.seq + part, part=part, parts=parts, gauges=gauges)
        agent.exporter.take(report)
    agent.seq = whole.seq + parts


@pytest.mark.parametrize("parts", [1, 3, 40, 256])
@pytest.mark.parametrize("interval", [0.1, 5.0, 60.0])
def test_loss_of_an_honest_host_is_exact(parts: int, interval: float) -> None:
    agent = Agent(Exporter(Limits(forget_after=1e9)), interval=interval, session=SESSION + 10**9)
    send_numbers(agent, parts, [parts - 1])  # the first that arrives
    missed = parts - 1
    for reports in (1, 2, 70, 720):
        reports_missed(agent, parts, reports)
        agent.exporter.wait(interval)
        send_numbers(agent, parts, [0, parts - 1][:parts])
        missed += parts * reports + max(0, parts - 2)
        agent.exporter.wait(interval)
    assert lost(agent.exporter) == missed
    assert agent.exporter.host().sequence.skipped == 0


def test_loss_is_exact_when_the_interval_changes_or_the_machines_sleep() -> None:
    agent = Agent(Exporter(Limits(forget_after=1e9)))
    agent.run(20)
    for interval in (60.0, 1.0, 3600.0, 5.0):
        agent.exporter.wait(7200)
        agent.seq += int(7200 / min(interval, agent.interval))
        agent.interval = interval
        agent.send()
    missed = 7200 // 5 + 7200 + 7200 + 7200 // 5
    assert lost(agent.exporter) == missed
    agent.exporter.wall += 8 * 3600  # the exporter's machine sleeps
    agent.seq += 8 * 720
    agent.send()
    assert lost(agent.exporter) == missed + 8 * 720
    assert agent.exporter.host().sequence.skipped == 0


def test_loss_is_exact_when_the_exporter_did_not_read_for_minutes() -> None:
    agent = Agent()
    agent.run(700)
    agent.exporter.wait(600)
    agent.send()  # it was in the socket's buffer, as were no more of them
    agent.seq += 119
    agent.send()
    assert lost(agent.exporter) == 119


# --- two agents with one name ---


def two_agents() -> tuple[Agent, Agent]:
    """Return two agents of one name, both younger than the exporter."""
    older = Agent(session=SESSION + 10**9, address=ADDRESS)
    return older, Agent(older.exporter, session=SESSION + 2 * 10**9, address=OTHER_ADDRESS)


def test_of_two_agents_the_holder_of_the_name_is_accepted_and_values_never_mix() -> None:
    older, younger = two_agents()
    exporter = older.exporter
    older.send(gauges={"x": 1.0})
    exporter.wait(5)
    older.send(gauges={"x": 1.0})
    for _ in range(10):
        exporter.wait(5)
        refused = exporter.refuses(younger.report(gauges={"x": 2.0}), OTHER_ADDRESS)
        assert refused == RefusalReason.CONFLICT
        older.send(gauges={"x": 1.0})
        assert exporter.value("x") == 1
    assert exporter.value("pombo_host_conflicts_total") == 10
    assert exporter.value("pombo_host_datagrams_lost_total") == 0


def test_new_session_drops_the_values_of_the_last_one_but_not_those_of_scripts() -> None:
    older, younger = two_agents()
    older.send(memory=Memory(total=8))
    older.exporter.wait(8)
    older.exporter.take(Report("pi", gauges={"room": 21.0}), OTHER_ADDRESS)
    younger.send(gauges={"x": 2.0})
    assert older.exporter.value("host_memory_total_bytes") is None
    assert (older.exporter.value("x"), older.exporter.value("room")) == (2, 21)


def test_conflict_is_an_event_with_both_addresses() -> None:
    older, younger = two_agents()
    younger.send()
    older.exporter.wait(15)
    younger.send()
    older.exporter.refuses(older.report(), ADDRESS)
    assert HostEvent.CONFLICT not in older.exporter.events()
    younger.send()
    assert older.exporter.events()[-1] is HostEvent.CONFLICT
    assert older.exporter.host().address == OTHER_ADDRESS
    assert older.exporter.host().conflict_address == ADDRESS


def test_refused_agent_takes_over_after_the_bye_of_the_other_and_has_lost_nothing() -> None:
    older, younger = two_agents()
    exporter = older.exporter
    older.send()
    for _ in range(3):
        older.send()
        exporter.wait(5)
        assert exporter.refuses(younger.report(), OTHER_ADDRESS) == RefusalReason.CONFLICT
    older.send(bye=True)
    younger.send(gauges={"x": 1.0})
    assert exporter.value("x") == 1
    assert lost(exporter) == 0


def test_one_forged_datagram_neither_takes_nor_keeps_a_name() -> None:
    forged = Report("pi", session=2**63 - 1, seq=0, interval=3600.0)
    agent = Agent()
    agent.run(10, gauges={"x": 1.0})
    assert agent.exporter.refuses(forged, OTHER_ADDRESS) == RefusalReason.CONFLICT
    agent.run(5, gauges={"x": 2.0})
    assert agent.exporter.value("x") == 2
    assert agent.exporter.value("pombo_host_conflicts_total") == 1
    first = Agent()
    first.exporter.take(forged, OTHER_ADDRESS)
    refusals = []
    for _ in range(3):
        refusals.append(first.exporter.refuses(first.report()))
        first.exporter.wait(5)
    assert refusals == [RefusalReason.REPLAYED, RefusalReason.CONFLICT, None]
    first.run(10, gauges={"x": 3.0})
    assert first.exporter.value("x") == 3
    first.exporter.wait(8)
    restarted(first).send(gauges={"x": 4.0})
    assert first.exporter.value("x") == 4


def test_two_agents_do_not_take_the_name_from_each_other_in_turn() -> None:
    older, younger = two_agents()
    older.send(gauges={"x": 1.0})
    for _ in range(5):
        refused = older.exporter.refuses(younger.report(gauges={"x": 2.0}), OTHER_ADDRESS)
        assert refused == RefusalReason.CONFLICT
        older.send(gauges={"x": 1.0})
        assert older.exporter.value("x") == 1


def test_clone_with_the_same_session_and_numbers_is_a_conflict() -> None:
    agent = Agent()
    agent.run(10, gauges={"x": 1.0})
    clone = Agent(agent.exporter, seq=agent.seq, address=OTHER_ADDRESS)
    for _ in range(3):
        agent.run(5, gauges={"x": 1.0})
        agent.exporter.wait(0.5)
        refused = agent.exporter.refuses(clone.report(gauges={"x": 9.0}), OTHER_ADDRESS)
        assert refused == RefusalReason.CONFLICT
        assert agent.exporter.value("x") == 1
    assert agent.exporter.value("pombo_host_conflicts_total") == 3
    assert HostEvent.CONFLICT in agent.exporter.events()


def test_agent_whose_clock_went_back_at_its_restart_is_accepted_once_the_host_is_down() -> None:
    agent = Agent()
    agent.run(10, gauges={"x": 1.0})
    back = Agent(agent.exporter, session=SESSION - 10**15, seq=0)
    refusals = []
    for _ in range(3):
        agent.exporter.wait(5)
        refusals.append(agent.exporter.refuses(back.report(gauges={"x": 2.0})))
    assert refusals == [RefusalReason.CONFLICT, RefusalReason.REPLAYED, None]
    assert agent.exporter.value("x") == 2
    assert agent.exporter.value("pombo_host_conflicts_total") == 0
    assert lost(agent.exporter) == 0


# --- programs without a session ---


def test_gauges_without_a_session_do_not_keep_the_host_of_a_killed_agent_live() -> None:
    agent = Agent()
    agent.run(10)
    for _ in range(3):
        agent.exporter.wait(5)
        agent.exporter.take(Report("pi", gauges={"room": 21.0}))
    assert agent.exporter.value("pombo_host_up") == 0
    assert agent.exporter.value("room") == 21


def test_host_of_a_killed_agent_stays_down_while_a_script_reports() -> None:
    exporter = Exporter(Limits(forget_after=100))
    agent = Agent(exporter, interval=60.0)
    agent.send(memory=Memory(total=8), gauges={"x": 1.0})
    agent.interval = 5.0
    agent.send(gauges={"x": 1.0})
    for _ in range(20):
        exporter.wait(30)
        exporter.take(Report("pi", gauges={"room": 21.0}))
        assert exporter.value("room") == 21
        assert exporter.value("pombo_host_up") == 0
        assert exporter.value("pombo_host_agent") == 1
        assert exporter.value("x") is None
        assert exporter.value("host_memory_total_bytes") is None
    agent.send()
    assert exporter.value("pombo_host_up") == 1
    exporter.wait(30)
    exporter.take(Report("pi", gauges={"room": 21.0}))
    exporter.roster.forget("pi", exporter.now)
    exporter.take(Report("pi", gauges={"room": 21.0}))
    assert (exporter.value("pombo_host_up"), exporter.value("pombo_host_agent")) == (1, 0)


def test_script_that_ends_lets_the_host_of_a_killed_agent_be_forgotten() -> None:
    exporter = Exporter(Limits(forget_after=100))
    Agent(exporter).send()
    exporter.wait(90)
    exporter.take(Report("pi", gauges={"room": 21.0}, interval=5.0))
    exporter.wait(14)
    assert exporter.value("room") == 21
    exporter.wait(1)
    assert exporter.value("room") is None
    exporter.wait(84)
    assert exporter.value("pombo_host_up") == 0
    exporter.wait(1)
    assert exporter.roster.hosts == {}


def test_each_value_of_a_host_without_an_agent_lives_by_its_own_interval() -> None:
    exporter = Exporter()
    exporter.take(Report("pi", gauges={"a": 1.0}))
    exporter.take(Report("pi", gauges={"b": 1.0}, interval=1.0))
    seen = []
    for seconds in (2.9, 0.1, 100, 50):
        exporter.wait(seconds)
        seen.append((exporter.value("pombo_host_up"), exporter.value("a"), exporter.value("b")))
    assert seen == [(1, 1, 1), (1, 1, None), (1, 1, None), (1, 1, None)]
    exporter.take(Report("pi", gauges={"c": 1.0}, interval=50.0))
    exporter.wait(30)
    assert (exporter.value("a"), exporter.value("c")) == (None, 1)
    exporter.take(Report("pi", gauges={"b": 2.0}, interval=1.0))
    exporter.wait(10)
    assert (exporter.value("pombo_host_up"), exporter.value("c")) == (1, 1)
    assert exporter.value("pombo_host_interval_seconds") == 1
    exporter.wait(110)
    assert (exporter.value("pombo_host_up"), exporter.value("c")) == (0, None)
    assert exporter.events().count(HostEvent.DOWN) == 1


def test_agent_ends_what_scripts_said_of_a_hosts_interval() -> None:
    exporter = Exporter()
    exporter.take(Report("pi", gauges={"a": 1.0}, interval=3600.0))
    agent = Agent(exporter)
    agent.run(10)
    exporter.wait(15)
    assert (exporter.value("pombo_host_up"), exporter.value("a")) == (0, 1)


def test_gauges_without_a_session_are_exposed_together_with_the_agents_values() -> None:
    agent = Agent()
    agent.send(gauges={"x": 1.0})
    agent.exporter.take(Report("pi", gauges={"room": 21.0}), OTHER_ADDRESS)
    agent.run(5, gauges={"x": 2.0})
    assert (agent.exporter.value("x"), agent.exporter.value("room")) == (2, 21)
    assert agent.exporter.host().address == ADDRESS
    assert agent.exporter.value("pombo_host_conflicts_total") == 0


def test_agent_takes_over_a_host_that_was_known_without_a_session() -> None:
    exporter = Exporter()
    exporter.take(Report("pi", gauges={"room": 21.0}))
    Agent(exporter).run(10, memory=Memory(total=8))
    assert exporter.value("host_memory_total_bytes") == 8
    assert exporter.value("pombo_host_interval_seconds") == 5


# --- limits ---


def test_host_over_the_limit_is_refused_and_the_others_go_on() -> None:
    exporter = Exporter(Limits(hosts=2))
    agents = [Agent(exporter, name) for name in "abc"]
    for _ in range(3):
        exporter.wait(5)
        assert [exporter.refuses(agent.report()) for agent in agents] == [
            None,
            None,
            RefusalReason.HOST_LIMIT,
        ]
    assert [*exporter.roster.hosts] == ["a", "b"]


def test_forgotten_host_makes_room_for_another() -> None:
    exporter = Exporter(Limits(hosts=1, forget_after=0))
    Agent(exporter, "a").send()
    assert exporter.refuses(Agent(exporter, "b").report()) == RefusalReason.HOST_LIMIT
    exporter.wait(15)
    assert exporter.refuses(Agent(exporter, "b").report()) is None


def series(exporter: Exporter) -> int:
    """Return how many exposed series count towards the limit."""
    return sum(not name.startswith("pombo_host_") for name, _ in exporter.samples())


def test_report_over_the_series_limit_is_refused_and_changes_no_value() -> None:
    agent = Agent(Exporter(Limits(series_per_host=5)))
    agent.send(gauges=dict.fromkeys("abcde", 1.0))
    assert series(agent.exporter) == 5
    over = agent.report(gauges=dict.fromkeys("abcdef", 2.0))
    assert agent.exporter.refuses(over) == RefusalReason.SERIES_LIMIT
    within_and_over = agent.report(gauges=dict.fromkeys("abcde", 2.0), disks=disks(sda=1))
    assert agent.exporter.refuses(within_and_over) == RefusalReason.SERIES_LIMIT
    assert [agent.exporter.value(name) for name in "abcde"] == [1] * 5
    agent.send(gauges=dict.fromkeys("abcde", 3.0))
    assert [agent.exporter.value(name) for name in "abcde"] == [3] * 5


def test_refused_report_keeps_its_host_live_and_is_not_lost() -> None:
    agent = Agent(Exporter(Limits(series_per_host=1)))
    for _ in range(10):
        agent.exporter.wait(5)
        report = agent.report(gauges={"a": 1.0, "b": 1.0})
        assert agent.exporter.refuses(report) == RefusalReason.SERIES_LIMIT
    assert agent.exporter.value("pombo_host_up") == 1
    assert lost(agent.exporter) == 0


def test_series_of_many_small_reports_add_up_to_the_limit() -> None:
    agent = Agent(Exporter(Limits(series_per_host=10)))
    refusals = [agent.exporter.refuses(agent.report(gauges={f"x{n}": 1.0})) for n in range(20)]
    assert refusals == [None] * 10 + [RefusalReason.SERIES_LIMIT] * 10


def test_series_of_one_host_do_not_count_against_another() -> None:
    exporter = Exporter(Limits(series_per_host=1))
    for name in "abc":
        assert exporter.refuses(Report(name, gauges={"x": 1.0})) is None


def test_exposition_never_has_more_series_than_the_limit_counts() -> None:
    agent = Agent()
    for read in (1.0, 2.0):
        agent.exporter.wait(5)
        agent.send(disks=disks(a=read, b=read), memory=Memory(*[1.0] * 10), gauges={"x": 1.0})
    exposed = series(agent.exporter)
    limited = Agent(Exporter(Limits(series_per_host=exposed - 1)))
    report = limited.report(disks=disks(a=1, b=1), memory=Memory(*[1.0] * 10), gauges={"x": 1.0})
    assert limited.exporter.refuses(report) == RefusalReason.SERIES_LIMIT


def test_section_that_no_family_reads_has_no_series() -> None:
    exporter = Exporter(Limits(series_per_host=1))
    exporter.take(Report("pi", gauges={"x": 1.0}, swap=Swap(swapped_in=1.0)))
    assert exporter.host().series == 1


def test_device_that_is_no_longer_reported_expires_without_a_scrape() -> None:
    agent = Agent()
    agent.send(disks=disks(sda=1), gauges={"x": 1.0})
    agent.run(14.9, memory=Memory(total=8))
    assert {*agent.exporter.host().loose} == {"memory"}


def test_session_may_start_after_the_rounded_time_of_its_first_report() -> None:
    exporter = Exporter()
    session = int(exporter.wall * 1e9) + 400_000  # nanoseconds: its first report is of that moment
    exporter.take(Report("pi", session=session, seq=3, time=exporter.wall, interval=5.0))
    exporter.wait(11)
    assert exporter.host().sequence.lost == 3
