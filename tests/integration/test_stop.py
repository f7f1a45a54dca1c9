"""The exporter ends when it is asked to, whatever its clients do."""

import json
import resource
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic

import pytest
from pombo_wire import Report, encode
from support.pages import fetch, wait_until
from support.processes import Exporter, Launcher

DEADLINE = 3.0  # seconds from the signal to the end of the process: the product's promise
AT_ONCE = 4  # exporters, so that 20 stops take little time
HOSTS = 2000
GAUGES = {f"gauge_with_quite_a_long_name_{number}": 1.0 for number in range(20)}
BIG = "big"  # a host with about as many series as one may have

REST = b" HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\n"

#: What clients send that read no answer.
REQUESTS = {
    "status page": b"GET /live" + REST + b"\r\n",
    "status page of a host": b"GET /live?host=big" + REST + b"\r\n",
    "scrape": b"GET /metrics" + REST + b"\r\n",
    "host in JSON": (b"GET /api/v1/hosts/big" + REST + b"\r\n") * 20,
    "idle": b"",
    "idle after a request": b"GET /-/healthy" + REST + b"\r\n",
    "headers without an end": b"GET /metrics" + REST,
    "body without an end": b"POST /metrics" + REST + b"Content-Length: 1000\r\n\r\nx",
}


def datagrams() -> Iterator[bytes]:
    """Yield the reports of a large fleet."""
    for number in range(HOSTS):
        yield encode(Report(f"host-{number}", interval=3600.0, gauges=GAUGES))
    for number in range(400):
        gauges = {f"gauge_{number}_{each}": 1.0 for each in range(24)}
        yield encode(Report(BIG, interval=3600.0, gauges=gauges))


FLEET = [*datagrams()]


def load(exporter: Exporter) -> None:
    """Send the reports of the fleet, no more at a time than the kernel's default buffer holds."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", exporter.port))
        for start in range(0, len(FLEET), 80):
            some = FLEET[start : start + 80]
            for datagram in some:
                sender.send(datagram)
            expected = start + len(some)
            wait_until(lambda: received(exporter), expected.__eq__, "the reports", every=0.002)


def received(exporter: Exporter) -> int:
    status = json.loads(fetch(f"http://{exporter.target}/api/v1/status"))
    count: int = status["datagrams_received"]
    return count


def client(exporter: Exporter) -> socket.socket:
    """Return a connection whose end here takes little."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(15)
    sock.connect(("127.0.0.1", exporter.port))
    return sock


@contextmanager
def clients(exporter: Exporter, each: int) -> Iterator[list[socket.socket]]:
    """Connect ``each`` clients of every kind, then send their requests; yield those that scrape."""
    with ExitStack() as stack:
        found = {
            kind: [stack.enter_context(client(exporter)) for _ in range(each)] for kind in REQUESTS
        }
        for kind, socks in found.items():
            for sock in socks:
                sock.sendall(REQUESTS[kind])
        yield found["scrape"]


def stop(exporters: list[Exporter], *signals: signal.Signals) -> None:
    """Signal exporters, open a status page in that moment, and check how they end."""
    with ExitStack() as stack:
        pages = [stack.enter_context(client(exporter)) for exporter in exporters]
        began = monotonic()
        for number, (exporter, page) in enumerate(zip(exporters, pages, strict=True)):
            if number % 2:
                page.sendall(REQUESTS["status page"])
            for each in signals:
                exporter.send_signal(each)
            if not number % 2:
                page.sendall(REQUESTS["status page"])
        for exporter in exporters:
            left = began + DEADLINE - monotonic()
            wait_until(lambda: exporter.runs, lambda runs: not runs, "the end", within=left)  # noqa: B023
            assert exporter.ended() == 0
            assert "exporter stops" in exporter.log
            assert "level=error" not in exporter.log


@pytest.mark.parametrize(
    "number", [0, *(pytest.param(number, marks=pytest.mark.slow) for number in range(1, 5))]
)
def test_clients_that_read_nothing_do_not_keep_the_exporter_from_ending(
    number: int, start: Launcher
) -> None:
    exporters = [start.exporter(ready=False) for _ in range(AT_ONCE)]
    for exporter in exporters:
        wait_until(exporter.page, bool, "the exporter's first page")
        load(exporter)
    with ExitStack() as stack:
        for exporter in exporters:
            scrapes = stack.enter_context(clients(exporter, each=1 + number))
            for sock in scrapes:
                assert sock.recv(1), "the answer has not begun"
        stop(exporters, (signal.SIGTERM, signal.SIGINT)[number % 2])


def test_hundreds_of_clients_of_each_kind_do_not_keep_the_exporter_from_ending(
    start: Launcher,
) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most[1], most[1]))  # the exporter inherits it
    try:
        exporter = start.exporter()
        load(exporter)
        with clients(exporter, each=200):
            stop([exporter], signal.SIGTERM)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, most)


def test_client_that_reads_gets_the_page_that_is_under_way(start: Launcher) -> None:
    exporter = start.exporter()
    load(exporter)
    with client(exporter) as sock:
        sock.sendall(REQUESTS["scrape"])
        page = bytearray(sock.recv(1))
        exporter.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(exporter), bool, "the exporter to stop listening", every=0.001)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)
        while some := sock.recv(2**20):
            page += some
    assert page.endswith(b"\r\n0\r\n\r\n")
    assert page.count(b'{instance="host-') >= HOSTS * len(GAUGES)
    assert exporter.ended() == 0


def refuses(exporter: Exporter) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", exporter.port)) != 0


def test_second_signal_ends_what_is_under_way(start: Launcher) -> None:
    exporter = start.exporter()
    load(exporter)
    with client(exporter) as sock:
        sock.sendall(REQUESTS["scrape"])
        assert sock.recv(1)
        stop([exporter], signal.SIGTERM, signal.SIGINT)
