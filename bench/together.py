"""Both together: a fleet reports every five seconds while the page is scraped."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from time import monotonic, sleep, time

from bench import processes
from bench.fleet import INTERVAL
from bench.results import Row


@dataclass(frozen=True)
class Run:
    """What one run showed."""

    hosts: int
    sent: int
    lost: int
    cores: float  # CPU seconds a second
    scrape_seconds: float
    resident: int  # bytes
    series: int
    age_seconds: float  # of the oldest values on a page, beyond the interval


def measure(*, full: bool) -> Iterator[Row]:
    """Yield the rows of this measurement."""
    for run in runs(full=full):
        yield Row(
            "together",
            f"{run.hosts:,} hosts every 5 s, scraped with gzip every 5 s",
            f"{run.lost} of {run.sent:,} datagrams lost, {run.cores:.0%} of a core, "
            f"scrape {run.scrape_seconds:.2f} s",
            f"{run.resident / 2**20:,.0f} MiB, {run.series:,} series",
        )


def runs(*, full: bool) -> Iterator[Run]:
    """Yield what each number of hosts showed."""
    for hosts in (100, 1_000, 10_000) if full else (100, 1_000):
        yield _run(hosts, turns=12 if full else 5)


def _run(hosts: int, turns: int) -> Run:
    with processes.exporter() as (process, port):
        with processes.load(port, hosts, 2) as warm:
            warm.result()
        before, started = process.usage().cpu, monotonic()
        scrapes, ages = [], []
        with processes.load(port, hosts, turns, first_turn=2) as load:
            end = started + turns * INTERVAL
            while monotonic() < end - INTERVAL:
                begun = monotonic()
                page = processes.get(port, gzip=True)
                scrapes.append(monotonic() - begun)
                sleep(max(0, INTERVAL - scrapes[-1]))
            sent = load.result()["sent"]
        cores = (process.usage().cpu - before) / (monotonic() - started)
        sleep(1)
        asked = time()
        page = processes.get(port)
        seen = processes.samples(page, "pombo_host_last_report_timestamp_seconds").values()
        ages = [asked - when for when in seen]
        received = processes.total(page, "pombo_host_datagrams_received_total")
        return Run(
            hosts=hosts,
            sent=int(sent),
            lost=int(sent * (turns + 2) / turns - received),
            cores=cores,
            scrape_seconds=median(scrapes),
            resident=process.usage().resident,
            series=sum(not line.startswith(b"#") for line in page.splitlines()),
            age_seconds=max(ages) - INTERVAL,
        )
