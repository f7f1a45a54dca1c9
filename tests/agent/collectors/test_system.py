"""The collectors of module ``system``: stat, loadavg, filefd, entropy, selinux."""

import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from pombo_agent.collecting.collector import Collect
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import system
from pombo_agent.options import COLLECTORS
from pombo_wire.section import Section

WriteFiles = Callable[[Path, dict[str, str]], Path]
Collected = Callable[[Collect], list[Section]]

#: Seconds by which a value may grow between two readings on a busy machine.
SLACK_SECONDS = 60


STAT = """\
cpu  4408 0 2095 459605 285 0 54 99 7 3
cpu0 1352 0 830 230928 90 0 10 49 7 3
intr 161034 0 27 0 0 5
ctxt 291018
btime 1795490033
processes 2911
procs_running 3
procs_blocked 1
softirq 96105 0 7706
"""


OLD_STAT = """\
cpu  100 200 300 400
cpu0 100 200 300 400
"""


def test_boot_time_is_read_where_there_is_one() -> None:
    assert system.parse_stat(File(STAT.encode()))["boot_time"] == 1795490033
    assert system.parse_stat(File(OLD_STAT.encode())) == {}


def test_single_numbers_of_stat_and_the_sum_of_interrupts_are_read() -> None:
    assert system.parse_stat(File(STAT.encode())) == {
        "boot_time": 1795490033,
        "context_switches": 291018,
        "forks": 2911,
        "interrupts": 161034,
        "processes_running": 3,
        "processes_blocked": 1,
    }


def test_load_is_the_first_three_numbers() -> None:
    loads = system.parse_loadavg(File(b"0.20 1.18 12.05 1/80 11206\n"))
    assert loads == {"load1": 0.2, "load5": 1.18, "load15": 12.05}


def test_files_and_entropy_are_read_where_the_kernel_has_them(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    procfs = write_files(
        tmp_path,
        {"sys/fs/file-nr": "857\t0\t2466170\n", "sys/kernel/random/entropy_avail": "256\n"},
    )
    sources = this_machine._replace(procfs=procfs, sysfs=tmp_path)
    assert system.collect_filefd(sources) == [
        Section("system", {}, ("file_handles", "file_handles_max"), [857, 2466170])
    ]
    assert system.collect_entropy(sources) == [Section("system", {}, ("entropy_available",), [256])]


def test_selinux_is_enabled_where_its_filesystem_exists(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    sources = this_machine._replace(sysfs=tmp_path, rootfs=tmp_path)
    assert system.collect_selinux(sources) == [Section("system", {}, ("selinux_enabled",), [0])]
    write_files(tmp_path, {"fs/selinux/enforce": "1"})
    enabled, modes = system.collect_selinux(sources)
    assert enabled == Section("system", {}, ("selinux_enabled",), [1])
    assert modes == Section(
        "node_selinux_*",
        {},
        ("config_mode", "current_mode"),
        [-1, 1],
        type="gauge",
        help=("Configured SELinux enforcement mode", "Current SELinux enforcement mode"),
    )


@pytest.mark.parametrize(
    ("config", "mode"),
    [
        ("# a comment\nSELINUX=enforcing\nSELINUXTYPE=targeted\n", 1),
        ("SELINUX=permissive\n", 0),
        ("SELINUX=disabled\n", -1),
        ("SELINUXTYPE=enforcing\n", -1),
    ],
)
def test_configured_mode_of_selinux_is_a_number(config: str, mode: int) -> None:
    assert system.parse_selinux_config(File(config.encode())) == mode


def test_system_has_the_values_of_this_kernel(collected: Collected) -> None:
    sections = [
        section for collector in COLLECTORS.values() for section in collected(collector.collect)
    ]

    def value_of(name: str) -> float:
        (known,) = [
            cell
            for section in sections
            for value, cell in zip(section.values, section.cells, strict=False)
            if (section.name, value) == ("system", name)
        ]
        assert known is not None
        return known

    assert value_of("boot_time") == psutil.boot_time()
    assert value_of("load15") == pytest.approx(os.getloadavg()[2], abs=1)
    later = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    assert 0 <= later - value_of("uptime") < SLACK_SECONDS
