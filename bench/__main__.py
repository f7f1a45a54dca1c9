"""Runs the benchmark and writes its table: ``python -m bench [--full] [CASE…]``.

The other cases keep the rows that they have.
"""

import argparse
import os
import sys
from pathlib import Path

from bench.cases import agent, ingest, memory, page, receiver, scrape, under_load
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


def main() -> None:
    """Run the cases that the command line names, print their rows, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], help="default: all")
    parser.add_argument(
        "--full", action="store_true", help="three quarters of an hour, not minutes"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path(__file__).parent / "report", help="of the table"
    )
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {1})  # with the load, and off the core of what is measured
    full = " --full" if arguments.full else ""
    for name in arguments.cases or CASES:
        rows = []
        for row in CASES[name](full=arguments.full):
            rows.append(row)
            sys.stdout.write(f"{name}: {row.what}: {row.figure}; {row.reference}\n")
            sys.stdout.flush()
        results = Results(arguments.folder)  # read again: another run may have written
        results.put(name, f"python -m bench{full} {name}", rows)
        results.write(list(CASES))


if __name__ == "__main__":
    main()
