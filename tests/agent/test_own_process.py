"""The agent's own process, compared with what the system says of this one."""

import os
import resource
import sys
import time
from pathlib import Path

import psutil
import pytest
from pombo_agent import __version__
from pombo_agent.own_process import OwnProcess, build
from pombo_wire.section import check


def values(process: OwnProcess) -> dict[str, float]:
    [section] = process.section()
    check(section)
    assert section.name == "process"
    return dict(zip(section.values, map(float, section.cells), strict=True))  # type: ignore[arg-type]


def test_values_are_those_of_this_process() -> None:
    found = values(OwnProcess())
    here = psutil.Process()
    with here.oneshot():
        times, memory = here.cpu_times(), here.memory_info()
        assert found["cpu_seconds"] == pytest.approx(times.user + times.system, abs=0.5)
        assert found["resident_bytes"] == pytest.approx(memory.rss, rel=0.1)
        assert found["virtual_bytes"] == pytest.approx(memory.vms, rel=0.1)
        assert found["start_time"] == pytest.approx(here.create_time(), abs=1.5)
    assert found["open_fds"] == len([*Path("/proc/self/fd").iterdir()])
    assert found["max_fds"] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    assert found["virtual_bytes_max"] == (2.0**64 if limit == resource.RLIM_INFINITY else limit)


def test_cpu_time_grows_and_the_start_stays() -> None:
    process = OwnProcess()
    before = values(process)
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    after = values(process)
    assert after["cpu_seconds"] > before["cpu_seconds"]
    assert after["start_time"] == before["start_time"]


def test_name_of_the_command_may_contain_anything(tmp_path: Path) -> None:
    own = tmp_path / "self"
    (own / "fd").mkdir(parents=True)
    for number in range(3):
        (own / "fd" / str(number)).touch()
    (tmp_path / "stat").write_text("cpu 1 2 3\nbtime 1700000000\nprocesses 4\n")
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    fields = ["S", *map(str, range(1, 50))]
    (own / "stat").write_text(f"17 (a) b) c) {' '.join(fields)}\n")
    found = values(OwnProcess(str(tmp_path)))
    assert found["cpu_seconds"] == (11 + 12) / ticks
    assert found["start_time"] == 1_700_000_000 + 19 / ticks
    assert found["virtual_bytes"] == 20
    assert found["resident_bytes"] == 21 * page
    assert found["open_fds"] == 3


@pytest.mark.parametrize("text", ["", "17 (x) S 1", "17 (x) " + "a " * 50])
def test_nothing_is_reported_where_it_cannot_be_read(tmp_path: Path, text: str) -> None:
    assert OwnProcess(str(tmp_path)).section() == []
    (tmp_path / "self/fd").mkdir(parents=True)
    (tmp_path / "self/stat").write_text(text)
    assert OwnProcess(str(tmp_path)).section() == []


def test_build_has_versions_and_the_platform() -> None:
    [section] = build()
    check(section)
    texts = {name: text for name, (text,) in section.labels.items()}
    assert texts == {
        "version": __version__,
        "revision": "",
        "pythonversion": ".".join(map(str, sys.version_info[:3])),
        "os": "linux",
        "arch": os.uname().machine,
    }
