"""Sensors of the hardware monitor: temperatures and fans."""

import re
from pathlib import Path

from pombo_wire import Fans, Part, SensorChips, SensorLabels, Temperatures

from pombo_agent.collectors.sources import NoDataError, Sources, read_optional
from pombo_agent.collectors.tables import Row, tables

# The columns of a sensor's files, and how many of their units are one of the wire's.
_COLUMNS = {
    ("temp", "input"): ("celsius", 1000),
    ("temp", "max"): ("max", 1000),
    ("temp", "crit"): ("crit", 1000),
    ("fan", "input"): ("rpm", 1),
}
_FILE = re.compile(r"((temp|fan)\d+)_(input|max|crit|label)")
_NO_NAME = re.compile(r"[^a-z0-9:_]")


def collect(sources: Sources) -> list[Part]:
    """Return the sections of the sensors, their chips and their labels."""
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
        rows += sensors(chip, files)
    return [
        *tables(Temperatures, (row for row in rows if "celsius" in row)),
        *tables(Fans, (row for row in rows if "rpm" in row)),
        *tables(SensorChips, (row for row in chips if row["chip_name"])),
        *tables(SensorLabels, (row for row in rows if "label" in row)),
    ]


def sensors(chip: str, files: dict[str, str]) -> list[Row]:
    """Return a row for each sensor of a chip: its values and its label, as far as it has them."""
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
            column, units = _COLUMNS[kind, item]
            row[column] = int(text) / units
    return list(rows.values())


def chip_name(device: Path, name: str | None, number: str) -> str:
    """Return the name that a chip keeps: its device's, else its own, else its number.

    ``device`` is where its link leads; a chip without one leads nowhere but to itself.
    """
    parts = (device.parent.name, device.name) if device.name != "device" else (name or number,)
    return "_".join(filter(None, map(clean, parts)))


def clean(text: str) -> str:
    """Return ``text`` in lower case, with underscores for what a label's value does without."""
    return _NO_NAME.sub("_", text.strip().lower()).strip("_")


def _files(directory: Path) -> dict[str, str]:
    found = {}
    for path in sorted(directory.iterdir()):
        if _FILE.fullmatch(path.name) and (text := read_optional(path)) is not None:
            found[path.name] = text
    return found
