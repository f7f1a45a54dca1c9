"""The collector ``softirqs``, which node_exporter 1.5 does not have."""

from pathlib import Path

from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import softirqs
from pombo_wire.section import Section
from support.fixtures import copy_fixture


def test_family_is_that_of_node_exporter(this_machine: Sources, tmp_path: Path) -> None:
    copy_fixture("softirqs", tmp_path / "host")
    counts = {
        "HI": (2, 9),
        "TIMER": (1910347, 1822094),
        "NET_TX": (611, 587),
        "NET_RX": (299871, 81240),
        "BLOCK": (70213, 66902),
        "IRQ_POLL": (4, 3),
        "TASKLET": (5120, 35),
        "SCHED": (2604418, 2198703),
        "HRTIMER": (12, 27),
        "RCU": (912665, 880131),
    }
    assert softirqs.collect(this_machine._replace(procfs=tmp_path / "host/proc")) == [
        Section(
            "node_softirqs_functions_total",
            {
                "cpu": ("0", "1") * len(counts),
                "type": tuple(name for name in counts for _ in range(2)),
            },
            (),
            tuple(count for both in counts.values() for count in both),
            type="counter",
            help="Softirq counts per CPU.",
        )
    ]


def test_unknown_type_is_ignored() -> None:
    file = File(b"   CPU0\n   HI: 1\n   NEW: 2\n   RCU: \n")
    assert softirqs.parse_softirqs(file) == [("0", b"HI", 1)]
    assert file.skips.count == 0
