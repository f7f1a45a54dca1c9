"""Runs the benchmark and writes its table: ``python -m bench [--full] [--fleet=KIND] [CASE…]``.

The other cases keep the rows that they have.
"""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from support.processes import compile_packages

from bench.cases import (
    agent,
    dashboards,
    hostile,
    ingest,
    limits,
    memory,
    page,
    receiver,
    scrape,
    sealed,
    under_load,
)
from bench.harness.fleet import KINDS, Kind
from bench.harness.settings import Settings
from bench.report.results import Results

#: The benchmark's cases, in the order of the table.
CASES = {
    "ingest": ingest.measure,
    "scrape": scrape.measure,
    "under_load": under_load.measure,
    "receiver": receiver.measure,
    "memory": memory.measure,
    "hostile": hostile.measure,
    "sealed": sealed.measure,
    "agent": agent.measure,
    "page": page.measure,
    "dashboards": dashboards.measure,
    "limits": limits.measure,
}

#: The titles of the sections of the table, by fleet.
_TITLES: dict[Kind, str] = {
    "alike": "{}",
    "few": "{}, hosts of a few shapes",
    "unlike": "{}, no two hosts alike",
}

#: The sections of the table, and those of them that `make bench-full` fills.
SECTIONS = [title.format(case) for title in _TITLES.values() for case in CASES]
_OF_ALL_FLEETS = ("ingest", "scrape", "under_load", "memory")
PUBLISHED = [
    *CASES,
    *(_TITLES["few"].format(case) for case in _OF_ALL_FLEETS),
    *(_TITLES["unlike"].format(case) for case in _OF_ALL_FLEETS),
]


def main() -> None:
    """Run the cases that the command line names, print their rows, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], help="default: all")
    parser.add_argument("--full", action="store_true", help="an hour and a half, not minutes")
    parser.add_argument(
        "--fleet",
        choices=KINDS,
        default="alike",
        help="small hosts like the captured one, of a few shapes, or no two alike; default: alike",
    )
    parser.add_argument("--row", choices=limits.NAMES, default="", help="of the case limits")
    parser.add_argument(
        "--folder", type=Path, default=Path(__file__).parent / "report", help="of the table"
    )
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {1})  # with the load, and off the core of what is measured
    settings = Settings(full=arguments.full, fleet=arguments.fleet, row=arguments.row)
    flags = " --full" if settings.full else ""
    if settings.fleet != "alike":
        flags += f" --fleet={settings.fleet}"
    compile_packages()
    for name in arguments.cases or CASES:
        rows = []
        for row in CASES[name](settings):
            # The curves are those of the default fleet.
            rows.append(row if settings.fleet == "alike" else replace(row, points={}))
            sys.stdout.write(f"{name}: {row.what}: {row.figure}; {row.reference}\n")
            sys.stdout.flush()
        results = Results(arguments.folder)  # read again: another run may have written
        section = _TITLES[settings.fleet].format(name)
        results.put(section, f"python -m bench{flags} {name}", rows)
        results.write(SECTIONS, PUBLISHED)


if __name__ == "__main__":
    main()
