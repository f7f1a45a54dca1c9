"""Packs the reports of some hosts into files, for ``bench.programs.load`` to send.

It prints one line of JSON: how many datagrams there are.
"""

import argparse
import json
import sys
from pathlib import Path

from bench.fleets.shapes import OTHERS
from bench.harness.fleet import INTERVAL, KINDS, senders
from bench.harness.prepared import write


def main() -> None:
    """Write what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--fleet", choices=[*KINDS, *OTHERS], required=True)
    parser.add_argument("--first-host", type=int, required=True)
    parser.add_argument("--end", type=int, required=True, help="the host after the last one")
    parser.add_argument("--reports", type=int, required=True, help="of each host, from the first")
    parser.add_argument("--interval", type=float, default=INTERVAL, help="seconds between reports")
    arguments = parser.parse_args()
    hosts = range(arguments.first_host, arguments.end)
    name = f"{arguments.first_host:08}"
    fleet = senders(hosts, arguments.fleet, interval=arguments.interval)
    count = write(fleet, arguments.reports, arguments.folder, name)
    json.dump({"datagrams": count}, sys.stdout)


if __name__ == "__main__":
    main()
