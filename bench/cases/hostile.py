"""Hostile datagrams: what the costliest one of each family of attacks takes."""

import sys
from collections.abc import Iterator
from typing import Any

from bench.fleets.hostile import FAMILIES, Family
from bench.harness import processes
from bench.harness.settings import Settings
from bench.report.results import Row


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this case."""
    for family in FAMILIES.values():
        yield _row(family, 60 if settings.full else 6)


def _row(family: Family, seconds: float) -> Row:
    command = (sys.executable, "-m", "bench.programs.hostile", family.name, str(seconds))
    with processes.Process(*command, core=0) as process:
        found: dict[str, Any] = process.result(seconds + 600)
    varied = " ".join(f"{name}={value}" for name, value in found["params"].items())
    return Row(
        f"{family.about} (`{family.name}`)",
        f"**{found['median']:,.0f} µs** of CPU for {found['bytes']:,} bytes; "
        f"longest {found['longest']:,.0f} µs",
        f"a datagram of an honest host: {found['honest']:.0f} µs; "
        f"costliest of {found['tried']:,}: {varied}",
    )
