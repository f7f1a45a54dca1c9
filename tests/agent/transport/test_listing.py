"""Servers that are listed under names, while these change and cannot be looked up."""

import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from pombo_agent.collecting.deadlines import start_thread
from pombo_agent.servers import Endpoint, Listed, Url
from pombo_agent.transport.listing import (
    LOOKUP_SECONDS,
    MOST_SERVERS,
    RETRY_SECONDS,
    Listing,
)
from pombo_agent.transport.udp import Destination, Lookup
from pombo_agent.wakeup import EventWaiter
from pombo_cli.addresses import Address
from pombo_cli.logs import LimitedLogger
from support.clocks import Clock
from support.pages import wait_until

Warnings = list[tuple[str, dict[str, Any]]]

NAME = Listed("dns", "exporters.test", 5005)


class Names:
    """A resolver that knows the addresses which the test sets, or fails."""

    def __init__(self, *hosts: str) -> None:
        self.hosts: Sequence[str] = hosts
        self.calls = 0

    def __call__(self, host: str, port: int) -> list[Destination]:
        assert host == NAME.name
        self.calls += 1
        if not self.hosts:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, (each, port)) for each in self.hosts]


def at_once(call: Callable[[], None]) -> None:
    call()


Make = Callable[..., Listing]


@pytest.fixture
def listing(log: LimitedLogger, clock: Clock) -> Make:
    def make(
        names: Callable[[str, int], list[Destination]],
        *given: Endpoint | Listed,
        start: Callable[[Callable[[], None]], None] = at_once,
        timeout: float = 1.0,
    ) -> Listing:
        lookup = Lookup(names, timeout, start)
        return Listing(given or [NAME], log, EventWaiter(), clock, lookup)

    return make


def texts(listing: Listing) -> list[str]:
    return [*map(str, listing())]


def test_servers_without_a_name_are_those_given_and_always_the_same_object(listing: Make) -> None:
    given = Address("a", 5005), Url("https", "b", 443, "/report")
    found = listing(Names(), *given)
    assert found() == given
    assert found() is found()


def test_addresses_of_a_name_are_in_one_order_whatever_the_resolver_says(
    listing: Make, clock: Clock
) -> None:
    names = Names("10.0.0.2", "10.0.0.10", "10.0.0.2")
    found = listing(names)
    servers = found()
    assert texts(found) == ["10.0.0.10:5005", "10.0.0.2:5005"]
    names.hosts = "10.0.0.10", "10.0.0.2"
    clock.now += LOOKUP_SECONDS
    assert found() is servers
    assert names.calls == 2


def test_names_and_addresses_may_be_mixed(listing: Make) -> None:
    found = listing(Names("10.0.0.1", "10.0.0.2"), Address("10.0.0.2", 5005), NAME)
    assert texts(found) == ["10.0.0.2:5005", "10.0.0.1:5005"]


def test_name_is_looked_up_each_half_minute(listing: Make, clock: Clock) -> None:
    names = Names("10.0.0.1")
    found = listing(names)
    for _ in range(24):
        found()
        clock.now += 5
    assert names.calls == 120 / LOOKUP_SECONDS
    names.hosts = "10.0.0.1", "10.0.0.3"
    clock.now += LOOKUP_SECONDS
    assert texts(found) == ["10.0.0.1:5005", "10.0.0.3:5005"]


def test_last_answer_is_kept_while_lookups_fail(
    listing: Make, clock: Clock, warnings: Warnings
) -> None:
    names = Names("10.0.0.1")
    found = listing(names)
    servers = found()
    names.hosts = ()
    clock.now += LOOKUP_SECONDS
    assert found() is servers
    calls = names.calls
    for _ in range(6):
        clock.now += RETRY_SECONDS
        assert found() is servers
    assert names.calls == calls + 6, "sooner than while they succeed"
    [(message, fields), *_] = warnings
    assert message == "lookup failed"
    assert str(fields["server"]) == "dns+exporters.test:5005"
    assert "resolver" in fields["remedy"]
    names.hosts = ("10.0.0.2",)
    clock.now += RETRY_SECONDS
    assert texts(found) == ["10.0.0.2:5005"]


def test_there_is_no_server_before_the_first_answer(listing: Make, clock: Clock) -> None:
    names = Names()
    found = listing(names)
    assert found() == ()
    names.hosts = ("10.0.0.1",)
    clock.now += RETRY_SECONDS
    assert texts(found) == ["10.0.0.1:5005"]


def test_report_waits_for_the_first_answer_alone(
    listing: Make, clock: Clock, warnings: Warnings
) -> None:
    names, may_answer = Names("10.0.0.1"), threading.Event()

    def slow(host: str, port: int) -> list[Destination]:
        may_answer.wait(30)
        return names(host, port)

    found = listing(slow, start=start_thread, timeout=0.01)
    assert found() == ()
    may_answer.set()
    wait_until(found, bool, "the answer of the first lookup")
    servers = found()
    may_answer.clear()
    names.hosts = ("10.0.0.2",)
    clock.now += LOOKUP_SECONDS
    assert found() is servers
    clock.now += LOOKUP_SECONDS
    assert found() is servers
    assert [message for message, _ in warnings] == ["lookup timed out"]
    may_answer.set()
    wait_until(lambda: texts(found), lambda seen: seen == ["10.0.0.2:5005"], "the next answer")


def test_without_threads_the_lookup_is_tried_again(
    listing: Make, clock: Clock, warnings: Warnings
) -> None:
    def no_thread(_: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    starts = [no_thread, at_once]

    def start(call: Callable[[], None]) -> None:
        starts.pop(0)(call)

    found = listing(Names("10.0.0.1"), start=start)
    assert found() == ()
    clock.now += RETRY_SECONDS
    assert texts(found) == ["10.0.0.1:5005"]
    assert [message for message, _ in warnings] == ["lookup failed"]


def test_name_has_at_most_a_hundred_servers(listing: Make, warnings: Warnings) -> None:
    found = listing(Names(*(f"10.0.0.{number}" for number in range(MOST_SERVERS + 1))))
    assert len(found()) == MOST_SERVERS
    assert [message for message, _ in warnings] == ["a name has too many servers"]
