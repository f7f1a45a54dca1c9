"""The collector ``swap``, which newer versions of node_exporter have."""

from collections.abc import Callable
from pathlib import Path

from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import swap
from pombo_wire.section import Section

WriteFiles = Callable[[Path, dict[str, str]], Path]

SWAPS = """\
Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority
/dev/zram0                              partition\t8388604\t\t76\t\t100
/dev/sda3                               partition\t1024\t\tN/A\t\t-2
/swapfile                               file
"""


def test_sizes_become_bytes_and_a_priority_may_be_negative(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    sources = this_machine._replace(procfs=write_files(tmp_path, {"swaps": SWAPS}))
    assert swap.collect(sources) == [
        Section(
            "node_swap_*",
            {"device": ("/dev/zram0", "/dev/sda3"), "swap_type": ("partition", "partition")},
            ("priority", "size_bytes", "used_bytes"),
            [100, -2, 8388604 * 1024, 1024 * 1024, 76 * 1024, None],
            type="gauge",
            help=(
                "Swap device priority.",
                "Swap device size in bytes.",
                "Swap device used in bytes.",
            ),
        )
    ]
    assert sources.skips.count == 2


def test_host_without_swap_has_no_family(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    procfs = write_files(tmp_path, {"swaps": SWAPS.partition("\n")[0] + "\n"})
    assert swap.collect(this_machine._replace(procfs=procfs)) == []
