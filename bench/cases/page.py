"""The status page: what open pages cost the exporter, relative to its cost without any."""

import json
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from time import monotonic, sleep

from support.pages import wait_until

from bench.harness import processes
from bench.harness.fleet import INTERVAL, Kind
from bench.harness.settings import Settings
from bench.report.results import Row

_HOSTS = 2_000
_REQUEST = b"GET /live HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n"


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this case."""
    reports = 8 if settings.full else 4
    none = 0.0
    for pages in (0, 1, 50):
        cores, lost, sent, received = _run(pages, reports, settings.fleet)
        none = none or cores
        more = f"{cores / none - 1:+.1%} of the CPU without a page"
        yield Row(
            what=f"{_HOSTS:,} hosts every 5 s, {pages} status pages open",
            figure=f"{cores:.1%} of a core; {lost} of {sent:,} datagrams lost",
            reference=f"{more}; {received / 1e3:,.1f} kB/s to each" if pages else "the reference",
        )


def _run(pages: int, reports: int, kind: Kind) -> tuple[float, int, int, float]:
    """Return CPU seconds per second, datagrams lost and sent, and bytes per second to a page."""
    with processes.exporter() as (process, port), ExitStack() as stack:
        with processes.load(port, _HOSTS, range(1), fleet=kind) as first:
            first.result()
        command = (sys.executable, "-m", "bench.cases.page", str(port), str(pages))
        readers = stack.enter_context(processes.Process(*command, core=1))
        wait_until(lambda: readers.log, bool, "every page to be connected")
        sleep(3)  # until each has the snapshot of all hosts
        before, began = process.usage().cpu, monotonic()
        with processes.load(port, _HOSTS, range(1, 1 + reports), fleet=kind) as load:
            sent = int(load.result()["sent"])
        cores = (process.usage().cpu - before) / (monotonic() - began)
        received = readers.stop()["received"] / max(1, pages) / (reports * INTERVAL)
        taken = processes.total(processes.get(port), "pombo_host_datagrams_received_total")
        return cores, round(sent * (reports + 1) / reports - taken), sent, received


def read(port: int, pages: int) -> None:
    """Read so many streams until SIGTERM; print a line when all are connected, then JSON: bytes."""
    with ExitStack() as stack:
        readers = []
        for _ in range(pages):
            reader = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            reader.sendall(_REQUEST)
            reader.setblocking(False)  # noqa: FBT003 - the socket's own way
            readers.append(reader)
        sys.stdout.write("connected\n")
        sys.stdout.flush()
        received = 0
        stop: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
        while not stop:
            sleep(0.1)
            for reader in readers:
                with suppress(BlockingIOError):
                    while data := reader.recv(2**16):
                        received += len(data)
    json.dump({"received": received}, sys.stdout)


if __name__ == "__main__":
    read(int(sys.argv[1]), int(sys.argv[2]))
