"""Ingest: CPU a datagram beside a bare receive loop, and the highest rate without loss."""

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from time import process_time, sleep

from pombo_wire import decode
from support.processes import free_port

from bench.harness import processes
from bench.harness.fleet import fleet
from bench.harness.inside import Inside
from bench.programs import awake, bare
from bench.report.results import Row

_HOSTS = 500
_WARM = 8_000  # datagrams a second
_PAST_ALL = 200_000  # datagrams a second: more than a core can send
_OWN_BUFFER = "--udp.receive-buffer=4194304"  # which the kernel may cut
_DROPS = "pombo_exporter_kernel_drops_total"


@dataclass(frozen=True)
class _Run:
    """What became of datagrams that were sent at one pace."""

    sent: int
    lost: int
    cpu: float  # seconds a datagram that came
    pace: float  # reached, of the one that was asked for
    late: float  # seconds: the latest datagram


def measure(*, full: bool) -> Iterator[Row]:
    """Yield the rows of this measurement."""
    for rate in (2_000, 10_000, 20_000) if full else (10_000,):
        yield from _at(rate, "")
        with awake.core():
            yield from _at(rate, ", the core kept awake")
    yield _warm()
    step = 5_000 if full else 10_000
    bare_best = _highest(_bare, step)
    for what, flags in (("the kernel's default", ()), ("the exporter's own", (_OWN_BUFFER,))):
        best = _highest(partial(_pombo, flags=flags), step)
        yield Row(
            f"highest rate without loss, one core, {what} receive buffer",
            f"{best:,} datagrams/s, {best * _values_a_datagram():,.0f} values/s",
            f"a bare recvfrom loop with the kernel's default: {bare_best:,} datagrams/s; "
            f"in steps of {step:,}",
        )


def _at(rate: int, how: str) -> Iterator[Row]:
    ours, theirs = _pombo(rate, 6), _bare(rate, 6)
    yield Row(
        f"CPU a datagram at {rate:,}/s{how}",
        f"{ours.cpu * 1e6:.1f} µs",
        f"{ours.cpu / theirs.cpu:.2f} times a bare recvfrom loop ({theirs.cpu * 1e6:.1f} µs)",
    )
    yield Row(
        f"the load itself at {rate:,}/s{how}",
        f"latest datagram {theirs.late * 1e3:.1f} ms late, {theirs.pace:.1%} of the pace",
        f"of {theirs.sent:,} datagrams the bare loop lost {theirs.lost:,}, Pombo {ours.lost:,}",
    )


def _warm() -> Row:
    """Time the stages of a datagram's way in this process, one after the other."""
    inside = Inside()
    stages: list[Callable[[list[bytes], int], object]] = [
        lambda datagrams, _: deque(map(json.loads, datagrams), maxlen=0),
        lambda datagrams, _: deque(map(decode, datagrams), maxlen=0),
        inside.take,
    ]
    best = [float("inf")] * len(stages)
    for turn in range(20):
        datagrams = [template.datagram(turn) for template in _TEMPLATES]
        for number, stage in enumerate(stages):
            before = process_time()
            stage(datagrams, turn)
            best[number] = min(best[number], (process_time() - before) / len(datagrams))
    loads, decoding, whole = best
    return Row(
        "CPU a datagram, in one process that does nothing else",
        f"{decoding * 1e6:.1f} µs to decode and check, "
        f"{(whole - decoding) * 1e6:.1f} µs to admit and hold",
        f"json.loads alone, unchecked: {loads * 1e6:.1f} µs",
    )


def _highest(run: Callable[[int, float], _Run], step: int) -> int:
    """Return the highest rate of which nothing is lost, in datagrams a second.

    A rate is tried three times, for another program may take a core. Where the load cannot
    keep the pace, it is the limit: then the rate before is returned.
    """
    best = 0
    for rate in range(step, _PAST_ALL, step):
        tries = (run(rate, 2) for _ in range(3))
        if not any(not tried.lost and tried.pace > 0.95 for tried in tries):
            break
        best = rate
    return best


def _turns(rate: float, seconds: float) -> int:
    return max(2, round(rate * seconds / len(_TEMPLATES)))


def _run(process: processes.Process, port: int, rate: int, seconds: float) -> dict[str, float]:
    """Play, and return what the load says, with the CPU seconds of the process."""
    before = process.usage().cpu
    with processes.load(port, _HOSTS, _turns(rate, seconds), rate=rate, first_turn=2) as load:
        result = load.result()
    sleep(0.3)
    return result | {"cpu": process.usage().cpu - before}


def _pombo(rate: int, seconds: float, flags: Sequence[str] = ()) -> _Run:
    with processes.exporter(*flags) as (process, port):
        with processes.load(port, _HOSTS, 2, rate=_WARM) as warm:
            warm.result()
        before = processes.total(processes.get(port), _DROPS)
        result = _run(process, port, rate, seconds)
        return _judged(result, int(processes.total(processes.get(port), _DROPS) - before))


def _bare(rate: int, seconds: float) -> _Run:
    port = free_port()
    with bare.loop(port) as process:
        result = _run(process, port, rate, seconds)
        return _judged(result, int(result["sent"] - process.stop()["received"]))


def _judged(result: dict[str, float], lost: int) -> _Run:
    came = result["sent"] - lost
    pace = result["asked_seconds"] / result["seconds"]
    return _Run(int(result["sent"]), lost, result["cpu"] / came, pace, result["latest_seconds"])


_TEMPLATES = list(fleet(_HOSTS))


def _values_a_datagram() -> float:
    """Return how many numbers a datagram brings, its header's aside."""
    return sum(template.values for template in _TEMPLATES) / len(_TEMPLATES)
