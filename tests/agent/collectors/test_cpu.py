"""The collector ``cpu``."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from pombo_agent.collecting.flags import Flags
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import cpu
from pombo_agent.options import COLLECTORS
from pombo_wire.columns import SECTIONS
from pombo_wire.section import Section

Report = Callable[..., list[dict[str, dict[str, Any]]]]
WriteFiles = Callable[[Path, dict[str, str]], Path]
ColumnOf = Callable[[list[Section], str, str], dict[str, Any]]
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


def rows(this_machine: Sources, procfs: Path, *texts: str) -> list[dict[str, dict[str, Any]]]:
    """Return the rows by core of each of the reports of these contents of ``/proc/stat``."""
    sources, reports = this_machine._replace(procfs=procfs, sysfs=procfs), []
    for text in texts:
        (procfs / "stat").write_text(text, encoding="ascii")
        (section,) = cpu.collect(sources)
        columns = section.columns.items()
        reports.append(
            {
                core: {mode: cells[at] for mode, cells in columns if cells[at] is not None}
                for at, core in enumerate(section.labels["cpu"])
            }
        )
    return reports


@pytest.fixture
def report(this_machine: Sources, tmp_path: Path) -> Report:
    assert os.sysconf("SC_CLK_TCK") == 100
    return partial(rows, this_machine, tmp_path)


def test_offline_core_is_absent_and_the_others_keep_their_numbers(report: Report) -> None:
    assert [*report(STAT)[0]] == ["0", "3"]


def test_cores_are_in_numeric_order(report: Report) -> None:
    numbers = [*range(11, 0, -1), 0]
    text = "".join(f"cpu{number} 1 2 3 4\n" for number in numbers)
    assert [*report(text)[0]] == [str(number) for number in range(12)]


def test_ticks_become_seconds_in_every_mode(report: Report) -> None:
    assert report(STAT)[0]["0"] == {
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


def test_mode_that_an_old_kernel_lacks_is_absent(report: Report) -> None:
    assert report(OLD_STAT)[0] == {"0": {"user": 1.0, "nice": 2.0, "system": 3.0, "idle": 4.0}}


def test_mode_that_a_newer_kernel_adds_is_ignored(report: Report) -> None:
    row = report("cpu0 1 2 3 4 5 6 7 8 9 10 11 12\n")[0]["0"]
    assert row["guest_nice"] == 0.1
    assert len(row) == 10


def test_count_that_steps_back_keeps_its_highest_value(report: Report) -> None:
    one, two, three = report(
        "cpu0 100 0 0 5000 700 0 0 30\ncpu1 1 1 1 1 1 1 1 1\n",
        "cpu0 110 0 0 4990 699 0 0 29\ncpu1 2 2 2 2 2 2 2 2\n",
        "cpu0 120 0 0 5010 701 0 0 31\ncpu1 3 3 3 3 3 3 3 3\n",
    )
    assert [each["0"]["idle"] for each in (one, two, three)] == [50.0, 50.0, 50.1]
    assert [each["0"]["iowait"] for each in (one, two, three)] == [7.0, 7.0, 7.01]
    assert [each["0"]["steal"] for each in (one, two, three)] == [0.3, 0.3, 0.31]
    assert [each["0"]["user"] for each in (one, two, three)] == [1.0, 1.1, 1.2]
    assert [each["1"]["idle"] for each in (one, two, three)] == [0.01, 0.02, 0.03]


def test_counts_of_a_core_that_was_offline_restart(report: Report) -> None:
    reports = report(
        "cpu0 900 0 0 5000\ncpu1 900 0 0 5000\n",
        "cpu0 910 0 0 5100\n",
        "cpu0 920 0 0 5200\ncpu1 5 0 0 4900\n",
    )
    assert reports[1].keys() == {"0"}
    assert reports[2]["1"] == {"user": 0.05, "nice": 0, "system": 0, "idle": 49.0}
    reports = report("cpu0 900 0 0 5000 9\n", "cpu0 5 0 0 4700 0\n")
    assert reports[1]["0"] == {"user": 0.05, "nice": 0, "system": 0, "idle": 47.0, "iowait": 0}


def test_unreadable_count_costs_itself_alone(report: Report) -> None:
    one, two = report("cpu0 1 2 3 4\ncpu1 1 2 3 4\n", "cpu0 1 N/A 3 5\ncpux 1\ncpu1 1 2 3 5\n")
    assert two == {
        "0": {"user": 0.01, "system": 0.03, "idle": 0.05},
        "1": {**one["1"], "idle": 0.05},
    }


def sections_by_name(sections: list[Section]) -> dict[str, Section]:
    return {section.name: section for section in sections}


def test_throttling_is_read_once_for_the_threads_of_a_core(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    write_files(tmp_path, {"stat": STAT})
    folder = tmp_path / "devices/system/cpu"
    for number, (package, core, count) in enumerate([(0, 0, 5), (0, 0, 6), (0, 1, 7), (-1, 0, 8)]):
        files = {
            "topology/physical_package_id": f"{package}\n",
            "topology/core_id": f"{core}\n",
            "thermal_throttle/core_throttle_count": f"{count}\n",
            "thermal_throttle/package_throttle_count": f"{count * 10}\n",
        }
        write_files(folder / f"cpu{number}", files)
    found = sections_by_name(cpu.collect(this_machine._replace(procfs=tmp_path, sysfs=tmp_path)))
    cores = found["node_cpu_core_throttles_total"]
    assert cores.labels == {"package": ("0", "0"), "core": ("0", "1")}
    assert cores.cells == (5, 7)
    packages = found["node_cpu_package_throttles_total"]
    assert packages.labels == {"package": ("0",)}
    assert packages.cells == (50,)


def test_cores_that_can_go_offline_have_a_state_which_is_read_when_they_change(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    sources = this_machine._replace(procfs=tmp_path, sysfs=tmp_path, kept={})
    cores = tmp_path / "devices/system/cpu"
    write_files(tmp_path, {"stat": STAT})
    write_files(cores, {"cpu0/online": "1\n", "cpu1/online": "0\n", "cpu3/online": "1\n"})
    assert sections_by_name(cpu.collect(sources))["node_cpu_online"] == Section(
        "node_cpu_online",
        {"cpu": ("0", "1", "3")},
        (),
        (1, 0, 1),
        type="gauge",
        help="CPUs that are online and being scheduled.",
    )
    write_files(tmp_path, {"stat": STAT + "cpu1 1 2 3 4\n", "devices/system/cpu/cpu1/online": "1"})
    assert sections_by_name(cpu.collect(sources))["node_cpu_online"].cells == (1, 1, 1)
    (cores / "cpu0/online").unlink()
    assert "node_cpu_online" not in sections_by_name(cpu.collect(sources._replace(kept={})))


def test_isolated_cores_are_those_of_the_list() -> None:
    for text, expected in (
        (b"\n", []),
        (b"1,3-5,9\n", [1, 3, 4, 5, 9]),
        (b"2,x,4-,-1,7-8-9,0-18446744073709551616,6", [2, 6]),
    ):
        assert cpu.parse_list(File(text)) == expected


def test_flag_leaves_guests_out(this_machine: Sources, tmp_path: Path) -> None:
    (tmp_path / "stat").write_text(STAT, encoding="ascii")
    flags = Flags({**this_machine.flags.values, "guest": False})
    sources = this_machine._replace(procfs=tmp_path, sysfs=tmp_path, flags=flags)
    (section,) = cpu.collect(sources)
    assert section.values[-2:] == ("softirq", "steal")


CPUINFO = b"""\
processor\t: 0
model name\t: ARMv8 Processor rev 1 (v8l)
Features\t: fp asimd aes

processor\t: x
processor\t: 3
hart\t\t: 2
isa\t\t: rv64imafdc
power management:
"""


def test_processors_of_other_architectures_have_the_labels_that_they_have() -> None:
    file = File(CPUINFO)
    assert cpu.parse_cpuinfo(file) == [
        {"cpu": "0", "model_name": "ARMv8 Processor rev 1 (v8l)", "flags": "fp asimd aes"},
        {"cpu": "3", "core": "2", "model_name": "rv64imafdc"},
    ]
    assert file.skips.count == 1


def test_cpu_times_are_those_of_psutil(this_machine: Sources, column_of: ColumnOf) -> None:
    expected = psutil.cpu_times(percpu=True)
    parts = COLLECTORS["cpu"].collect(this_machine)
    for mode in SECTIONS["cpu"].values:
        found = column_of(parts, "cpu", mode)
        assert list(found) == [str(number) for number in range(len(expected))]
        for core, times in zip(found.values(), expected, strict=True):
            assert 0 <= core - getattr(times, mode) < SLACK_SECONDS, mode
