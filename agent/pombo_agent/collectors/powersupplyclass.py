"""Power supplies: batteries, mains adapters and USB."""

import os
from collections.abc import Iterator

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import pattern
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Cell, Row, families, family

_PLAIN = (
    *("authentic", "calibrate", "capacity", "capacity_alert_max", "capacity_alert_min"),
    *("cyclecount", "online", "present", "time_to_empty_seconds", "time_to_full_seconds"),
)
_MILLIONTHS = (
    *("current_boot", "current_max", "current_ampere"),
    *("energy_empty", "energy_empty_design", "energy_full", "energy_full_design"),
    *("energy_watthour", "voltage_boot", "voltage_max", "voltage_max_design", "voltage_min"),
    *("voltage_min_design", "voltage_volt", "voltage_ocv"),
    *("charge_control_limit", "charge_control_limit_max", "charge_counter", "charge_empty"),
    *("charge_empty_design", "charge_full", "charge_full_design", "charge_ampere"),
    *("charge_term_current", "constant_charge_current", "constant_charge_current_max"),
    *("constant_charge_voltage", "constant_charge_voltage_max", "precharge_current"),
    *("input_current_limit", "power_watt"),
)
_TENTHS = (
    *("temp_celsius", "temp_alert_max_celsius", "temp_alert_min_celsius"),
    *("temp_ambient_celsius", "temp_ambient_max_celsius", "temp_ambient_min_celsius"),
    *("temp_max_celsius", "temp_min_celsius"),
)
_DIVISORS = {
    **dict.fromkeys(_PLAIN, 1),
    **dict.fromkeys(_MILLIONTHS, 1e6),
    **dict.fromkeys(_TENTHS, 10),
}

# The files of the columns that have other names.
_OTHER_FILES = {
    "cyclecount": "cycle_count",
    "time_to_empty_seconds": "time_to_empty_now",
    "time_to_full_seconds": "time_to_full_now",
    "current_ampere": "current_now",
    "energy_watthour": "energy_now",
    "voltage_volt": "voltage_now",
    "charge_ampere": "charge_now",
    "power_watt": "power_now",
    **{column: column.removesuffix("_celsius") for column in _TENTHS},
}
_COLUMNS = {_OTHER_FILES.get(column, column): column for column in _DIVISORS}  # by file

# The starts of the names of families that share a section. One row of all of them, with their HELP
# texts, would not fit a datagram of JSON.
_GROUPS = ("charge_", "constant_charge_", "current_", "energy_", "temp_", "voltage_", "")

_TEXTS = (
    *("capacity_level", "charge_type", "health", "manufacturer", "model_name", "scope"),
    *("serial_number", "status", "technology", "type", "usb_type"),
)


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_power_supply_*``."""
    ignored = sources.flags.pattern("ignored-supplies")
    supplies = f"{sources.sysfs}/class/power_supply"
    if not os.path.isdir(supplies):
        raise NoDataError("no power supply")
    rows: list[Row] = []
    info: list[tuple[Cell, ...]] = []
    for name in sources.names(supplies):
        if not ignored.search(name):
            path = f"{supplies}/{name}"
            files = sources.names(path)
            rows.append({"power_supply": name, **_values(sources, path, files)})
            texts = sources.texts(path, (file for file in files if file in _TEXTS))
            info.append((name, *(texts.get(label) for label in _TEXTS), 1))
    text = "info of /sys/class/power_supply/<power_supply>."
    labels = ("power_supply", *_TEXTS)
    return [
        *_families(rows),
        *family("node_power_supply_info", "gauge", text, labels, info),
    ]


def _families(rows: list[Row]) -> Iterator[Section]:
    columns = [*_DIVISORS]
    for start in _GROUPS:
        own = [column for column in columns if column.startswith(start)]
        columns = [column for column in columns if column not in own]
        helps = {
            column.removeprefix(start): (
                f"{column} value of /sys/class/power_supply/<power_supply>."
            )
            for column in own
        }
        found = [
            {"power_supply": row["power_supply"]}
            | {column.removeprefix(start): row.get(column) for column in own}
            for row in rows
        ]
        name = f"node_power_supply_{start}*"
        yield from families(name, "gauge", helps, ("power_supply",), found)


def _values(sources: Sources, path: str, files: list[str]) -> dict[str, float | None]:
    """Return the numbers in the files, in the units of the families, by column."""
    found = sources.values(path, {_COLUMNS[file]: file for file in files if file in _COLUMNS})
    return {
        column: None if value is None else value / _DIVISORS[column]
        for column, value in found.items()
    }


FLAGS = (pattern("ignored-supplies", "^$", "Regexp of power supplies to ignore."),)
COLLECTORS = [Collector("powersupplyclass", collect, flags=FLAGS, prefix="powersupply")]
