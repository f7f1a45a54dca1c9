"""Processes and threads: how many there are in each state."""

import os
from collections import Counter

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File, PathLike, decoded
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import families, family

_FAMILIES = {
    "threads": "Allocated threads in system",
    "max_threads": "Limit of threads in the system",
    "pids": "Number of PIDs",
    "max_processes": "Number of max PIDs limit",
}
_STATE = "Number of processes in each state."
_THREADS_STATE = "Number of threads in each state."

# Of the words in /proc/<pid>/stat after the name; see proc_pid_stat(5).
_THREADS = 17


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_processes_*``."""
    processes: Counter[str] = Counter()
    of_threads: Counter[str] = Counter()
    threads = 0.0
    for pid in _numbers(sources, sources.procfs):
        found = _stat(sources, f"{sources.procfs}/{pid}")
        if found is None:  # the process has ended
            continue
        state, count = found
        processes[state] += 1
        threads += count
        tasks = f"{sources.procfs}/{pid}/task"
        for task in _numbers(sources, tasks):
            of_thread = found if task == pid else _stat(sources, f"{tasks}/{task}")
            if of_thread is not None:
                of_threads[of_thread[0]] += 1
    if not processes:
        raise NoDataError("no processes in /proc")
    kernel = f"{sources.procfs}/sys/kernel"
    row = {
        "threads": threads,
        "max_threads": sources.value(f"{kernel}/threads-max"),
        "pids": sum(processes.values()),
        "max_processes": sources.value(f"{kernel}/pid_max"),
    }
    return [
        *families("node_processes_*", "gauge", _FAMILIES, (), [row]),
        *family("node_processes_state", "gauge", _STATE, ("state",), sorted(processes.items())),
        *family(
            "node_processes_threads_state",
            "gauge",
            _THREADS_STATE,
            ("thread_state",),
            sorted(of_threads.items()),
        ),
    ]


def _numbers(sources: Sources, folder: PathLike) -> list[str]:
    """Return the names in a folder that are numbers; there are none where it is absent."""
    try:
        return [name for name in os.listdir(folder) if name.isdecimal()]
    except OSError as error:
        sources.skip_unreadable(error, folder)
        return []


def _stat(sources: Sources, folder: str) -> tuple[str, float] | None:
    """Return the state and the number of threads of a process; ``None`` where it has ended."""
    file = sources.optional(f"{folder}/stat")
    return None if file is None else parse_stat(file)


def parse_stat(file: File) -> tuple[str, float] | None:
    """Return the state and the number of threads in ``/proc/<pid>/stat``, 0 where it is unreadable.

    The name of the process may contain spaces and parentheses.
    """
    _name, end, rest = file.data.rpartition(b")")
    words = rest.split() if end else []
    if len(words) <= _THREADS:
        file.skip("line", file.data)
        return None
    return decoded(words[0]), file.number(words[_THREADS]) or 0


COLLECTORS = [Collector("processes", collect, enabled=False)]
