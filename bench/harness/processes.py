"""Starts what is measured, each program in a process of its own, and reads its CPU and memory."""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple, Self

from support import processes
from support.pages import fetch_bytes, wait_until
from support.processes import BIN, free_port

from bench.harness.prepared import Prepared

DEFAULT_BUFFER = 106_496  # bytes to ask for: Linux doubles them to its default of 212,992
OWN_BUFFER = "--udp.receive-buffer=4MiB"  # the exporter's default; the kernel may grant less
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """What a process has used: CPU in seconds (clock ticks: 10 ms), memory in bytes."""

    cpu: float
    resident: int


class Process(processes.Process):
    """A program, on one core if one is given, that ends with the ``with`` block."""

    def __init__(self, *command: str, core: int | None = None) -> None:
        pin = ["taskset", "-c", str(core)] if core is not None else []
        # Open until the process object goes, and removed with it.
        self._file = NamedTemporaryFile(prefix="pombo-bench-")  # noqa: SIM115
        super().__init__([*pin, *command], Path(self._file.name))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def usage(self) -> Usage:
        """Return what it has used so far.

        Raises:
            RuntimeError: when it has ended.
        """
        if not self.runs:
            raise RuntimeError(f"{self.command} has ended:\n{self.log}")
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return Usage((int(fields[11]) + int(fields[12])) / _TICK, self.resident_bytes)

    def stop(self) -> dict[str, float]:
        """End it, and return the JSON of the last line that it wrote."""
        self.end()
        return self._result()

    def result(self, within: float = 600) -> dict[str, float]:
        """Wait ``within`` seconds until it ends by itself, and return the JSON of its last line.

        Raises:
            RuntimeError: when it failed.
        """
        if self.ended(within):
            raise RuntimeError(f"{self.command} failed:\n{self.log}")
        return self._result()

    def _result(self) -> dict[str, float]:
        found: dict[str, float] = json.loads(self.log.splitlines()[-1])
        return found


def get(port: int, path: str = "/metrics", *, gzip: bool = False) -> bytes:
    """Return what is served there."""
    headers = {"Accept-Encoding": "gzip"} if gzip else {}
    return fetch_bytes(f"http://127.0.0.1:{port}{path}", headers, timeout=120)


def wait_until_served(port: int, path: str = "/-/ready") -> None:
    """Return as soon as a server answers there."""
    wait_until(lambda: [get(port, path)], bool, f"a server of {path} on port {port}")


def cpu_of_scrapes(process: Process, port: int, runs: int, *, gzip: bool = False) -> float:
    """Return the CPU seconds that a process spends on a scrape of its page."""
    before = process.usage().cpu
    for _ in range(runs):
        get(port, gzip=gzip)
    return (process.usage().cpu - before) / runs


EXPORTER = (str(BIN / "pombo-exporter"),)


@contextmanager
def exporter(*flags: str, command: tuple[str, ...] = EXPORTER) -> Iterator[tuple[Process, int]]:
    """Run an exporter with the kernel's default receive buffer; yield it and its port."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    listen = (f"--udp.listen-address={address}", f"--web.listen-address={address}")
    buffer = f"--udp.receive-buffer={DEFAULT_BUFFER}"
    with Process(*command, *listen, buffer, *flags, core=0) as process:
        wait_until_served(port)
        yield process, port


def load(
    port: int,
    prepared: Prepared,
    reports: range,
    *,
    hosts: int | None = None,
    rate: float = 0,
) -> Process:
    """Start to send these reports of a fleet to a port, on the core that is not the exporter's.

    ``hosts`` is how many of the hosts report, by default all, and ``rate`` the reports a second, by
    default those of an interval.
    """
    hosts = hosts or prepared.hosts
    rate = rate or hosts / prepared.interval
    flags = (f"--port={port}", f"--folder={prepared.folder}", f"--hosts={hosts}")
    more = (f"--reports={len(reports)}", f"--first-report={reports.start}", f"--rate={rate}")
    return Process(sys.executable, "-m", "bench.programs.load", *flags, *more, core=1)


class Arrivals(NamedTuple):
    """How many datagrams have come to an exporter: those that it received, and those dropped."""

    received: int
    dropped: int

    @classmethod
    def read(cls, port: int) -> Self:
        """Read the exporter's page about itself, since that of all hosts would take long."""
        own = get(port, "/exporter/metrics")
        names = ("datagrams_received_total", "kernel_drops_total")
        return cls(*(round(total(own, f"pombo_exporter_{name}")) for name in names))

    def lost(self, port: int, sent: int) -> int:
        """Return how many of the datagrams ``sent`` since then were dropped.

        Waits until the others are received, since some may still be in the receive buffer.
        """
        end = sum(self) + sent
        now = wait_until(lambda: Arrivals.read(port), lambda now: sum(now) >= end, "all datagrams")
        return now.dropped - self.dropped


def fill(port: int, prepared: Prepared, reports: range, rate: float) -> None:
    """Send these reports of all hosts to an exporter.

    Raises:
        RuntimeError: when some are lost, since then figures would be of fewer series.
    """
    before = Arrivals.read(port)
    with load(port, prepared, reports, rate=rate) as sending:
        sent = int(sending.result()["datagrams"])
    if lost := before.lost(port, sent):
        raise RuntimeError(f"{lost} of {sent} datagrams are lost: does anything else run here?")


def pace(result: Mapping[str, float]) -> float:
    """Return the pace that a load has reached, as a ratio of the planned one."""
    return result["planned_seconds"] / result["seconds"]


def samples(page: bytes, family: str) -> dict[str, float]:
    """Return a family's samples on a page, by the text of their labels."""
    found = re.findall(rf"^{family}(\{{.*\}})? (\S+)$".encode(), page, re.MULTILINE)
    return {labels.decode(): float(value) for labels, value in found}


def total(page: bytes, family: str) -> float:
    """Return the sum of a family's samples on a page."""
    return sum(samples(page, family).values())
