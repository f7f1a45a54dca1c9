"""Ingest: CPU per datagram relative to a bare receive loop, the highest rate without loss."""

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from time import process_time, sleep

from pombo_wire import decode
from support.processes import free_port

from bench.harness import processes
from bench.harness.fleet import Fleet, Kind, fleet
from bench.harness.in_process import InProcessExporter
from bench.harness.settings import Settings
from bench.programs import recvfrom_baseline, spin
from bench.report.results import Row

_HOSTS = 200
_WARM = 8_000  # datagrams a second
_PAST_ALL = 200_000  # datagrams a second: more than a core can send
_OWN_BUFFER = "--udp.receive-buffer=4194304"  # which the kernel may cut
_DROPS = "pombo_exporter_kernel_drops_total"


@dataclass(frozen=True)
class _Run:
    """The outcome of datagrams that were sent at one pace."""

    sent: int
    lost: int
    cpu: float  # seconds per received datagram
    pace: float  # reached, as a ratio of the planned one
    late: float  # seconds: the latest datagram


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this case."""
    load, full = _Load(settings.fleet, fleet(_HOSTS, settings.fleet)), settings.full
    for rate in (2_000, 10_000, 20_000) if full else (10_000,):
        yield from _at(load, rate, "")
        with spin.start():
            yield from _at(load, rate, ", the core kept busy")
    yield _warm(load.fleet)
    step = 5_000 if full else 10_000
    baseline_best = _highest(partial(_baseline, load), step)
    for what, flags in (("the kernel's default", ()), ("the exporter's own", (_OWN_BUFFER,))):
        best = _highest(partial(_pombo, load, flags=flags), step)
        yield Row(
            f"highest rate without loss, one core, {what} receive buffer",
            f"{best:,} datagrams/s, {best * load.values_per_datagram:,.0f} values/s",
            f"the recvfrom baseline with the kernel's default: {baseline_best:,} datagrams/s; "
            f"in steps of {step:,}",
        )


@dataclass(frozen=True)
class _Load:
    """What is sent: the kind of the fleet, and the same fleet in this process."""

    kind: Kind
    fleet: Fleet

    @property
    def values_per_datagram(self) -> float:
        """How many numbers a datagram has, its header's aside."""
        return self.fleet.values / len(self.fleet)

    def run(
        self, process: processes.Process, port: int, rate: int, seconds: float
    ) -> dict[str, float]:
        """Send, and return what the load generator printed, with the process's CPU seconds."""
        reports = max(2, round(rate * seconds / len(self.fleet)))
        before = process.usage().cpu
        with self.start(port, range(2, 2 + reports), rate) as load:
            result = load.result()
        sleep(0.3)
        return result | {"cpu": process.usage().cpu - before}

    def start(self, port: int, reports: range, rate: int) -> processes.Process:
        """Start to send these reports of each host."""
        return processes.load(port, _HOSTS, reports, fleet=self.kind, rate=rate)


def _at(load: _Load, rate: int, how: str) -> Iterator[Row]:
    ours, theirs = _pombo(load, rate, 6), _baseline(load, rate, 6)
    reference = "not measured: the recvfrom baseline got no tick of its core"
    if theirs.cpu:
        times = ours.cpu / theirs.cpu
        reference = f"{times:.2f} times the recvfrom baseline ({theirs.cpu * 1e6:.1f} µs)"
    yield Row(f"CPU per datagram at {rate:,}/s{how}", f"{ours.cpu * 1e6:.1f} µs", reference)
    yield Row(
        f"the load generator at {rate:,}/s{how}",
        f"latest datagram {theirs.late * 1e3:.1f} ms late, {theirs.pace:.1%} of the pace",
        f"of {theirs.sent:,} datagrams the baseline lost {theirs.lost:,}, Pombo {ours.lost:,}",
    )


def _warm(senders: Fleet) -> Row:
    """Time the stages of taking a datagram in this process, one after the other."""
    exporter = InProcessExporter()
    stages: list[Callable[[list[bytes], int], object]] = [
        lambda datagrams, _: deque(map(json.loads, datagrams), maxlen=0),
        lambda datagrams, _: deque(map(decode, datagrams), maxlen=0),
        exporter.take,
    ]
    best = [float("inf")] * len(stages)
    for report in range(20):
        datagrams = list(senders.datagrams(report))
        for number, stage in enumerate(stages):
            before = process_time()
            stage(datagrams, report)
            best[number] = min(best[number], (process_time() - before) / len(datagrams))
    loads, decoding, whole = best
    return Row(
        "CPU per datagram, in one process that does nothing else",
        f"{decoding * 1e6:.1f} µs to decode and check, "
        f"{(whole - decoding) * 1e6:.1f} µs to admit and store",
        f"json.loads alone, unchecked: {loads * 1e6:.1f} µs",
    )


def _highest(run: Callable[[int, float], _Run], step: int) -> int:
    """Return the highest rate without loss, in datagrams per second.

    A rate is tried three times, because another program may take a core. Where the load
    generator cannot keep the pace, it is the limit: then the rate before is returned.
    """
    best = 0
    for rate in range(step, _PAST_ALL, step):
        tries = (run(rate, 2) for _ in range(3))
        if not any(not tried.lost and tried.pace > 0.95 for tried in tries):
            break
        best = rate
    return best


def _pombo(load: _Load, rate: int, seconds: float, flags: Sequence[str] = ()) -> _Run:
    with processes.exporter(*flags) as (process, port):
        with load.start(port, range(2), _WARM) as warm:
            warm.result()
        before = processes.total(processes.get(port), _DROPS)
        result = load.run(process, port, rate, seconds)
        return _outcome(result, int(processes.total(processes.get(port), _DROPS) - before))


def _baseline(load: _Load, rate: int, seconds: float) -> _Run:
    port = free_port()
    with recvfrom_baseline.start(port) as process:
        result = load.run(process, port, rate, seconds)
        return _outcome(result, int(result["sent"] - process.stop()["received"]))


def _outcome(result: dict[str, float], lost: int) -> _Run:
    received = max(1, result["sent"] - lost)
    pace = result["planned_seconds"] / result["seconds"]
    return _Run(int(result["sent"]), lost, result["cpu"] / received, pace, result["latest_seconds"])
