"""The scheduler: seconds that each core has run tasks, and that tasks have waited for it."""

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Row, families

_FAMILIES = {
    "running_seconds": "Number of seconds CPU spent running a process.",
    "waiting_seconds": "Number of seconds spent by processing waiting for this CPU.",
    "timeslices": "Number of timeslices executed by CPU.",
}

# The place of these numbers in the line of a core, see sched-stats.rst of the kernel.
_FIRST, _WORDS = 7, 10
_NANOSECONDS = 1e9


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_schedstat_*_total``."""
    rows = parse_schedstat(sources.proc("schedstat"))
    return families("node_schedstat_*_total", "counter", _FAMILIES, ("cpu",), rows)


def parse_schedstat(file: File) -> list[Row]:
    """Return the row of each core in ``/proc/schedstat``; other lines are of domains."""
    rows: list[Row] = []
    for words in file.words():
        core = words[0].removeprefix(b"cpu")
        if core == words[0]:
            continue
        if len(words) < _WORDS or not core.isdigit():
            file.skip("line", b" ".join(words))
            continue
        running, waiting, slices = file.numbers(words[_FIRST:_WORDS])
        rows.append(
            {
                "cpu": core,
                "running_seconds": _seconds(running),
                "waiting_seconds": _seconds(waiting),
                "timeslices": slices,
            }
        )
    return rows


def _seconds(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / _NANOSECONDS


COLLECTORS = [Collector("schedstat", collect)]
