"""The collector ``cpufreq``: what node_exporter 1.5 does not have, and offline cores."""

from collections.abc import Callable
from pathlib import Path

from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import cpufreq
from pombo_wire.section import Section

WriteFiles = Callable[[Path, dict[str, str]], Path]


def test_governors_and_the_average_frequency(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    files = {
        "cpu0/cpufreq/cpuinfo_avg_freq": "1900001\n",
        "cpu0/cpufreq/scaling_available_governors": "performance powersave \n",
        "cpu0/cpufreq/scaling_governor": "powersave\n",
        "cpu1/cpufreq/cpuinfo_avg_freq": "1800001\n",
        "cpu1/cpufreq/scaling_available_governors": "performance powersave \n",
        "cpu2/online": "0\n",
        "cpufreq/boost": "1\n",
    }
    write_files(tmp_path / "devices/system/cpu", files)
    assert cpufreq.collect(this_machine._replace(sysfs=tmp_path)) == [
        Section(
            "node_cpu_*_hertz",
            {"cpu": ("0", "1")},
            ("frequency_avg",),
            [1900001000, 1800001000],
            type="gauge",
            help=("Average CPU thread frequency in hertz.",),
        ),
        Section(
            "node_cpu_scaling_governor",
            {"cpu": ("0", "0"), "governor": ("performance", "powersave")},
            (),
            (0, 1),
            type="gauge",
            help="Current enabled CPU frequency governor.",
        ),
    ]


def test_virtual_machine_is_a_success_without_rows(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    write_files(tmp_path / "devices/system/cpu", {"cpu0/online": "1\n", "cpufreq/x": ""})
    assert cpufreq.collect(this_machine._replace(sysfs=tmp_path)) == []
