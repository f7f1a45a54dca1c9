"""The collectors on this machine, against what else tells the truth about it."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from pombo_agent.collectors import COLLECTORS, Collector, NoDataError, Sources, psutil_fallback
from pombo_agent.options import FILTERS
from pombo_wire import Cpu, Part, Report, decode, encode, split

#: What goes on between two looks at a machine at work: a counter may have grown by so much.
SECONDS = 60


def only(parts: list[Part], name: str) -> Any:
    (found,) = [value for field, value in parts if field == name]
    return found


def rows(parts: list[Part], name: str, column: str) -> dict[str, float]:
    """Return a column of all the parts that a section has come in, by device."""
    return {
        device: value
        for field, table in parts
        if field == name
        for device, value in zip(
            getattr(table, table.__struct_fields__[0]), getattr(table, column), strict=True
        )
    }


def collected(collect: Collector, sources: Sources) -> list[Part]:
    """Return nothing where this machine has nothing to tell."""
    try:
        return collect(sources)
    except NoDataError:
        return []


@pytest.mark.parametrize("collectors", [COLLECTORS, psutil_fallback.COLLECTORS])
def test_what_is_collected_here_is_what_the_wire_allows(
    collectors: dict[str, Any], this_machine: Sources
) -> None:
    for collect in collectors.values():
        reports, left_out = split(Report("pi"), collected(collect, this_machine))
        assert left_out == []
        for report in reports:
            assert decode(encode(report)) == report


def test_collectors_of_other_systems_are_switched_by_the_same_names() -> None:
    assert psutil_fallback.COLLECTORS.keys() <= COLLECTORS.keys()


def test_cpu_is_that_of_every_core(this_machine: Sources) -> None:
    truth = psutil.cpu_times(percpu=True)
    parts = COLLECTORS["cpu"](this_machine)
    for mode in Cpu.__struct_fields__[1:]:
        found = rows(parts, "cpu", mode)
        assert list(found) == [str(number) for number in range(len(truth))]
        for core, times in zip(found.values(), truth, strict=True):
            assert 0 <= core - getattr(times, mode) < SECONDS, mode


def test_memory_is_that_of_meminfo(this_machine: Sources) -> None:
    truth = psutil.virtual_memory()
    memory = only(COLLECTORS["meminfo"](this_machine), "memory")
    assert memory.total == truth.total == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert memory.used == memory.total - memory.available
    for name in ("available", "free", "buffers", "shared", "slab", "active", "inactive"):
        assert getattr(memory, name) == pytest.approx(getattr(truth, name), abs=2**30), name


def test_swap_is_that_of_the_kernel(this_machine: Sources) -> None:
    truth = psutil.swap_memory()
    swap = only(COLLECTORS["meminfo"](this_machine), "swap")
    assert (swap.total, swap.used) == (truth.total, pytest.approx(truth.used, abs=2**30))


def test_system_is_that_of_the_kernel(this_machine: Sources) -> None:
    parts = [part for collect in COLLECTORS.values() for part in collected(collect, this_machine)]

    def told(name: str) -> float:
        values = [getattr(value, name) for field, value in parts if field == "system"]
        (found,) = [value for value in values if value is not None]
        return float(found)

    assert told("boot_time") == psutil.boot_time()
    assert told("load15") == pytest.approx(os.getloadavg()[2], abs=1)
    later = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    assert 0 <= later - told("uptime") < SECONDS


@pytest.mark.parametrize("name", ["diskstats", "netdev"])
def test_counters_are_those_that_psutil_sees(name: str, this_machine: Sources) -> None:
    before = psutil_fallback.COLLECTORS[name](this_machine)
    parts = COLLECTORS[name](this_machine)
    after = psutil_fallback.COLLECTORS[name](this_machine)
    field, table = after[0]
    columns = [name for name in table.__struct_fields__[1:] if getattr(table, name) is not None]
    assert len(columns) >= 8
    for column in columns:
        least, found, most = (rows(each, field, column) for each in (before, parts, after))
        assert found.keys() == least.keys() == most.keys()
        assert all(least[device] <= found[device] <= most[device] for device in found), column


def test_filesystems_are_those_of_df(this_machine: Sources) -> None:
    columns = "target,fstype,size,itotal"
    command = ["df", "--all", "--block-size=1", f"--output={columns}"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    truth = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    parts = COLLECTORS["filesystem"](this_machine)
    size, inodes = rows(parts, "filesystems", "size"), rows(parts, "filesystems", "files")
    assert size.keys() == truth.keys()
    assert "/" in size
    for mountpoint, (_fstype, total, itotal) in truth.items():
        assert size[mountpoint] == int(total.replace("-", "0")), mountpoint
        assert inodes[mountpoint] == int(itotal.replace("-", "0")), mountpoint


def test_host_is_seen_from_a_container_through_its_own_proc_and_root(
    this_machine: Sources, tmp_path: Path
) -> None:
    procfs, rootfs = tmp_path / "proc", tmp_path / "root"
    (procfs / "1").mkdir(parents=True)
    (rootfs / "data").mkdir(parents=True)
    text = (
        "27 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "28 27 8:17 / /data ro - xfs /dev/sdb1 rw\n"
        f"29 27 8:33 / {rootfs}/data rw - xfs /dev/sdc1 rw\n"
    )
    (procfs / "1/mountinfo").write_text(text, encoding="ascii")
    asked = []

    def usages(paths: Any) -> dict[str, dict[str, float | None]]:
        asked.extend(paths)
        return {path: {"size": 1} for path in asked}

    sources = this_machine._replace(procfs=procfs, rootfs=rootfs, usages=usages)
    assert list(rows(COLLECTORS["filesystem"](sources), "filesystems", "size")) == ["/", "/data"]
    assert asked == [str(rootfs), f"{rootfs}/data"]


def test_own_view_is_taken_where_that_of_the_first_process_is_forbidden(
    this_machine: Sources, tmp_path: Path
) -> None:
    (tmp_path / "self/net").mkdir(parents=True)
    own = Path("/proc/self/net/dev").read_text(encoding="ascii")
    (tmp_path / "self/net/dev").write_text(own, encoding="ascii")
    parts = COLLECTORS["netdev"](this_machine._replace(procfs=tmp_path))
    assert "lo" in rows(parts, "networks", "receive_bytes")


def test_device_that_the_user_leaves_out_is_not_reported(this_machine: Sources) -> None:
    lo = this_machine.filters["netdev.device"]
    everything = rows(COLLECTORS["netdev"](this_machine), "networks", "receive_bytes")
    assert "lo" in everything
    filters = {**this_machine.filters, "netdev.device": lo._replace(exclude=re.compile("^lo$"))}
    parts = COLLECTORS["netdev"](this_machine._replace(filters=filters))
    assert rows(parts, "networks", "receive_bytes").keys() == everything.keys() - {"lo"}
    assert FILTERS["netdev.device"] is None


def test_psutil_is_not_loaded_where_proc_says_it_all() -> None:
    program = "import sys, pombo_agent.__main__; print('psutil' in sys.modules)"
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"False\n"
