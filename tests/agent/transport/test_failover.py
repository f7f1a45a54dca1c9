"""Reports of one agent to the first of several exporters that answers, on real sockets."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import pytest
from pombo_agent.transport.replicas import MOST_PROBE_SECONDS, PROBE_SECONDS, Choice
from pombo_cli.logs import LimitedLogger
from pombo_exporter.hosts.limits import Limits
from pombo_exporter.hosts.roster import HostEvent
from pombo_wire.keys import FleetKey, HostKey
from pombo_wire.sealing import envelope
from support.answering import AnsweringExporter
from support.clocks import Clock
from support.replicated import SESSION, TIMEOUT, Agent, T, is_probe

Start = Callable[..., Agent]


@pytest.fixture
def start(fleet: FleetKey, key: HostKey, clock: Clock, log: LimitedLogger) -> Iterator[Start]:
    agents: list[Agent] = []

    def start_agent(count: int, *, silent: Sequence[int] = (), host: str = "127.0.0.1") -> Agent:
        exporters = [AnsweringExporter(fleet, clock, host) for _ in range(count)]
        for place in silent:
            exporters[place].hears = False
        agents.append(Agent(key, clock, log, exporters, Choice(1)))
        return agents[-1]

    yield start_agent
    for agent in agents:
        agent.replicas.close()
        for exporter in agent.exporters:
            exporter.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_reports_go_to_the_first_server_alone(host: str, start: Start) -> None:
    agent = start(3, host=host)
    assert agent.reports(300) == [60, 0, 0]
    assert agent.live() == [True, False, False]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_next_server_is_used_after_the_time_out(host: str, start: Start) -> None:
    agent = start(2, host=host)
    agent.reports(60)
    agent.exporters[0].hears = False
    assert agent.reports(TIMEOUT) == [2, 0]
    assert agent.reports(T) == [0, 1]
    assert agent.live() == [False, True]


def test_server_that_is_dead_from_the_start_delays_by_the_time_out(start: Start) -> None:
    agent = start(3, silent=(0, 1))
    agent.reports(2 * TIMEOUT)
    assert agent.live() == [False, False, False]
    agent.report()
    assert agent.live() == [False, False, True]


def test_first_server_is_used_again_once_it_answers(
    start: Start, warnings: list[tuple[str, object]]
) -> None:
    agent = start(2)
    first, second = agent.exporters
    agent.reports(60)
    first.hears = False
    agent.reports(TIMEOUT + 10 * PROBE_SECONDS)
    assert agent.live() == [False, True]
    first.hears = True
    agent.reports(PROBE_SECONDS + T)
    assert agent.live() == [True, False]
    counts = first.roster.hosts["pi"].sequence
    assert (counts.lost, counts.received) == (2, counts.newest - 1), "those of the time-out alone"
    assert counts.skipped + counts.duplicate + counts.reordered == 0
    assert first.refused == {}
    assert second.refused == {}
    assert first.roster.holder_changes == second.roster.holder_changes == 0
    assert [message for message, _ in warnings] == [
        "exporter answers",
        "exporter does not answer",
        "reports go to another exporter",
        "exporter answers",
        "exporter answers again",
        "reports go to another exporter",
    ]


def test_probes_are_sent_from_time_to_time_under_a_salt_of_their_own(
    start: Start, key: HostKey
) -> None:
    agent = start(2)
    first = agent.exporters[0]
    reports = [agent.report()[0] for _ in range(5)]
    first.hears = False
    agent.reports(TIMEOUT)
    agent.report()
    count = round(10 * PROBE_SECONDS / T)
    probes = [datagram for _ in range(count) for datagram in agent.report()[0]]
    assert len(probes) == 10
    assert all(is_probe(key, datagram) for datagram in probes)
    assert not {envelope(each).salt for each in probes} & {
        envelope(datagram).salt for each in reports for datagram in each
    }
    assert min(map(len, probes)) > 900, "as long as a report, since only short ones may arrive"


def test_server_that_is_left_gets_a_bye_and_may_be_used_again(start: Start) -> None:
    agent = start(2)
    first, second = agent.exporters
    for _ in range(3):
        first.hears = True
        agent.reports(PROBE_SECONDS + 4 * T)
        assert agent.live() == [True, False]
        assert not second.shows("pi"), "so it never shows the host as down"
        first.hears = False
        agent.reports(TIMEOUT + 4 * T)
        assert agent.live() == [False, True]
    assert second.events.count(HostEvent.BYE) == 2
    assert second.events.count(HostEvent.DOWN) == 0
    assert second.refused == {}


def test_second_server_that_never_answered_is_left_without_a_bye(start: Start) -> None:
    agent = start(2, silent=(0, 1))
    first, second = agent.exporters
    agent.reports(TIMEOUT)
    second.hears = False
    agent.report()
    first.hears = True
    agent.reports(2 * TIMEOUT)
    assert agent.live() == [True, False]
    assert not second.shows("pi")


def test_all_servers_are_tried_in_turn_until_one_answers(start: Start) -> None:
    agent = start(3, silent=(0, 1, 2))
    for _ in range(3):
        assert agent.reports(TIMEOUT) == [2, 0, 0]
        assert agent.reports(TIMEOUT) == [0, 2, 0]
        assert agent.reports(TIMEOUT) == [0, 0, 2]
    agent.exporters[1].hears = True
    agent.reports(2 * TIMEOUT + T)
    assert agent.live() == [False, True, False]


def test_earliest_server_that_answers_is_returned_to(start: Start) -> None:
    agent = start(3, silent=(0, 1))
    agent.reports(3 * TIMEOUT)
    assert agent.live() == [False, False, True]
    agent.exporters[1].hears = True
    agent.reports(PROBE_SECONDS + 2 * T)
    assert agent.live() == [False, True, False]
    agent.exporters[0].hears = True
    agent.reports(PROBE_SECONDS + 2 * T)
    assert agent.live() == [True, False, False]


def test_answers_of_long_ago_bring_no_server_back(start: Start) -> None:
    agent = start(2)
    first = agent.exporters[0]
    for _ in range(2):
        first.hears = False
        agent.reports(TIMEOUT + 2 * PROBE_SECONDS)
        first.hears = True
        agent.reports(2 * PROBE_SECONDS)
    first.hears = False
    agent.reports(TIMEOUT + 2 * T)
    for _ in range(round(10 * PROBE_SECONDS / T)):
        agent.report()
        assert agent.live() == [False, True]


def test_server_that_answers_probes_alone_is_returned_to_ever_more_rarely(start: Start) -> None:
    agent = start(2)
    first = agent.exporters[0]
    first.start(Limits(hosts=0))  # which no report passes
    places = [*agent.returns(7 * MOST_PROBE_SECONDS)]
    waits = [round(later - earlier) for earlier, later in pairwise(places)]
    assert waits[:6] == [after + TIMEOUT + T for after in (60, 120, 240, 480, 960, 960)]
    first.start()
    agent.reports(MOST_PROBE_SECONDS + 2 * T)
    assert agent.live() == [True, False]
    first.hears = False
    agent.reports(TIMEOUT + 2 * T)
    first.hears = True
    agent.reports(PROBE_SECONDS + T)
    assert agent.live() == [True, False], "since it heard reports, it is probed as often again"


def test_one_lost_report_changes_no_server(start: Start) -> None:
    agent = start(2)
    agent.reports(60)
    for _ in range(20):
        agent.exporters[0].hears = False
        assert agent.report()[1] == []
        agent.exporters[0].hears = True
        assert agent.report()[1] == []


def test_exporter_without_memory_is_no_reason_to_change(start: Start) -> None:
    agent = start(2)
    agent.reports(60)
    agent.exporters[0].start()
    assert agent.reports(60) == [12, 0]
    assert agent.live() == [True, False]


def test_bye_goes_to_the_server_in_use(start: Start) -> None:
    agent = start(2, silent=(0,))
    agent.reports(3 * TIMEOUT)
    agent.exporters[0].read()
    agent.replicas.send_known([b'{"session":%d,"bye":true}' % SESSION])
    assert agent.exporters[0].read() == []
    agent.exporters[1].read()
    assert not agent.exporters[1].shows("pi")


def test_single_server_is_tried_for_ever(start: Start) -> None:
    agent = start(1, silent=(0,))
    assert agent.reports(300) == [60]
    agent.exporters[0].hears = True
    agent.report()
    assert agent.live() == [True]


def test_every_salt_is_new_after_a_suspension(start: Start, clock: Clock) -> None:
    agent = start(2, silent=(1,))
    before = {envelope(datagram).salt for _ in range(4) for datagram in agent.report()[0]}
    agent.replicas.renew()
    clock.now += TIMEOUT
    after = {envelope(datagram).salt for _ in range(4) for datagram in agent.report()[0]}
    assert len(before) == len(after) == 1
    assert before != after
