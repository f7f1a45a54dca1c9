"""Ingest and scrapes at the same time: a fleet reports every five seconds."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import monotonic, time
from urllib.parse import urlencode
from zlib import decompressobj

from support.processes import free_port

from bench.harness import processes
from bench.harness.fleet import INTERVAL
from bench.harness.prepared import Prepared, prepared
from bench.harness.settings import Settings
from bench.programs import recvfrom_baseline
from bench.report.results import Row

_MAX_FOR_PROMETHEUS = 70  # hosts a second; more would take the core of the load generator
_FIRST = 2  # reports of a host before anything is measured
_WARM = 1_000  # reports a second, at least
_LARGEST = 50_000  # hosts
_GZIP = 31  # zlib's window bits for a gzip container
_LAST = "pombo_host_last_report_timestamp_seconds"
_PIECE = 4 * 2**20  # bytes of an exposition that are inflated at once


@dataclass
class _Scrapes:
    """Scrapes: seconds that each took, and the age of its newest value, in seconds."""

    took: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Load:
    """So many hosts of a fleet, which send all its reports every five seconds."""

    fleet: Prepared
    hosts: int

    def warm(self, port: int) -> None:
        """Send the first reports, which rates need."""
        rate = max(_WARM, self.hosts / INTERVAL)
        with processes.load(port, self.fleet, range(_FIRST), hosts=self.hosts, rate=rate) as load:
            load.result()

    def send(self, port: int) -> processes.Process:
        """Start to send the reports after the first."""
        reports = range(_FIRST, self.fleet.reports)
        return processes.load(port, self.fleet, reports, hosts=self.hosts)


def reports_of(seconds: float) -> int:
    """Return how many reports a host has to have for a load of so many seconds."""
    return _FIRST + round(seconds / INTERVAL)


@dataclass(frozen=True)
class Run:
    """The figures of one run."""

    hosts: int
    every: float  # seconds between scrapes
    sent: int
    lost: int
    pace: float  # of the load, as a ratio of the planned one
    late: float  # seconds: the latest report of the load
    cores: float  # CPU seconds per second
    scrapes: _Scrapes
    resident: int  # bytes
    series: int


#: The first edition, played with reports of the captured host: by hosts and seconds of a scrape.
_FIRST_EDITION = {
    (10_000, 10.0): "0 to 0.5 % lost, 87 to 90 % of a core, scrape 9.3 to 11.8 s, 738 MiB",
}


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this case."""
    full, seconds = settings.full, 60 if settings.full else 20
    sizes = (100, 1_000, 10_000) if full else (100, 1_000)
    with prepared(settings.fleet, sizes[-1], reports_of(seconds)) as fleet:
        loads = [Load(fleet, hosts) for hosts in sizes]
        baseline_lost = [_baseline(load) for load in loads]
        for every in (10.0, 5.0) if full else (5.0,):
            least: Run | None = None
            for load, lost in zip(loads, baseline_lost, strict=True):
                real = load.hosts / every <= _MAX_FOR_PROMETHEUS
                real = real and shutil.which("prometheus") is not None
                run = run_fleet(load, every, _prometheus if real else scrape_plainly)
                least = least or run
                first = _FIRST_EDITION.get((run.hosts, every))
                row = _row(run, least, "Prometheus" if real else "a plain scraper")
                yield replace(
                    row,
                    reference=f"the recvfrom baseline loses {lost}; {row.reference}"
                    + (settings.first_edition(first) if first else ""),
                )
    if full and settings.fleet == "alike":  # others would take an hour to prepare
        yield _largest(settings)


def _largest(settings: Settings) -> Row:
    """Measure more hosts than an exporter takes by default, with its own buffer."""
    with prepared(settings.fleet, _LARGEST, reports_of(95)) as fleet:
        run = run_fleet(
            Load(fleet, _LARGEST),
            30.0,
            scrape_plainly,
            flags=(f"--limit.hosts={_LARGEST}", processes.OWN_BUFFER),
        )
    return Row(
        f"{run.hosts:,} hosts every 5 s, the exporter's own buffer, scraped with gzip every 30 s "
        "by a plain scraper",
        _figures(run),
        _load_figures(run),
    )


def _row(run: Run, least: Run, by: str) -> Row:
    per_host = (run.cores / run.hosts) / (least.cores / least.hosts)
    points = {
        "cpu": run.cores,
        "cpu-per-host": per_host,
        "scrape-seconds": median(run.scrapes.took),
        "resident": run.resident / 2**20,
        "lost": run.lost / run.sent * 1e6,
    }
    return Row(
        f"{run.hosts:,} hosts every 5 s, scraped with gzip every {run.every:.0f} s by {by}",
        _figures(run),
        f"CPU per host {per_host:.2f} times that at {least.hosts} hosts; {_load_figures(run)}",
        hosts=run.hosts,
        points=points if run.every == INTERVAL else {},
    )


def _figures(run: Run) -> str:
    took = run.scrapes.took
    return (
        f"**{run.lost:,} of {run.sent:,} datagrams lost**, {run.cores:.1%} of a core, "
        f"scrape {median(took):.2f} s, at most {max(took):.2f}, {run.resident / 2**20:,.0f} MiB, "
        f"{run.series:,} samples"
    )


def _load_figures(run: Run) -> str:
    return (
        f"the newest value is at most {max(run.scrapes.ages) * 1e3:.0f} ms old; the load kept "
        f"{run.pace:.1%} of its pace, its latest report {run.late * 1e3:.1f} ms late"
    )


def run_fleet(
    load: Load,
    every: float,
    scraper: Callable[[int, float], AbstractContextManager[_Scrapes]],
    command: tuple[str, ...] = processes.EXPORTER,
    flags: tuple[str, ...] = (),
) -> Run:
    """Let hosts report to an exporter, and scrape it ``every`` few seconds."""
    with processes.exporter(*flags, command=command) as (process, port):
        load.warm(port)
        with scraper(port, every) as scrapes:
            arrived = processes.Arrivals.read(port)
            before, started = process.usage().cpu, monotonic()
            with load.send(port) as sending:
                result = sending.result()
            cores = (process.usage().cpu - before) / (monotonic() - started)
            resident = process.usage().resident
            sent = int(result["datagrams"])
            lost = arrived.lost(port, sent)
        series = processes.get(port).count(b"\n")
    return Run(
        hosts=load.hosts,
        every=every,
        sent=sent,
        lost=lost,
        pace=processes.pace(result),
        late=result["latest_seconds"],
        cores=cores,
        scrapes=scrapes,
        resident=resident,
        series=series,
    )


def _baseline(load: Load) -> str:
    """Return how many datagrams the baseline loses at the same pace, and of how many."""
    port = free_port()
    with recvfrom_baseline.start(port) as process:
        with load.send(port) as sending:
            sent = int(sending.result()["datagrams"])
        return f"{sent - int(process.stop()['received']):,} of {sent:,}"


@contextmanager
def scrape_plainly(port: int, every: float) -> Iterator[_Scrapes]:
    """Scrape, and read the time of the newest report."""
    scrapes, done = _Scrapes(), Event()

    def scrape() -> None:
        due = monotonic() + every
        while not done.wait(max(0.0, due - monotonic())):
            due += every
            asked_at, began = time(), monotonic()
            packed = processes.get(port, gzip=True)
            scrapes.took.append(monotonic() - began)
            scrapes.ages.append(max(0.0, asked_at - _newest(packed)))

    thread = Thread(target=scrape)
    thread.start()
    try:
        yield scrapes
    finally:
        done.set()
        thread.join()


def _newest(packed: bytes) -> float:
    """Return when the newest report arrived, of an exposition; later families are not inflated."""
    stream, rest, tail, newest = decompressobj(_GZIP), packed, b"", 0.0
    while rest:
        text = tail + stream.decompress(rest, _PIECE)
        rest = stream.unconsumed_tail
        lines, _, tail = text.rpartition(b"\n")
        found = processes.samples(lines, _LAST).values()
        if newest and not found:
            break
        newest = max(newest, *found, 0.0)
    return newest


@contextmanager
def _prometheus(port: int, every: float) -> Iterator[_Scrapes]:
    """Let a real Prometheus scrape, and query its figures."""
    scrapes, own, started = _Scrapes(), free_port(), monotonic()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "prometheus.yml"
        config.write_text(_CONFIG.format(every=every, port=port), encoding="utf-8")
        flags = (f"--config.file={config}", f"--storage.tsdb.path={folder}/data")
        listen = f"--web.listen-address=127.0.0.1:{own}"
        with processes.Process("prometheus", *flags, listen, core=1):
            processes.wait_until_served(own)
            yield scrapes
            during = f"[{monotonic() - started:.0f}s:{every:.0f}s]"
            up = _query(own, f"min_over_time(up{during})")
            if up < 1:
                raise RuntimeError(f"Prometheus could not scrape port {port}")
            scrapes.took.append(_query(own, f"avg_over_time(scrape_duration_seconds{during})"))
            newest = f"min(timestamp({_LAST}) - {_LAST})"
            scrapes.ages.append(max(0.0, _query(own, f"max_over_time(({newest}){during})")))


_CONFIG = """
scrape_configs:
  - job_name: pombo
    honor_labels: true
    scrape_interval: {every:.0f}s
    scrape_timeout: {every:.0f}s
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def _query(port: int, expression: str) -> float:
    """Return the one value that a Prometheus answers with."""
    query = urlencode({"query": expression})
    [found] = json.loads(processes.get(port, f"/api/v1/query?{query}"))["data"]["result"]
    return float(found["value"][1])
