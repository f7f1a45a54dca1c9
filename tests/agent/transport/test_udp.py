"""Datagrams on real sockets, while servers start, stop and change addresses."""

import errno
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pombo_agent.collecting.deadlines import start_thread
from pombo_agent.transport.udp import (
    RESOLVE_INTERVAL_SECONDS,
    RESOLVE_TIMEOUT_SECONDS,
    RETRY_INTERVAL_SECONDS,
    Destination,
    Lookup,
    Resolver,
    Sender,
    resolve,
)
from pombo_agent.wakeup import EventWaiter
from pombo_cli.flags import Address
from pombo_cli.logs import LimitedLogger
from support.clocks import Clock

Warnings = list[tuple[str, dict[str, Any]]]


class Names:
    """A resolver with the answer that the test sets."""

    def __init__(self, *answer: Destination) -> None:
        self.answer: list[Destination] | Exception = list(answer)
        self.calls = 0

    def __call__(self, _host: str, _port: int) -> list[Destination]:
        self.calls += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


Open = Callable[..., socket.socket]


@pytest.fixture
def server() -> Iterator[Open]:
    opened = []

    def open_server(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        server = socket.socket(family, socket.SOCK_DGRAM)
        opened.append(server)
        server.bind((host, port))
        server.settimeout(30)
        return server

    yield open_server
    for each in opened:
        each.close()


@pytest.fixture
def sender(log: LimitedLogger) -> Iterator[Callable[..., Sender]]:
    made = []

    def make(
        names: Resolver | None,
        clock: Clock,
        address: Address | None = None,
        resolve_timeout: float = RESOLVE_TIMEOUT_SECONDS,
        start: Callable[[Callable[[], None]], None] = start_thread,
    ) -> Sender:
        address = address or Address("exporter.test", 5005)
        lookup = Lookup(names or resolve, resolve_timeout, start)
        made.append(Sender(address, log, EventWaiter(), clock, lookup))
        return made[-1]

    yield make
    for each in made:
        each.close()


Make = Callable[..., Sender]


def destination(server: socket.socket) -> Destination:
    return server.family, server.getsockname()


def received(server: socket.socket) -> list[bytes]:
    """Return what has arrived, at least one datagram."""
    found = [server.recv(2000)]
    server.settimeout(0)
    while True:
        try:
            found.append(server.recv(2000))
        except BlockingIOError:
            server.settimeout(30)
            return found


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_datagrams_arrive_by_either_protocol(
    host: str, server: Open, sender: Make, warnings: Warnings
) -> None:
    exporter = server(host)
    sender(None, Clock(), Address(host, exporter.getsockname()[1])).send([b"a", b"b"])
    assert received(exporter) == [b"a", b"b"]
    assert [message for message, _ in warnings] == []


def test_exporter_that_starts_later_receives_what_is_sent_then(
    server: Open, sender: Make, warnings: Warnings
) -> None:
    family, _ = destination(server())
    absent = server()
    port = absent.getsockname()[1]
    absent.close()
    sending = sender(Names((family, ("127.0.0.1", port))), Clock())
    for _ in range(5):
        sending.send([b"lost", b"lost too"])
    assert {fields["error"].errno for _, fields in warnings} == {errno.ECONNREFUSED}

    exporter = server(port=port)
    sending.send([b"a", b"b"])
    assert received(exporter) == [b"a", b"b"]


def test_plain_sender_logs_that_sending_fails_and_that_it_works_again(
    server: Open, sender: Make, warnings: Warnings
) -> None:
    exporter = server()
    address = destination(exporter)
    exporter.close()
    clock = Clock()
    sending = sender(Names(address), clock)
    for _ in range(3):
        sending.send([b"lost"])  # one datagram: the error would be lost with the socket
        clock.now += RETRY_INTERVAL_SECONDS
    assert {message for message, _ in warnings} == {"send failed"}
    assert warnings[0][1]["remedy"].startswith("start the exporter, or check the port")
    assert str(warnings[0][1]["address"]) == f"127.0.0.1:{address[1][1]}"
    exporter = server(port=address[1][1])
    del warnings[:]
    for _ in range(3):
        sending.send([b"a"])
        clock.now += RETRY_INTERVAL_SECONDS
    messages = [message for message, _ in warnings]
    assert messages == ["send failed", "sending works again"], "the last one that was refused"


def test_exporter_that_restarts_receives_again(server: Open, sender: Make) -> None:
    exporter = server()
    address = destination(exporter)
    sending = sender(Names(address), Clock())
    sending.send([b"before"])
    assert received(exporter) == [b"before"]
    exporter.close()
    sending.send([b"lost"])
    exporter = server(port=address[1][1])
    sending.send([b"after"])
    assert received(exporter) == [b"after"]


def test_name_is_resolved_each_minute_and_its_new_address_used(
    server: Open, sender: Make, warnings: Warnings
) -> None:
    old, new = server(), server()
    names, clock = Names(destination(old)), Clock()
    sending = sender(names, clock)
    sending.send([b"1"])
    names.answer = [destination(new)]
    clock.now += RESOLVE_INTERVAL_SECONDS - 1
    sending.send([b"2"])
    assert received(old) == [b"1", b"2"]
    clock.now += 1
    sending.send([b"3"])
    assert received(new) == [b"3"]
    assert names.calls == 2
    assert [message for message, _ in warnings] == []


def test_name_is_resolved_soon_while_sending_fails(server: Open, sender: Make) -> None:
    old, new = server(), server()
    names, clock = Names(destination(old)), Clock()
    sending = sender(names, clock)
    old.close()
    sending.send([b"lost", b"refused"])
    sending.send([b"refused"])
    assert names.calls == 1
    names.answer = [destination(new)]
    clock.now += RETRY_INTERVAL_SECONDS
    sending.send([b"moved"])
    assert received(new) == [b"moved"]


def test_last_good_address_is_used_while_the_name_is_unknown(
    server: Open, sender: Make, warnings: Warnings
) -> None:
    exporter = server()
    names, clock = Names(destination(exporter)), Clock()
    sending = sender(names, clock)
    sending.send([b"1"])
    names.answer = socket.gaierror(-3, "Temporary failure in name resolution")
    clock.now += RESOLVE_INTERVAL_SECONDS
    sending.send([b"2"])
    assert received(exporter) == [b"1", b"2"]
    assert [message for message, _ in warnings] == ["lookup failed"]


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("too long")])
def test_name_that_becomes_known_is_sent_to(
    error: Exception, server: Open, sender: Make, warnings: Warnings
) -> None:
    exporter = server()
    names, clock = Names(), Clock()
    names.answer = error
    sending = sender(names, clock)
    sending.send([b"lost"])
    names.answer = [destination(exporter)]
    clock.now += RETRY_INTERVAL_SECONDS
    sending.send([b"sent"])
    assert received(exporter) == [b"sent"]
    assert [message for message, _ in warnings] == ["lookup failed"]
    assert warnings[0][1]["remedy"].startswith("check the name in --server")


def test_hanging_lookup_is_not_repeated_and_sending_continues(
    server: Open, sender: Make, warnings: Warnings
) -> None:
    exporter, clock, release = server(), Clock(), threading.Event()
    calls = []

    def lookup(_host: str, _port: int) -> list[Destination]:
        calls.append(clock.now)
        if len(calls) > 1:
            assert release.wait(60), "the lookup was not released"
        return [destination(exporter)]

    sending = sender(lookup, clock, resolve_timeout=0.2)
    for number in range(4):
        sending.send([b"%d" % number])
        clock.now += RESOLVE_INTERVAL_SECONDS
    release.set()
    assert received(exporter) == [b"0", b"1", b"2", b"3"]
    assert len(calls) == 2
    assert [message for message, _ in warnings] == ["lookup timed out"]
    assert warnings[0][1]["remedy"].startswith("check the name in --server, and the resolver")


def test_address_is_kept_while_no_thread_can_be_started(
    server: Open, sender: Make, warnings: Warnings
) -> None:
    exporter, clock = server(), Clock()

    def start(work: Callable[[], None]) -> None:
        if 1 <= len(calls) < 3:
            calls.append("refused")
            raise RuntimeError("can't start new thread")
        calls.append("started")
        start_thread(work)

    calls: list[str] = []
    sending = sender(Names(destination(exporter)), clock, start=start)
    for number, seconds in enumerate(
        (0, RESOLVE_INTERVAL_SECONDS, RETRY_INTERVAL_SECONDS, RETRY_INTERVAL_SECONDS)
    ):
        clock.now += seconds
        sending.send([b"%d" % number])
    assert received(exporter) == [b"0", b"1", b"2", b"3"]
    assert calls == ["started", "refused", "refused", "started"]
    assert [message for message, _ in warnings] == ["lookup failed"] * 2


def test_address_is_looked_up_at_once_after_a_suspension(server: Open, sender: Make) -> None:
    old, new = server(), server()
    names = Names(destination(old))
    sending = sender(names, Clock())
    sending.send([b"1"])
    names.answer = [destination(new)]
    sending.send([b"2"])
    sending.renew()
    sending.send([b"3"])
    assert received(old) == [b"1", b"2"]
    assert received(new) == [b"3"]
    assert names.calls == 2


def test_last_datagrams_wait_for_no_lookup(server: Open, sender: Make) -> None:
    exporter, clock = server(), Clock()
    names = Names(destination(exporter))
    sending = sender(names, clock)
    sending.send_known([b"lost"])
    sending.send([b"a"])
    clock.now += RESOLVE_INTERVAL_SECONDS
    sending.send_known([b"bye"])
    assert received(exporter) == [b"a", b"bye"]
    assert names.calls == 1


def test_next_address_is_used_where_no_exporter_listens_at_the_first(
    server: Open, sender: Make
) -> None:
    exporter, absent = server(), server("::1")
    names = Names(destination(absent), destination(exporter))
    absent.close()
    clock = Clock()
    sending = sender(names, clock)
    sending.send([b"lost", b"a", b"b"])
    assert received(exporter) == [b"a", b"b"]
    clock.now += RETRY_INTERVAL_SECONDS
    sending.send([b"c"])
    assert received(exporter) == [b"c"]


def test_address_that_cannot_be_connected_is_logged_and_sending_continues(
    server: Open, sender: Make, warnings: Warnings
) -> None:
    # The kernel refuses a broadcast address on a socket without SO_BROADCAST.
    broadcast: Destination = (socket.AF_INET, ("255.255.255.255", 9))
    exporter = server()
    names, clock = Names(broadcast), Clock()
    sending = sender(names, clock)
    sending.send([b"lost", b"lost"])
    assert {message for message, _ in warnings} == {"send failed"}
    names.answer = [destination(exporter)]
    clock.now += RETRY_INTERVAL_SECONDS
    sending.send([b"sent"])
    assert received(exporter) == [b"sent"]


def test_datagram_that_is_too_large_costs_only_itself(
    server: Open, sender: Make, warnings: Warnings
) -> None:
    exporter = server()
    sender(Names(destination(exporter)), Clock()).send([b"a", b"x" * 70_000, b"b"])
    assert received(exporter) == [b"a", b"b"]
    assert [fields["error"].errno for _, fields in warnings] == [errno.EMSGSIZE]


def test_source_port_is_new_after_each_lookup(server: Open, sender: Make) -> None:
    exporter, clock = server(), Clock()
    sending = sender(Names(destination(exporter)), clock)
    sources = []
    for _ in range(4):
        sending.send([b"a", b"b"])
        first, second = exporter.recvfrom(9)[1], exporter.recvfrom(9)[1]
        assert first == second
        sources.append(first)
        clock.now += RESOLVE_INTERVAL_SECONDS
    assert len(set(sources)) > 1
