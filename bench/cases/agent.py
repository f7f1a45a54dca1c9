"""The agent and Debian's node_exporter on this machine: CPU, memory, bytes on the network."""

import http.client
import shutil
import socket
from collections.abc import Iterator
from threading import Thread
from time import monotonic, sleep
from typing import NamedTuple

from support.processes import BIN, free_port

from bench.harness import processes
from bench.harness.fleet import shaped
from bench.harness.in_process import InProcessExporter
from bench.harness.settings import Settings
from bench.report.results import Row

_INTERVAL = 1.0  # seconds, for both: five times the default's pace, the same work each time
_HOURLY = 720  # reports or scrapes in an hour at 5 s, the default
_UDP, _TCP = 28, 40  # bytes of IPv4 and UDP headers a datagram; of IPv4 and TCP a segment
_SEGMENT = 1460  # bytes
_PEER = "prometheus-node-exporter"
_REPORTS = 20  # of the busy host

#: The first edition's figures on a machine with 2 cores and 4 interfaces.
_FIRST_EDITION = {
    "CPU per report": "4.8 ms",
    "resident memory": "19.7 MiB",
    "network per hour at 5 s": "7.2 MB, 0.98 times node_exporter's",
}


class _Sink:
    """Receives what an agent sends, in a thread, until it is closed."""

    def __init__(self) -> None:
        self.datagrams: list[bytes] = []
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self.port: int = self._sock.getsockname()[1]
        self._thread = Thread(target=self._receive, daemon=True)
        self._thread.start()

    def _receive(self) -> None:
        while datagram := self._sock.recv(2048):
            self.datagrams.append(datagram)

    def close(self) -> None:
        """Stop."""
        self._sock.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._sock.close()


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this case."""
    if not shutil.which(_PEER):
        yield Row("an agent", "not measured", f"not installed: apt-get install {_PEER}")
        return
    yield _busy()
    reports = 60 if settings.full else 15
    ours, theirs = _ours(reports), _theirs(reports)
    yield Row(
        "a report of this machine",
        f"{ours.sent / reports:.1f} datagrams, {ours.bytes / reports:,.0f} bytes",
        "first edition, 2 cores and 4 interfaces: 9 datagrams, 9,783 bytes",
    )
    names = ("CPU per report", "resident memory", "network per hour at 5 s", "samples")
    units = ((1e-3, "ms"), (2**20, "MiB"), (1e6, "MB"), (1, ""))
    for name, (unit, letters), mine, peer in zip(names, units, ours.costs, theirs, strict=True):
        first = _FIRST_EDITION.get(name)
        yield Row(
            f"{name}, {reports} of them at {_INTERVAL:.0f} s" if name == names[0] else name,
            f"{mine / unit:,.2f} {letters}".removesuffix(".00 ").strip(),
            f"{mine / peer:.2f} times node_exporter's "
            + f"{peer / unit:,.2f} {letters}".removesuffix(".00 ").strip()
            + (f"; first edition: {first}" if first else ""),
        )
    each, reference = ours.costs[0] / ours.costs[3], theirs[0] / theirs[3]
    yield Row(
        "CPU per sample",
        f"{each * 1e6:.1f} µs",
        f"{each / reference:.2f} times node_exporter's {reference * 1e6:.1f} µs",
    )


def _busy() -> Row:
    """Count what a host with 8 cores sends after a year, when its counters are long."""
    hosts = shaped("busy_vm", 1)
    reports = [list(hosts.datagrams(report)) for report in range(_REPORTS)]
    sizes = [sum(map(len, report)) for report in reports]
    return Row(
        f"a report of a busy host with 8 cores that is up for a year, {hosts.values} values",
        f"{max(map(len, reports))} datagrams, at most {max(sizes):,} bytes",
        f"as one JSON object {len(hosts.senders[0].plain(0)):,} bytes",
    )


_Costs = tuple[float, float, float, float]


class _Ours(NamedTuple):
    """What an agent sent, and CPU seconds per report, resident bytes, bytes per hour, samples."""

    sent: int  # datagrams
    bytes: int
    costs: _Costs


def _ours(reports: int) -> _Ours:
    sink = _Sink()
    command = (str(BIN / "pombo-agent"), f"--server=127.0.0.1:{sink.port}")
    with processes.Process(*command, f"--interval={_INTERVAL:g}s", "--name=bench") as process:
        sleep(3 * _INTERVAL)  # what it does once
        before, first = process.usage(), len(sink.datagrams)
        sleep(reports * _INTERVAL)
        after, sent = process.usage(), sink.datagrams[first:]
    sink.close()
    hourly = sum(len(datagram) + _UDP for datagram in sent) / reports * _HOURLY
    cpu = (after.cpu - before.cpu) / reports
    costs = cpu, after.resident, hourly, _samples(sink.datagrams)
    return _Ours(len(sent), sum(map(len, sent)), costs)


def _samples(datagrams: list[bytes]) -> int:
    """Return how many samples an exporter renders of these reports."""
    exporter = InProcessExporter()
    exporter.take(datagrams[:-3])  # not the bye, which is sent three times
    text = b"".join(exporter.exposition())
    return sum(line.startswith((b"host_", b"node_")) for line in text.splitlines())


def _theirs(reports: int) -> _Costs:
    """Return the same of node_exporter, scraped as Prometheus does: gzip, one connection."""
    port = free_port()
    listen = f"--web.listen-address=127.0.0.1:{port}"
    with processes.Process(_PEER, listen) as process:
        processes.wait_until_served(port, "/metrics")
        samples = sum(line.startswith(b"node_") for line in processes.get(port).splitlines())
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for _ in range(3):
            _scrape(connection)
        before, size, due = process.usage(), 0, monotonic()
        for _ in range(reports):
            size += _scrape(connection)
            due += _INTERVAL
            sleep(max(0, due - monotonic()))
        after = process.usage()
        connection.close()
    return (after.cpu - before.cpu) / reports, after.resident, size / reports * _HOURLY, samples


def _scrape(connection: http.client.HTTPConnection) -> int:
    """Return the bytes of a scrape on the network, without acknowledgements."""
    request = {"Accept-Encoding": "gzip", "User-Agent": "Prometheus/2.42.0"}
    connection.request("GET", "/metrics", headers=request)
    answer = connection.getresponse()
    body = len(answer.read())
    head = sum(len(name) + len(value) + 4 for name, value in answer.getheaders()) + 19
    request_size = sum(len(name) + len(value) + 4 for name, value in request.items()) + 45
    segments = 1 + -(-(body + head) // _SEGMENT)
    return request_size + head + body + segments * _TCP
