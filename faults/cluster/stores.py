"""What the stores answer, by the API of Prometheus, which all of them have."""

import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import orjson
from support.pages import fetch_bytes

from faults.harness.fleet import FAMILIES

#: A host, a family and the label ``device``: the series of a total.
Total = tuple[str, str, str]

#: The family and the device by which it is decided whether there are samples of a host.
_SEEN = FAMILIES[0], "eth0"

_TIMEOUT = 60.0  # seconds, for answers with all samples of a phase


@dataclass(frozen=True)
class Api:
    """A server that answers queries. Results are never taken of a cache."""

    url: str
    headers: Mapping[str, str]

    def query(self, expression: str, at: float) -> list[dict[str, Any]]:
        """Return the rows of an instant query; ``at`` is a Unix time in seconds.

        Raises:
            OSError: when it does not answer, or answers with an error.
        """
        answer = self._get("query", query=expression, time=f"{at:.3f}", nocache="1")
        found: list[dict[str, Any]] = orjson.loads(answer)["data"]["result"]
        return found

    def of_totals(self, expression: str, at: float) -> dict[Total, float]:
        """Return the value for each total of an expression with FAMILY in it."""
        return {
            (row["metric"]["instance"], family, row["metric"]["device"]): float(row["value"][1])
            for family in FAMILIES
            for row in self.query(expression.replace("FAMILY", family), at)
        }

    def samples_of_totals(self, expression: str, at: float) -> dict[Total, list[float]]:
        """Return the values for each total of an expression with FAMILY in it, in their order."""
        return {
            (row["metric"]["instance"], family, row["metric"]["device"]): [
                float(value) for _, value in row["values"]
            ]
            for family in FAMILIES
            for row in self.query(expression.replace("FAMILY", family), at)
        }

    def exported_moments(self, start: float, end: float) -> dict[str, list[float]]:
        """Return the moments of all samples of each host, as VictoriaMetrics stores them."""
        family, device = _SEEN
        match = f'{family}{{device="{device}"}}'
        parameters = {"start": f"{start:.3f}", "end": f"{end:.3f}", "reduce_mem_usage": "1"}
        lines = self._get("export", **{"match[]": match}, **parameters).splitlines()
        found: dict[str, list[float]] = {}
        for row in map(orjson.loads, lines):
            moments = found.setdefault(row["metric"]["instance"], [])
            moments += [moment / 1000 for moment in row["timestamps"]]
        return found

    def moments(self, start: float, end: float) -> dict[str, list[float]]:
        """Return the moments of all samples of each host, as Prometheus reads them."""
        family, device = _SEEN
        rows = self.query(f'{family}{{device="{device}"}}[{end - start:.0f}s]', end)
        return {row["metric"]["instance"]: [at for at, _ in row["values"]] for row in rows}

    def _get(self, what: str, **parameters: str) -> bytes:
        query = urllib.parse.urlencode(parameters)
        return fetch_bytes(f"{self.url}/api/v1/{what}?{query}", self.headers, timeout=_TIMEOUT)


@dataclass(frozen=True)
class Store:
    """A store with its replicas.

    ``increase`` and ``values`` are the expressions of the increase and of the values of FAMILY,
    with RANGE for the seconds; ``raw_values`` of all samples that exporters have shown, or nothing
    where these are not kept. ``copies`` have the same series each; ``whole`` is what users ask.
    ``is_exported`` where the moments of samples are exported, and not found by a query.
    """

    name: str
    whole: Api
    copies: Sequence[Api]
    increase: str
    values: str
    raw_values: str
    is_exported: bool

    def missing(self, totals: Mapping[Total, int], at: float) -> dict[Total, int]:
        """Return those of these totals that a copy does not have."""
        found = [api.of_totals("FAMILY", at) for api in self.copies]
        return {
            key: value
            for key, value in totals.items()
            if any(each.get(key) != value for each in found)
        }

    def hosts(self, at: float) -> int:
        """Return of how many hosts there is a sample, as users ask."""
        family, device = _SEEN
        return len(self.whole.query(f'{family}{{device="{device}"}}', at))

    def increases(self, start: float, end: float) -> list[dict[Total, float]]:
        """Return the increase of each total, as each copy answers."""
        expression = self.increase.replace("RANGE", f"{end - start:.0f}s")
        return [api.of_totals(expression, end) for api in self.copies]

    def decreases(self, start: float, end: float) -> int:
        """Return how often a value of a total was less than the one before, in all copies."""
        return self._decreases(self.values, start, end)

    def raw_decreases(self, start: float, end: float) -> int | None:
        """Return the same of all samples that were written; None where these are not kept."""
        return self._decreases(self.raw_values, start, end) if self.raw_values else None

    def _decreases(self, expression: str, start: float, end: float) -> int:
        expression = expression.replace("RANGE", f"{end - start:.0f}s")
        return sum(
            decreases(values)
            for api in self.copies
            for values in api.samples_of_totals(expression, end).values()
        )

    def moments(self, start: float, end: float) -> dict[str, list[float]]:
        """Return the moments of the samples of each host that any copy has, ascending."""
        found: dict[str, set[float]] = {}
        for api in self.copies:
            moments = api.exported_moments if self.is_exported else api.moments
            for host, some in moments(start, end).items():
                found.setdefault(host, set()).update(some)
        return {host: sorted(each) for host, each in found.items()}


def decreases(values: Sequence[float]) -> int:
    """Return how many values are less than the one before."""
    return sum(value < before for before, value in pairwise(values))


class Gap(NamedTuple):
    """A time without a sample: how long, and since which Unix time, in seconds."""

    seconds: float
    since: float


def longest_gap(moments: Iterable[float], start: float, end: float) -> Gap:
    """Return the longest time without a sample from ``start`` to ``end``.

    ``moments`` are those of the samples, ascending.
    """
    return max(Gap(after - before, before) for before, after in pairwise((start, *moments, end)))
