"""NVMe: the controllers, and their namespaces."""

import os.path
import re

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Row, families, family

# The label of each file of a controller.
_FILES = {
    "firmware_revision": "firmware_rev",
    "model": "model",
    "serial": "serial",
    "state": "state",
}
_NAMESPACE = re.compile(r"nvme\d+c\d+n(\d+)")
_NAMESPACE_FAMILIES = {
    "capacity": (
        "Capacity of the NVMe namespace in bytes. "
        "Computed as namespace_size * namespace_logical_block_size"
    ),
    "size": (
        "Size of the NVMe namespace in bytes. "
        "Available in /sys/class/nvme/<device>/<namespace>/size"
    ),
    "used": (
        "Used space of the NVMe namespace in bytes. "
        "Available in /sys/class/nvme/<device>/<namespace>/nuse"
    ),
    "logical_block_size": (
        "Logical block size of the NVMe namespace in bytes. Usually 4Kb. "
        "Available in /sys/class/nvme/<device>/<namespace>/queue/logical_block_size"
    ),
}
_NAMESPACE_HELP = "Information about NVMe namespaces. Value is always 1"
_INFO_HELP = "Non-numeric data from /sys/class/nvme/<device>, value is always 1."


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_nvme_*``."""
    path = f"{sources.sysfs}/class/nvme"
    if not os.path.isdir(path):
        raise NoDataError("no NVMe")
    controllers = sources.names(path)
    rows: list[Row] = []
    for controller in controllers:
        for name in sources.names(f"{path}/{controller}", "nvme"):
            if found := _NAMESPACE.search(name):
                row = _namespace(sources, f"{path}/{controller}/{name}")
                rows.append({"device": controller, "nsid": found[1], **row})
    infos = [
        (name, *(sources.text(f"{path}/{name}/{file}") for file in _FILES.values()), 1)
        for name in controllers
    ]
    states = [(row["device"], row["nsid"], row["ana_state"], 1) for row in rows]
    name = "node_nvme_namespace_info"
    labels = ("device", "nsid")
    return [
        *family("node_nvme_info", "gauge", _INFO_HELP, ("device", *_FILES), infos),
        *family(name, "gauge", _NAMESPACE_HELP, (*labels, "ana_state"), states),
        *families("node_nvme_namespace_*_bytes", "gauge", _NAMESPACE_FAMILIES, labels, rows),
    ]


def _namespace(sources: Sources, path: str) -> Row:
    """Return the sizes of a namespace in bytes, as node_exporter computes them."""
    block = sources.value(f"{path}/queue/logical_block_size")
    size, used = sources.value(f"{path}/size"), sources.value(f"{path}/nuse")
    return {
        "ana_state": sources.text(f"{path}/ana_state") or "unknown",
        "logical_block_size": block,
        "capacity": None if block is None or size is None else size * block,
        "size": None if block is None or size is None else size * block,
        "used": None if block is None or used is None else used * block,
    }


COLLECTORS = [Collector("nvme", collect)]
