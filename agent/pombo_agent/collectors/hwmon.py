"""Hardware monitoring: temperatures, fans, voltages, currents, power, and what else chips sense."""

import os.path
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import Filter, filtered
from pombo_agent.collecting.reading import decoded
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Cell, Row, families, family, table

_LABELS = ("chip", "sensor")

# A file of a sensor: its kind, its number, and what the file has of it.
_FILE = re.compile(r"([^0-9]+)([0-9]{0,18})(?:_(.+))?")
_FORBIDDEN = re.compile(r"[^a-z0-9:_]")
_INVALID = re.compile("\ufffd+")

# The folder of the power management of each device, and files that can only be written.
_NOT_READ = frozenset({"power"})
_WRITE_ONLY = "reset_history"

_KINDS = frozenset(
    {
        *("beep_enable", "cpu", "curr", "energy", "fan", "freq", "humidity", "in", "intrusion"),
        *("power", "pwm", "temp", "update_interval", "vrm"),
    }
)


class Unit(NamedTuple):
    """The end of a family's name, its HELP text, and how its value is scaled.

    The value is multiplied, then divided: node_exporter does either, and a result may differ in
    its last digit.
    """

    ending: str
    help: str
    factor: float = 1
    divisor: float = 1


# The families of sensors that have but one file, by the kind of the sensor.
_SINGLE = {
    "beep_enable": Unit("beep_enabled", "Hardware beep enabled"),
    "vrm": Unit("voltage_regulator_version", "Hardware voltage regulator"),
    "update_interval": Unit("update_interval_seconds", "Hardware monitor update interval", 0.001),
}

_STATES = {
    "alarm": Unit("", "Hardware sensor alarm status ({kind})"),
    "beep": Unit("_enabled", "Hardware monitor sensor has beeping enabled"),
    "fault": Unit("", "Hardware sensor fault status ({kind})"),
}

_VOLTAGE = Unit("_volts", "Hardware monitor for voltage ({element})", 0.001)
_ROTATION = Unit("_rpm", "Hardware monitor for fan revolutions per minute ({element})")
_INTERVAL = Unit("_seconds", "Hardware monitor power usage update interval ({element})", 0.001)
_AS_IS = Unit("", "Hardware monitor {kind} element {element}")

_UNITS = {
    "cpu": _VOLTAGE,
    "curr": Unit("_amps", "Hardware monitor for current ({element})", 0.001),
    "energy": Unit("_joule_total", "Hardware monitor for joules used so far ({element})", 1, 1e6),
    "humidity": Unit(
        "",
        "Hardware monitor for humidity, as a ratio (multiply with 100.0 to get the humidity as a"
        " percentage) ({element})",
        1,
        1e6,
    ),
    "in": _VOLTAGE,
    "power": Unit("_watt", "Hardware monitor for power usage in watts ({element})", 1, 1e6),
    "temp": Unit("_celsius", "Hardware monitor for temperature ({element})", 0.001),
}

# The units of single files of a kind.
_OWN_UNITS = {
    **{("fan", element): _ROTATION for element in ("input", "max", "min", "target")},
    ("freq", "input"): Unit("_freq_mhz", "Hardware monitor for GPU frequency in MHz", 1, 1e6),
    ("power", "accuracy"): Unit("", "Hardware monitor power meter accuracy, as a ratio", 1, 1e6),
    ("power", "average_interval"): _INTERVAL,
    ("power", "average_interval_max"): _INTERVAL,
    ("power", "average_interval_min"): _INTERVAL,
    ("temp", "type"): _AS_IS,
}

# The families that the exporter derives from sections of the wire: their section and column.
_DERIVED = {
    "node_hwmon_temp_celsius": ("temperatures", "celsius"),
    "node_hwmon_temp_max_celsius": ("temperatures", "max"),
    "node_hwmon_temp_crit_celsius": ("temperatures", "crit"),
    "node_hwmon_fan_rpm": ("fans", "rpm"),
}


#: The kind of each sensor of a chip, and its files by what they have of it.
Files = dict[str, tuple[str, dict[str, str]]]


class Chip(NamedTuple):
    """The path of a chip, the name of its device and its own, and the files of its sensors."""

    path: str
    device: str
    name: str
    files: Files


class Sensor(NamedTuple):
    """A sensor of a chip: its kind, its label, if any, and the number of each of its files."""

    kind: str
    label: str | None
    values: dict[str, float]


class Place(NamedTuple):
    """Where a number belongs: its section, its column there, if any, and its unit."""

    section: str
    column: str
    unit: Unit


def collect(sources: Sources) -> list[Section]:
    """Return the sections of temperatures, fans, chips and labels, and families of the others."""
    monitors = f"{sources.sysfs}/class/hwmon"
    if not os.path.isdir(monitors):
        raise NoDataError("no hardware monitor")
    wanted, sensors = sources.flags.filter("chip"), sources.flags.filter("sensor")
    chips = sources.rows(monitors, partial(_chip, sources))
    names: dict[str, Row] = {}
    labels: list[Row] = []
    tables = Tables()
    for chip, label in zip(chips, chip_labels(chips), strict=True):
        if not wanted.keeps(label):
            continue
        if chip.name:
            names.setdefault(label, {"chip": label, "chip_name": chip.name})
        for name, sensor in _sensors(sources, chip, label, sensors):
            if sensor.label is not None:
                labels.append({"chip": label, "sensor": name, "label": sensor.label})
            tables.add(label, name, sensor)
    return [
        *table("temperatures", tables.rows.pop("temperatures", {}).values()),
        *table("fans", tables.rows.pop("fans", {}).values()),
        *table("sensor_chips", names.values()),
        *table("sensor_labels", labels),
        *tables.open_families(),
    ]


class Tables:
    """The numbers of all sensors: by section, by chip and sensor, and by column."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[tuple[str, str], dict[str, Cell]]] = {}
        #: The HELP text of each column of each open family.
        self._helps: dict[str, dict[str, str]] = {}

    def add(self, chip: str, name: str, sensor: Sensor) -> None:
        """Add the numbers of a sensor."""
        for element, value in sensor.values.items():
            place = _place(sensor.kind, element, "" in sensor.values)
            key = (chip, name)
            if (sensor.kind, element) == ("freq", "input"):
                if sensor.label is None:
                    continue
                key = (chip, clean(sensor.label))
            unit = place.unit
            number = int(value == 1) if sensor.kind == "beep_enable" else value
            rows = self.rows.setdefault(place.section, {})
            row = rows.setdefault(key, dict(zip(_LABELS, key, strict=True)))
            row[place.column] = number * unit.factor / unit.divisor
            self._helps.setdefault(place.section, {}).setdefault(place.column, unit.help)

    def open_families(self) -> list[Section]:
        """Return the families that are in no section of the schema."""
        found: list[Section] = []
        for name, rows in self.rows.items():
            helps = self._helps[name]
            kind = "counter" if name.endswith("_total") else "gauge"
            if "*" in name:
                found += families(name, kind, helps, _LABELS, rows.values())
            else:
                cells = [(*key, row[""]) for key, row in rows.items()]
                found += family(name, kind, helps[""], _LABELS, cells)
        return found


@lru_cache(maxsize=512)
def _place(kind: str, element: str, has_plain: bool) -> Place:  # noqa: FBT001
    """Return where the number in a file of a sensor belongs.

    ``has_plain`` is whether the sensor has a file without an element, such as ``pwm1``.
    """
    if kind in _SINGLE:
        unit = _SINGLE[kind]
        return Place(f"node_hwmon_{unit.ending}", "", unit)
    unit = _STATES.get(element) or _OWN_UNITS.get((kind, element)) or _UNITS.get(kind, _AS_IS)
    shown = "input" if (kind, element) == ("temp", "") else element
    unit = unit._replace(help=unit.help.format(kind=kind, element=shown))
    middle = f"_{clean(element)}" if element and (element != "input" or has_plain) else ""
    name = f"node_hwmon_{kind}{middle}{unit.ending}"
    if name in _DERIVED:
        return Place(*_DERIVED[name], unit)
    prefix = f"node_hwmon_{kind}_"
    if name.endswith("_total") or not name.startswith(prefix):
        return Place(name, "", unit)
    return Place(f"{prefix}*", name.removeprefix(prefix), unit)


def _sensors(
    sources: Sources, chip: Chip, label: str, wanted: Filter
) -> Iterator[tuple[str, Sensor]]:
    """Yield the sensors of a chip by name."""
    for name, (kind, elements) in chip.files.items():
        if wanted.keeps(f"{label};{name}"):
            text = _label(sources, elements.pop("label", ""))
            numbers = ((element, sources.value(path)) for element, path in elements.items())
            values = {element: value for element, value in numbers if value is not None}
            yield name, Sensor(kind, text, values)


def _label(sources: Sources, path: str) -> str | None:
    """Return the label in a file, with the white space that it has but for its line end."""
    file = sources.optional(path) if path else None
    return None if file is None else _INVALID.sub("\ufffd", decoded(file.data.strip(b"\n")))


def _chip(sources: Sources, path: str, _: str) -> Chip:
    """Return a chip. The files of its sensors may be in the directory of its device."""
    name = clean(sources.text(f"{path}/name") or "")
    device, files = "", _files(sources, path)
    if os.path.exists(f"{path}/device"):
        device = device_name(os.path.realpath(f"{path}/device"))
        for sensor, (kind, elements) in _files(sources, f"{path}/device").items():
            files.setdefault(sensor, (kind, {}))[1].update(elements)
    return Chip(path, device or name or _number(path), name, files)


def _number(path: str) -> str:
    """Return the name of the directory of a chip, such as ``hwmon3``."""
    return clean(os.path.basename(os.path.realpath(path)))


def _files(sources: Sources, directory: str) -> Files:
    files: Files = {}
    for file in sources.names(directory):
        found = _FILE.fullmatch(file)
        if found is None or found[1] not in _KINDS or file in _NOT_READ:
            continue
        kind, number, element = found.groups("")
        if element != _WRITE_ONLY:
            elements = files.setdefault(f"{kind}{int(number or 0)}", (kind, {}))[1]
            elements[element] = f"{directory}/{file}"
    return files


def device_name(device: str) -> str:
    """Return the name of a device, which is the same after a reboot: its bus, and its own name.

    ``device`` is the target of the link ``device``.
    """
    bus, own = os.path.basename(os.path.dirname(device)), os.path.basename(device)
    return "_".join(filter(None, map(clean, (bus, own))))


def chip_labels(chips: Sequence[Chip]) -> list[str]:
    """Return a name for each chip, so that no two have a sensor of the same name.

    That is the name of the device. node_exporter 1.5 fails where a device has several chips with
    a sensor of the same name. These have the name of the chip after that of the device if no two
    have the same, else its number.
    """
    of_device: dict[str, list[Chip]] = {}
    for chip in chips:
        of_device.setdefault(chip.device, []).append(chip)
    doubtful = {device for device, found in of_device.items() if _collide(found)}
    of_both = Counter((chip.device, chip.name) for chip in chips)
    return [
        chip.device
        if chip.device not in doubtful
        else f"{chip.device}_{chip.name}"
        if chip.name and of_both[chip.device, chip.name] == 1
        else f"{chip.device}_{_number(chip.path)}"
        for chip in chips
    ]


def _collide(chips: Sequence[Chip]) -> bool:
    """Return whether two chips of a device have the same name, or a sensor of the same name."""
    names = Counter(chip.name for chip in chips if chip.name)
    names.update(f"sensor {sensor}" for chip in chips for sensor in chip.files)
    return max(names.values(), default=0) > 1


def clean(text: str) -> str:
    """Return ``text`` as node_exporter writes it: lower case, other characters as underscores."""
    return _FORBIDDEN.sub("_", text.strip().lower()).strip("_")


FLAGS = (filtered("chip"), filtered("sensor"))
COLLECTORS = [Collector("hwmon", collect, flags=FLAGS)]
