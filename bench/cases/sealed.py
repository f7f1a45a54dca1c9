"""Sealed datagrams: CPU to open one and to refuse a forged one; the memory that sealing takes."""

import socket
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time, sleep
from typing import NamedTuple

from pombo_wire.reading import Outer, read
from support.processes import BIN

from bench.harness import processes
from bench.harness.fleet import fleet
from bench.harness.in_process import SealedExporter
from bench.harness.settings import Settings
from bench.report.results import Row

_HOSTS = 200
_INTERVAL = 0.5  # seconds, of the agents whose memory is measured
_REPORTS = 20
_AT_ONCE = 64  # datagrams that the kernel's default buffer holds
_OUTER = Outer("bench", 0)  # the name and the number of the envelope


class _Costs(NamedTuple):
    """CPU seconds that a datagram takes."""

    open: float
    read: float
    take: float
    forged: float
    replayed: float
    receive: float


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this case."""
    costs, size = _costs(30 if settings.full else 10)
    yield Row(
        f"CPU to open a sealed datagram of {size:,.0f} bytes",
        f"{costs.open * 1e6:.1f} µs",
        f"to read what is inside takes {costs.read * 1e6:.1f} µs, to take all of it "
        f"{costs.take * 1e6:.1f} µs; recvfrom takes {costs.receive * 1e6:.1f} µs",
    )
    yield Row(
        "CPU to refuse a forged one, with the name of a host that is known",
        f"{costs.forged * 1e6:.1f} µs",
        f"until it is counted and among the recent refusals; recvfrom takes "
        f"{costs.receive * 1e6:.1f} µs",
    )
    yield Row(
        "CPU to refuse one that was sent before",
        f"{costs.replayed * 1e6:.1f} µs",
        f"{costs.replayed / costs.take:.2f} times a new one",
    )
    plain, sealed = _resident()
    yield Row(
        "resident memory of an agent that seals",
        f"{sealed / 2**20:.2f} MiB, {(sealed - plain) / 2**20:+.2f} MiB by sealing",
        f"without a key {plain / 2**20:.2f} MiB",
    )


def _costs(rounds: int) -> tuple[_Costs, float]:
    """Return the least costs of some rounds, and the mean length of a datagram in bytes."""
    exporter, hosts = SealedExporter(), fleet(_HOSTS, seals=True)
    best, size, count = [float("inf")] * len(_Costs._fields), 0.0, 0
    for report in range(rounds):
        inside = [
            (sender.host, datagram)
            for sender in hosts.senders
            for datagram in sender.datagrams(report)
        ]
        sealed = [exporter.sealed(*each) for each in inside]
        forged = [datagram[:-1] + bytes((datagram[-1] ^ 1,)) for datagram in sealed]
        size, count = sum(map(len, sealed)) / len(sealed), count + len(sealed)
        stages: Sequence[Callable[[], object]] = (
            lambda: deque(map(exporter.open, sealed), maxlen=0),  # noqa: B023 - called in this round
            lambda: deque((read(each, _OUTER) for _, each in inside), maxlen=0),  # noqa: B023
            lambda: exporter.take(sealed, report),  # noqa: B023
            lambda: exporter.take(forged, report),  # noqa: B023
            lambda: exporter.take(sealed, report),  # noqa: B023 - again
        )
        for number, stage in enumerate(stages):
            before = process_time()
            stage()
            best[number] = min(best[number], (process_time() - before) / len(sealed))
    assert exporter.refused == {"bad_seal": count, "replayed": count}
    best[-1] = _received()
    return _Costs(*best), size


def _received() -> float:
    """Return the CPU seconds that it takes to receive a datagram."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        sender.connect(receiver.getsockname())
        least = float("inf")
        for _ in range(100):
            for _ in range(_AT_ONCE):
                sender.send(bytes(1000))
            before = process_time()
            for _ in range(_AT_ONCE):
                receiver.recvfrom(1201)
            least = min(least, (process_time() - before) / _AT_ONCE)
    return least


def _resident() -> tuple[float, float]:
    """Return the resident memory of an agent without a key and of one with it, in bytes."""
    with TemporaryDirectory(prefix="pombo-bench-") as name:
        keys, key = Path(name) / "keys", Path(name) / "host.key"
        _run("keygen", str(keys))
        key.touch(mode=0o600)
        key.write_bytes(_run("enroll", "sealed", f"--seal.key-file={keys}", "--format=key"))
        with processes.exporter(f"--seal.key-file={keys}") as (_, port), ExitStack() as stack:
            agents = [
                stack.enter_context(
                    processes.Process(
                        str(BIN / "pombo-agent"),
                        f"--server=127.0.0.1:{port}",
                        f"--interval={_INTERVAL * 1000:.0f}ms",
                        flag,
                    )
                )
                for flag in ("--name=plain", f"--key-file={key}")
            ]
            sleep(_REPORTS * _INTERVAL)
            plain, sealed = (agent.usage().resident for agent in agents)
    return plain, sealed


def _run(*arguments: str) -> bytes:
    """Return what a command of the exporter prints."""
    command = (str(BIN / "pombo-exporter"), *arguments)
    return subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603 - our own
