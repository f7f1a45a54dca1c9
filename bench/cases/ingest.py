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
from bench.harness.fleet import fleet
from bench.harness.in_process import InProcessExporter
from bench.programs import recvfrom_baseline, spin
from bench.report.results import Row

_HOSTS = 500
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


def measure(*, full: bool) -> Iterator[Row]:
    """Yield the rows of this case."""
    for rate in (2_000, 10_000, 20_000) if full else (10_000,):
        yield from _at(rate, "")
        with spin.start():
            yield from _at(rate, ", the core kept busy")
    yield _warm()
    step = 5_000 if full else 10_000
    baseline_best = _highest(_baseline, step)
    for what, flags in (("the kernel's default", ()), ("the exporter's own", (_OWN_BUFFER,))):
        best = _highest(partial(_pombo, flags=flags), step)
        yield Row(
            f"highest rate without loss, one core, {what} receive buffer",
            f"{best:,} datagrams/s, {best * _values_per_datagram():,.0f} values/s",
            f"the recvfrom baseline with the kernel's default: {baseline_best:,} datagrams/s; "
            f"in steps of {step:,}",
        )


def _at(rate: int, how: str) -> Iterator[Row]:
    ours, theirs = _pombo(rate, 6), _baseline(rate, 6)
    yield Row(
        f"CPU per datagram at {rate:,}/s{how}",
        f"{ours.cpu * 1e6:.1f} µs",
        f"{ours.cpu / theirs.cpu:.2f} times the recvfrom baseline ({theirs.cpu * 1e6:.1f} µs)",
    )
    yield Row(
        f"the load generator at {rate:,}/s{how}",
        f"latest datagram {theirs.late * 1e3:.1f} ms late, {theirs.pace:.1%} of the pace",
        f"of {theirs.sent:,} datagrams the baseline lost {theirs.lost:,}, Pombo {ours.lost:,}",
    )


def _warm() -> Row:
    """Time the stages of taking a datagram in this process, one after the other."""
    exporter = InProcessExporter()
    stages: list[Callable[[list[bytes], int], object]] = [
        lambda datagrams, _: deque(map(json.loads, datagrams), maxlen=0),
        lambda datagrams, _: deque(map(decode, datagrams), maxlen=0),
        exporter.take,
    ]
    best = [float("inf")] * len(stages)
    for report in range(20):
        datagrams = [template.datagram(report) for template in _TEMPLATES]
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


def _reports(rate: float, seconds: float) -> int:
    return max(2, round(rate * seconds / len(_TEMPLATES)))


def _run(process: processes.Process, port: int, rate: int, seconds: float) -> dict[str, float]:
    """Send, and return what the load generator printed, with the CPU seconds of the process."""
    before = process.usage().cpu
    with processes.load(port, _HOSTS, _reports(rate, seconds), rate=rate, first_report=2) as load:
        result = load.result()
    sleep(0.3)
    return result | {"cpu": process.usage().cpu - before}


def _pombo(rate: int, seconds: float, flags: Sequence[str] = ()) -> _Run:
    with processes.exporter(*flags) as (process, port):
        with processes.load(port, _HOSTS, 2, rate=_WARM) as warm:
            warm.result()
        before = processes.total(processes.get(port), _DROPS)
        result = _run(process, port, rate, seconds)
        return _outcome(result, int(processes.total(processes.get(port), _DROPS) - before))


def _baseline(rate: int, seconds: float) -> _Run:
    port = free_port()
    with recvfrom_baseline.start(port) as process:
        result = _run(process, port, rate, seconds)
        return _outcome(result, int(result["sent"] - process.stop()["received"]))


def _outcome(result: dict[str, float], lost: int) -> _Run:
    received = result["sent"] - lost
    pace = result["planned_seconds"] / result["seconds"]
    return _Run(int(result["sent"]), lost, result["cpu"] / received, pace, result["latest_seconds"])


_TEMPLATES = list(fleet(_HOSTS))


def _values_per_datagram() -> float:
    """Return how many numbers a datagram has, its header's aside."""
    return sum(template.values for template in _TEMPLATES) / len(_TEMPLATES)
