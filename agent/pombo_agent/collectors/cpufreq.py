"""Frequencies of cores, and the governors that choose them."""

import os.path
from collections.abc import Mapping
from typing import NamedTuple

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Cell, Row, families, family

_HELPS = {
    "frequency": "Current cpu thread frequency in hertz.",
    "frequency_avg": "Average CPU thread frequency in hertz.",
    "frequency_min": "Minimum cpu thread frequency in hertz.",
    "frequency_max": "Maximum cpu thread frequency in hertz.",
    "scaling_frequency": "Current scaled CPU thread frequency in hertz.",
    "scaling_frequency_min": "Minimum scaled CPU thread frequency in hertz.",
    "scaling_frequency_max": "Maximum scaled CPU thread frequency in hertz.",
}

# The files of each column, in kilohertz.
_OF_HARDWARE = {"frequency_min": "cpuinfo_min_freq", "frequency_max": "cpuinfo_max_freq"}
_FILES = {
    "frequency": "cpuinfo_cur_freq",
    "frequency_avg": "cpuinfo_avg_freq",
    "scaling_frequency": "scaling_cur_freq",
    "scaling_frequency_min": "scaling_min_freq",
    "scaling_frequency_max": "scaling_max_freq",
}
_KILO = 1000


class Hardware(NamedTuple):
    """What does not change while a core is there: its limits, its governors, its other files."""

    limits: dict[str, float | None]
    governors: list[str]
    files: dict[str, str]


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_cpu_*_hertz`` and ``node_cpu_scaling_governor``.

    As in node_exporter, a virtual machine, whose frequencies are unknown, is a success.
    """
    cores = f"{sources.sysfs}/devices/system/cpu"
    rows: list[Row] = []
    governors: list[tuple[Cell, ...]] = []
    for core in sources.names(cores, "cpu"):
        number, path = core.removeprefix("cpu"), f"{cores}/{core}/cpufreq"
        if not number[:1].isdigit() or not os.path.isdir(path):
            continue
        hardware = sources.kept.get(path)
        if hardware is None:
            hardware = sources.kept[path] = _hardware(sources, path)
        rows.append({"cpu": number, **hardware.limits, **_hertz(sources, path, hardware.files)})
        current = sources.text(f"{path}/scaling_governor")
        if current:
            governors += [(number, name, int(name == current)) for name in hardware.governors]
    text = "Current enabled CPU frequency governor."
    return [
        *families("node_cpu_*_hertz", "gauge", _HELPS, ("cpu",), rows),
        *family("node_cpu_scaling_governor", "gauge", text, ("cpu", "governor"), governors),
    ]


def _hardware(sources: Sources, path: str) -> Hardware:
    governors = sources.text(f"{path}/scaling_available_governors") or ""
    files = {column: file for column, file in _FILES.items() if os.path.lexists(f"{path}/{file}")}
    return Hardware(_hertz(sources, path, _OF_HARDWARE), governors.split(), files)


def _hertz(sources: Sources, path: str, files: Mapping[str, str]) -> dict[str, float | None]:
    return {
        column: None if value is None else value * _KILO
        for column, value in sources.values(path, files).items()
    }


COLLECTORS = [Collector("cpufreq", collect)]
