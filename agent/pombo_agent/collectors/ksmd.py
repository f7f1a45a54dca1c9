"""Kernel same-page merging: pages that are shared since their content is the same."""

import os.path

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import families, family

_FILES = (
    "merge_across_nodes",
    "pages_shared",
    "pages_sharing",
    "pages_to_scan",
    "pages_unshared",
    "pages_volatile",
    "run",
)


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_ksmd_*``."""
    folder = f"{sources.sysfs}/kernel/mm/ksm"
    if not os.path.isdir(folder):
        raise NoDataError("no kernel same-page merging in /sys")
    sleep = sources.value(f"{folder}/sleep_millisecs")
    row = {
        **sources.values(folder, {name: name for name in _FILES}),
        "sleep_seconds": None if sleep is None else sleep / 1000,
    }
    helps = {name: _help(name) for name in _FILES} | {"sleep_seconds": _help("sleep_millisecs")}
    scans = sources.value(f"{folder}/full_scans")
    return [
        *families("node_ksmd_*", "gauge", helps, (), [row]),
        *family("node_ksmd_full_scans_total", "counter", _help("full_scans"), (), [(scans,)]),
    ]


def _help(file: str) -> str:
    return f"ksmd '{file}' file."


COLLECTORS = [Collector("ksmd", collect, enabled=False)]
