"""Reports of one agent to two of several exporters, while these come and go, on real sockets."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from pombo_agent.transport.replicas import PROBE_SECONDS, Choice
from pombo_cli.logs import LimitedLogger
from pombo_exporter.hosts.limits import Limits
from pombo_exporter.hosts.roster import HostEvent
from pombo_wire.keys import FleetKey, HostKey
from support.answering import AnsweringExporter
from support.clocks import Clock
from support.replicated import TIMEOUT, Agent, T, is_probe

Start = Callable[..., Agent]


@pytest.fixture
def start(fleet: FleetKey, key: HostKey, clock: Clock, log: LimitedLogger) -> Iterator[Start]:
    agents: list[Agent] = []

    def start_agent(
        count: int,
        choice: Choice = Choice(2),  # noqa: B008  # it never changes
        *,
        silent: Sequence[int] = (),
        listed: Sequence[int] | None = None,
    ) -> Agent:
        exporters = [AnsweringExporter(fleet, clock) for _ in range(count)]
        for place in silent:
            exporters[place].hears = False
        agent = Agent(key, clock, log, exporters, choice)
        if listed is not None:
            agent.listed = [exporters[place] for place in listed]
        agents.append(agent)
        return agent

    yield start_agent
    for agent in agents:
        agent.replicas.close()
        for exporter in agent.exporters:
            exporter.close()


def changes(warnings: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """Return the reasons of the changes that were logged."""
    return [
        str(fields["reason"])
        for message, fields in warnings
        if message == "reports go to another exporter"
    ]


def reports(agent: Agent, place: int, seconds: float) -> int:
    """Send reports for some time; return how many of them an exporter was sent."""
    sent = [agent.report()[place] for _ in range(round(seconds / T))]
    return sum(not is_probe(agent.key, datagram) for each in sent for datagram in each)


def test_two_servers_get_every_report_and_no_other_any(start: Start) -> None:
    agent = start(4)
    assert agent.reports(300) == [60, 60, 0, 0]
    assert agent.live() == [True, True, False, False]


def test_host_has_a_living_exporter_while_either_is_dead(
    start: Start, warnings: list[tuple[str, dict[str, Any]]]
) -> None:
    agent = start(3)
    agent.reports(60)
    for dead in (0, 1):
        agent.exporters[dead].hears = False
        for _ in range(round((TIMEOUT + 4 * PROBE_SECONDS) / T)):
            agent.report()
            assert agent.live()[1 - dead], "the other one hears every report"
        assert agent.live() == [dead != 0, dead != 1, True]
        agent.exporters[dead].hears = True
        agent.reports(PROBE_SECONDS + T)
        assert agent.live() == [True, True, False]
        assert not agent.exporters[2].shows("pi"), "it got a bye"
    for exporter in agent.exporters[:2]:
        assert exporter.roster.hosts["pi"].sequence.lost == 2, "those of its time-out alone"
        assert exporter.roster.holder_changes == 0
        assert exporter.refused == {}
    assert agent.exporters[2].events.count(HostEvent.DOWN) == 0
    assert changes(warnings) == ["no answer", "it answers again"] * 2


def test_second_exporter_that_dies_is_replaced_by_the_next_that_lives(start: Start) -> None:
    agent = start(5)
    agent.reports(60)
    agent.exporters[0].hears = False
    agent.reports(TIMEOUT + T)
    assert agent.live() == [False, True, True, False, False]
    agent.exporters[1].hears = False
    agent.reports(TIMEOUT + T)
    assert agent.live() == [False, False, True, True, False], "the first was found silent"
    agent.exporters[2].hears = False
    agent.reports(TIMEOUT + T)
    assert agent.live() == [False, False, False, True, True]
    agent.exporters[1].hears = True
    agent.reports(PROBE_SECONDS + T)
    assert agent.live() == [False, True, False, True, False], "the least preferred is left"


def test_silent_exporters_are_tried_in_turn_while_too_few_live(start: Start) -> None:
    agent = start(4, silent=(1, 2, 3))
    counts = agent.reports(9 * TIMEOUT)
    assert counts[0] == 18
    assert all(count >= 4 for count in counts[1:])
    assert agent.live()[0]
    agent.exporters[3].hears = True
    agent.reports(3 * TIMEOUT)
    assert agent.live() == [True, False, False, True]


def test_all_exporters_are_used_where_there_are_fewer_than_replicas(start: Start) -> None:
    agent = start(3, Choice(3), silent=(0,), listed=(0, 1))
    assert agent.reports(120) == [24, 24, 0]
    agent.listed = agent.exporters
    assert agent.reports(60) == [12, 12, 12]


def test_every_server_is_used_and_none_is_left_for_its_silence_in_the_mode_all(
    start: Start,
) -> None:
    agent = start(3, Choice(None), silent=(1,), listed=(0, 1))
    assert agent.reports(120) == [24, 24, 0]
    agent.listed = [agent.exporters[2], agent.exporters[0]]
    assert agent.reports(120) == [24, 0, 24]


# --- servers that are added and removed ---


def test_preferred_server_that_is_added_is_probed_and_then_used(
    start: Start, warnings: list[tuple[str, dict[str, Any]]]
) -> None:
    agent = start(3, listed=(1, 2))
    agent.reports(60)
    agent.listed = agent.exporters
    assert [*map(len, agent.report())] == [1, 1, 1], "a probe"
    assert not agent.exporters[0].shows("pi")
    assert [*map(len, agent.report())] == [1, 1, 1], "a report"
    assert agent.live() == [True, True, True]
    agent.report()
    assert agent.live() == [True, True, False]
    assert not agent.exporters[2].shows("pi"), "it got a bye"
    assert agent.exporters[1].roster.hosts["pi"].sequence.lost == 0
    assert changes(warnings) == ["it was added"]
    [added] = [fields for message, fields in warnings if message == "list of exporters has changed"]
    assert added == {"added": agent.replicas.order[0], "removed": ""}


def test_report_is_missing_nowhere_while_servers_are_added_and_removed(start: Start) -> None:
    agent = start(4, Choice(1), listed=(3,))
    agent.reports(60)
    for listed in ((2, 3), (1, 2, 3), (0, 1, 2, 3), (1, 2, 3), (3,), (0, 3), (0, 1, 2, 3)):
        agent.listed = [agent.exporters[place] for place in listed]
        for _ in range(6):
            agent.report()
            assert any(agent.live())
        assert [place for place, is_live in enumerate(agent.live()) if is_live] == [listed[0]]


def test_server_that_joins_and_is_removed_gets_a_bye(start: Start) -> None:
    agent = start(3, listed=(1, 2))
    agent.reports(60)
    agent.listed = agent.exporters
    agent.report()
    agent.report()
    assert agent.exporters[0].shows("pi"), "it has got a report"
    agent.listed = agent.exporters[1:]
    agent.report()
    assert not agent.exporters[0].shows("pi")
    assert agent.live() == [False, True, True]


def test_server_that_answers_probes_alone_costs_no_report(start: Start) -> None:
    agent = start(3, listed=(1, 2))
    agent.reports(60)
    agent.exporters[0].start(Limits(hosts=0))  # which no report passes
    agent.listed = agent.exporters
    for _ in range(round(4 * PROBE_SECONDS / T)):
        agent.report()
        assert agent.live() == [False, True, True]
    agent.exporters[0].start()
    agent.reports(4 * PROBE_SECONDS)
    assert agent.live() == [True, True, False]


def test_other_server_that_is_added_changes_nothing(
    start: Start, warnings: list[tuple[str, dict[str, Any]]]
) -> None:
    agent = start(3, listed=(0, 1))
    agent.reports(60)
    agent.listed = agent.exporters
    assert agent.reports(300) == [60, 60, 0]
    assert changes(warnings) == []


def test_dead_server_that_is_added_costs_no_report(start: Start) -> None:
    agent = start(3, silent=(0,), listed=(1, 2))
    agent.reports(60)
    agent.listed = agent.exporters
    assert reports(agent, 0, 300) == 0
    assert agent.live() == [False, True, True]
    agent.exporters[0].hears = True
    agent.reports(PROBE_SECONDS + T)
    assert agent.live() == [True, True, False]


def test_server_that_is_removed_gets_a_bye_and_the_next_one_takes_its_place(
    start: Start, warnings: list[tuple[str, dict[str, Any]]]
) -> None:
    agent = start(4)
    agent.reports(60)
    agent.listed = agent.exporters[1:]
    assert [*map(len, agent.report())] == [3, 1, 1, 0]
    assert agent.live() == [False, True, True, False]
    assert not agent.exporters[0].shows("pi")
    assert changes(warnings) == ["the other was removed"]
    agent.listed = [*agent.exporters]
    agent.reports(60)
    assert agent.live() == [True, True, False, False]
    assert agent.exporters[0].refused == {"unproven": 1}, "the challenge was forgotten"


def test_server_that_is_not_in_use_is_removed_without_a_change(start: Start) -> None:
    agent = start(3)
    agent.exporters[0].hears = False
    agent.reports(TIMEOUT + T)
    agent.listed = agent.exporters[1:]
    assert agent.reports(120) == [0, 24, 24]


def test_all_servers_may_be_replaced_at_once(start: Start) -> None:
    agent = start(5, listed=(0, 1))
    agent.reports(60)
    agent.listed = agent.exporters[2:]
    assert [*map(len, agent.report())] == [3, 3, 1, 1, 0]
    assert agent.live() == [False, False, True, True, False]


def test_without_any_server_reports_are_lost_until_there_is_one(start: Start) -> None:
    agent = start(2, listed=())
    agent.reports(60)
    assert agent.replicas.where() == []
    agent.listed = agent.exporters
    assert agent.reports(60) == [12, 12]


# --- without answers ---


def test_without_answers_the_preferred_servers_are_used_dead_or_alive(start: Start) -> None:
    agent = start(3, Choice(2, has_answers=False), silent=(0,))
    assert agent.reports(300) == [60, 60, 0]


def test_without_answers_a_server_that_is_added_is_used_at_once(start: Start) -> None:
    agent = start(3, Choice(2, has_answers=False), listed=(1, 2))
    agent.reports(60)
    agent.listed = agent.exporters
    assert [*map(len, agent.report())] == [1, 1, 3]
    assert agent.live() == [True, True, False]
    assert not agent.exporters[2].shows("pi"), "it got a bye"
    agent.reports(300)
    for exporter in agent.exporters[:2]:
        counts = exporter.roster.hosts["pi"].sequence
        assert counts.lost + counts.duplicate + counts.skipped == 0
    agent.listed = agent.exporters[1:]
    agent.reports(60)
    assert agent.live() == [False, True, True]


def test_host_of_another_name_prefers_other_servers(start: Start) -> None:
    agent = start(3, Choice(1, has_answers=False))
    agent.reports(60)
    agent.replicas.reorder(lambda names: [*reversed(names)])
    assert [*map(len, agent.report())] == [3, 0, 1]
    assert agent.reports(60) == [0, 0, 12]
