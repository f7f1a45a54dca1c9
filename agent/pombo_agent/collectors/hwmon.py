"""Hardware monitoring: temperatures and fans."""

import os.path
import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Cell, Row, table

# The column of each file of a sensor, and the divisor to the unit of the wire.
_COLUMNS = {
    ("temp", "input"): ("celsius", 1000),
    ("temp", "max"): ("max", 1000),
    ("temp", "crit"): ("crit", 1000),
    ("fan", "input"): ("rpm", 1),
}
_FILE = re.compile(r"((temp|fan)\d+)_(input|max|crit|label)")
_FORBIDDEN = re.compile(r"[^a-z0-9:_]")


class Chip(NamedTuple):
    """A directory of hwmon, the name of its device, and its own."""

    path: str
    device: str
    name: str
    number: str


def collect(sources: Sources) -> list[Section]:
    """Return the sections of temperatures, fans, chips and labels."""
    monitors = f"{sources.sysfs}/class/hwmon"
    if not os.path.isdir(monitors):
        raise NoDataError("no hardware monitor")
    chips = sources.rows(monitors, partial(_chip, sources))
    rows: list[Row] = []
    names: list[Row] = []
    for chip, label in zip(chips, chip_labels(chips), strict=True):
        names.append({"chip": label, "chip_name": chip.name})
        rows += _sensors(sources, chip.path, label)
    return [
        *table("temperatures", (row for row in rows if _has_one(row, "celsius", "max", "crit"))),
        *table("fans", (row for row in rows if _has_one(row, "rpm"))),
        *table("sensor_chips", (row for row in names if row["chip_name"])),
        *table("sensor_labels", (row for row in rows if "label" in row)),
    ]


def _has_one(row: Row, *columns: str) -> bool:
    return any(row.get(column) is not None for column in columns)


def _sensors(sources: Sources, path: str, chip: str) -> list[Row]:
    """Return a row for each sensor of a chip, with the values and the label that it has."""
    rows: dict[str, dict[str, Cell]] = {}
    for name in sources.names(path):
        found = _FILE.fullmatch(name)
        if found is None:
            continue
        sensor, kind, item = found.groups()
        row = rows.setdefault(sensor, {"chip": chip, "sensor": sensor})
        if item == "label":
            text = sources.text(f"{path}/{name}")
            if text is not None:
                row["label"] = text
        elif (kind, item) in _COLUMNS:
            column, divisor = _COLUMNS[kind, item]
            value = sources.value(f"{path}/{name}")
            row[column] = None if value is None else value / divisor
    return list(rows.values())


def _chip(sources: Sources, path: str, _: str) -> Chip:
    device = os.path.realpath(f"{path}/device")
    name = clean(sources.text(f"{path}/name") or "")
    number = clean(os.path.basename(os.path.realpath(path)))
    return Chip(path, device_name(device) or name or number, name, number)


def device_name(device: str) -> str:
    """Return the name of a device, which is the same after a reboot: its bus, and its own name.

    ``device`` is the target of the link ``device``; it ends in ``device`` where the chip has no
    such link, and the result is then empty.
    """
    bus, own = os.path.basename(os.path.dirname(device)), os.path.basename(device)
    return "_".join(filter(None, map(clean, (bus, own)))) if own != "device" else ""


def chip_labels(chips: Sequence[Chip]) -> list[str]:
    """Return a name for each chip, different for all.

    That is the name of the device. Where a device has several chips, the name of the chip follows
    if no two have the same, else its number. This is what node_exporter does.
    """
    of_device = Counter(chip.device for chip in chips)
    of_both = Counter((chip.device, chip.name) for chip in chips)
    return [
        chip.device
        if of_device[chip.device] == 1
        else f"{chip.device}_{chip.name}"
        if chip.name and of_both[chip.device, chip.name] == 1
        else f"{chip.device}_{chip.number}"
        for chip in chips
    ]


def clean(text: str) -> str:
    """Return ``text`` as node_exporter writes it: lower case, other characters as underscores."""
    return _FORBIDDEN.sub("_", text.strip().lower()).strip("_")


COLLECTORS = [Collector("hwmon", collect)]
