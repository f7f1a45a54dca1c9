"""Prints what one report of a host has, for each shape of the fleets.

Usage: ``python -m bench.fleets.count``
"""

import sys
from typing import NamedTuple

from bench.fleets.shapes import OTHERS, SHAPES
from bench.harness.fleet import Fleet, fleet, shaped
from bench.harness.in_process import InProcessExporter

_HOSTS = 200


class Count(NamedTuple):
    """What a report of one host has: an average, if the hosts are of several shapes."""

    datagrams: float
    values: float
    changing: float  # values that are another one in each report
    samples: float  # that the exporter renders of the second report
    of_host: float  # of these, those of ``host_*``
    of_node: float
    bytes: float  # of the datagrams


def count(hosts: Fleet, number: int) -> Count:
    """Return what one report of this number of hosts has.

    Raises:
        RuntimeError: when a datagram is refused.
    """
    exporter = InProcessExporter()
    datagrams: list[bytes] = []
    for report in range(2):
        datagrams = list(hosts.datagrams(report))
        exporter.take(datagrams, report)
    if exporter.refused:
        raise RuntimeError(f"{exporter.refused} datagrams were refused")
    found = (
        len(datagrams),
        hosts.values,
        hosts.changing,
        *(exporter.samples(1, prefix) for prefix in (b"", b"host_", b"node_")),
        sum(map(len, datagrams)),
    )
    return Count(*(each / number for each in found))


def table() -> str:
    """Return the counts of all shapes and fleets as a Markdown table."""
    fleets = {
        **{f"`{shape}`": (shaped(shape), 1) for shape in (*OTHERS, *SHAPES)},
        "fleet `few`": (fleet(_HOSTS, "few"), _HOSTS),
        "fleet `unlike`": (fleet(_HOSTS, "unlike"), _HOSTS),
    }
    lines = [
        "| hosts | datagrams | values | of which change | samples | `host_*` | `node_*` | kB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, (hosts, number) in fleets.items():
        *counts, size = count(hosts, number)
        numbers = " | ".join(f"{each:,.1f}".removesuffix(".0") for each in counts)
        # Versions of zlib differ by some bytes.
        lines.append(f"| {name} | {numbers} | {size / 1000:.1f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
