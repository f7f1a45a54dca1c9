"""Runs the fault suite and writes docs/reliability.md: ``python -m faults [--short] [CASE…]``.

With ``--short``, or with cases named, it only prints the rows.
"""

import argparse
import sys
from collections.abc import Callable
from time import monotonic

from faults import table
from faults.cases.clocks import clocks
from faults.cases.exhausted import descriptors, disk, memory, threads
from faults.cases.flood import flooded, overloaded
from faults.cases.http_clients import http_clients
from faults.cases.killed_agents import killed_agents
from faults.cases.killed_exporter import killed_exporter
from faults.cases.lossy import lossy
from faults.cases.partition import partition
from faults.harness.namespaces import enter_namespaces
from faults.harness.outcome import Outcome
from faults.harness.settings import FULL, SHORT, Settings

#: By name: what the table calls it, and the case.
CASES: dict[str, tuple[str, Callable[[Settings], Outcome]]] = {
    "lossy": ("a network that loses, doubles and reorders", lossy),
    "partition": ("a network that is cut, and heals", partition),
    "killed_exporter": ("an exporter that is killed", killed_exporter),
    "killed_agents": ("agents that are killed", killed_agents),
    "clocks": ("clocks that are a day wrong", clocks),
    "descriptors": ("no descriptors", descriptors),
    "threads": ("no threads", threads),
    "memory": ("no memory", memory),
    "disk": ("no room on the disk", disk),
    "flooded": ("forged, replayed and malformed datagrams", flooded),
    "overloaded": ("twice as many", overloaded),
    "http_clients": ("idle, slow and never-reading clients of HTTP", http_clients),
}


def main() -> None:
    """Run the cases that the command line names, and print their rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], help="default: all")
    parser.add_argument("--short", action="store_true", help="small counts, some seconds each")
    arguments = parser.parse_args()
    enter_namespaces("faults")
    settings = SHORT if arguments.short else FULL
    rows = []
    for name in arguments.cases or CASES:
        title, case = CASES[name]
        began = monotonic()
        rows.append([title, *case(settings).cells])
        sys.stderr.write(f"{name}: {monotonic() - began:.0f} s\n")
        sys.stdout.write(table.table(rows[-1:]))
        sys.stdout.flush()
    if not arguments.short and not arguments.cases:
        table.write(table.PATH, "make faults", rows)


if __name__ == "__main__":
    main()
