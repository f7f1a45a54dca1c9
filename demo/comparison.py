"""Compares what a host has counted with what ``increase()`` in Prometheus says, to the byte.

``increase()`` extrapolates: it assumes that a counter grew outside the samples as it did between
them, up to the ends of the range. So a range is used that ends at two samples. Each sample has the
number of the report that it comes from, and so it is known what the host had counted then.
"""

import asyncio
from typing import Any, Final

import aiohttp
from msgspec import Struct

from demo.prometheus import Prometheus, PrometheusError, Sample, quoted
from demo.simulated import Simulated
from demo.simulation.template import INTERFACE, REPORTS

#: The counters, in the order in which the simulation has their totals.
COUNTERS: Final = {
    "received": "node_network_receive_bytes_total",
    "transmitted": "node_network_transmit_bytes_total",
}

WINDOW: Final = "2m"


class Compared(Struct, frozen=True):
    """One counter of a host, as one exporter has it.

    ``counted`` is by how many bytes it grew between two reports, by the host's own account.
    ``increase`` is what Prometheus says for the samples of these reports, and ``extrapolated`` for
    the last two minutes; None where there are fewer than two samples.
    """

    replica: str
    counter: str
    first_report: int
    last_report: int
    samples: int
    seconds: float
    counted: int
    increase: int
    extrapolated: float | None

    @property
    def difference(self) -> int:
        """The bytes that Prometheus has more than the host."""
        return self.increase - self.counted


class Comparison(Struct, frozen=True):
    """All counters of a host; ``difference`` is the greatest, None without any counter.

    ``fates`` are those of its last reports by exporter, the oldest first.
    """

    host: str
    reports: int
    difference: int | None
    rows: list[Compared]
    fates: list[list[int]]


async def compare(
    client: aiohttp.ClientSession, prometheus: Prometheus, simulated: Simulated, host: str
) -> Comparison | None:
    """Return the comparison of one host; None where the simulation has no such host.

    Raises:
        PrometheusError: when Prometheus does not answer.
        SimulationError: when the simulation does not answer.
    """
    selector = f'instance="{quoted(host)}"'
    found = await prometheus.samples(client, f"{REPORTS}{{{selector}}}[{WINDOW}]")
    spans = {labels["replica"]: samples for labels, samples in found if len(samples) > 1}
    wanted = [round(samples[at].value) for samples in spans.values() for at in (0, -1)]
    known = await simulated.ask("host", name=host, reports=wanted)
    if known is None:
        return None
    totals = dict(zip(wanted, known["totals"], strict=True))
    rows = await asyncio.gather(
        *(
            _compared(client, prometheus, f'{selector},replica="{replica}"', counter, samples)
            for replica, samples in spans.items()
            for counter in COUNTERS
        )
    )
    each = ((replica, at, name) for replica in spans for at, name in enumerate(COUNTERS))
    compared = []
    for (replica, at, name), (increase, extrapolated) in zip(each, rows, strict=True):
        samples = spans[replica]
        first, last = (round(samples[end].value) for end in (0, -1))
        if totals[first] is None or totals[last] is None:
            continue
        compared.append(
            Compared(
                replica,
                name,
                first,
                last,
                len(samples),
                samples[-1].time - samples[0].time,
                totals[last][at] - totals[first][at],
                increase,
                extrapolated,
            )
        )
    differences = (row.difference for row in compared)
    greatest = max(differences, key=abs, default=None)
    return Comparison(host, known["reports"], greatest, compared, known["fates"])


async def _compared(
    client: aiohttp.ClientSession,
    prometheus: Prometheus,
    selector: str,
    counter: str,
    samples: list[Sample],
) -> tuple[int, float | None]:
    """Return the increase of a counter between two samples, and that of the window."""
    series = f'{COUNTERS[counter]}{{{selector},device="{INTERFACE}"}}'
    milliseconds = round((samples[-1].time - samples[0].time) * 1000)
    # From version 3 on, the first instant of a range is not in it. So the range begins one
    # millisecond before the first sample, and the growth that is assumed for it is taken off.
    exact = f"increase({series}[{milliseconds + 1}ms] @ {samples[-1].time:.3f})"
    between, window = await asyncio.gather(
        prometheus.instant(client, f"{exact} * {milliseconds} / {milliseconds + 1}"),
        prometheus.instant(client, f"increase({series}[{WINDOW}])"),
    )
    if not between:
        raise PrometheusError(f"{exact}: no sample")
    return round(between[0][1].value), window[0][1].value if window else None


async def equal_totals(
    client: aiohttp.ClientSession, prometheus: Prometheus, simulated: Simulated, time: float
) -> tuple[int, int]:
    """Return how many totals of all hosts there are at a Unix time, and how many are right.

    Each sample in Prometheus is compared with what the host had counted at the report that the
    sample comes from.
    """
    queries = (REPORTS, *(f'{each}{{device="{INTERFACE}"}}' for each in COUNTERS.values()))
    found: list[Any] = await asyncio.gather(
        *(prometheus.instant(client, f"{query} @ {time:.3f}") for query in queries)
    )
    by_series = [
        {(labels["instance"], labels["replica"]): sample.value for labels, sample in each}
        for each in found
    ]
    reports, *totals = by_series
    keys = [key for key in reports if all(key in each for each in totals)]
    right = await simulated.ask(
        "equal",
        hosts=[host for host, _ in keys],
        reports=[round(reports[key]) for key in keys],
        totals=[[round(each[key]) for each in totals] for key in keys],
    )
    return len(keys) * len(COUNTERS), right
