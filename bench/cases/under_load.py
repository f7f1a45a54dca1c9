"""Ingest and scrapes at the same time: a fleet reports every five seconds."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import monotonic, time
from urllib.parse import urlencode
from zlib import decompressobj

from support.processes import free_port

from bench.harness import processes
from bench.harness.fleet import INTERVAL, Kind
from bench.harness.settings import Settings
from bench.programs import recvfrom_baseline
from bench.report.results import Row

_MAX_FOR_PROMETHEUS = 70  # hosts a second; more would take the core of the load generator
_GZIP = 31  # zlib's window bits for a gzip container
_LAST = "pombo_host_last_report_timestamp_seconds"
_START = 8 * 2**20  # bytes of an exposition: enough for its first families, _LAST among them


@dataclass
class _Scrapes:
    """Scrapes: seconds that each took, and the age of its newest value, in seconds."""

    took: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Load:
    """So many hosts of a fleet, which report every five seconds for some time."""

    hosts: int
    seconds: float
    kind: Kind

    def send(self, port: int, first: int = 0) -> processes.Process:
        """Start to send, from the report of this number on."""
        reports = range(first, first + round(self.seconds / INTERVAL))
        return processes.load(port, self.hosts, reports, fleet=self.kind)


@dataclass(frozen=True)
class Run:
    """The figures of one run."""

    hosts: int
    every: float  # seconds between scrapes
    sent: int
    lost: int
    late: float  # seconds: the latest datagram of the load
    cores: float  # CPU seconds per second
    scrapes: _Scrapes
    resident: int  # bytes
    series: int


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this case."""
    full, seconds = settings.full, 60 if settings.full else 20
    sizes = (100, 1_000, 10_000) if full else (100, 1_000)
    loads = {hosts: Load(hosts, seconds, settings.fleet) for hosts in sizes}
    baseline_lost = {hosts: _baseline(load) for hosts, load in loads.items()}
    least: Run | None = None
    for every in (15.0, 5.0) if full else (5.0,):
        for hosts, load in loads.items():
            real = hosts / every <= _MAX_FOR_PROMETHEUS and shutil.which("prometheus") is not None
            run = run_fleet(load, every, _prometheus if real else scrape_plainly)
            if hosts == sizes[0]:
                least = run
            assert least is not None
            by = "Prometheus" if real else "a plain scraper"
            yield _row(run, least, by, baseline_lost[hosts], curves=every == INTERVAL)


def _row(run: Run, least: Run, by: str, baseline_lost: str, *, curves: bool) -> Row:
    per_host = (run.cores / run.hosts) / (least.cores / least.hosts)
    took, age = median(run.scrapes.took), max(run.scrapes.ages)
    points = {
        "cpu": run.cores,
        "cpu-per-host": per_host,
        "scrape-seconds": took,
        "resident": run.resident / 2**20,
        "lost": run.lost / run.sent * 1e6,
    }
    return Row(
        f"{run.hosts:,} hosts every 5 s, scraped with gzip every {run.every:.0f} s by {by}",
        f"**{run.lost:,} of {run.sent:,} datagrams lost**, {run.cores:.1%} of a core, "
        f"scrape {took:.2f} s, {run.resident / 2**20:,.0f} MiB, {run.series:,} samples",
        f"the recvfrom baseline loses {baseline_lost}; CPU per host {per_host:.2f} times that at "
        f"{least.hosts} hosts; the newest value is at most {age * 1e3:.0f} ms old; the load's "
        f"latest datagram {run.late * 1e3:.1f} ms late",
        hosts=run.hosts,
        points=points if curves else {},
    )


def run_fleet(
    load: Load,
    every: float,
    scraper: Callable[[int, float], AbstractContextManager[_Scrapes]],
    command: tuple[str, ...] = processes.EXPORTER,
) -> Run:
    """Let hosts report to an exporter, and scrape it ``every`` few seconds."""
    with processes.exporter(command=command) as (process, port):
        with processes.load(port, load.hosts, range(2), fleet=load.kind) as warm:
            warm.result()
        with scraper(port, every) as scrapes:
            received_before = _received(port)
            before, started = process.usage().cpu, monotonic()
            with load.send(port, first=2) as sending:
                result = sending.result()
            cores = (process.usage().cpu - before) / (monotonic() - started)
            resident = process.usage().resident
            received = _received(port) - received_before
        series = processes.get(port).count(b"\n")
    return Run(
        hosts=load.hosts,
        every=every,
        sent=int(result["sent"]),
        lost=int(result["sent"] - received),
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
            sent = int(sending.result()["sent"])
        return f"{sent - int(process.stop()['received']):,} of {sent:,}"


def _received(port: int) -> float:
    """Return how many datagrams came; the exposition of all hosts would take too long."""
    own = processes.get(port, "/exporter/metrics")
    return processes.total(own, "pombo_exporter_datagrams_received_total")


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
            start = decompressobj(_GZIP).decompress(packed, _START)
            newest = max(processes.samples(start, _LAST).values())
            scrapes.ages.append(max(0.0, asked_at - newest))

    thread = Thread(target=scrape)
    thread.start()
    try:
        yield scrapes
    finally:
        done.set()
        thread.join()


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
