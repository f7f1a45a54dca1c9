"""Clients that read nothing, say nothing, say half or say nonsense: the exporter goes on."""

import os
import resource
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic

import pytest
from pombo_wire import Report, encode
from support.pages import fetch, fetch_page, wait_until
from support.processes import BIN, Exporter, Launcher, free_port
from support.senders import Sender

MEBIBYTE = 2**20
REST = b" HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\n\r\n"
LOGGED = 3000  # bytes: some lines


def load(exporter: Exporter) -> None:
    """Send the reports of a host with 9,600 series, and of a fleet with 40,000."""
    gauges = {f"gauge_with_quite_a_long_name_{number}": 1.0 for number in range(20)}
    reports = [Report(f"host-{n}", interval=3600.0, gauges=gauges) for n in range(2000)]
    for number in range(400):
        some = {f"gauge_{number}_{each}": 1.0 for each in range(24)}
        reports.append(Report("big", interval=3600.0, gauges=some))
    with Sender("pi", exporter.port) as sender:
        for count, report in enumerate(reports, start=1):
            sender.raw(encode(report))
            if count % 80 == 0:
                received = "pombo_exporter_datagrams_received_total"
                url = exporter.url.replace("/metrics", "/exporter/metrics")
                wait_until(
                    lambda: fetch_page(url).value(received),  # noqa: B023
                    lambda value: value == count,  # noqa: B023
                    "the reports",
                    every=0.002,
                )


@contextmanager
def clients(port: int, count: int, said: bytes = b"") -> Iterator[list[socket.socket]]:
    """Connect clients whose ends take little, and let each say the same."""
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(30)
            client.connect(("127.0.0.1", port))
            client.sendall(said)
            found.append(client)
        yield found


@contextmanager
def open_files(most: int) -> Iterator[None]:
    """Let this process, and not those that it starts, have so many open files."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def closed(exporter: Exporter, reason: str) -> int:
    return exporter.counted("pombo_exporter_http_connections_closed_total", reason=reason)


def refused(exporter: Exporter, reason: str) -> int:
    return exporter.counted("pombo_exporter_http_requests_refused_total", reason=reason)


def connections(exporter: Exporter) -> int:
    """Return how many connections there are besides the one that asks."""
    return exporter.counted("pombo_exporter_http_connections") - 1


def cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
def test_clients_that_read_nothing_take_little_memory_and_are_cut_off(start: Launcher) -> None:
    exporter = start.exporter()
    load(exporter)
    exporter.page()
    fetch(f"http://{exporter.target}/api/v1/hosts/big")
    before = exporter.resident_bytes
    with (
        clients(exporter.port, 60, b"GET /api/v1/hosts/big" + REST),
        clients(exporter.port, 60, b"GET /metrics" + REST),
        clients(exporter.port, 60, b"GET /live" + REST),
    ):
        # The first scrapes that find the limit of requests reached are refused.
        wait_until(exporter.page, bool, "a scrape beside them")
        assert refused(exporter, "max_requests") > 0
        wait_until(lambda: closed(exporter, "unread"), lambda n: n > 100, "their end", within=45)
        # Those that read nothing of a short answer are idle.
        wait_until(lambda: connections(exporter), lambda n: n < 60, "their end")
    assert exporter.most_resident_bytes - before < 180 * MEBIBYTE
    wait_until(lambda: connections(exporter), lambda n: n == 0, "no more connections")
    assert "level=error" not in exporter.log


def test_thousands_of_idle_connections_leave_room_for_scrapes_and_end(start: Launcher) -> None:
    with open_files(4096):
        exporter = start.exporter()
        with clients(exporter.port, 2000) as idle:
            wait_until(lambda: closed(exporter, "limit"), lambda n: n >= 1488, "the limit")
            assert connections(exporter) <= 512
            wait_until(lambda: connections(exporter), lambda n: n == 0, "their end", within=20)
            assert closed(exporter, "limit") + closed(exporter, "idle") >= 2000
            for client in idle:
                assert client.recv(1) == b""
    assert exporter.log.count("too many connections") == 1
    assert len(exporter.log) < LOGGED


HALVES = [
    b"GET",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx",
]


def test_half_requests_end(shared: Exporter) -> None:
    before = closed(shared, "incomplete")
    with ExitStack() as stack:
        halves = [
            client
            for half in HALVES
            for client in stack.enter_context(clients(shared.port, 20, half))
        ]
        for client in halves:
            while client.recv(2**16):  # an answer, or nothing
                pass
    # One with a head is answered, and may be closed with its answer.
    heads = sum(b"\r\n\r\n" in half for half in HALVES)
    found = closed(shared, "incomplete") - before
    assert 20 * (len(HALVES) - heads) <= found <= 20 * len(HALVES)


@pytest.fixture(scope="module")
def shared(start_once: Launcher) -> Exporter:
    exporter = start_once.exporter()
    load(exporter)
    return exporter


def test_few_open_files_leave_room_for_scrapes(start: Launcher) -> None:
    port = free_port()
    where = f"127.0.0.1:{port}"
    program = start.program(
        *("sh", "-c", 'ulimit -n 40; exec "$@"', "sh", str(BIN / "pombo-exporter")),
        *(f"--udp.listen-address={where}", f"--web.listen-address={where}"),
    )
    url = f"http://{where}/metrics"
    wait_until(lambda: fetch_page(url), bool, "the exporter's first page")
    with clients(port, 60):
        for _ in range(20):
            page = fetch_page(url)
        limit = page.value("pombo_exporter_http_limits", limit="connections")
        assert limit is not None
        assert 4 <= limit <= 20
        used = page.value("process_open_fds")
        assert used is not None
        assert used < 40
    assert "the limit of open files allows fewer connections" in program.log
    assert len(program.log) < LOGGED


def test_exporter_without_descriptors_closes_idle_connections_and_logs_a_line(
    start: Launcher,
) -> None:
    exporter = start.exporter()
    used = exporter.counted("process_open_fds")
    _, hard = resource.prlimit(exporter.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(exporter.pid, resource.RLIMIT_NOFILE, (used + 4, hard))
    with clients(exporter.port, 60):
        before = cpu_seconds(exporter.pid), monotonic()
        for _ in range(20):
            wait_until(lambda: fetch(exporter.url), bool, "a scrape")
        wait_until(lambda: closed(exporter, "limit"), lambda n: n > 50, "room")
        busy = cpu_seconds(exporter.pid) - before[0]
        assert busy < 0.5 * (monotonic() - before[1]) + 0.5
    assert exporter.log.count("cannot accept a connection") == 1
    assert "LimitNOFILE" in exporter.log
    assert len(exporter.log) < LOGGED


def test_garbage_is_counted_and_not_logged_line_by_line(start: Launcher) -> None:
    exporter = start.exporter()
    said = [
        b"GET /metrics HTTP/1.1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"\x01\x1b[2J" * 1000 + b"\r\n\r\n",
        os.urandom(4000),
    ]
    for each in said:
        with clients(exporter.port, 50, each) as garbage:
            for client in garbage:
                answer = client.recv(2**16)
                assert b" 400 " in answer.splitlines()[0]
                assert len(answer) < 500
    context = ssl.create_default_context()
    for _ in range(50):
        with clients(exporter.port, 1) as [client], pytest.raises(ssl.SSLError):
            context.wrap_socket(client, server_hostname="x")
    assert refused(exporter, "malformed") == 200
    assert exporter.log.count("request refused") == 1
    assert len(exporter.log) < LOGGED


@pytest.mark.parametrize("path", [b"/metrics", b"/sd", b"/api/v1/hosts", b"/", b"/-/healthy"])
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_answer_has_an_end(path: bytes, version: bytes, shared: Exporter) -> None:
    """A client of HTTP/1.0 knows it by a length, or by the end of the connection."""
    request = b"GET %b HTTP/%b\r\nHost: x\r\nConnection: keep-alive\r\n\r\n" % (path, version)
    with clients(shared.port, 1, request) as [client]:
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += client.recv(2**20)
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = {line.lower().partition(b":")[0]: line for line in head.splitlines()[1:]}
        if b"content-length" in lines:
            length = int(lines[b"content-length"].partition(b":")[2])
            while len(body) < length:
                body += client.recv(2**20)
        elif b"transfer-encoding" in lines:
            while not body.endswith(b"\r\n0\r\n\r\n"):
                body += client.recv(2**20)
        else:
            assert b"connection" not in lines  # keep-alive would be a promise
            while some := client.recv(2**20):
                body += some
        assert len(body) > 10
