"""Multipath devices: their sizes, and the states of their paths."""

import os.path

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Cell, Row, families, family

_SECTOR_BYTES = 512
_ACTIVE = {"running", "live"}  # of SCSI, and of NVMe
_ACTIVE_WHERE_SUSPENDED: dict[float | None, int] = {0: 1, 1: 0}

_FAMILIES = {  # column: HELP text
    "active": "Whether the multipath device-mapper device is active (1) or suspended (0).",
    "size_bytes": "Size of the multipath device in bytes, read from /sys/block/<dm>/size.",
    "paths": "Number of paths for a multipath device.",
    "paths_active": (
        "Number of paths in active state (SCSI running or NVMe live) for a multipath device."
    ),
    "paths_failed": "Number of paths not in active state for a multipath device.",
}
_INFO_HELP = "Non-numeric information about a DM-multipath device."
_PATH_HELP = (
    "Reports the underlying device state for a multipath path, as read from "
    "/sys/block/<dev>/device/state."
)


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_dmmultipath_*``."""
    blocks = f"{sources.sysfs}/block"
    if not os.path.isdir(blocks):
        raise NoDataError("no block devices in /sys")
    rows: list[Row] = []
    infos: list[tuple[Cell, ...]] = []
    states: list[tuple[Cell, ...]] = []
    for name in sources.names(blocks, "dm-"):
        path = f"{blocks}/{name}"
        uuid = sources.text(f"{path}/dm/uuid") or ""
        if uuid.startswith("mpath-"):  # others are of LVM, or encrypted
            device = sources.text(f"{path}/dm/name")
            infos.append((device, name, uuid, 1))
            paths = sources.names(f"{path}/slaves")
            found = [sources.text(f"{blocks}/{each}/device/state") for each in paths]
            states += [(device, *pair, 1) for pair in zip(paths, found, strict=True)]
            rows.append({"device": device, "sysfs_name": name, **_values(sources, path, found)})
    name, labels = "node_dmmultipath_path_state", ("device", "sysfs_name")
    return [
        *family("node_dmmultipath_device_info", "gauge", _INFO_HELP, (*labels, "uuid"), infos),
        *families("node_dmmultipath_device_*", "gauge", _FAMILIES, labels, rows),
        *family(name, "gauge", _PATH_HELP, ("device", "path", "state"), states),
    ]


def _values(sources: Sources, path: str, states: list[str | None]) -> Row:
    sectors = sources.value(f"{path}/size")
    active = sum(state in _ACTIVE for state in states)
    return {
        "active": _ACTIVE_WHERE_SUSPENDED.get(sources.value(f"{path}/dm/suspended")),
        "size_bytes": None if sectors is None else sectors * _SECTOR_BYTES,
        "paths": len(states),
        "paths_active": active,
        "paths_failed": len(states) - active,
    }


COLLECTORS = [Collector("dmmultipath", collect)]
