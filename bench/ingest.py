"""Ingest: CPU a datagram beside a bare receive loop, and the highest rate without loss."""

import json
import sys
from collections.abc import Iterator
from time import sleep

from bench import processes
from bench.results import Row

_HOSTS = 500
_SECONDS = 8


def measure(*, full: bool) -> Iterator[Row]:
    """Yield the rows of this measurement."""
    for rate in (2_000, 10_000, 20_000) if full else (10_000,):
        pombo, values = _pombo(rate)
        bare = _bare(rate)
        yield Row(
            "ingest",
            f"CPU a datagram at {rate:,}/s",
            f"{pombo * 1e6:.1f} µs",
            f"{pombo / bare:.2f} times a bare recvfrom loop ({bare * 1e6:.1f} µs)",
        )
    yield _highest(values, full=full)


def _turns(rate: float, a_report: float) -> int:
    return max(2, round(rate * _SECONDS / (_HOSTS * a_report)))


def _pombo(rate: float) -> tuple[float, float]:
    """Return CPU seconds a datagram, and values a datagram."""
    with processes.exporter() as (process, port):
        with processes.load(port, _HOSTS, 2, rate=2_000) as warm:
            a_report = warm.result()["datagrams_a_report"]
        values = _values(processes.get(port)) / _HOSTS / a_report
        before = process.usage().cpu
        with processes.load(port, _HOSTS, _turns(rate, a_report), rate=rate, first_turn=2) as load:
            sent = load.result()["sent"]
        sleep(0.5)
        return (process.usage().cpu - before) / sent, values


def _bare(rate: float) -> float:
    port = processes.free_port()
    with processes.Process(sys.executable, "-m", "bench.bare", str(port), core=0) as process:
        sleep(0.5)
        before = process.usage().cpu
        with processes.load(port, _HOSTS, _turns(rate, 4), rate=rate) as load:
            sent = load.result()["sent"]
        sleep(0.2)
        cpu = process.usage().cpu - before
        received = json.loads(process.stop())["received"]
    return float(cpu / min(sent, received))


def _values(page: bytes) -> int:
    return sum(line.startswith(b"node_") for line in page.splitlines())


def _highest(values: float, *, full: bool) -> Row:
    """Raise the rate until datagrams are lost; the load generator may give up first."""
    best, bare = 0.0, 0.0
    for rate in range(10_000, 120_000, 5_000 if full else 15_000):
        with processes.exporter() as (_, port):
            with processes.load(port, _HOSTS, 2, rate=2_000) as warm:
                warm.result()
            turns = max(2, rate * 3 // (_HOSTS * 4))
            with processes.load(port, _HOSTS, turns, rate=rate, first_turn=2) as load:
                result = load.result()
            sleep(0.3)
            dropped = processes.total(processes.get(port), "pombo_exporter_kernel_drops_total")
        reached = result["sent"] / result["seconds"]
        if dropped or reached < rate * 0.9:
            bare = rate
            break
        best = reached
    text = f"{best:,.0f} datagrams/s, {best * values:,.0f} values/s"
    return Row(
        "ingest", "highest rate without loss, one core", text, f"first failing: {bare:,.0f}/s"
    )
