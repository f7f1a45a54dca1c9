"""Ingest: CPU per report relative to a bare receive loop, the highest rate without loss."""

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from time import process_time, sleep

import msgspec
from pombo_wire import Report
from pombo_wire.reading import read
from support.processes import free_port

from bench.harness import processes
from bench.harness.fleet import Kind, fleet
from bench.harness.in_process import InProcessExporter
from bench.harness.prepared import Prepared, prepared
from bench.harness.settings import Settings
from bench.programs import recvfrom_baseline, spin
from bench.report.results import Row

_WARM = 4_000  # reports a second
_WARM_REPORTS = 2
_IN_PROCESS = 200  # hosts
_SECONDS = 2  # of a try at one rate


@dataclass(frozen=True)
class _Run:
    """The outcome of reports that were sent at one pace."""

    reports: int
    sent: int  # datagrams
    lost: int
    cpu: float  # seconds per received report
    pace: float  # reached, as a ratio of the planned one
    late: float  # seconds: the latest report


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this case."""
    full = settings.full
    stages = _stages(settings.fleet)
    with prepared(settings.fleet, *((10_000, 10) if full else (2_000, 22))) as load:
        for rate in (2_000, 10_000):
            first = settings.first_edition("393 µs") if rate == 2_000 else ""
            yield from _at(load, rate, "", stages, first)
            with spin.start():
                yield from _at(load, rate, ", the core kept busy", stages, "")
        yield stages.row
        step = 1_000 if full else 4_000
        baseline_best = _highest(partial(_baseline, load), load, step)
        for what, flags in (
            ("the kernel's default", ()),
            ("the exporter's own", (processes.OWN_BUFFER,)),
        ):
            best = _highest(partial(_pombo, load, flags=flags), load, step)
            yield Row(
                f"highest rate without loss, one core, {what} receive buffer",
                f"{best} reports/s",
                f"the recvfrom baseline with the kernel's default: {baseline_best} reports/s; "
                f"in steps of {step:,}" + settings.first_edition("about 2,000 reports/s"),
            )


@dataclass(frozen=True)
class _Stages:
    """CPU seconds that a report takes, in one process that does nothing else."""

    read: float
    take: float
    msgspec: float  # to decode the report as one plain JSON object
    loads: float

    @property
    def row(self) -> Row:
        """The row about it."""
        return Row(
            "CPU per report, in one process that does nothing else",
            f"{self.read * 1e6:.1f} µs to read, "
            f"{(self.take - self.read) * 1e6:.1f} µs to admit and store",
            f"its plain JSON: {self.msgspec * 1e6:.1f} µs to decode with msgspec, "
            f"{self.loads * 1e6:.1f} µs with json.loads, unchecked",
        )


def _stages(kind: Kind) -> _Stages:
    """Time the stages of taking a report in this process, one after the other."""
    exporter, senders = InProcessExporter(), fleet(_IN_PROCESS, kind)
    decode = msgspec.json.Decoder(Report).decode
    best = [float("inf")] * 4
    for report in range(20):
        plain = [sender.plain(report) for sender in senders.senders]
        datagrams = list(senders.datagrams(report))
        stages: list[Callable[[], object]] = [
            lambda: deque(map(read, datagrams), maxlen=0),  # noqa: B023 - called in this round
            lambda: exporter.take(datagrams, report),  # noqa: B023
            lambda: deque(map(decode, plain), maxlen=0),  # noqa: B023
            lambda: deque(map(json.loads, plain), maxlen=0),  # noqa: B023
        ]
        for number, stage in enumerate(stages):
            before = process_time()
            stage()
            best[number] = min(best[number], (process_time() - before) / len(senders))
    return _Stages(*best)


def _at(load: Prepared, rate: int, how: str, stages: _Stages, first: str) -> Iterator[Row]:
    ours, theirs = _pombo(load, rate, 6), _baseline(load, rate, 6)
    baseline = "not measured: the recvfrom baseline got no tick of its core"
    if theirs.cpu:
        times = ours.cpu / theirs.cpu
        baseline = f"{times:.2f} times the recvfrom baseline ({theirs.cpu * 1e6:.1f} µs)"
    yield Row(
        f"CPU per report at {rate:,}/s{how}",
        f"{ours.cpu * 1e6:.1f} µs",
        f"{baseline}; msgspec takes {stages.msgspec * 1e6:.1f} µs to decode its plain JSON{first}",
    )
    yield Row(
        f"the load generator at {rate:,}/s{how}",
        f"latest report {ours.late * 1e3:.1f} ms late, {ours.pace:.1%} of the pace",
        f"of {theirs.sent:,} datagrams of {theirs.reports:,} reports the baseline lost "
        f"{theirs.lost:,}, Pombo {ours.lost:,}",
    )


def _highest(run: Callable[[int, float], _Run], load: Prepared, step: int) -> str:
    """Return the highest rate without loss, in reports per second.

    A rate is tried three times, because another program may take a core. Where the load generator
    cannot keep the pace, or has no more reports, it is the limit.
    """
    best, most = 0, load.hosts * (load.reports - _WARM_REPORTS) // _SECONDS
    for rate in range(step, most + 1, step):
        tries = [run(rate, _SECONDS)]
        while len(tries) < 3 and not _is_good(tries[-1]):
            tries.append(run(rate, _SECONDS))
        if not _is_good(tries[-1]):
            late = all(tried.pace <= _KEPT for tried in tries)
            return f"{best:,}" + (" (the most that the load generator can send)" if late else "")
        best = rate
    return f"{best:,} or more"


_KEPT = 0.95  # of the pace


def _is_good(run: _Run) -> bool:
    return not run.lost and run.pace > _KEPT


def _pombo(load: Prepared, rate: int, seconds: float, flags: Sequence[str] = ()) -> _Run:
    with processes.exporter(*flags) as (process, port):
        with processes.load(port, load, range(_WARM_REPORTS), rate=_WARM) as warm:
            warm.result()
        arrived = processes.Arrivals.read(port)
        result = _send(load, process, port, rate, seconds)
        return _outcome(result, arrived.lost(port, int(result["datagrams"])))


def _baseline(load: Prepared, rate: int, seconds: float) -> _Run:
    port = free_port()
    with recvfrom_baseline.start(port) as process:
        result = _send(load, process, port, rate, seconds)
        return _outcome(result, int(result["datagrams"] - process.stop()["received"]))


def _send(
    load: Prepared, process: processes.Process, port: int, rate: int, seconds: float
) -> dict[str, float]:
    """Send, and return what the load generator printed, with the process's CPU seconds."""
    # Whole reports of all hosts, or one report of some hosts.
    count = max(1, round(rate * seconds / load.hosts))
    hosts = min(load.hosts, round(rate * seconds))
    reports = range(_WARM_REPORTS, min(load.reports, _WARM_REPORTS + count))
    before = process.usage().cpu
    with processes.load(port, load, reports, hosts=hosts, rate=rate) as sending:
        result = sending.result()
    sleep(0.3)
    return result | {"cpu": process.usage().cpu - before}


def _outcome(result: dict[str, float], lost: int) -> _Run:
    sent, reports = int(result["datagrams"]), int(result["reports"])
    received = max(1, (sent - lost) / sent * reports)
    cpu = result["cpu"] / received
    return _Run(reports, sent, lost, cpu, processes.pace(result), result["latest_seconds"])
