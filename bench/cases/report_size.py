"""Print what a report of this machine costs: bytes by section, datagrams, processor time.

Usage: ``python -m bench.cases.report_size``
"""

import logging
import sys
import time
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from pombo_agent import loop, options
from pombo_agent.report import Reporter
from pombo_agent.settings import Options
from pombo_agent.wakeup import EventWaiter
from pombo_cli.logs import LimitedLogger
from pombo_wire.columns import EXTRA
from pombo_wire.forms import packed, plain
from pombo_wire.section import Section, in_order
from pombo_wire.splitting import Form

_REPORTS = 200


def reporter(form: Form = Form.PACKED) -> Reporter:
    """Return what makes the reports of an agent that has no flags but its server and its name."""
    found: list[Options] = []
    flags = ("--server=127.0.0.1:5005", "--name=web-17.example.net", f"--wire={form.value}")
    options.command(found.append)(flags, standalone_mode=False)
    log = LimitedLogger(logging.getLogger("pombo_agent"), every=600.0)
    return loop.reporter(found[0], loop.collection(found[0], EventWaiter()), log)


def sizes(header: Mapping[str, Any], sections: Sequence[Section]) -> dict[str, tuple[int, int]]:
    """Return the bytes of each section, by its name: in the plain form and in the packed form.

    They are what a datagram without the section lacks, if datagrams could be of any length. The
    last item is the header.
    """
    found = {}
    for place, section in enumerate(sections):
        others = [*sections[:place], *sections[place + 1 :]]
        found[section.name] = tuple(
            len(encode(header, sections)) - len(encode(header, others))
            for encode in (plain, packed)
        )
    found["header"] = len(plain(header, [])), len(packed(header, []))
    return found  # type: ignore[return-value]


def main() -> None:
    """Measure and print."""
    write = sys.stdout.write
    reports = {form: reporter(form) for form in (Form.JSON, Form.PACKED)}
    header, sections = reports[Form.PACKED].collect()
    write("| section | bytes, plain | packed |\n|---|--:|--:|\n")
    # The processes take what room the other sections leave.
    others = [section for section in in_order(sections) if section.name not in EXTRA]
    bytes_of = sizes(header, others)
    for name, its in sorted(bytes_of.items(), key=itemgetter(1), reverse=True):
        write(f"| `{name}` | {its[0]:,} | {its[1]:,} |\n")
    totals = []
    for agent in reports.values():
        datagrams = agent.datagrams(header, others)
        totals.append(f"{sum(map(len, datagrams)):,} in {len(datagrams)}")
    write(f"| **bytes in datagrams** | **{totals[0]}** | **{totals[1]}** |\n\n")
    start = time.process_time()
    for _ in range(_REPORTS):
        reports[Form.PACKED].next_report()
    spent = (time.process_time() - start) / _REPORTS
    write(f"{spent * 1000:.1f} ms of processor time a report\n")


if __name__ == "__main__":
    main()
