"""What the detail of one host has of CPU modes, memory, sensors, pressure and services.

The page of a host and ``top`` show these.
"""

import re
from collections.abc import Mapping
from math import isfinite, isnan
from typing import Any, Final

from pombo_exporter.metrics import derive
from pombo_exporter.metrics.rows import Floats, Gathered, MixedRows
from pombo_exporter.views import attention
from pombo_exporter.views.schema import (
    CpuModes,
    Fan,
    MemoryParts,
    Pressure,
    Services,
    Temperature,
    UnitCount,
)

#: The sections that are read here.
SECTIONS: Final = (
    *("cpu", "fans", "meminfo", "memory", "pressure", "sensor_chips", "sensor_labels"),
    *("temperatures", "thermal_zones", attention.UNITS, attention.UNIT_STATES),
)

_PRESSURE: Final = ("cpu_waiting", "io_waiting", "io_stalled", "memory_waiting", "memory_stalled")

_DIGITS: Final = re.compile(r"([0-9]+)")
_MOST_DIGITS: Final = 18


def numeric(text: str) -> list[tuple[int, str]]:
    """Return a key that sorts ``cpu10`` after ``cpu9``."""
    parts = _DIGITS.split(text)
    return [(int(part[:_MOST_DIGITS]), "") if part.isdecimal() else (-1, part) for part in parts]


def cpu_modes(cpu: MixedRows) -> CpuModes | None:
    """Return the shares of one host's time, None before they are known."""
    shares = _known(derive.cpu_mode_shares(cpu)[:, 0])
    return None if shares == [None] * len(shares) else CpuModes(*shares)


def memory_parts(rows: Gathered) -> MemoryParts | None:
    """Return the parts of one host's memory, None where the total or the free part is unknown."""
    if "memory" in rows:
        record, names = rows["memory"], ("total", "free", "buffers", "cached", "shared", "")
    else:
        record = rows["meminfo"]
        names = (
            *("MemTotal_bytes", "MemFree_bytes", "Buffers_bytes", "Cached_bytes", "Shmem_bytes"),
            "SReclaimable_bytes",
        )
    if not len(record):
        return None
    found = [float(record.last(name)[0]) for name in names]
    if not (isfinite(found[0]) and isfinite(found[1])):
        return None
    total, free, buffers, cached, shared, reclaimable = (
        0.0 if isnan(each) else each for each in found
    )
    cached += reclaimable
    used = max(0.0, total - free - buffers - cached)
    parts = used, buffers, cached, free, shared
    return MemoryParts(*(each if isfinite(each) else None for each in parts))


def temperatures(rows: Gathered) -> list[Temperature]:
    """Return what the sensors of one host measure, and its thermal zones."""
    if "temperatures" not in rows and "thermal_zones" not in rows:
        return []
    chips, labels = _chips(rows), _labels(rows)
    sensors, zones = rows["temperatures"], rows["thermal_zones"]
    places = [*zip(sensors.texts("chip"), sensors.texts("sensor"), strict=True)]
    fields = (_known(sensors.last(name)) for name in ("celsius", "max", "crit"))
    found = [
        Temperature(chip, chips.get(chip, ""), sensor, labels.get((chip, sensor), ""), *values)
        for (chip, sensor), *values in zip(places, *fields, strict=True)
    ]
    names = zip(
        zones.texts("type"), zones.texts("zone"), _known(zones.last("celsius")), strict=True
    )
    found += [Temperature(kind, "", zone, "", value, None, None) for kind, zone, value in names]
    return found


def fans(rows: Gathered) -> list[Fan]:
    """Return the speeds of one host's fans."""
    if "fans" not in rows:
        return []
    chips, labels, table = _chips(rows), _labels(rows), rows["fans"]
    names = zip(table.texts("chip"), table.texts("sensor"), strict=True)
    return [
        Fan(chip, chips.get(chip, ""), sensor, labels.get((chip, sensor), ""), value)
        for (chip, sensor), value in zip(names, _known(table.last("rpm")), strict=True)
    ]


def _chips(rows: Gathered) -> Mapping[str, str]:
    table = rows["sensor_chips"]
    return dict(zip(table.texts("chip"), table.texts("chip_name"), strict=True))


def _labels(rows: Gathered) -> Mapping[tuple[str, str], str]:
    table = rows["sensor_labels"]
    names = zip(table.texts("chip"), table.texts("sensor"), strict=True)
    return dict(zip(names, table.texts("label"), strict=True))


def _known(values: Floats) -> list[Any]:
    return [value if isfinite(value) else None for value in values.tolist()]


def pressure(record: MixedRows) -> Pressure | None:
    """Return the shares of the time in which tasks of one host waited, None without a kernel's."""
    if not len(record):
        return None
    rates = (float(derive.per_second(record, name)[0]) for name in _PRESSURE)
    return Pressure(*(min(rate, 1.0) if isfinite(rate) else None for rate in rates))


def services(rows: Gathered) -> Services | None:
    """Return the units of systemd of one host, None where it does not report them."""
    if attention.UNITS not in rows and attention.UNIT_STATES not in rows:
        return None
    counts, states = rows[attention.UNITS], rows[attention.UNIT_STATES]
    pairs = zip(counts.label_sets, counts.last(attention.UNITS).tolist(), strict=True)
    units = [
        UnitCount(labels["state"], count)
        for labels, count in pairs
        if isfinite(count) and "state" in labels
    ]
    return Services(units, sorted(attention.failed_units(states), key=numeric))
