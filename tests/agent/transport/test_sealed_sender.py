"""A sender that seals: which addresses and sockets it tries when no answer comes."""

import errno
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pombo_agent.transport.crypto import CRYPTO
from pombo_agent.transport.dialogue import Dialogue
from pombo_agent.transport.udp import Destination, Lookup, Sender
from pombo_agent.wakeup import EventWaiter
from pombo_cli.addresses import Address
from pombo_cli.logs import LimitedLogger
from pombo_wire.keys import FleetKey, HostKey
from pombo_wire.sealing import envelope
from support.answering import WALL, AnsweringExporter
from support.clocks import Clock

T = 5.0  # seconds between reports
TIMEOUT = 2 * T

Warnings = list[tuple[str, dict[str, Any]]]


class Agent:
    """A sender of reports to a name whose addresses the test sets."""

    def __init__(
        self, key: HostKey, clock: Clock, log: LimitedLogger, *, asks: bool = True
    ) -> None:
        self.addresses: list[Destination] = []
        self.lookups = 0
        self._clock, self._session = clock, int((WALL + clock.now) * 1e9)
        dialogue = Dialogue(CRYPTO, key, T, clock, asks=asks)
        server = Address("exporter.test", 5005)
        self.sender = Sender(server, log, EventWaiter(), clock, Lookup(self._resolve), dialogue)

    def _resolve(self, _host: str, _port: int) -> list[Destination]:
        self.lookups += 1
        return self.addresses

    def start_session(self) -> None:
        """Do what the agent does after the system was suspended."""
        self._session = int((WALL + self._clock.now) * 1e9)
        self.sender.renew()

    def report(self, *exporters: AnsweringExporter) -> list[list[bytes]]:
        """Send a report; return what arrived at each exporter. An interval passes."""
        now = WALL + self._clock.now
        form = b'{"session":%d,"time":%f,"interval":%f,"parts":1}'
        self.sender.send([form % (self._session, now, T)])
        arrived = [exporter.read() for exporter in exporters]
        self._clock.now += T
        return arrived


@pytest.fixture
def agent(key: HostKey, clock: Clock, log: LimitedLogger) -> Iterator[Agent]:
    found = Agent(key, clock, log)
    yield found
    found.sender.close()


@pytest.fixture
def exporter(fleet: FleetKey, clock: Clock) -> Iterator[Callable[..., AnsweringExporter]]:
    started: list[AnsweringExporter] = []

    def start(*, hears: bool = True, host: str = "127.0.0.1") -> AnsweringExporter:
        started.append(AnsweringExporter(fleet, clock, host))
        started[-1].hears = hears
        return started[-1]

    yield start
    for each in started:
        each.close()


Exporters = Callable[..., AnsweringExporter]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_address_that_does_not_answer_is_followed_by_the_next(
    host: str, agent: Agent, exporter: Exporters
) -> None:
    silent, also, hears = exporter(hears=False), exporter(hears=False), exporter(host=host)
    agent.addresses = [silent.destination, also.destination, hears.destination]
    for _ in range(2):
        agent.report(silent, also, hears)
    for _ in range(2):
        agent.report(silent, also, hears)
    assert not hears.is_live("pi")
    agent.report(silent, also, hears)
    assert hears.is_live("pi")


def test_address_that_the_name_has_besides_is_used_for_one_that_does_not_answer(
    agent: Agent, exporter: Exporters
) -> None:
    old, new = exporter(), exporter()
    agent.addresses = [old.destination]
    agent.report(old, new)
    old.hears = False
    for addresses in ([new, old], [old, new]):
        agent.addresses = [each.destination for each in addresses]
    for _ in range(2):
        agent.report(old, new)
    assert not new.is_live("pi")
    agent.report(old, new)
    assert new.is_live("pi")


def test_address_that_answers_is_kept_whatever_the_order_of_the_lookup(
    agent: Agent, exporter: Exporters
) -> None:
    first, second = exporter(), exporter()
    agent.addresses = [first.destination, second.destination]
    agent.report(first, second)
    agent.addresses.reverse()
    for _ in range(30):
        assert agent.report(first, second)[1] == []
    assert agent.lookups > 2


def test_changed_answer_is_used_after_the_time_out(agent: Agent, exporter: Exporters) -> None:
    old, new = exporter(), exporter()
    agent.addresses = [old.destination]
    agent.report(old, new)
    old.hears = False
    agent.addresses = [new.destination]
    for _ in range(2):
        agent.report(old, new)
    agent.report(old, new)
    assert new.is_live("pi")


def test_socket_is_replaced_after_the_time_out(agent: Agent, exporter: Exporters) -> None:
    server = exporter()
    agent.addresses = [server.destination]
    agent.report(server)
    before = server.roster.hosts["pi"].address
    agent.report(server)
    assert server.roster.hosts["pi"].address == before
    server.hears = False
    agent.report(server)
    agent.report(server)
    server.hears = True
    agent.report(server)
    assert server.roster.hosts["pi"].address != before


def test_refused_datagram_is_logged_and_the_next_address_used_at_once(
    agent: Agent, exporter: Exporters, warnings: Warnings
) -> None:
    absent, hears = exporter(), exporter()
    agent.addresses = [absent.destination, hears.destination]
    absent.close()
    agent.report(hears)
    agent.report(hears)
    assert hears.is_live("pi")
    assert [message for message, _ in warnings] == ["send failed"]
    assert warnings[0][1]["error"].errno == errno.ECONNREFUSED


def test_no_address_is_left_out_where_others_refuse(agent: Agent, exporter: Exporters) -> None:
    absent, also, hears = exporter(), exporter(), exporter()
    agent.addresses = [absent.destination, also.destination, hears.destination]
    absent.close()
    also.close()
    for _ in range(3):  # the third comes just when the time-out is over
        agent.report(hears)
    assert hears.is_live("pi")


def test_refused_and_unanswered_addresses_are_tried_in_turn(
    agent: Agent, exporter: Exporters
) -> None:
    absent, silent = exporter(), exporter(hears=False)
    agent.addresses = [absent.destination, silent.destination]
    absent.close()
    for _ in range(40):
        agent.report(silent)
    silent.hears = True
    for _ in range(round(2 * TIMEOUT / T)):
        agent.report(silent)
    assert silent.is_live("pi")


def test_changes_are_logged_once_each(
    agent: Agent, exporter: Exporters, warnings: Warnings
) -> None:
    server = exporter()
    agent.addresses = [server.destination]
    for hears in (True, False, True):
        server.hears = hears
        for _ in range(10):
            agent.report(server)
    assert [message for message, _ in warnings] == [
        "exporter answers",
        "exporter does not answer",
        "exporter answers again",
    ]
    _, heard = warnings[0]
    assert str(heard["server"]) == "exporter.test:5005"
    assert heard["heard_from"].startswith("127.0.0.1:")
    assert warnings[1][1]["trying"] == "a new socket and lookup"


def test_nothing_is_lost_by_a_suspension(agent: Agent, exporter: Exporters, clock: Clock) -> None:
    server = exporter()
    agent.addresses = [server.destination]
    salts = {envelope(each).salt for _ in range(3) for each in agent.report(server)[0]}
    clock.now += 3600
    agent.start_session()
    [[first]] = agent.report(server)
    assert server.is_live("pi"), "it shows the challenge, so it is proven at once"
    assert envelope(first).salt not in salts
    assert server.refused == {}
    assert server.roster.hosts["pi"].sequence.lost == 0


def test_one_way_agent_is_heard_after_a_suspension(
    key: HostKey, clock: Clock, log: LimitedLogger, exporter: Exporters
) -> None:
    server, agent = exporter(), Agent(key, clock, log, asks=False)
    agent.addresses = [server.destination]
    for _ in range(3):
        agent.report(server)
    clock.now += 3600
    agent.start_session()
    agent.report(server)
    assert server.is_live("pi"), "its session is greater, and it can show no challenge"
    assert server.refused == {}
    agent.sender.close()


def test_short_suspension_is_no_conflict(
    agent: Agent, exporter: Exporters, warnings: Warnings
) -> None:
    server = exporter()
    agent.addresses = [server.destination]
    for _ in range(3):
        agent.report(server)
    agent.start_session()
    for _ in range(6):
        agent.report(server)
    assert server.is_live("pi")
    assert server.refused == {"conflict": 1}, "until the last salt is silent for 1.5 intervals"
    assert server.roster.hosts["pi"].conflicts == 0
    assert "another agent reports under this name" not in [message for message, _ in warnings]
