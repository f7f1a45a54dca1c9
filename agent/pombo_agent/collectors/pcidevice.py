"""PCI devices: what they are, their links, their power states, and their virtual functions."""

import os
import re

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Cell, Row, families, family

_HELPS = {
    "max_link_transfers_per_second": "Value of maximum link's transfers per second (T/s)",
    "max_link_width": "Value of maximum link's width (number of lanes)",
    "current_link_transfers_per_second": "Value of current link's transfers per second (T/s)",
    "current_link_width": "Value of current link's width (number of lanes)",
    "d3cold_allowed": "Whether the PCIe device supports D3cold power state (0/1).",
    "sriov_drivers_autoprobe": "Whether SR-IOV drivers autoprobe is enabled for the device (0/1).",
    "sriov_numvfs": "Number of Virtual Functions (VFs) currently enabled for SR-IOV.",
    "sriov_totalvfs": "Total number of Virtual Functions (VFs) supported by the device.",
    "sriov_vf_total_msix": "Total number of MSI-X vectors for Virtual Functions.",
    "numa_node": "NUMA node number for the PCI device. -1 indicates unknown or not available.",
}
_POWER_HELP = "PCIe device power state, one of: D0, D1, D2, D3hot, D3cold, unknown or error."
_INFO_HELP = "Non-numeric data from /sys/bus/pci/devices/<location>, value is always 1."

_SPEEDS = {
    "max_link_transfers_per_second": "max_link_speed",
    "current_link_transfers_per_second": "current_link_speed",
}
# Numbers that node_exporter reports as this where a device lacks the file.
_WIDTHS = dict.fromkeys(("max_link_width", "current_link_width"), -1)
_OPTIONAL = dict.fromkeys(
    (
        *("d3cold_allowed", "sriov_drivers_autoprobe", "sriov_numvfs", "sriov_totalvfs"),
        "sriov_vf_total_msix",
    ),
    0,
)

# The labels of the numbers that identify a device, and the digits of each.
_IDS = {
    "class_id": ("class", 6),
    "vendor_id": ("vendor", 4),
    "device_id": ("device", 4),
    "subsystem_vendor_id": ("subsystem_vendor", 4),
    "subsystem_device_id": ("subsystem_device", 4),
    "revision": ("revision", 2),
}
_STATES = ("D0", "D1", "D2", "D3hot", "D3cold", "unknown", "error")
_PLACE = ("segment", "bus", "device", "function")
_LABELS = (*_PLACE, *(f"parent_{label}" for label in _PLACE), *_IDS)
_LOCATION = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-9a-f])", re.IGNORECASE)
_NOT_PCI = ("*",) * len(_PLACE)
_GIGA = 1e9


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_pcidevice_*``."""
    devices = f"{sources.sysfs}/bus/pci/devices"
    if not os.path.isdir(devices):
        raise NoDataError("no PCI")
    rows: list[Row] = []
    states: list[tuple[Cell, ...]] = []
    infos: list[dict[str, str]] = []
    for name in sources.names(devices):
        path = f"{devices}/{name}"
        target = os.path.realpath(path)
        location = _LOCATION.fullmatch(os.path.basename(target))
        if location is None:
            continue
        place = dict(zip(_PLACE, location.groups(), strict=True))
        rows.append({**place, **_numbers(sources, path)})
        infos.append({**place, **_info(sources, path, os.path.basename(os.path.dirname(target)))})
        current = sources.text(f"{path}/power_state")
        if current:
            states += [(*location.groups(), state, int(state == current)) for state in _STATES]
    cells = [(*(info.get(label) for label in _LABELS), 1) for info in infos]
    return [
        *families("node_pcidevice_*", "gauge", _HELPS, _PLACE, rows),
        *family("node_pcidevice_power_state", "gauge", _POWER_HELP, (*_PLACE, "state"), states),
        *family("node_pcidevice_info", "gauge", _INFO_HELP, _LABELS, cells),
    ]


def _numbers(sources: Sources, path: str) -> dict[str, float | None]:
    """Return the numbers of a device; where it lacks a file, what node_exporter reports."""
    found: dict[str, float | None] = {}
    for column, name in _SPEEDS.items():
        file = sources.optional(f"{path}/{name}")
        found[column] = -1 if file is None else _transfers(file)
    for name, missing in {**_WIDTHS, **_OPTIONAL}.items():
        file = sources.optional(f"{path}/{name}")
        unknown = file is None or not file.data.strip() or file.data.startswith(b"Unknown")
        found[name] = missing if file is None or unknown else file.value
    node = sources.value(f"{path}/numa_node")
    found["numa_node"] = None if node is None or node < 0 else node
    return found


def _transfers(file: File) -> float | None:
    """Return the transfers per second in a file such as ``8.0 GT/s PCIe``; -1 if unknown."""
    words = file.data.split()
    if not words or words[0] == b"Unknown":
        return -1
    if words[1:] != [b"GT/s", b"PCIe"]:
        file.skip("value", file.data)
        return None
    speed = file.number(words[0])
    return None if speed is None else speed * _GIGA


def _info(sources: Sources, path: str, parent: str) -> dict[str, str]:
    """Return the texts of a device; ``parent`` is the name of the directory that it is in."""
    above = _LOCATION.fullmatch(parent)
    groups = above.groups() if above else _NOT_PCI
    found = {f"parent_{label}": group for label, group in zip(_PLACE, groups, strict=True)}
    for label, (name, digits) in _IDS.items():
        file = sources.optional(f"{path}/{name}")
        number = file.hexadecimal(file.data.strip()) if file else None
        if number is not None:
            found[label] = f"0x{number:0{digits}x}"
    return found


COLLECTORS = [Collector("pcidevice", collect, enabled=False)]
