"""The collector ``processes``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import processes

WriteFiles = Callable[[Path, dict[str, str]], Path]

STAT = "{pid} (x) {state} 1 2 3 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 5 6 7\n"


def test_name_may_contain_spaces_and_parentheses() -> None:
    assert processes.parse_stat(File(STAT.format(pid=7, state="Z", threads=3).encode())) == ("Z", 3)
    file = File(b"7 (a) R 9) (b\nc) S 1 2 3 0 -1 0 0 0 0 0 0 0 0 0 20 0 2 0 5\n")
    assert processes.parse_stat(file) == ("S", 2)
    short = File(b"7 (a) S 1 2\n")
    assert processes.parse_stat(short) is None
    assert short.skips.count == 1


def test_threads_and_processes_are_counted_by_state(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    sources = this_machine._replace(procfs=tmp_path)
    with pytest.raises(NoDataError):
        processes.collect(sources)
    files = {
        "1/stat": STAT.format(pid=1, state="S", threads=1),
        "1/task/1/stat": "not read, since it is that of the process",
        "20/stat": STAT.format(pid=20, state="S", threads=3),
        "20/task/20/stat": "not read either",
        "20/task/21/stat": STAT.format(pid=21, state="D", threads=3),
        "20/task/22/status": "has ended",
        "30/status": "has ended",
        "40/stat": STAT.format(pid=40, state="Z", threads=1),
        "self/stat": STAT.format(pid=1, state="R", threads=1),
        "sys/kernel/pid_max": "4194304\n",
    }
    write_files(tmp_path, files)
    counts, states, of_threads = processes.collect(sources)
    assert dict(zip(counts.values, counts.cells, strict=True)) == {
        "threads": 5,
        "pids": 3,
        "max_processes": 4194304,
    }
    assert states.labels == {"state": ("S", "Z")}
    assert states.cells == (2, 1)
    assert of_threads.labels == {"thread_state": ("D", "S")}
    assert of_threads.cells == (1, 2), "a process without tasks has no threads"
    assert sources.skips.count == 0


def test_processes_are_those_of_this_machine(this_machine: Sources) -> None:
    running = [path for path in Path("/proc").iterdir() if path.name.isdecimal()]
    counts = processes.collect(this_machine)[0]
    found = dict(zip(counts.values, counts.cells, strict=True))
    assert found["pids"] == pytest.approx(len(running), abs=50)
    assert (found["threads"] or 0) >= (found["pids"] or 0)
