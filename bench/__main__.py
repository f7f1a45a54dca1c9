"""Runs the benchmark and writes its table: ``python -m bench [--full] [--fleet=KIND] [CASE…]``.

The other cases keep the rows that they have.
"""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from bench.cases import agent, ingest, memory, page, receiver, scrape, under_load
from bench.harness.fleet import KINDS
from bench.harness.settings import Settings
from bench.report.results import Results

#: The benchmark's cases, in the order of the table.
CASES = {
    "ingest": ingest.measure,
    "scrape": scrape.measure,
    "under_load": under_load.measure,
    "receiver": receiver.measure,
    "memory": memory.measure,
    "agent": agent.measure,
    "page": page.measure,
}

_UNLIKE = "{}, no two hosts alike"

#: The sections of the table: the cases with the fleet ``few``, then those with ``unlike``.
SECTIONS = [*CASES, *map(_UNLIKE.format, CASES)]


def main() -> None:
    """Run the cases that the command line names, print their rows, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], help="default: all")
    parser.add_argument(
        "--full", action="store_true", help="three quarters of an hour, not minutes"
    )
    parser.add_argument(
        "--fleet",
        choices=KINDS,
        default="few",
        help="hosts of a few shapes, or no two alike; default: few",
    )
    parser.add_argument(
        "--folder", type=Path, default=Path(__file__).parent / "report", help="of the table"
    )
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {1})  # with the load, and off the core of what is measured
    settings = Settings(full=arguments.full, fleet=arguments.fleet)
    flags = " --full" if settings.full else ""
    if settings.fleet != "few":
        flags += f" --fleet={settings.fleet}"
    for name in arguments.cases or CASES:
        rows = []
        for row in CASES[name](settings):
            # The curves are those of the fleet `few`.
            rows.append(row if settings.fleet == "few" else replace(row, points={}))
            sys.stdout.write(f"{name}: {row.what}: {row.figure}; {row.reference}\n")
            sys.stdout.flush()
        results = Results(arguments.folder)  # read again: another run may have written
        section = name if settings.fleet == "few" else _UNLIKE.format(name)
        results.put(section, f"python -m bench{flags} {name}", rows)
        results.write(SECTIONS)


if __name__ == "__main__":
    main()
