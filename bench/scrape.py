"""Scrape: CPU a sample of a page, beside prometheus_client's and beside real peers."""

import shutil
import tempfile
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time

from isal import isal_zlib
from pombo_exporter.exposition import pages
from pombo_exporter.families import catalogue
from pombo_exporter.intake import Intake
from pombo_exporter.roster import Limits, Roster
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from bench import processes
from bench.fleet import INTERVAL, fleet
from bench.results import Row


class _Ready(Collector):
    """Metrics that are made already, so that rendering alone is measured."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        yield from self._metrics


def measure(*, full: bool) -> Iterator[Row]:
    """Yield the rows of this measurement."""
    hosts = 2_000 if full else 500
    catalogued = catalogue(node=True)
    roster = Roster(Limits(), catalogued.series_of(), _quiet, 0.0)
    intake = Intake(roster, lambda: 0.0)
    templates = list(fleet(hosts))
    for turn in range(2):
        for template in templates:
            intake.take(template.datagram(turn), ("127.0.0.1", 1), turn * INTERVAL, 0.0)

    def page() -> bytes:
        return b"".join(pages(roster.present(), catalogued, INTERVAL, openmetrics=False))

    def page_gzip() -> bytes:
        packer = isal_zlib.compressobj(level=1, wbits=31)
        whole = pages(roster.present(), catalogued, INTERVAL, openmetrics=False)
        return b"".join(map(packer.compress, whole)) + packer.flush()

    text = page()
    count = sum(not line.startswith(b"#") for line in text.splitlines())
    registry = CollectorRegistry()
    registry.register(_Ready(list(text_string_to_metric_families(text.decode()))))
    ours, gzipped, theirs = _in_turn(
        [page, page_gzip, lambda: generate_latest(registry)], 7 if full else 3
    )
    theirs, ours, gzipped = theirs / count, ours / count, gzipped / count
    what = f"{count:,} samples"
    beside = f"1/{theirs / ours:.1f} of prometheus_client ({theirs * 1e9:,.0f} ns)"
    yield Row("scrape", f"CPU a sample, {what}", f"{ours * 1e9:.0f} ns", beside)
    beside = f"1/{theirs / gzipped:.1f} of prometheus_client without gzip"
    yield Row("scrape", f"the same with gzip, {what}", f"{gzipped * 1e9:.0f} ns", beside)
    squeezed, packed = process_time(), zlib.compress(text[: 10**7], 1)
    plain = process_time() - squeezed
    squeezed = process_time()
    isal_zlib.compress(text[: 10**7], 1)
    fast = process_time() - squeezed
    beside = f"{plain / fast:.1f} times zlib's speed at level 1"
    yield Row("scrape", "igzip on such a page", f"{len(packed) / 1e6:.1f} MB of 10", beside)
    if full:
        yield from _peers(text, ours)


def _quiet(*_: object) -> None:
    pass


def _in_turn(calls: list[Callable[[], bytes]], runs: int) -> list[float]:
    """Return the least CPU seconds of each call, tried one after the other, run by run."""
    best = [float("inf")] * len(calls)
    for _ in range(runs):
        for number, call in enumerate(calls):
            before = process_time()
            call()
            best[number] = min(best[number], process_time() - before)
    return best


def _peers(text: bytes, ours: float) -> Iterator[Row]:
    """Measure the Pushgateway, where it is installed, with as many samples as the page has."""
    if not shutil.which("prometheus-pushgateway"):
        raise RuntimeError("prometheus-pushgateway is not installed: apt-get install it")
    port = processes.free_port()
    with tempfile.TemporaryDirectory() as folder:
        flags = (f"--web.listen-address=127.0.0.1:{port}", "--push.disable-consistency-check")
        store = f"--persistence.file={Path(folder) / 'store'}"
        with processes.Process("prometheus-pushgateway", *flags, store, core=0) as process:
            processes.wait_until_served(port, "/-/ready")
            body = b"\n".join(line for line in text.splitlines() if b"node_" in line) + b"\n"
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/metrics/job/bench", data=body, method="PUT"
            )
            urllib.request.urlopen(request, timeout=120).close()  # noqa: S310 - as above
            count = sum(line.startswith(b"node_") for line in processes.get(port).splitlines())
            before = process.usage().cpu
            runs = 5
            for _ in range(runs):
                processes.get(port)
            theirs = (process.usage().cpu - before) / runs / count
    beside = f"Pombo takes 1/{theirs / ours:.1f} of it"
    yield Row("scrape", f"Pushgateway, {count:,} samples", f"{theirs * 1e9:,.0f} ns", beside)
