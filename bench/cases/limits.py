"""The limits of one exporter: loss, CPU, memory, scrapes and the age of values, by its hosts.

``python -m bench --full limits --row=NAME`` measures one row. Without ``--full``, each row has a
part of the hosts and of the interval: as many datagrams in a second, for a minute.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import monotonic

from bench.harness import processes
from bench.harness.prepared import Prepared, prepared
from bench.harness.scraping import Scrape, count_samples, scrape
from bench.harness.settings import Settings
from bench.report.results import Row

_WARM = 2  # reports of each host before anything is measured
_WARM_RATE = 3_000  # reports a second, at least: each host is new then, and costs more
_PER_MILLION = 1e6


@dataclass(frozen=True)
class Size:
    """So many hosts, of a fleet or a shape, which report every ``interval`` seconds.

    They are measured for ``quiet`` seconds without a scrape, and then for ``seconds`` with one
    ``every`` few seconds. A short run has a part of the hosts, and of all these seconds: 1 of
    ``part``.
    """

    name: str
    hosts: int
    interval: float
    kind: str
    quiet: float
    seconds: float
    every: float
    part: int = 10

    def short(self) -> "Size":
        """Return what is sent in a short run."""
        return Size(
            self.name,
            self.hosts // self.part,
            self.interval / self.part,
            self.kind,
            max(self.quiet / self.part, _LEAST),
            max(self.seconds / self.part, _LEAST),
            max(self.every / self.part, _LEAST / 2),
        )


_LEAST = 10.0  # seconds of a part of a short run

#: The rows, from few hosts to many. The last one has 20 values of each host.
SIZES = (
    Size("1k", 1_000, 5, "alike", 20, 40, 10),
    Size("10k", 10_000, 5, "alike", 20, 40, 10),
    Size("10k-full-size", 10_000, 5, "few", 20, 40, 20),
    Size("50k", 50_000, 5, "alike", 30, 60, 30),
    Size("100k", 100_000, 60, "alike", 60, 120, 60),
    Size("1m", 1_000_000, 300, "device", 100, 200, 100, part=30),
)
NAMES = [size.name for size in SIZES]

_KINDS = {
    "alike": "small virtual machines",
    "few": "hosts of full size, of a few shapes",
    "device": "devices with 20 values",
}

#: What hosts on one line of the curves have in common.
_LINES = {"alike": "every {:g} s", "few": "full size, {:g} s", "device": "small, {:g} s"}


@dataclass
class _Phase:
    """What an exporter has used, and how it was scraped, in a part of a run."""

    seconds: float = 0.0
    cpu: float = 0.0  # seconds
    scrapes: list[Scrape] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)  # scrapes, by their errors

    @property
    def cores(self) -> float:
        """CPU seconds per second."""
        return self.cpu / self.seconds


@dataclass(frozen=True)
class _Run:
    """The figures of one run; sizes are in bytes."""

    first: _Phase  # while each host is new
    quiet: _Phase
    busy: _Phase
    sent: int
    lost: int
    refused: int
    pace: float
    late: float  # seconds
    peak: int
    booked: int
    layouts: int
    live: int
    samples: int
    longest_step: float  # seconds


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this case."""
    for size in SIZES:
        if settings.row in ("", size.name):
            yield _row(size if settings.full else size.short(), settings)


def _row(size: Size, settings: Settings) -> Row:
    reports = _WARM + max(1, round((size.quiet + size.seconds) / size.interval))
    with prepared(size.kind, size.hosts, reports, size.interval) as fleet:
        run = _run(size, fleet)
    busy, took = run.busy, [each.seconds for each in run.busy.scrapes]
    reports_per_second = size.hosts / size.interval
    per_report = run.quiet.cores / reports_per_second
    # Those that failed have cost something too: then a sample seems to cost more.
    cpu_of_scrapes = max(0.0, busy.cpu - run.quiet.cores * busy.seconds)
    per_sample = cpu_of_scrapes / (len(took) * run.samples)
    newest = max(each.newest for each in busy.scrapes)
    flag = " --full" if settings.full else ""
    return Row(
        f"{size.hosts:,} {_KINDS[size.kind]} every {size.interval:g} s, scraped with gzip every "
        f"{size.every:g} s",
        f"**{run.lost:,} of {run.sent:,} datagrams lost**, {busy.cores:.1%} of a core, scrape "
        f"{median(took):.2f} s, at most {max(took):.2f}, {len(busy.failed)} of "
        f"{len(busy.failed) + len(took)} scrapes failed, {run.peak / 2**20:,.0f} MiB at the peak, "
        f"{run.samples:,} samples; the newest value at most {newest * 1e3:.0f} ms old, the oldest "
        f"{max(each.oldest for each in busy.scrapes):.1f} s",
        f"without scrapes {run.quiet.cores:.1%} of a core, {per_report * 1e6:.0f} µs a report; "
        f"{per_sample * 1e9:.0f} ns a sample of a scrape; the first report of a host "
        f"{run.first.cpu / size.hosts * 1e6:.0f} µs; longest step {run.longest_step * 1e3:.1f} ms; "
        f"booked {run.booked / 2**20:,.0f} MiB, {run.layouts:,} section layouts; {run.live:,} "
        f"hosts live, {run.refused:,} datagrams refused; flags: {' '.join(_flags(size))}; the "
        f"load kept {run.pace:.1%} of its pace, its latest report {run.late * 1e3:.1f} ms late",
        hosts=size.hosts,
        points={
            "limits-lost": run.lost / run.sent * _PER_MILLION,
            "limits-cpu": busy.cores,
            "limits-memory": run.peak / 2**20,
            "limits-scrape": median(took),
            "limits-age": newest * 1e3,
        },
        at=_LINES[size.kind].format(size.interval),
        command=f"python -m bench{flag} limits --row={size.name}",
        day=time.strftime("%Y-%m-%d"),
    )


def _flags(size: Size) -> list[str]:
    """Return the flags that a fleet needs beyond the defaults."""
    return [f"--limit.hosts={size.hosts}"]


def _run(size: Size, fleet: Prepared) -> _Run:
    with processes.exporter(*_flags(size), processes.OWN_BUFFER) as (process, port):
        arrived = processes.Arrivals.read(port)
        rate = max(_WARM_RATE, size.hosts / size.interval)
        sent = 0
        with _phase(process) as first:
            sent += _send(port, fleet, range(1), rate)
        for report in range(1, _WARM):
            sent += _send(port, fleet, range(report, report + 1), rate)
        with processes.load(port, fleet, range(_WARM, fleet.reports)) as load:
            with _phase(process) as quiet:
                time.sleep(size.quiet)
            with _phase(process) as busy, _scraped(port, size.every, busy):
                result = load.result(_DEADLINE)
        sent += int(result["datagrams"])
        lost = arrived.lost(port, sent)
        own = processes.get(port, "/exporter/metrics")
        return _Run(
            first=first,
            quiet=quiet,
            busy=busy,
            sent=sent,
            lost=lost,
            refused=round(processes.total(own, "pombo_exporter_datagrams_refused_total")),
            pace=processes.pace(result),
            late=result["latest_seconds"],
            peak=_peak(process),
            booked=round(processes.total(own, "pombo_exporter_stored_bytes")),
            layouts=round(processes.total(own, "pombo_exporter_section_layouts")),
            live=round(processes.samples(own, "pombo_exporter_hosts")['{state="live"}']),
            samples=count_samples(port),
            longest_step=processes.total(own, "pombo_exporter_longest_step_seconds"),
        )


_DEADLINE = 1200.0  # seconds


def _send(port: int, fleet: Prepared, reports: range, rate: float) -> int:
    """Send these reports of all hosts; return how many datagrams they took."""
    with processes.load(port, fleet, reports, rate=rate) as load:
        return int(load.result(_DEADLINE)["datagrams"])


def _peak(process: processes.Process) -> int:
    """Return the most memory that a process had."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


@contextmanager
def _phase(process: processes.Process) -> Iterator[_Phase]:
    """Measure what a process uses while the context lasts."""
    found, before, started = _Phase(), process.usage().cpu, monotonic()
    yield found
    found.cpu, found.seconds = process.usage().cpu - before, monotonic() - started


@contextmanager
def _scraped(port: int, every: float, phase: _Phase) -> Iterator[None]:
    """Scrape at once, and then every few seconds, until the context ends."""
    done = Event()

    def run() -> None:
        due = monotonic()
        while not done.wait(max(0.0, due - monotonic())):
            due += every
            try:
                phase.scrapes.append(scrape(port))
            except (OSError, HTTPException) as error:  # such as an answer that takes too long
                phase.failed.append(repr(error))

    thread = Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    if not phase.scrapes:
        raise RuntimeError(f"no scrape has succeeded: {phase.failed}")
