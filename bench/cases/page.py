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
from bench.harness.fleet import INTERVAL
from bench.harness.prepared import Prepared, prepared
from bench.harness.settings import Settings
from bench.report.results import Row

_HOSTS = 2_000
_REQUEST = b"GET /live HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n"


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this case."""
    none = 0.0
    with prepared(settings.fleet, _HOSTS, 9 if settings.full else 5) as fleet:
        for pages in (0, 1, 50):
            cores, lost, pace, received = _run(fleet, pages)
            none = none or cores
            more = f"{cores / none - 1:+.1%} of the CPU without a page"
            sent = f"the load kept {pace:.1%} of its pace"
            yield Row(
                what=f"{_HOSTS:,} hosts every 5 s, {pages} status pages open",
                figure=f"{cores:.1%} of a core; {lost:,} of {fleet.datagrams:,} datagrams lost",
                reference=f"{more}; {received / 1e3:,.1f} kB/s to each; {sent}"
                if pages
                else f"the reference; {sent}",
            )


def _run(fleet: Prepared, pages: int) -> tuple[float, int, float, float]:
    """Return CPU seconds per second, datagrams lost, the load's pace, bytes a second to a page."""
    with processes.exporter() as (process, port), ExitStack() as stack:
        arrived = processes.Arrivals.read(port)
        with processes.load(port, fleet, range(1)) as first:
            first.result()
        command = (sys.executable, "-m", "bench.cases.page", str(port), str(pages))
        readers = stack.enter_context(processes.Process(*command, core=1))
        wait_until(lambda: readers.log, bool, "every page to be connected")
        sleep(3)  # until each has the snapshot of all hosts
        before, began = process.usage().cpu, monotonic()
        with processes.load(port, fleet, range(1, fleet.reports)) as load:
            result = load.result()
        cores = (process.usage().cpu - before) / (monotonic() - began)
        seconds = (fleet.reports - 1) * INTERVAL
        received = readers.stop()["received"] / max(1, pages) / seconds
        lost = arrived.lost(port, fleet.datagrams)
        return cores, lost, processes.pace(result), received


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
