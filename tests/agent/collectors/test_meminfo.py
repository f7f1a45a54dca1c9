"""The collectors of module ``meminfo``: meminfo and vmstat."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from pombo_agent.collectors import COLLECTORS, Sources, meminfo
from pombo_wire import Memory, Part, Swap

WriteFiles = Callable[[Path, dict[str, str]], Path]


MEMINFO = """\
MemTotal:       16384000 kB
MemFree:         8192000 kB
MemAvailable:   12288000 kB
Buffers:             804 kB
Cached:            36692 kB
SwapCached:            0 kB
Active:            11276 kB
Inactive:          22900 kB
SwapTotal:       2097152 kB
SwapFree:        1048576 kB
Shmem:              8872 kB
Slab:              84204 kB
SReclaimable:      62192 kB
HugePages_Total:      16
Hugepagesize:       2048 kB
"""


ODD_MEMINFO = """\
MemTotal:       16384000 kB
Active(anon):       1608 kB
HugePages_Total:       2
Hugepagesize:       2048 kB
DirectMap4k:       28672 kB
"""


def test_kilobytes_become_bytes_and_counts_stay() -> None:
    sizes = meminfo.parse_meminfo(MEMINFO)
    assert sizes["MemTotal"] == 16384000 * 1024
    assert sizes["HugePages_Total"] == 16


def test_used_memory_is_the_total_less_what_is_available() -> None:
    sizes = meminfo.parse_meminfo(MEMINFO)
    (_, found), _ = meminfo.memory_and_swap(sizes, {}, 4096)
    kb = 1024
    assert found == Memory(
        total=16384000 * kb,
        available=12288000 * kb,
        used=4096000 * kb,
        free=8192000 * kb,
        buffers=804 * kb,
        cached=36692 * kb,
        shared=8872 * kb,
        slab=84204 * kb,
        active=11276 * kb,
        inactive=22900 * kb,
    )


def test_value_that_an_old_kernel_lacks_is_unknown_and_not_zero() -> None:
    sizes = meminfo.parse_meminfo("MemTotal: 1000 kB\nMemFree: 400 kB\n")
    (_, found), (_, swap) = meminfo.memory_and_swap(sizes, {}, 4096)
    assert found == Memory(total=1024000, free=409600)
    assert swap == Swap()


def test_swap_traffic_is_counted_in_pages_of_this_machine() -> None:
    events = meminfo.parse_vmstat("nr_free_pages 10\npswpin 3\npswpout 5\n")
    _, (_, swap) = meminfo.memory_and_swap(meminfo.parse_meminfo(MEMINFO), events, 65536)
    assert swap == Swap(
        total=2097152 * 1024,
        used=1048576 * 1024,
        free=1048576 * 1024,
        swapped_in=3 * 65536,
        swapped_out=5 * 65536,
    )


def test_every_line_has_a_metric_name_and_that_of_a_size_ends_in_bytes() -> None:
    assert meminfo.by_metric_name(ODD_MEMINFO, meminfo.parse_meminfo(ODD_MEMINFO)) == {
        "MemTotal_bytes": 16384000 * 1024,
        "Active_anon_bytes": 1608 * 1024,
        "HugePages_Total": 2,
        "Hugepagesize_bytes": 2048 * 1024,
        "DirectMap4k_bytes": 28672 * 1024,
    }


def test_vmstat_has_paging_faults_swapping_and_kills(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    text = "nr_free_pages 9\npgpgin 1\npswpout 2\npgfault 3\npgmajfault 4\noom_kill 5\npgscan_x 6\n"
    sources = this_machine._replace(procfs=write_files(tmp_path, {"vmstat": text}))
    expected = {"pgpgin": 1, "pswpout": 2, "pgfault": 3, "pgmajfault": 4, "oom_kill": 5}
    assert meminfo.collect_vmstat(sources) == [("vmstat", expected)]


def only(parts: list[Part], name: str) -> Any:
    (found,) = [value for field, value in parts if field == name]
    return found


def test_memory_is_that_of_psutil(this_machine: Sources) -> None:
    expected = psutil.virtual_memory()
    memory = only(COLLECTORS["meminfo"](this_machine), "memory")
    assert (
        memory.total == expected.total == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    )
    assert memory.used == memory.total - memory.available
    for name in ("available", "free", "buffers", "shared", "slab", "active", "inactive"):
        assert getattr(memory, name) == pytest.approx(getattr(expected, name), abs=2**30), name


def test_swap_is_that_of_psutil(this_machine: Sources) -> None:
    expected = psutil.swap_memory()
    swap = only(COLLECTORS["meminfo"](this_machine), "swap")
    assert (swap.total, swap.used) == (expected.total, pytest.approx(expected.used, abs=2**30))
