"""What each collector costs: CPU time of a run, and the bytes that it adds to a report.

Usage: ``python -m bench.cases.collector_costs``

It takes some seconds, prints a table, and writes bench/report/collectors.json, which `make docs`
puts into docs/metrics.md. A collector that has no data on this machine is run on the files of its
tests.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from pombo_agent import loop, options
from pombo_agent.collecting.collection import mount_deadlines, usages_by
from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.deadlines import Caller
from pombo_agent.collecting.flags import Flags, default_of
from pombo_agent.collecting.reading import Skips
from pombo_agent.collecting.repair import valid
from pombo_agent.collecting.sources import NoDataError, Sources, Usage
from pombo_agent.collecting.tables import table
from pombo_agent.discovery import usage_function
from pombo_agent.report import constant_sections, with_time
from pombo_agent.settings import Options
from pombo_agent.wakeup import EventWaiter
from pombo_wire.columns import EXTRA
from pombo_wire.forms import packed
from pombo_wire.section import Section, in_order
from pombo_wire.splitting import Form, Splitter
from support.fixtures import FIXTURES, copy_fixture, sources_in
from support.system_bus import serving

from bench.cases.report_size import reporter
from bench.harness import bus
from bench.report.results import circumstances

#: Where the costs are kept.
FILE = Path(__file__).parents[1] / "report" / "collectors.json"

#: Where a collector has found its data: on this machine, in files of its tests, on a bus of our
#: own, or nowhere.
MACHINE, FILES, BUS, NOWHERE = "machine", "files", "bus", "nowhere"

#: What has nothing to read without its flags.
_NEEDS_FLAGS = {"sysctl", "textfile"}

_INTERVAL = 5.0  # seconds, the default
_WARM_UP = 5  # runs, after which a collector has what it keeps
_RUNS = 400
_REPORTS = 200
_SECONDS = 0.6  # at most, for a collector


class Cost(NamedTuple):
    """What a collector costs.

    ``milliseconds`` are of CPU time a run, the median. ``values`` is how many numbers it sends,
    and ``bytes`` what it adds to a packed report of this machine. ``look`` is the milliseconds of
    a run on this machine, where it has found nothing there. It is then run once a minute, or with
    ``looks_always`` for each report, since finding nothing is a success.
    """

    where: str
    milliseconds: float | None
    values: int
    bytes: int
    look: float | None = None
    looks_always: bool = False


class Reports:
    """The reports of this machine, of which the sections of each collector are a part."""

    def __init__(self, sections: Mapping[str, Sequence[Section]]) -> None:
        self._sections = sections
        found: list[Options] = []
        flags = ("--server=127.0.0.1:5005", "--name=web-17.example.net")
        options.command(found.append)(flags, standalone_mode=False)
        self._header = with_time(loop.header(found[0]))

    def bytes_of(self, name: str, sections: Sequence[Section]) -> int:
        """Return what a collector with these sections adds to a report.

        That is what a report without them lacks, if datagrams could be of any length. The table
        of processes takes what room datagrams of 1,200 bytes have, so for it they are counted.
        """
        others = {each: its for each, its in self._sections.items() if each != name}
        is_extra = any(section.name in EXTRA for section in sections)
        size = self._in_datagrams if is_extra else self._as_one
        return size({**others, name: sections}) - size(others)

    def _as_one(self, sections: Mapping[str, Sequence[Section]]) -> int:
        known = [one for one in _report(sections) if one.name not in EXTRA]
        return len(packed(self._header, in_order(known)))

    def _in_datagrams(self, sections: Mapping[str, Sequence[Section]]) -> int:
        datagrams, _ = Splitter(Form.PACKED).datagrams(self._header, _report(sections))
        return sum(map(len, datagrams))


def _report(sections: Mapping[str, Sequence[Section]]) -> list[Section]:
    """Return the sections of all collectors, and the one about the collectors."""
    rows = [
        {"collector": name, "seconds": 0.0004 if its else 0, "success": int(bool(its))}
        for name, its in sections.items()
    ]
    every = [one for its in sections.values() for one in its]
    return [*constant_sections({}), *every, *table("collectors", rows)]


def this_machine(collector: Collector) -> Sources:
    """Return this machine as what a collector reads from, with the default flags."""
    mounts: Caller[Usage] = Caller(EventWaiter(), mount_deadlines(_INTERVAL), inline=True)
    flags = Flags({flag.name: default_of(flag) for flag in collector.flags})
    paths = "/proc", "/sys", "/", "/run/udev/data"
    return Sources(*paths, flags, usages_by(mounts, usage_function()), Skips(), {})


def collect(collector: Collector, sources: Sources) -> list[Section] | None:
    """Return the sections of a collector as the agent sends them, and None without data."""
    skips = Skips()
    try:
        found = collector.collect(sources._replace(skips=skips))
    except (NoDataError, OSError, ImportError):
        return None
    return [valid(section, skips) for section in found]


def milliseconds(
    collector: Collector, sources: Sources, clock: Callable[[], float] = time.process_time
) -> float:
    """Return the CPU time of a run, in all threads of this process: the median of many runs."""
    for _ in range(_WARM_UP):
        collect(collector, sources)
    spent: list[float] = []
    end = time.monotonic() + _SECONDS
    while len(spent) < _RUNS and time.monotonic() < end:
        start = clock()
        collect(collector, sources)
        spent.append(clock() - start)
    return round(median(spent) * 1000, 3)


def cost(collector: Collector, reports: Reports) -> Cost:
    """Measure a collector on this machine, or where it has no data, on the files of its tests."""
    name = collector.name
    here = this_machine(collector)
    found, spent = collect(collector, here), milliseconds(collector, here)
    if found and name not in _NEEDS_FLAGS:
        return Cost(MACHINE, spent, _values(found), reports.bytes_of(name, found))
    always = found is not None
    with tempfile.TemporaryDirectory() as folder:
        if name in bus.SERVICES:
            with serving(bus.SERVICES[name], Path(folder)) as address:
                os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = address
                made = collect(collector, here) or []
                # The other threads are those of the service.
                of_bus = milliseconds(collector, here, time.thread_time)
                del os.environ["DBUS_SYSTEM_BUS_ADDRESS"]
            size = reports.bytes_of(name, made)
            return Cost(BUS, of_bus, _values(made), size, spent, always)
    if not (FIXTURES / name).exists():
        return Cost(NOWHERE, None, 0, 0, spent, always)
    with tempfile.TemporaryDirectory() as folder:
        host = Path(folder) / "host"
        copy_fixture(name, host)
        files = sources_in(name, host)
        made = collect(collector, files) or []
        of_files = milliseconds(collector, files)
    return Cost(FILES, of_files, _values(made), reports.bytes_of(name, made), spent, always)


def _values(sections: Sequence[Section]) -> int:
    return sum(len(section.numbers) for section in sections)


def costs() -> Iterator[tuple[str, Cost]]:
    """Yield the cost of each collector, by name."""
    collectors = options.COLLECTORS
    reports = Reports(
        {
            name: collect(collector, this_machine(collector)) or []
            for name, collector in collectors.items()
            if collector.enabled
        }
    )
    for name in sorted(collectors):
        yield name, cost(collectors[name], reports)


def whole_report() -> dict[str, float]:
    """Return the CPU milliseconds and the bytes of a whole report of this machine."""
    reports = reporter()
    sizes = [sum(map(len, reports.next_report())) for _ in range(_WARM_UP)]
    spent = []
    for _ in range(_REPORTS):
        start = time.process_time()
        reports.next_report()
        spent.append(time.process_time() - start)
    return {"milliseconds": round(median(spent) * 1000, 1), "bytes": sizes[-1]}


def main() -> None:
    """Measure, print and write."""
    found = {}
    sys.stdout.write("| collector | data | CPU, ms | values | bytes | look, ms | always |\n")
    sys.stdout.write("|---|---|--:|--:|--:|--:|---|\n")
    for name, each in costs():
        found[name] = each._asdict()
        cells = ("" if cell is None else str(cell) for cell in each)
        sys.stdout.write(f"| {name} | {' | '.join(cells)} |\n")
        sys.stdout.flush()
    kept = {
        "command": "python -m bench.cases.collector_costs",
        **circumstances(),
        "report": whole_report(),
        "collectors": found,
    }
    FILE.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
