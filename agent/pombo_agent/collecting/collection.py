"""Runs the collectors, each with a deadline, and logs what is faulty."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from typing import NamedTuple

from pombo_cli.logs import LimitedLogger
from pombo_wire.columns import columns_of
from pombo_wire.families import MAP_PREFIXES
from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collect
from pombo_agent.collecting.deadlines import Caller, Deadlines, Outcome
from pombo_agent.collecting.reading import Skips
from pombo_agent.collecting.repair import valid, without_columns
from pombo_agent.collecting.sources import NoDataError, Sources, Usage, Usages
from pombo_agent.collecting.tables import Row, table

#: Seconds until a collector without data is run again.
NO_DATA_SECONDS = 60.0

_LONGEST_SECONDS = 2.0
_SHORTEST_SECONDS = 0.1
_FEWEST_CALL_SECONDS = 0.05
_MOST_MOUNT_SECONDS = 0.05
_SLACK_SECONDS = 0.5  # for a machine that is only slow
_LEAST_SECONDS = 0.0001  # of a run that failed


class Run(NamedTuple):
    """What one run of a collector came to; ``sections`` is None where the host lacks the data."""

    sections: list[Section] | None
    skips: Skips
    seconds: float
    error: str = ""


def collection_deadlines(interval: float) -> Deadlines:
    """Return the deadlines of a collector and of all of them, for reports every ``interval``."""
    whole = min(max(interval / 2, _SHORTEST_SECONDS), _LONGEST_SECONDS)
    return Deadlines(max(whole / 5, _FEWEST_CALL_SECONDS), whole, 2 * whole + _SLACK_SECONDS)


def mount_deadlines(interval: float) -> Deadlines:
    """Return the deadlines of statvfs for one mount and for all, within that of the collector."""
    whole = collection_deadlines(interval).round / 2
    return Deadlines(min(whole / 5, _MOST_MOUNT_SECONDS), whole, whole)


def usages_by(
    caller: Caller[Usage], usage: Callable[[str], Usage]
) -> Callable[[Iterable[str]], Usages]:
    """Return a function that calls ``usage`` for each of the mount points that it is given."""

    def usages(paths: Iterable[str]) -> Usages:
        outcome = caller({path: partial(usage, path) for path in paths})
        late = {path: TimeoutError("statvfs has not returned") for path in outcome.hanging}
        return Usages(outcome.results, {**outcome.errors, **late})

    return usages


class Collection:
    """Runs the collectors. A failure of one, or one that hangs, costs its own sections alone.

    The collectors run in the threads of ``caller``; each has what it keeps for itself. A
    collector that has not returned by its deadline is run again when it has.
    """

    def __init__(
        self,
        collectors: Mapping[str, Collect],
        sources: Sources,
        caller: Caller[Run],
        log: LimitedLogger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._caller, self._log, self._clock = caller, log, clock
        self._runs = {
            name: partial(_run, collect, sources._replace(kept={}))
            for name, collect in collectors.items()
        }
        self._owners: dict[str, str] = {}  # the collector of each table and section of families
        self._families: dict[str, str] = {}  # the collector of each open family, and those of maps
        self._skipped = dict.fromkeys(collectors, 0)
        self._absent_until: dict[str, float] = {}

    def sections(self) -> list[Section]:
        """Return the sections of all collectors, then the section ``collectors`` about them.

        Return none where the waiter of ``caller`` has ended the round.
        """
        now = self._clock()
        due = {
            name: run for name, run in self._runs.items() if self._absent_until.get(name, 0) <= now
        }
        outcome = self._caller(due)
        if outcome.stopped:
            return []
        self._log_missing(outcome)
        found: list[Section] = []
        rows: list[Row] = []
        for name in self._runs:
            run = outcome.results.get(name)
            if name not in due:
                rows.append({"collector": name, "seconds": 0, "success": 0})
            elif run is None:
                rows.append({"collector": name, "success": 0})
            else:
                self._log_faults(name, run)
                if run.sections is None:
                    self._absent_until[name] = now + NO_DATA_SECONDS
                found += self._own_sections(name, run)
                success = int(run.sections is not None and not run.error)
                rows.append({"collector": name, "seconds": _seconds(run), "success": success})
        if any(self._skipped.values()):
            rows = [{**row, "skipped": self._skipped[str(row["collector"])]} for row in rows]
        return found + table("collectors", rows)

    def _own_sections(self, name: str, run: Run) -> Iterator[Section]:
        """Yield the sections of a run without tables and families of another collector.

        Their rows would be joined, and perhaps be named twice.
        """
        for section in run.sections or ():
            owner = name
            if is_table(section):
                owner = self._owners.setdefault(section.name, name)
            if owner != name:
                self._log_owner(name, section.name, owner)
                continue
            taken = []
            for at, family in enumerate(_families(section.name, section.values, section.type)):
                owner = self._families.setdefault(family, name)
                if owner != name:
                    self._log_owner(name, family, owner)
                    taken.append(at)
            if not taken:
                yield section
            elif len(taken) < len(section.values):
                yield without_columns(section, taken)

    def _log_owner(self, name: str, item: str, owner: str) -> None:
        error = f"{item} belongs to the collector {owner}"
        self._log.warning("collector failed", key=f"collector {name}", collector=name, error=error)

    def _log_missing(self, outcome: Outcome[Run]) -> None:
        for name in outcome.hanging:
            key = f"collector {name} has not returned"
            self._log.warning("collector has not returned", key=key, collector=name)
        if outcome.skipped:
            names = " ".join(outcome.skipped)
            message = "no time or thread left for collectors"
            self._log.warning(message, key=message, collectors=names)

    def _log_faults(self, name: str, run: Run) -> None:
        if run.error:
            key = f"collector {name}"
            self._log.warning("collector failed", key=key, collector=name, error=run.error)
        self._skipped[name] += run.skips.count
        for kind, (item, path) in run.skips.examples.items():
            fields = {"collector": name, "kind": kind, "item": item, "file": path}
            self._log.warning("collector skipped an item", key=f"collector {name} {kind}", **fields)


def _seconds(run: Run) -> float:
    """Return what a run took: 0 where there is nothing to collect, and more where it failed."""
    if run.sections is None:
        return 0
    return max(run.seconds, _LEAST_SECONDS) if run.error else run.seconds


@lru_cache(maxsize=1024)  # they are the same in each report
def _families(section: str, columns: tuple[str, ...], kind: str) -> tuple[str, ...]:
    """Return the families that a section has under names of its own, one for each column."""
    if kind:
        return tuple(section.replace("*", each, 1) for each in columns) or (section,)
    prefix = MAP_PREFIXES.get(section)
    return tuple(prefix + each for each in columns) if prefix else ()


def is_table(section: Section) -> bool:
    """Return whether a section has rows of its own: it is a table or an open family."""
    known = columns_of(section.name)
    return known.keys > 0 if known else bool(section.type)


def _run(collect: Collect, sources: Sources) -> Run:
    """Run a collector. It may be abandoned at any place."""
    start = time.perf_counter()
    skips = Skips()
    error = ""
    sections: list[Section] | None = []
    try:
        # The exporter would refuse a whole datagram for one invalid section.
        sections = [valid(found, skips) for found in collect(sources._replace(skips=skips))]
        tables = [section.name for section in sections if is_table(section)]
        if len({*tables}) < len(tables):
            error, sections = "ValueError: a table or family is returned twice", []
    except (NoDataError, FileNotFoundError, NotADirectoryError):
        sections = None
    except Exception as raised:  # noqa: BLE001  # the other collectors still report
        error = f"{type(raised).__name__}: {raised}"
    return Run(sections, skips, round(time.perf_counter() - start, 4), error)
