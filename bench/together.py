"""Both together: a fleet reports every five seconds while the page is scraped."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import monotonic, time
from urllib.parse import urlencode
from zlib import decompressobj

from bench import processes
from bench.fleet import INTERVAL
from bench.results import Row

_GZIP = 31  # zlib's window bits for a gzip container
_LAST = "pombo_host_last_report_timestamp_seconds"
_START = 8 * 2**20  # bytes of a page: the families of the exporter's own knowledge come first


@dataclass
class _Scrapes:
    """What a scraper saw: seconds that each took, and how old the newest value was at its start."""

    took: list[float] = field(default_factory=list)
    missed: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    """What one run showed."""

    hosts: int
    every: float  # seconds between scrapes
    sent: int
    lost: int
    late: float  # seconds: the latest datagram of the load
    cores: float  # CPU seconds a second
    scrapes: _Scrapes
    resident: int  # bytes
    series: int


def measure(*, full: bool) -> Iterator[Row]:
    """Yield the rows of this measurement."""
    sizes = (100, 1_000, 10_000) if full else (100, 1_000)
    least: Run | None = None
    for every in (15.0, 5.0) if full else (5.0,):
        for hosts in sizes:
            run = _run(hosts, 60 if full else 20, every)
            if hosts == sizes[0]:
                least = run
            assert least is not None
            yield _row(run, least, curves=every == INTERVAL)
    yield _with_prometheus(1_000, 60 if full else 20)


def _row(run: Run, least: Run, *, curves: bool) -> Row:
    per_host = (run.cores / run.hosts) / (least.cores / least.hosts)
    took, missed = median(run.scrapes.took), max(run.scrapes.missed)
    points = {
        "cpu": run.cores,
        "cpu-per-host": per_host,
        "scrape-seconds": took,
        "resident": run.resident / 2**20,
        "lost": run.lost / run.sent * 1e6,
    }
    return Row(
        f"{run.hosts:,} hosts every 5 s, scraped with gzip every {run.every:.0f} s",
        f"**{run.lost:,} of {run.sent:,} datagrams lost**, {run.cores:.1%} of a core, "
        f"scrape {took:.2f} s, {run.resident / 2**20:,.0f} MiB, {run.series:,} samples",
        f"CPU a host {per_host:.2f} times that at {least.hosts} hosts; the page lacks at most the "
        f"last {missed * 1e3:.0f} ms; the load's latest datagram {run.late * 1e3:.1f} ms late",
        hosts=run.hosts,
        points=points if curves else {},
    )


def _run(hosts: int, seconds: float, every: float) -> Run:
    turns = round(seconds / INTERVAL)
    with processes.exporter() as (process, port):
        with processes.load(port, hosts, 2, rate=min(8_000, hosts * 20)) as warm:
            warm.result()
        was = _received(port)
        before, started = process.usage().cpu, monotonic()
        scrapes, done = _Scrapes(), Event()
        scraper = Thread(target=_scrape, args=(port, every, scrapes, done))
        with processes.load(port, hosts, turns, first_turn=2) as load:
            scraper.start()
            result = load.result()
            done.set()
        scraper.join()
        cores = (process.usage().cpu - before) / (monotonic() - started)
        resident = process.usage().resident
        received = _received(port) - was
        series = processes.get(port).count(b"\n")
    return Run(
        hosts=hosts,
        every=every,
        sent=int(result["sent"]),
        lost=int(result["sent"] - received),
        late=result["latest_seconds"],
        cores=cores,
        scrapes=scrapes,
        resident=resident,
        series=series,
    )


def _with_prometheus(hosts: int, seconds: float) -> Row:
    """Let the real Prometheus scrape, as far as two cores bear it beside the load."""
    what = f"{hosts:,} hosts every 5 s, scraped by a real Prometheus every 5 s"
    if not shutil.which("prometheus"):
        return Row(what, "not measured", "prometheus is not installed")
    turns = round(seconds / INTERVAL)
    with processes.exporter() as (process, port), tempfile.TemporaryDirectory() as folder:
        with processes.load(port, hosts, 2, rate=8_000) as warm:
            warm.result()
        config, own = Path(folder) / "prometheus.yml", processes.free_port()
        config.write_text(_SCRAPE_CONFIG.format(port=port), encoding="utf-8")
        flags = (f"--config.file={config}", f"--storage.tsdb.path={folder}/data")
        listen = f"--web.listen-address=127.0.0.1:{own}"
        with processes.Process("prometheus", *flags, listen, core=1):
            processes.wait_until_served(own)
            was = _received(port)
            before, started = process.usage().cpu, monotonic()
            with processes.load(port, hosts, turns, first_turn=2) as load:
                sent = int(load.result()["sent"])
            cores = (process.usage().cpu - before) / (monotonic() - started)
            took = _asked(own, f"avg_over_time(scrape_duration_seconds[{seconds:.0f}s])")
            samples = _asked(own, "scrape_samples_scraped")
            up = _asked(own, f"avg_over_time(up[{seconds:.0f}s])")
        lost = sent - _received(port) + was
    return Row(
        what,
        f"**{lost:,.0f} of {sent:,} datagrams lost**, {cores:.1%} of a core, scrape {took:.2f} s",
        f"{samples:,.0f} samples in each, {up:.0%} of the scrapes succeeded",
    )


_SCRAPE_CONFIG = """
scrape_configs:
  - job_name: pombo
    honor_labels: true
    scrape_interval: 5s
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def _asked(port: int, expression: str) -> float:
    """Return the one value that a Prometheus answers with."""
    query = urlencode({"query": expression})
    [found] = json.loads(processes.get(port, f"/api/v1/query?{query}"))["data"]["result"]
    return float(found["value"][1])


def _received(port: int) -> float:
    """Return how many datagrams came; the page of all hosts would take too long to read."""
    own = processes.get(port, "/exporter/metrics")
    return processes.total(own, "pombo_exporter_datagrams_received_total")


def _scrape(port: int, every: float, scrapes: _Scrapes, done: Event) -> None:
    """Scrape until it is done, plainly: two cores do not bear Prometheus and a load too."""
    due = monotonic()
    while not done.wait(max(0.0, (due := due + every) - monotonic())):
        asked, began = time(), monotonic()
        packed = processes.get(port, gzip=True)
        scrapes.took.append(monotonic() - began)
        start = decompressobj(_GZIP).decompress(packed, _START)
        newest = max(processes.samples(start, _LAST).values())
        scrapes.missed.append(max(0.0, asked - newest))
