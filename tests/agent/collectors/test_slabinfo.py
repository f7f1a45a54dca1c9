"""The collector ``slabinfo``."""

import re
from collections.abc import Callable
from pathlib import Path

from pombo_agent.collecting.flags import Flags
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import slabinfo

WriteFiles = Callable[[Path, dict[str, str]], Path]

SLABINFO = """\
slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables
dentry             95002  95130    192   21    2 : tunables  120   60    8
dma-kmalloc-8k         1      2   8192    4    8 : tunables    0    0    0
kmalloc-64          9000
"""


def test_caches_are_chosen_by_flags(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    procfs = write_files(tmp_path, {"slabinfo": SLABINFO})
    for include, exclude, expected in (
        (".*", "", ("dentry", "dma-kmalloc-8k")),
        ("^d.*y$", "", ("dentry",)),
        ("^d", "dentry", ("dma-kmalloc-8k",)),
    ):
        chosen = {"slabs-include": re.compile(include), "slabs-exclude": re.compile(exclude)}
        flags = Flags(chosen)
        (found,) = slabinfo.collect(this_machine._replace(procfs=procfs, flags=flags))
        assert found.labels == {"slab": expected}
    assert found.name == "node_slabinfo_*"
    assert dict(zip(found.values, found.cells, strict=True)) == {
        "active_objects": 1,
        "objects": 2,
        "object_size_bytes": 8192,
        "objects_per_slab": 4,
        "pages_per_slab": 8,
    }
    assert this_machine.skips.count == 3
