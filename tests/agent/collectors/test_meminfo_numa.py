"""The collector ``meminfo_numa``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import meminfo_numa

WriteFiles = Callable[[Path, dict[str, str]], Path]


def test_nodes_have_sizes_in_bytes_and_counts(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    sources = this_machine._replace(sysfs=tmp_path)
    with pytest.raises(NoDataError):
        meminfo_numa.collect(sources)
    folder = "devices/system/node"
    files = {
        f"{folder}/node0/meminfo": "\nNode 0 Active(anon): 3 kB\nNode 0 HugePages_Free: 7\n",
        f"{folder}/node0/numastat": "numa_hit 11\n",
        f"{folder}/node10/meminfo": "Node 10 Active(anon): 5 kB\nNode 10 X: 1 MB\nNode 10\n",
        f"{folder}/nodes/meminfo": "Node 3 Active(anon): 3 kB\n",
    }
    write_files(tmp_path, files)
    found = meminfo_numa.collect(sources)
    assert [(section.name, section.labels["node"], section.cells) for section in found] == [
        ("node_memory_numa_Active_anon", ("0", "10"), (3072, 5120)),
        ("node_memory_numa_HugePages_Free", ("0",), (7,)),
        ("node_memory_numa_numa_hit_total", ("0",), (11,)),
    ]
    assert [(section.type, section.help) for section in found] == [
        ("gauge", "Memory information field Active_anon."),
        ("gauge", "Memory information field HugePages_Free."),
        ("counter", "Memory information field numa_hit_total."),
    ]
    assert sources.skips.count == 2
