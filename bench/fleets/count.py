"""Prints what one report of a host has, for each shape of the fleets.

Usage: ``python -m bench.fleets.count``
"""

import sys
from typing import NamedTuple

from bench.fleets.shapes import SHAPES
from bench.harness.fleet import Fleet, fleet, shaped
from bench.harness.in_process import InProcessExporter

_HOSTS = 200


class Count(NamedTuple):
    """What a report of one host has: an average, if the hosts are of several shapes."""

    datagrams: float
    values: float
    changing: float  # values that are another one in each report
    samples: float  # that the exporter renders of the second report
    bytes: float  # of the datagrams


def count(hosts: Fleet, number: int) -> Count:
    """Return what one report of this number of hosts has.

    Raises:
        RuntimeError: when a datagram is refused.
    """
    exporter, size = InProcessExporter(), 0
    for report in range(2):
        datagrams = list(hosts.datagrams(report))
        size = sum(map(len, datagrams))
        exporter.take(datagrams, report)
    if exporter.refused:
        raise RuntimeError(f"{exporter.refused} datagrams were refused")
    found = len(hosts), hosts.values, hosts.changing, exporter.samples(1), size
    return Count(*(each / number for each in found))


def table() -> str:
    """Return the counts of all shapes and fleets as a Markdown table."""
    fleets = {
        **{f"`{shape}`": (shaped(shape), 1) for shape in SHAPES},
        "fleet `few`": (fleet(_HOSTS, "few"), _HOSTS),
        "fleet `unlike`": (fleet(_HOSTS, "unlike"), _HOSTS),
    }
    lines = [
        "| hosts | datagrams | values | of which change | samples | bytes |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, (hosts, number) in fleets.items():
        numbers = " | ".join(f"{each:,.1f}".removesuffix(".0") for each in count(hosts, number))
        lines.append(f"| {name} | {numbers} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
