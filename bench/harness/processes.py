"""Starts what is measured, each as a process of its own, and reads the kernel's account of it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Self
from urllib.request import Request, urlopen

BIN = Path(sys.executable).parent
DEFAULT_BUFFER = 106_496  # bytes to ask for: Linux doubles them to its default of 212,992
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """What a process has used: CPU in seconds (clock ticks: 10 ms), memory in bytes."""

    cpu: float
    resident: int


class Process:
    """A child that is stopped by its id, at the end of a ``with`` block."""

    def __init__(self, *command: str, core: int | None = None) -> None:
        self._command = command
        pin = ["taskset", "-c", str(core)] if core is not None else []
        self._child = subprocess.Popen(  # noqa: S603 - the benchmark's own commands
            [*pin, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def usage(self) -> Usage:
        """Return what it has used so far.

        Raises:
            RuntimeError: when it has ended.
        """
        if self._child.poll() is not None:
            raise RuntimeError(f"{' '.join(self._command)} has ended")
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{self.pid}/status").read_text()
        resident = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert resident is not None
        return Usage((int(fields[11]) + int(fields[12])) / _TICK, int(resident[1]) * 1024)

    def stop(self) -> str:
        """End it, and return what it printed."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
        return self._child.communicate(timeout=30)[0]

    def result(self, within: float = 600) -> dict[str, float]:
        """Wait until it ends by itself, and return the JSON that it printed."""
        output, _ = self._child.communicate(timeout=within)
        found: dict[str, float] = json.loads(output)
        return found


def free_port() -> int:
    """Return a port that is free for UDP and TCP just now.

    Raises:
        OSError: when none is found.
    """
    for last in (False,) * 9 + (True,):
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                if last:
                    raise
            else:
                return port
    raise AssertionError


def get(port: int, path: str = "/metrics", *, gzip: bool = False) -> bytes:
    """Return what is served there."""
    headers = {"Accept-Encoding": "gzip"} if gzip else {}
    request = Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    with urlopen(request, timeout=120) as answer:  # noqa: S310 - as above
        body: bytes = answer.read()
        return body


def wait_until_served(port: int, path: str = "/-/ready") -> None:
    """Return as soon as something answers there.

    Raises:
        TimeoutError: when nothing has after ten seconds.
    """
    deadline = monotonic() + 10
    while monotonic() < deadline:
        try:
            get(port, path)
        except OSError:
            sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing serves {path} on port {port}")


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


def load(port: int, hosts: int, turns: int, *, rate: float = 0, first_turn: int = 0) -> Process:
    """Start to play a fleet to a port, on the core that is not the exporter's."""
    flags = (f"--port={port}", f"--hosts={hosts}", f"--turns={turns}", f"--rate={rate}")
    first = f"--first-turn={first_turn}"
    return Process(sys.executable, "-m", "bench.programs.load", *flags, first, core=1)


def samples(page: bytes, family: str) -> dict[str, float]:
    """Return a family's samples on a page, by the text of their labels."""
    found = re.findall(rf"^{family}(\{{.*\}})? (\S+)$".encode(), page, re.MULTILINE)
    return {labels.decode(): float(value) for labels, value in found}


def total(page: bytes, family: str) -> float:
    """Return the sum of a family's samples on a page."""
    return sum(samples(page, family).values())
