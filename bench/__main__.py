"""Runs the benchmark and writes its table: ``python -m bench [--full] [PART…]``.

Parts that are not asked for keep the rows that they have.
"""

import argparse
import os
import sys
from pathlib import Path

from bench.cases import agent, ingest, memory, page, scrape, together
from bench.report.results import Results

_PARTS = {
    "ingest": ingest.measure,
    "scrape": scrape.measure,
    "together": together.measure,
    "memory": memory.measure,
    "agent": agent.measure,
    "page": page.measure,
}


def main() -> None:
    """Run the parts that the command line asks for, print their rows, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*_PARTS, []], help="default: all")
    parser.add_argument(
        "--full", action="store_true", help="three quarters of an hour, not minutes"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path(__file__).parent / "report", help="of the table"
    )
    asked = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {1})  # with the load, and off the core of what is measured
    full = " --full" if asked.full else ""
    for name in asked.parts or _PARTS:
        rows = []
        for row in _PARTS[name](full=asked.full):
            rows.append(row)
            sys.stdout.write(f"{name}: {row.what}: {row.figure}; {row.beside}\n")
            sys.stdout.flush()
        results = Results(asked.folder)  # read anew: another part may have been written
        results.put(name, f"python -m bench{full} {name}", rows)
        results.write(list(_PARTS))


if __name__ == "__main__":
    main()
