"""Scrape: CPU per sample, relative to prometheus_client and to other servers."""

import gc
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from time import process_time

import numpy as np
import orjson
from isal import isal_zlib
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from bench.harness import processes
from bench.harness.fleet import Kind, fleet
from bench.harness.in_process import InProcessExporter
from bench.harness.peers import PEERS
from bench.harness.prepared import prepared
from bench.harness.processes import Process
from bench.harness.settings import Settings
from bench.report.results import Row

_AT_ONCE = 1_000  # samples
_HOSTS: dict[Kind, int] = {"alike": 3_100, "few": 1_560, "unlike": 1_000}  # 1.5 million samples
_SERVED = 120  # hosts: as many as the peers can serve
_RUNS = 40  # enough for the kernel's ticks of 10 ms to matter little


class _Ready(Collector):
    """Metrics that exist already, so that only rendering is measured."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        yield from self._metrics


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this case."""
    hosts = _HOSTS[settings.fleet] if settings.full else 120
    exporter = InProcessExporter()
    senders = fleet(hosts, settings.fleet)
    for report in range(2):
        exporter.take(senders.datagrams(report), report)

    def plain() -> None:
        deque(exporter.exposition(1), maxlen=0)  # never as a whole, like an answer

    def packed() -> None:
        packer = isal_zlib.compressobj(level=1, wbits=31)
        deque(map(packer.compress, exporter.exposition(1)), maxlen=0)
        packer.flush()

    text = b"".join(exporter.exposition(1))
    count = _count(text, b"")
    registry = CollectorRegistry()
    registry.register(_Ready(list(text_string_to_metric_families(text.decode()))))
    gc.freeze()  # as the exporter does with hosts
    ours, gzipped, theirs = _least_cpu([plain, packed, lambda: generate_latest(registry)], 3)
    theirs, ours, gzipped = theirs / count, ours / count, gzipped / count
    what = f"{count:,} samples"
    reference = f"1/{theirs / ours:.1f} of prometheus_client ({theirs * 1e9:,.0f} ns)"
    reference += settings.first_edition("271 ns")
    yield Row(f"CPU per sample, {what}", f"{ours * 1e9:.0f} ns", reference)
    yield _stages(text)
    reference = f"1/{theirs / gzipped:.1f} of prometheus_client without gzip"
    reference += settings.first_edition("256 ns, measured apart from the row above")
    yield Row(f"the same with gzip, {what}", f"{gzipped * 1e9:.0f} ns", reference)
    squeezed, small = process_time(), zlib.compress(text[: 10**7], 1)
    slow = process_time() - squeezed
    squeezed = process_time()
    isal_zlib.compress(text[: 10**7], 1)
    fast = process_time() - squeezed
    reference = f"{slow / fast:.1f} times zlib's speed at level 1"
    yield Row("igzip on such an exposition", f"{len(small) / 1e6:.1f} MB of 10", reference)
    yield from _served(settings.fleet, b"".join(exporter.exposition(1, _SERVED)))


def _stages(text: bytes) -> Row:
    """Time what no text exposition can do without, on the samples of one."""
    samples = [line.rsplit(b" ", 1) for line in text.splitlines() if line and line[:1] != b"#"]
    values = np.array([float(value) for _, value in samples])
    texts: dict[bytes, bytes] = {}  # each text once, as in an exporter
    names = [name.partition(b"{") for name, _ in samples]
    labels = [texts.setdefault(label, label + b" ") for _, _, label in names]
    heads = [texts.setdefault(name, b"\n" + name + b"{") for name, _, _ in names]
    number = b"1234567.25"

    def convert() -> None:
        for start in range(0, len(values), _AT_ONCE):
            some = values[start : start + _AT_ONCE]
            orjson.dumps(some, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")

    def join() -> None:
        for start in range(0, len(labels), _AT_ONCE):
            some = labels[start : start + _AT_ONCE]
            parts = [heads[start], b"", number] * len(some)
            parts[1::3] = some
            b"".join(parts)

    converted, joined = (each / len(values) for each in _least_cpu([convert, join], 3))
    return Row(
        "of which any text exposition takes at least",
        f"{converted * 1e9:.0f} ns to format a number, {joined * 1e9:.0f} ns to join it with "
        "the text before it",
        "the rest gathers values and labels, and derives rates",
    )


def _least_cpu(calls: list[Callable[[], object]], runs: int) -> list[float]:
    """Return the least CPU seconds of each call; the calls alternate, run by run."""
    best = [float("inf")] * len(calls)
    for _ in range(runs):
        for number, call in enumerate(calls):
            before = process_time()
            call()
            best[number] = min(best[number], process_time() - before)
    return best


def _served(kind: Kind, text: bytes) -> Iterator[Row]:
    """Scrape Pombo and its peers, each a process with the same samples; CPU is the kernel's."""
    with (
        prepared(kind, _SERVED, 2) as fleet,
        processes.exporter(processes.OWN_BUFFER) as (process, port),
    ):
        processes.fill(port, fleet, range(2), 1_000)
        count = _count(processes.get(port), b"")
        plain, packed = _cpu_per_sample(process, port, count)
    yield Row(
        f"a scrape of pombo-exporter, {count:,} samples, HTTP and all",
        f"{plain * 1e9:,.0f} ns of CPU per sample, {packed * 1e9:,.0f} ns with gzip",
        "the reference of the rows below",
    )
    for peer in PEERS:
        what = f"a scrape of {peer.name}"
        if not peer.installed:
            yield Row(what, "not measured", f"not installed: apt-get install {peer.packages}")
            continue
        with peer.run(text) as (process, port):
            count = _count(processes.get(port), peer.prefix)
            their_plain, their_packed = _cpu_per_sample(process, port, count)
        yield Row(
            f"{what}, {count:,} samples",
            f"{their_plain * 1e9:,.0f} ns of CPU per sample, {their_packed * 1e9:,.0f} ns for a "
            "scraper that accepts gzip",
            f"Pombo takes 1/{their_plain / plain:.1f} of it, and 1/{their_packed / packed:.1f}",
        )


def _cpu_per_sample(process: Process, port: int, count: int) -> tuple[float, float]:
    """Return CPU seconds per sample: of a scrape without gzip, and of one that accepts it."""
    plain = processes.cpu_of_scrapes(process, port, _RUNS) / count
    return plain, processes.cpu_of_scrapes(process, port, _RUNS, gzip=True) / count


def _count(page: bytes, prefix: bytes) -> int:
    """Return how many samples of an exposition have names with this prefix."""
    return sum(
        line.startswith(prefix) and not line.startswith(b"#") for line in page.splitlines() if line
    )
