"""The socket drained by the event loop, against a thread that receives into a queue."""

import sys
from collections.abc import Iterator
from statistics import median

from bench.cases.under_load import Load, Run, reports_of, run_fleet, scrape_plainly
from bench.harness import processes
from bench.harness.prepared import prepared
from bench.harness.settings import Settings
from bench.report.results import Row

_HOSTS = 2_000
_INTERVAL = 5.0  # seconds between scrapes
_THREAD = (sys.executable, "-m", "bench.programs.receiver_thread")

#: Python's default switch interval is 5 ms.
_VARIANTS = {
    "the event loop drains the socket": processes.EXPORTER,
    "a thread receives, switch interval 5 ms": (*_THREAD, "0.005"),
    "a thread receives, switch interval 0.5 ms": (*_THREAD, "0.0005"),
}


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this case."""
    repeats, seconds = (3, 60) if settings.full else (2, 20)
    with prepared(settings.fleet, _HOSTS, reports_of(seconds)) as fleet:
        load = Load(fleet, _HOSTS)
        for name, command in _VARIANTS.items():
            runs = [run_fleet(load, _INTERVAL, scrape_plainly, command) for _ in range(repeats)]
            yield Row(
                f"{_HOSTS:,} hosts every 5 s, scraped with gzip every 5 s: {name}",
                f"**{_figures(runs)}**",
                f"{repeats} runs; {seconds} s each, with the kernel's default buffer",
            )


def _figures(runs: list[Run]) -> str:
    lost = " and ".join(f"{run.lost:,}" for run in runs)
    cores = " and ".join(f"{run.cores:.0%}" for run in runs)
    took = " and ".join(f"{median(run.scrapes.took):.2f}" for run in runs)
    return f"{lost} of {runs[0].sent:,} datagrams lost, {cores} of a core, scrape {took} s"
