"""The collectors of module ``meminfo``: meminfo and vmstat."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from pombo_agent.collecting.flags import Flags
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import meminfo
from pombo_agent.options import COLLECTORS
from pombo_wire.section import Section
from support.collectors import flags_of

WriteFiles = Callable[[Path, dict[str, str]], Path]


ODD_MEMINFO = """\
MemTotal:       16384000 kB
Active(anon):       1608 kB
HugePages_Total:       2
Hugepagesize:       2048 kB
DirectMap4k:       28672 kB
"""


def test_every_line_has_a_metric_name_and_that_of_a_size_ends_in_bytes() -> None:
    assert meminfo.parse_meminfo(File(ODD_MEMINFO.encode())) == {
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
    sources = this_machine._replace(
        procfs=write_files(tmp_path, {"vmstat": text}), flags=flags_of(COLLECTORS["vmstat"])
    )
    names = ("pgpgin", "pswpout", "pgfault", "pgmajfault", "oom_kill")
    assert meminfo.collect_vmstat(sources) == [Section("vmstat", {}, names, (1, 2, 3, 4, 5))]
    chosen = sources._replace(flags=Flags({"fields": re.compile("scan|^nr_")}), kept={})
    assert meminfo.collect_vmstat(chosen) == [
        Section("vmstat", {}, ("nr_free_pages", "pgscan_x"), (9, 6))
    ]


#: The name in psutil of each value that the exporter derives memory and swap from, and others.
PSUTIL = {
    "MemAvailable_bytes": "available",
    "MemFree_bytes": "free",
    "Buffers_bytes": "buffers",
    "Shmem_bytes": "shared",
    "Slab_bytes": "slab",
    "Active_bytes": "active",
    "Inactive_bytes": "inactive",
}


def test_memory_and_swap_are_those_of_psutil(this_machine: Sources) -> None:
    expected, swap = psutil.virtual_memory(), psutil.swap_memory()
    (section,) = COLLECTORS["meminfo"].collect(this_machine)
    found = dict(zip(section.values, section.cells, strict=True))
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert found["MemTotal_bytes"] == expected.total == pages
    for name, field in PSUTIL.items():
        assert found[name] == pytest.approx(getattr(expected, field), abs=2**30), name
    assert found["SwapTotal_bytes"] == swap.total
    assert found["SwapFree_bytes"] == pytest.approx(swap.free, abs=2**30)
