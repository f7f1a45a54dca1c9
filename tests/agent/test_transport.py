"""Datagrams on real sockets, while servers come, go and move."""

import errno
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pombo_agent.transport import RENEWAL_SECONDS, RETRY_SECONDS, Destination, Sender, look_up
from pombo_cli.flags import Address
from pombo_cli.logs import LimitedLogger

Warnings = list[tuple[str, dict[str, Any]]]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Names:
    """A resolver that says what the test wants."""

    def __init__(self, *answer: Destination) -> None:
        self.answer: list[Destination] | Exception = list(answer)
        self.asked = 0

    def __call__(self, _host: str, _port: int) -> list[Destination]:
        self.asked += 1
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

    def make(names: Names | None, clock: Clock, address: Address | None = None) -> Sender:
        address = address or Address("exporter.test", 5005)
        made.append(Sender(address, log, clock, names or look_up))
        return made[-1]

    yield make
    for each in made:
        each.close()


Make = Callable[..., Sender]


def at(server: socket.socket) -> Destination:
    return server.family, server.getsockname()


def received(server: socket.socket) -> list[bytes]:
    """Return what has come, at least one datagram."""
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


def test_exporter_that_comes_later_gets_what_is_sent_then(
    server: Open, sender: Make, warnings: Warnings
) -> None:
    place = at(server())
    absent = server()
    port = absent.getsockname()[1]
    absent.close()
    sending = sender(Names((place[0], ("127.0.0.1", port))), Clock())
    for _ in range(5):
        sending.send([b"lost", b"lost too"])
    assert {fields["error"].errno for _, fields in warnings} == {errno.ECONNREFUSED}

    exporter = server(port=port)
    sending.send([b"a", b"b"])
    assert received(exporter) == [b"a", b"b"]


def test_exporter_that_restarts_is_found_again(server: Open, sender: Make) -> None:
    exporter = server()
    place = at(exporter)
    sending = sender(Names(place), Clock())
    sending.send([b"before"])
    assert received(exporter) == [b"before"]
    exporter.close()
    sending.send([b"lost"])
    exporter = server(port=place[1][1])
    sending.send([b"after"])
    assert received(exporter) == [b"after"]


def test_name_is_looked_up_each_minute_and_its_new_address_taken(
    server: Open, sender: Make, warnings: Warnings
) -> None:
    old, new = server(), server()
    names, clock = Names(at(old)), Clock()
    sending = sender(names, clock)
    sending.send([b"1"])
    names.answer = [at(new)]
    clock.now += RENEWAL_SECONDS - 1
    sending.send([b"2"])
    assert received(old) == [b"1", b"2"]
    clock.now += 1
    sending.send([b"3"])
    assert received(new) == [b"3"]
    assert names.asked == 2
    assert [message for message, _ in warnings] == []


def test_name_is_looked_up_soon_while_sending_fails(server: Open, sender: Make) -> None:
    old, new = server(), server()
    names, clock = Names(at(old)), Clock()
    sending = sender(names, clock)
    old.close()
    sending.send([b"lost", b"refused"])
    sending.send([b"refused"])
    assert names.asked == 1
    names.answer = [at(new)]
    clock.now += RETRY_SECONDS
    sending.send([b"moved"])
    assert received(new) == [b"moved"]


def test_last_good_address_stays_while_the_name_is_gone(
    server: Open, sender: Make, warnings: Warnings
) -> None:
    exporter = server()
    names, clock = Names(at(exporter)), Clock()
    sending = sender(names, clock)
    sending.send([b"1"])
    names.answer = socket.gaierror(-3, "Temporary failure in name resolution")
    clock.now += RENEWAL_SECONDS
    sending.send([b"2"])
    assert received(exporter) == [b"1", b"2"]
    assert [message for message, _ in warnings] == ["cannot resolve"]


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("too long")])
def test_name_that_becomes_known_is_sent_to(
    error: Exception, server: Open, sender: Make, warnings: Warnings
) -> None:
    exporter = server()
    names, clock = Names(), Clock()
    names.answer = error
    sending = sender(names, clock)
    sending.send([b"lost"])
    names.answer = [at(exporter)]
    clock.now += RETRY_SECONDS
    sending.send([b"sent"])
    assert received(exporter) == [b"sent"]
    assert [message for message, _ in warnings] == ["cannot resolve"]


def test_resolver_that_hangs_is_left_alone_and_sending_goes_on(
    server: Open, sender: Make, warnings: Warnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pombo_agent.transport.LOOKUP_SECONDS", 0.05)
    exporter, clock, let_go = server(), Clock(), threading.Event()
    asked = []

    def lookup(_host: str, _port: int) -> list[Destination]:
        asked.append(clock.now)
        if len(asked) > 1:
            assert let_go.wait(60), "the resolver was never let go"
        return [at(exporter)]

    sending = sender(lookup, clock)
    for number in range(4):
        sending.send([b"%d" % number])
        clock.now += RENEWAL_SECONDS
    let_go.set()
    assert received(exporter) == [b"0", b"1", b"2", b"3"]
    assert len(asked) == 2
    assert [message for message, _ in warnings] == ["resolver does not answer"]


def test_next_address_is_tried_where_nobody_listens_at_the_first(
    server: Open, sender: Make
) -> None:
    exporter, absent = server(), server("::1")
    names = Names(at(absent), at(exporter))
    absent.close()
    clock = Clock()
    sending = sender(names, clock)
    sending.send([b"lost", b"a", b"b"])
    assert received(exporter) == [b"a", b"b"]
    clock.now += RETRY_SECONDS
    sending.send([b"c"])
    assert received(exporter) == [b"c"]


def test_address_that_cannot_be_connected_is_told_and_survived(
    server: Open, sender: Make, warnings: Warnings
) -> None:
    # The kernel refuses to send to everybody from a socket that did not ask for it.
    nowhere: Destination = (socket.AF_INET, ("255.255.255.255", 9))
    exporter = server()
    names, clock = Names(nowhere), Clock()
    sending = sender(names, clock)
    sending.send([b"lost", b"lost"])
    assert {message for message, _ in warnings} == {"cannot send"}
    names.answer = [at(exporter)]
    clock.now += RETRY_SECONDS
    sending.send([b"sent"])
    assert received(exporter) == [b"sent"]


def test_datagram_that_is_too_large_costs_only_itself(
    server: Open, sender: Make, warnings: Warnings
) -> None:
    exporter = server()
    sender(Names(at(exporter)), Clock()).send([b"a", b"x" * 70_000, b"b"])
    assert received(exporter) == [b"a", b"b"]
    assert [fields["error"].errno for _, fields in warnings] == [errno.EMSGSIZE]


def test_source_port_is_new_after_each_renewal(server: Open, sender: Make) -> None:
    exporter, clock = server(), Clock()
    sending = sender(Names(at(exporter)), clock)
    sources = []
    for _ in range(4):
        sending.send([b"a", b"b"])
        first, second = exporter.recvfrom(9)[1], exporter.recvfrom(9)[1]
        assert first == second
        sources.append(first)
        clock.now += RENEWAL_SECONDS
    assert len(set(sources)) > 1
