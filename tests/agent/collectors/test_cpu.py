"""The collector ``cpu``."""

from collections.abc import Callable

import psutil
from pombo_agent.collectors import COLLECTORS, Sources, cpu
from pombo_wire import Cpu, Part

ColumnOf = Callable[[list[Part], str, str], dict[str, float]]
#: Seconds by which a value may grow between two readings on a busy machine.
SLACK_SECONDS = 60

STAT = """\
cpu  4408 0 2095 459605 285 0 54 99 7 3
cpu0 1352 0 830 230928 90 0 10 49 7 3
cpu3 3056 0 1265 228676 195 0 43 50 0 0
intr 161034 0 0
ctxt 291018
btime 1795490033
processes 2911
"""


OLD_STAT = """\
cpu  100 200 300 400
cpu0 100 200 300 400
"""


def test_offline_core_is_absent_and_the_others_keep_their_numbers() -> None:
    rows = cpu.parse_stat(STAT, 100)
    assert [row["cpu"] for row in rows] == ["0", "3"]


def test_ticks_become_seconds_in_every_mode() -> None:
    assert cpu.parse_stat(STAT, 100)[0] == {
        "cpu": "0",
        "user": 13.52,
        "nice": 0.0,
        "system": 8.3,
        "idle": 2309.28,
        "iowait": 0.9,
        "irq": 0.0,
        "softirq": 0.1,
        "steal": 0.49,
        "guest": 0.07,
        "guest_nice": 0.03,
    }


def test_mode_that_an_old_kernel_lacks_is_absent() -> None:
    (row,) = cpu.parse_stat(OLD_STAT, 1000)
    assert row == {"cpu": "0", "user": 0.1, "nice": 0.2, "system": 0.3, "idle": 0.4}


def test_mode_that_a_newer_kernel_adds_is_ignored() -> None:
    (row,) = cpu.parse_stat("cpu0 1 2 3 4 5 6 7 8 9 10 11 12\n", 1)
    assert row["guest_nice"] == 10
    assert len(row) == 11


def test_cpu_times_are_those_of_psutil(this_machine: Sources, column_of: ColumnOf) -> None:
    expected = psutil.cpu_times(percpu=True)
    parts = COLLECTORS["cpu"](this_machine)
    for mode in Cpu.__struct_fields__[1:]:
        found = column_of(parts, "cpu", mode)
        assert list(found) == [str(number) for number in range(len(expected))]
        for core, times in zip(found.values(), expected, strict=True):
            assert 0 <= core - getattr(times, mode) < SLACK_SECONDS, mode
