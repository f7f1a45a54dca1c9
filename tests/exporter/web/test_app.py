"""The routes, over real connections: formats, compression, headers, slow readers."""

import asyncio
import gzip
import logging
import re
import socket
from time import monotonic

import pytest
from aiohttp import ServerDisconnectedError, web
from aiohttp.typedefs import Handler
from pombo_cli.flags import Address
from pombo_exporter import listen
from pombo_exporter.hosts.roster import Limits
from pombo_exporter.ingest.drain import drain
from pombo_exporter.ingest.intake import REASONS
from pombo_wire import MAX_DATAGRAM_BYTES, Report, encode
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text
from support.builders import HERE
from support.served import Client, Served, get, visit

OPENMETRICS = "application/openmetrics-text"

#: What Prometheus 2 and 3 send, in short.
PROMETHEUS = [
    f"{OPENMETRICS};version=1.0.0;q=0.5,{OPENMETRICS};version=0.0.1;q=0.4,text/plain;q=0.3",
    f"{OPENMETRICS};version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=1.0.0;q=0.4",
]


def own(page: str, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """Return the samples of one name, by their labels."""
    return {
        tuple(sample.labels.items()): sample.value
        for family in text(page)
        for sample in family.samples
        if sample.name == name
    }


# --- /metrics ---


@pytest.mark.parametrize(
    "accept", ["", "*/*", "text/plain", "text/plain;version=0.0.4", "text/html,*/*;q=0.1", "\xff;;"]
)
def test_page_is_plain_text_unless_openmetrics_is_asked_for(accept: str) -> None:
    served = Served()
    served.take(Report("pi", gauges={"x": 1.0}))
    response, body = get(served, "/metrics", Accept=accept)
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"# EOF" not in body
    assert 'x{instance="pi"} 1.0\n' in body.decode()
    assert len({family.name for family in text(body.decode())}) > 10


@pytest.mark.parametrize(
    "accept", [*PROMETHEUS, OPENMETRICS, f"{OPENMETRICS};version=x", f"{OPENMETRICS};version=2.0.0"]
)
def test_page_is_openmetrics_when_asked_for(accept: str) -> None:
    served = Served()
    served.take(Report("pi", gauges={"x": 1.0}))
    response, body = get(served, "/metrics", Accept=accept)
    assert response.status == 200
    kind = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert response.headers["Content-Type"] == kind
    names = [family.name for family in openmetrics(body.decode())]  # type: ignore[no-untyped-call]  # prometheus_client types only the other parser
    assert len(names) == len({*names}) > 10
    assert "x" in names


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_compressed_page_is_the_plain_one(accept: str) -> None:
    served = Served()
    for number in range(200):
        served.take(Report(f"host-{number}", interval=3600.0, gauges={"x": float(number)}))

    async def use(client: Client) -> list[tuple[str | None, bytes]]:
        found = []
        for encoding in ("identity", "gzip", "gzip;q=1.0, deflate"):
            headers = {"Accept": accept, "Accept-Encoding": encoding}
            response = await client.get("/metrics", headers=headers)
            assert response.headers["Vary"] == "Accept, Accept-Encoding"
            found.append((response.headers.get("Content-Encoding"), await response.read()))
        return found

    (none, plain), *packed = visit(served, use)
    assert none is None
    pages = [of_hosts(plain.decode())]
    for encoding, body in packed:
        assert encoding == "gzip"
        assert len(body) < len(plain) / 5
        pages.append(of_hosts(gzip.decompress(body).decode()))
    assert len(pages[0]) > 1000
    assert pages[0] == pages[1] == pages[2]


def of_hosts(page: str) -> list[str]:
    """Return the lines on hosts: the exporter's own numbers move between two pages."""
    return [line for line in page.splitlines() if "instance=" in line]


def test_page_without_hosts_has_the_exporters_own_metrics() -> None:
    _, body = get(Served(), "/metrics")
    page = body.decode()
    assert "pombo_host_" not in page
    assert own(page, "pombo_exporter_datagrams_received_total") == {(): 0}
    assert own(page, "pombo_exporter_build_info").values()
    assert own(page, "process_resident_memory_bytes")


def test_exporters_own_metrics_say_what_was_counted() -> None:
    served = Served(Limits(hosts=2))
    for name in "abc":
        served.take(Report(name, interval=3600.0))
    served.intake.take(b"PING", HERE, 0.0, 0.0)
    page = get(served, "/metrics")[1].decode()
    assert own(page, "pombo_exporter_datagrams_received_total") == {(): 4}
    refused = own(page, "pombo_exporter_datagrams_refused_total")
    assert {reason for ((_, reason),) in refused} == {str(reason) for reason in REASONS}
    assert {reason for ((_, reason),), count in refused.items() if count} == {
        "host_limit",
        "not_json",
    }
    assert own(page, "pombo_exporter_kernel_drops_total") == {(): 7}
    assert own(page, "pombo_exporter_receive_buffer_bytes") == {
        (("kind", "wanted"),): 2,
        (("kind", "granted"),): 1,
    }
    states = own(page, "pombo_exporter_hosts")
    assert states == {(("state", "live"),): 2, (("state", "late"),): 0, (("state", "down"),): 0}
    limits = own(page, "pombo_exporter_limits")
    assert limits[("limit", "hosts"),] == 2
    assert limits[("limit", "datagram_bytes"),] == MAX_DATAGRAM_BYTES


def test_scrapes_are_timed() -> None:
    served = Served()

    async def use(client: Client) -> str:
        for _ in range(3):
            response = await client.get("/metrics", headers={"Accept-Encoding": "identity"})
            page = (await response.read()).decode()
        return page

    name = "pombo_exporter_scrape_duration_seconds"
    page = visit(served, use)
    assert own(page, f"{name}_count") == {(): 2}
    assert own(page, f"{name}_sum")[()] > 0


# --- slow readers ---


def test_slow_reader_stops_neither_admission_nor_other_readers_and_gets_its_page() -> None:
    served = Served()
    gauges = {f"gauge_with_quite_a_long_name_{number}": 1.0 for number in range(20)}
    for number in range(2000):
        served.take(Report(f"host-{number}", interval=3600.0, gauges=gauges))

    async def use(client: Client) -> tuple[str, int]:
        loop = asyncio.get_running_loop()
        with listen.udp(Address("127.0.0.1", 0), 65_536) as udp, small_reader(client) as slow:
            loop.add_reader(udp, drain, udp, admit)
            await loop.sock_sendall(slow, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            await loop.sock_recv(slow, 1)  # its page has begun, and is not read on
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(encode(Report("late", gauges={"x": 2.0})), udp.getsockname())
            page, others = "", 0
            while 'x{instance="late"} 2.0' not in page:
                response = await client.get("/metrics", headers={"Accept-Encoding": "identity"})
                page = (await response.read()).decode()
                others += 1
            loop.remove_reader(udp)
            ended = own(page, "pombo_exporter_scrape_duration_seconds_count")
            assert ended == {(): others - 1}, "the slow reader's page is over: make it longer"
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)
            received = bytearray()
            while not received.endswith(b"\r\n0\r\n\r\n"):
                chunk = await loop.sock_recv(slow, 2**20)
                assert chunk, "the slow reader's page broke off"
                received += chunk
            return page, received.count(b'instance="host-1999"')

    def admit(datagram: bytes, sender: tuple[str | int, ...]) -> None:
        served.intake.take(datagram, sender, monotonic(), 0.0)

    page, lines = visit(served, use)
    assert page.count('instance="host-1999"') == lines
    assert lines >= 20


def small_reader(client: Client) -> socket.socket:
    """Return a connection whose end here holds little."""
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect((client.host, client.port))
    slow.setblocking(False)  # noqa: FBT003 - the socket's own way
    return slow


def test_reader_that_hangs_up_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    served = Served()
    for number in range(2000):
        names = {f"gauge_{name}": 1.0 for name in range(20)}
        served.take(Report(f"host-{number}", interval=3600.0, gauges=names))

    async def use(client: Client) -> int:
        before = asyncio.all_tasks()
        for _ in range(5):
            with small_reader(client) as gone:
                loop = asyncio.get_running_loop()
                await loop.sock_sendall(gone, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                await loop.sock_recv(gone, 1)
        response = await client.get("/metrics")
        size = len(await response.read())
        await client.close()
        while unfinished := asyncio.all_tasks() - before:  # those of the aborted scrapes
            await asyncio.wait(unfinished)
        return size and response.status

    assert visit(served, use) == 200
    assert not [line for line in caplog.records if line.levelno >= logging.ERROR]


@pytest.mark.parametrize("path", ["/metrics", "/sd", "/api/v1/hosts", "/hosts/pi/metrics", "/live"])
def test_reader_that_left_before_the_answer_disturbs_nobody(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    served = Served()
    served.take(Report("pi", gauges={"x": 1.0}))

    @web.middleware
    async def leave(request: web.Request, handler: Handler) -> web.StreamResponse:
        assert request.transport
        request.transport.close()
        return await handler(request)

    served.server.app.middlewares.append(leave)

    async def use(client: Client) -> None:
        with pytest.raises(ServerDisconnectedError):
            await client.get(path)

    visit(served, use)
    assert not [line for line in caplog.records if line.levelno >= logging.ERROR]


# --- the other routes ---


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready"])
def test_head_has_the_headers_of_get_and_no_body(path: str) -> None:
    got, body = get(Served(), path)
    head, nothing = get(Served(), path, "HEAD")
    assert (got.status, head.status) == (200, 200)
    assert body
    assert nothing == b""
    assert head.headers["Content-Type"] == got.headers["Content-Type"]


@pytest.mark.parametrize("path", ["/metric", "/metrics/", "/-/", "/-/healthy/x", "/%00"])
def test_unknown_path_is_404(path: str) -> None:
    assert get(Served(), path)[0].status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready"])
def test_other_method_is_405_and_told_what_is_allowed(path: str, method: str) -> None:
    response, _ = get(Served(), path, method)
    assert response.status == 405
    assert {*re.split(r",\s*", response.headers["Allow"])} == {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
def test_health_is_a_line_of_text(path: str) -> None:
    response, body = get(Served(), path)
    assert response.status == 200
    assert response.content_type == "text/plain"
    assert body.startswith(b"Pombo is ")
