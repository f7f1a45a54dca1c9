"""Memory: bytes per series after an hour's reports, growth, and pauses of the collector."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from time import sleep

from bench.harness import processes
from bench.harness.prepared import Prepared, prepared
from bench.harness.settings import Settings
from bench.report.results import Row

_HOUR = 720  # reports of a host at 5 s
_MANY = 20_000  # reports of a host: more than a day
_RATE = 3_000  # datagrams per second: the clocks in the reports run faster than this
_INSTRUMENTED = (sys.executable, "-m", "bench.programs.instrumented")


@dataclass(frozen=True)
class _Size:
    """An exporter's size at a moment: resident bytes, and samples in its exposition."""

    resident: int
    series: int


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this case."""
    full, usual = settings.full, settings.fleet == "alike"
    if usual:
        with prepared(settings.fleet, 400 if full else 20, _HOUR) as fleet:
            yield _per_series(fleet, settings)
    with prepared(settings.fleet, 10_000 if full else 400, 12) as fleet:
        yield _per_series(fleet, settings)
    if usual:
        with prepared(settings.fleet, 5 if full else 1, _MANY if full else _MANY // 4) as fleet:
            yield _growth(fleet)
    sizes = (10_000, 50_000) if usual else (10_000,)
    for hosts in sizes if full else (1_000,):
        with prepared(settings.fleet, hosts, 6) as fleet:
            yield _pauses(fleet, settings)


def _fill(port: int, fleet: Prepared, reports: range) -> None:
    """Send these reports at a pace that an exporter bears when each layout is new to it."""
    processes.fill(port, fleet, reports, _RATE * fleet.hosts * fleet.reports / fleet.datagrams)


def _size(process: processes.Process, port: int) -> _Size:
    page = processes.get(port)
    series = page.count(b"\n") - page.count(b"\n#") - 1
    sleep(1.5)  # longer than between two sweeps of the exporter over its hosts
    return _Size(process.usage().resident, series)


def _per_series(fleet: Prepared, settings: Settings) -> Row:
    with processes.exporter(processes.OWN_BUFFER) as (process, port):
        empty = _size(process, port)
        _fill(port, fleet, range(2))
        early = _size(process, port)
        _fill(port, fleet, range(2, fleet.reports))
        late = _size(process, port)
    per_series = (late.resident - empty.resident) / late.series
    mib = (late.resident - empty.resident) / 2**20
    return Row(
        f"{fleet.hosts:,} hosts after {fleet.reports} reports each, scraped",
        f"{per_series:.0f} bytes per series: {mib:,.0f} MiB, {late.series:,} series",
        f"after 2 reports: {(early.resident - empty.resident) / early.series:.0f} bytes; "
        f"the exporter alone: {empty.resident / 2**20:.0f} MiB"
        + settings.first_edition("159 bytes per series"),
    )


def _growth(fleet: Prepared) -> Row:
    with processes.exporter(processes.OWN_BUFFER) as (process, port):
        _fill(port, fleet, range(_HOUR))
        early = _size(process, port)
        _fill(port, fleet, range(_HOUR, fleet.reports))
        late = _size(process, port)
    grown = late.resident - early.resident
    return Row(
        f"growth over {fleet.reports:,} reports of each of {fleet.hosts} hosts",
        f"{grown / 1024:+,.0f} KiB",
        f"{grown / early.resident:+.2%} of what it was after {_HOUR} reports",
    )


def _pauses(fleet: Prepared, settings: Settings) -> Row:
    """Send and scrape at the usual pace, and time what delays the exporter's drain."""
    flags = (f"--limit.hosts={fleet.hosts}", processes.OWN_BUFFER)
    with processes.exporter(*flags, command=_INSTRUMENTED) as (process, port):
        with processes.load(port, fleet, range(fleet.reports)) as load:
            for _ in range(3):
                sleep(8)
                processes.get(port, gzip=True)
            result = load.result()
        found = process.stop()
    return Row(
        f"longest step between two drains of the socket, {fleet.hosts:,} hosts every 5 s, scraped",
        f"{found['longest_undrained_seconds'] * 1e3:.1f} ms",
        f"longest pause of the cyclic collector: {found['longest_collection_seconds'] * 1e3:.1f} "
        f"ms, {found['collections']} in {found['collection_seconds'] * 1e3:.0f} ms; the load kept "
        f"{processes.pace(result):.1%} of its pace"
        + settings.first_edition("2.3 ms with a third of the values"),
    )
