"""The collector ``interrupts``."""

import re
from pathlib import Path

from pombo_agent.collecting.flags import Filter, Flags
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import interrupts

OF_ARM = b"""\
           CPU0       CPU2
 10: 3287008667 3310445093     GICv3  27 Level     arch_timer
IPI0:2768808080 2844211768       Rescheduling interrupts
Err:          0
"""


def test_count_may_follow_the_name_at_once() -> None:
    file = File(OF_ARM)
    assert [*interrupts.parse_interrupts(file)] == [
        ("10", "GICv3", "27 Level arch_timer", [3287008667, 3310445093]),
        ("IPI0", "Rescheduling interrupts", "", [2768808080, 2844211768]),
    ]
    assert file.skips.count == 0


def test_flags_select_interrupts_and_leave_zeros_out(this_machine: Sources, tmp_path: Path) -> None:
    (tmp_path / "interrupts").write_text(
        "   CPU0 CPU1\n  1: 0 5 PCI-MSI 1-edge eth0\n  2: 6 7 PCI-MSI 2-edge eth1\nNMI: 0 8 Not\n",
        encoding="ascii",
    )
    names = Filter(exclude=re.compile("^2;PCI-MSI;2-edge eth1$"))
    flags = Flags({"name": names, "include-zeros": False})
    (section,) = interrupts.collect(this_machine._replace(procfs=tmp_path, flags=flags))
    assert section.labels == {
        "cpu": ("1", "1"),
        "type": ("1", "NMI"),
        "info": ("PCI-MSI", "Not"),
        "devices": ("1-edge eth0", ""),
    }
    assert section.cells == (5, 8)
