"""The web application over real connections: formats, compression, headers, slow clients."""

import asyncio
import gzip
import json
import logging
import re
import socket
from time import monotonic

import pytest
from aiohttp import ServerDisconnectedError, web
from aiohttp.typedefs import Handler
from pombo_cli.flags import Address
from pombo_exporter.hosts.limits import Limits
from pombo_exporter.ingest.drain import drain
from pombo_exporter.ingest.intake import REASONS
from pombo_exporter.metrics.host_families import PROCESS_FAMILIES
from pombo_exporter.runtime import listen
from pombo_exporter.stats import Cluster
from pombo_wire import MAX_DATAGRAM_BYTES, Build, Process, Report, encode
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text
from support.builders import ADDRESS
from support.served import Client, Served, get, visit

OPENMETRICS = "application/openmetrics-text"

#: The Accept headers of Prometheus 2 and 3, shortened.
PROMETHEUS = [
    f"{OPENMETRICS};version=1.0.0;q=0.5,{OPENMETRICS};version=0.0.1;q=0.4,text/plain;q=0.3",
    f"{OPENMETRICS};version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=1.0.0;q=0.4",
]


def own(exposition: str, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """Return the samples of one name, by their labels."""
    return {
        tuple(sample.labels.items()): sample.value
        for family in text(exposition)
        for sample in family.samples
        if sample.name == name
    }


# --- /metrics ---


@pytest.mark.parametrize(
    "accept",
    [
        *("", "*/*", "text/plain", "text/plain;version=0.0.4", "text/html,*/*;q=0.1", "\xff;;"),
        *(f"{OPENMETRICS};version=x", f"{OPENMETRICS};version=2.0.0", f"{OPENMETRICS};q=0"),
    ],
)
def test_exposition_is_plain_text_unless_openmetrics_is_accepted(accept: str) -> None:
    served = Served()
    served.take(Report("pi", gauges={"x": 1.0}))
    response, body = get(served, "/metrics", Accept=accept)
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"# EOF" not in body
    assert 'x{instance="pi"} 1\n' in body.decode()
    assert len({family.name for family in text(body.decode())}) > 10


@pytest.mark.parametrize("accept", [*PROMETHEUS, OPENMETRICS, f"{OPENMETRICS};version=0.0.1"])
def test_exposition_is_openmetrics_if_accepted(accept: str) -> None:
    served = Served()
    served.take(Report("pi", gauges={"x": 1.0}))
    response, body = get(served, "/metrics", Accept=accept)
    assert response.status == 200
    content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert response.headers["Content-Type"] == content_type
    names = [family.name for family in openmetrics(body.decode())]  # type: ignore[no-untyped-call]  # prometheus_client types only the other parser
    assert len(names) == len({*names}) > 10
    assert "x" in names


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_compressed_exposition_is_the_plain_one(accept: str) -> None:
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
    lines = [of_hosts(plain.decode())]
    for encoding, body in packed:
        assert encoding == "gzip"
        assert len(body) < len(plain) / 5
        lines.append(of_hosts(gzip.decompress(body).decode()))
    assert len(lines[0]) > 1000
    assert lines[0] == lines[1] == lines[2]


def of_hosts(exposition: str) -> list[str]:
    """Return the lines of hosts; the exporter's own values differ between two scrapes."""
    return [line for line in exposition.splitlines() if "instance=" in line]


def test_exposition_without_hosts_has_the_exporters_own_metrics() -> None:
    _, body = get(Served(), "/metrics")
    exposition = body.decode()
    assert "pombo_host_" not in exposition
    assert own(exposition, "pombo_exporter_datagrams_received_total") == {(): 0}
    assert own(exposition, "pombo_exporter_build_info").values()
    assert own(exposition, "process_resident_memory_bytes")


PROCESS = {
    "cpu_seconds": 1.5,
    "resident_bytes": 2e7,
    "virtual_bytes": 3e7,
    "virtual_bytes_max": 2.0**64,
    "start_time": 1.7e9,
    "open_fds": 7,
    "max_fds": 1024,
}


@pytest.mark.parametrize("accept", ["text/plain", *PROMETHEUS])
def test_processes_of_agents_and_of_the_exporter_are_in_one_family(accept: str) -> None:
    served = Served()
    for name in ("a", "b"):
        build = Build("0.1.0", "", "3.11.2", "linux", "x86_64")
        served.take(Report(name, process=Process(**PROCESS), build=build))
    exposition = get(served, "/metrics", Accept=accept)[1].decode()
    lines = exposition.splitlines()
    for family in PROCESS_FAMILIES:
        total = "" if accept == "text/plain" else "_total"
        name = family.name.removesuffix(total) if family.type == "counter" else family.name
        assert lines.count(f"# HELP {name} {family.help}") == 1
        assert lines.count(f"# TYPE {name} {family.type}") == 1
        series = [line.split(" ")[0] for line in lines if re.match(rf"{family.name}[ {{]", line)]
        of_hosts = [f'{family.name}{{instance="{host}"}}' for host in ("a", "b")]
        # prometheus_client has no limit of virtual memory.
        of_exporter = [] if family.name == "process_virtual_memory_max_bytes" else [family.name]
        assert series == of_exporter + of_hosts
    labels = 'version="0.1.0",revision="",pythonversion="3.11.2",os="linux",arch="x86_64"'
    assert f'pombo_agent_build_info{{{labels},instance="a"}} 1' in lines
    parse = text if accept == "text/plain" else openmetrics
    names = [family.name for family in parse(exposition)]
    assert len({*names}) == len(names)


def test_process_of_the_exporter_is_where_hosts_are_not() -> None:
    for path in ("/metrics", "/exporter/metrics"):
        served = Served()
        served.take(Report("pi", process=Process(**PROCESS), interval=0.1), ago=1.0)  # it is down
        exposition = get(served, path)[1].decode()
        assert [*own(exposition, "process_open_fds")] == [()]
        assert exposition.count("# TYPE process_open_fds gauge") == 1
    served = Served()
    served.take(Report("pi", process=Process(**PROCESS)))
    exposition = get(served, "/hosts/pi/metrics")[1].decode()
    assert own(exposition, "process_open_fds") == {(): 7}


def test_exporters_own_metrics_have_its_counters_states_and_limits() -> None:
    served = Served(Limits(hosts=2))
    for name in "abc":
        served.take(Report(name, interval=3600.0))
    served.intake.take(b"PING", ADDRESS, 0.0, 0.0)
    exposition = get(served, "/metrics")[1].decode()
    assert own(exposition, "pombo_exporter_datagrams_received_total") == {(): 4}
    refused = own(exposition, "pombo_exporter_datagrams_refused_total")
    assert {reason for ((_, reason),) in refused} == {str(reason) for reason in REASONS}
    assert {reason for ((_, reason),), count in refused.items() if count} == {
        "host_limit",
        "unknown_form",
    }
    assert own(exposition, "pombo_exporter_kernel_drops_total") == {(): 7}
    assert own(exposition, "pombo_exporter_receive_buffer_bytes") == {
        (("kind", "wanted"),): 2,
        (("kind", "granted"),): 1,
    }
    states = own(exposition, "pombo_exporter_hosts")
    assert states == {(("state", "live"),): 2, (("state", "late"),): 0, (("state", "down"),): 0}
    limits = own(exposition, "pombo_exporter_limits")
    assert limits[("limit", "hosts"),] == 2
    assert limits[("limit", "datagram_bytes"),] == MAX_DATAGRAM_BYTES
    assert limits[("limit", "bytes"),] == served.exporter.limits.bytes
    assert limits[("limit", "families"),] == served.exporter.limits.families
    assert limits[("limit", "history_bytes"),] == 1456 * limits[("limit", "hosts"),]


def test_exporters_own_metrics_and_status_say_which_member_of_a_cluster_it_is() -> None:
    def served(cluster: Cluster | None) -> Served:
        found = Served()
        found.counters.cluster = cluster
        return found

    assert b"pombo_exporter_cluster_info" not in get(served(None), "/metrics")[1]
    assert json.loads(get(served(None), "/api/v1/status")[1])["cluster"] is None
    member = Cluster('a "b"', "pombo-0:5005")
    exposition = get(served(member), "/metrics")[1].decode()
    labels = (("cluster", 'a "b"'), ("member", "pombo-0:5005"))
    assert own(exposition, "pombo_exporter_cluster_info") == {labels: 1}
    status = json.loads(get(served(member), "/api/v1/status")[1])
    assert status["cluster"] == {"name": 'a "b"', "member": "pombo-0:5005"}


def test_exporters_own_metrics_have_what_is_stored() -> None:
    served = Served()
    for name in "ab":
        served.take(Report(name, gauges={"x": 1.0}, vmstat={"y": 1.0, "z": 1.0}))
    exposition = get(served, "/metrics")[1].decode()
    roster = served.exporter.roster
    assert own(exposition, "pombo_exporter_stored_bytes") == {(): roster.booked_bytes}
    [history] = own(exposition, "pombo_exporter_history_bytes").values()
    assert history in {0, 2 * 1456}  # before and after the first sample
    assert own(exposition, "pombo_exporter_section_layouts") == {(): 2}
    assert own(exposition, "pombo_exporter_open_families") == {(): 3}


def test_scrapes_are_timed() -> None:
    served = Served()

    async def use(client: Client) -> str:
        for _ in range(3):
            response = await client.get("/metrics", headers={"Accept-Encoding": "identity"})
            exposition = (await response.read()).decode()
        return exposition

    name = "pombo_exporter_scrape_duration_seconds"
    exposition = visit(served, use)
    assert own(exposition, f"{name}_count") == {(): 2}
    assert own(exposition, f"{name}_sum")[()] > 0


# --- slow clients ---


def test_slow_client_blocks_neither_admission_nor_other_clients_and_gets_its_exposition() -> None:
    served = Served()
    gauges = {f"gauge_with_quite_a_long_name_{number}": 1.0 for number in range(20)}
    for number in range(2000):
        served.take(Report(f"host-{number}", interval=3600.0, gauges=gauges))

    async def use(client: Client) -> tuple[str, int]:
        loop = asyncio.get_running_loop()
        with listen.udp(Address("127.0.0.1", 0), 65_536) as udp, small_reader(client) as slow:
            loop.add_reader(udp, drain, udp, admit)
            await loop.sock_sendall(slow, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            await loop.sock_recv(slow, 1)  # its exposition has begun, and no more of it is read
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(encode(Report("late", gauges={"x": 2.0})), udp.getsockname())
            exposition, others = "", 0
            while 'x{instance="late"} 2' not in exposition:
                response = await client.get("/metrics", headers={"Accept-Encoding": "identity"})
                exposition = (await response.read()).decode()
                others += 1
            loop.remove_reader(udp)
            ended = own(exposition, "pombo_exporter_scrape_duration_seconds_count")
            assert ended == {(): others - 1}, "the slow exposition has ended: make it longer"
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)
            received = bytearray()
            while not received.endswith(b"\r\n0\r\n\r\n"):
                chunk = await loop.sock_recv(slow, 2**20)
                assert chunk, "the slow exposition broke off"
                received += chunk
            return exposition, received.count(b'instance="host-1999"')

    def admit(datagram: bytes, sender: tuple[str | int, ...]) -> None:
        served.intake.take(datagram, sender, monotonic(), 0.0)

    exposition, lines = visit(served, use)
    assert exposition.count('instance="host-1999"') == lines
    assert lines >= 20


def small_reader(client: Client) -> socket.socket:
    """Return a connection with a small receive buffer."""
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect((client.host, client.port))
    slow.setblocking(False)  # noqa: FBT003 - the parameter has no name
    return slow


def test_client_that_disconnects_during_the_answer_causes_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
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
def test_client_that_disconnects_before_the_answer_causes_no_error(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    served = Served()
    served.take(Report("pi", gauges={"x": 1.0}))

    @web.middleware
    async def disconnect(request: web.Request, handler: Handler) -> web.StreamResponse:
        assert request.transport
        request.transport.close()
        return await handler(request)

    served.server.app.middlewares.append(disconnect)

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
def test_other_method_is_405_and_allow_names_the_methods(path: str, method: str) -> None:
    response, _ = get(Served(), path, method)
    assert response.status == 405
    assert {*re.split(r",\s*", response.headers["Allow"])} == {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["/", "/metrics", "/sd", "/api/v1/hosts", "/api/v1/hosts/pi"])
def test_options_names_the_methods_and_allows_no_other_site(path: str) -> None:
    response, body = get(Served(), path, "OPTIONS", Origin="http://other.example")
    assert (response.status, body) == (204, b"")
    deletes = {"DELETE"} if path.endswith("/pi") else set()
    assert {*response.headers["Allow"].split(", ")} == {"GET", "HEAD", "OPTIONS", *deletes}
    assert not any(name.startswith("Access-Control") for name in response.headers)


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
def test_health_is_a_line_of_text(path: str) -> None:
    response, body = get(Served(), path)
    assert response.status == 200
    assert response.content_type == "text/plain"
    assert body.startswith(b"Pombo is ")
