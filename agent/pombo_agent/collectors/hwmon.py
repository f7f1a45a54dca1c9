"""Hardware monitoring: temperatures and fans."""

import re
from pathlib import Path

from pombo_wire import Fans, Part, SensorChips, SensorLabels, Temperatures

from pombo_agent.collectors.sources import NoDataError, Sources, read_optional
from pombo_agent.collectors.tables import Row, tables

# The column of each file of a sensor, and the divisor to the unit of the wire.
_COLUMNS = {
    ("temp", "input"): ("celsius", 1000),
    ("temp", "max"): ("max", 1000),
    ("temp", "crit"): ("crit", 1000),
    ("fan", "input"): ("rpm", 1),
}
_FILE = re.compile(r"((temp|fan)\d+)_(input|max|crit|label)")
_FORBIDDEN = re.compile(r"[^a-z0-9:_]")


def collect(sources: Sources) -> list[Part]:
    """Return the sections of temperatures, fans, chips and labels."""
    monitors = sources.sysfs / "class/hwmon"
    if not monitors.is_dir():
        raise NoDataError("no hardware monitor")
    chips: list[Row] = []
    rows: list[Row] = []
    for directory in sorted(monitors.iterdir()):
        files = _files(directory)
        name = read_optional(directory / "name")
        chip = chip_name((directory / "device").resolve(), name, directory.resolve().name)
        chips.append({"chip": chip, "chip_name": clean(name or "")})
        rows += sensor_rows(chip, files)
    return [
        *tables(Temperatures, (row for row in rows if "celsius" in row)),
        *tables(Fans, (row for row in rows if "rpm" in row)),
        *tables(SensorChips, (row for row in chips if row["chip_name"])),
        *tables(SensorLabels, (row for row in rows if "label" in row)),
    ]


def sensor_rows(chip: str, files: dict[str, str]) -> list[Row]:
    """Return a row for each sensor of a chip, with the values and the label that it has."""
    rows: dict[str, dict[str, str | float | None]] = {}
    for name, text in files.items():
        found = _FILE.fullmatch(name)
        if found is None:
            continue
        sensor, kind, item = found.groups()
        row = rows.setdefault(sensor, {"chip": chip, "sensor": sensor})
        if item == "label":
            row["label"] = text.strip()
        elif (kind, item) in _COLUMNS:
            column, divisor = _COLUMNS[kind, item]
            row[column] = int(text) / divisor
    return list(rows.values())


def chip_name(device: Path, name: str | None, number: str) -> str:
    """Return a name that is the same after a reboot where possible.

    It is made of the bus and the name of the device, else of the chip's ``name``, else of its
    ``number``. ``device`` is the target of the link ``device``, and ends in ``device`` where the
    chip has no such link.
    """
    parts = (device.parent.name, device.name) if device.name != "device" else (name or number,)
    return "_".join(filter(None, map(clean, parts)))


def clean(text: str) -> str:
    """Return ``text`` as node_exporter writes it: lower case, other characters as underscores."""
    return _FORBIDDEN.sub("_", text.strip().lower()).strip("_")


def _files(directory: Path) -> dict[str, str]:
    found = {}
    for path in sorted(directory.iterdir()):
        if _FILE.fullmatch(path.name) and (text := read_optional(path)) is not None:
            found[path.name] = text
    return found
