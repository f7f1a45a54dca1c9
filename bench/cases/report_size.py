"""Print what a report of this machine costs: bytes by section, datagrams, processor time.

Usage: ``python -m bench.cases.report_size``
"""

import logging
import re
import resource
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
from pombo_agent.collectors import COLLECTORS, Filter, Sources, usage
from pombo_agent.collectors.mount_timeout import MountCaller
from pombo_agent.options import FILTERS
from pombo_agent.report import Reporter, constant_parts
from pombo_cli.logs import LimitedLogger
from pombo_wire import MAPS, SECTIONS, Report

_REPORTS = 200


def reporter() -> Reporter:
    """Return what makes the reports of an agent that has no flags but its server."""
    log = LimitedLogger(logging.getLogger("pombo_agent"), every=600.0)
    filters = {
        name: Filter(exclude=re.compile(pattern) if pattern else None)
        for name, pattern in FILTERS.items()
    }
    sources = Sources(Path("/proc"), Path("/sys"), Path("/"), filters, MountCaller(usage, log))
    header = Report("web-17.example.net", session=time.time_ns(), seq=0, interval=5)
    return Reporter(header, constant_parts({}), COLLECTORS, sources, log)


def sizes(datagrams: list[bytes]) -> Counter[str]:
    """Return the bytes of each section, with its name and comma, and those of the headers."""
    found: Counter[str] = Counter()
    for datagram in datagrams:
        for name, value in msgspec.json.decode(datagram).items():
            if name in SECTIONS or name in MAPS:
                found[name] += len(msgspec.json.encode({name: value})) - 1
        found["headers"] += len(datagram)
    found["headers"] -= found.total() - found["headers"]
    return found


def main() -> None:
    """Measure and print."""
    reports = reporter()
    datagrams = reports.next_report()
    write = sys.stdout.write
    write("| section | bytes |\n|---|---|\n")
    for name, size in sizes(datagrams).most_common():
        write(f"| {name} | {size:,} |\n")
    total = sum(map(len, datagrams))
    write(f"| **{len(datagrams)} datagrams** | **{total:,}** |\n\n")
    start = time.process_time()
    for _ in range(_REPORTS):
        reports.next_report()
    spent = (time.process_time() - start) / _REPORTS
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    write(f"{spent * 1000:.1f} ms of processor time a report, {resident:.0f} MiB resident\n")


if __name__ == "__main__":
    main()
