"""Memory: bytes per series after an hour's reports, growth, and pauses of the collector."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from time import sleep

from bench.harness import processes
from bench.harness.fleet import MAX_REPORTS, Kind
from bench.harness.settings import Settings
from bench.report.results import Row

_HOUR = 720  # reports of a host at 5 s
_RATE = 15_000  # datagrams per second: the clocks in the reports run faster than this
_INSTRUMENTED = (sys.executable, "-m", "bench.programs.instrumented")


@dataclass(frozen=True)
class _Size:
    """An exporter's size at a moment: resident bytes, and samples in its exposition."""

    resident: int
    series: int


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this case."""
    full, kind = settings.full, settings.fleet
    for hosts, reports in ((400, _HOUR), (10_000, 12)) if full else ((20, _HOUR), (400, 12)):
        yield _per_series(kind, hosts, reports)
    yield _growth(kind, 5 if full else 2)
    yield _pauses(kind, 10_000 if full else 1_000)


def _send(kind: Kind, port: int, hosts: int, reports: range) -> None:
    with processes.load(port, hosts, reports, fleet=kind, rate=_RATE) as load:
        load.result()


def _size(process: processes.Process, port: int) -> _Size:
    page = processes.get(port)
    series = page.count(b"\n") - page.count(b"\n#") - 1
    sleep(1.5)  # longer than between two sweeps of the exporter over its hosts
    return _Size(process.usage().resident, series)


def _per_series(kind: Kind, hosts: int, reports: int) -> Row:
    with processes.exporter() as (process, port):
        empty = _size(process, port)
        _send(kind, port, hosts, range(2))
        early = _size(process, port)
        _send(kind, port, hosts, range(2, reports))
        late = _size(process, port)
    per_series = (late.resident - empty.resident) / late.series
    mib = (late.resident - empty.resident) / 2**20
    return Row(
        f"{hosts:,} hosts after {reports} reports each, scraped",
        f"{per_series:.0f} bytes per series: {mib:,.0f} MiB, {late.series:,} series",
        f"after 2 reports: {(early.resident - empty.resident) / early.series:.0f} bytes; "
        f"the exporter alone: {empty.resident / 2**20:.0f} MiB",
    )


def _growth(kind: Kind, hosts: int) -> Row:
    with processes.exporter() as (process, port):
        _send(kind, port, hosts, range(_HOUR))
        early = _size(process, port)
        _send(kind, port, hosts, range(_HOUR, MAX_REPORTS))
        late = _size(process, port)
    grown = late.resident - early.resident
    return Row(
        f"growth over {MAX_REPORTS:,} reports of each of {hosts} hosts",
        f"{grown / 1024:+,.0f} KiB",
        f"{grown / early.resident:+.2%} of what it was after {_HOUR} reports",
    )


def _pauses(kind: Kind, hosts: int) -> Row:
    """Send and scrape at the usual pace, and time what delays the exporter's drain."""
    with processes.exporter(command=_INSTRUMENTED) as (process, port):
        with processes.load(port, hosts, range(4), fleet=kind) as load:
            for _ in range(3):
                sleep(5)
                processes.get(port, gzip=True)
            load.result()
        found = process.stop()
    return Row(
        f"pauses of the cyclic collector, {hosts:,} hosts every 5 s, scraped",
        f"longest {found['longest_collection_seconds'] * 1e3:.1f} ms, "
        f"{found['collections']} in {found['collection_seconds'] * 1e3:.0f} ms",
        "longest work of any kind between two drains of the socket: "
        f"{found['longest_undrained_seconds'] * 1e3:.1f} ms",
    )
