"""Thermal zones and cooling devices."""

from pathlib import Path

from pombo_wire import CoolingDevices, Part, ThermalZones

from pombo_agent.collectors.sources import Sources, parse_int, read_texts
from pombo_agent.collectors.tables import Row, tables

_ZONE = "thermal_zone"
_DEVICE = "cooling_device"


def collect(sources: Sources) -> list[Part]:
    """Return the ``thermal_zones`` and ``cooling_devices`` sections."""
    thermal = sources.sysfs / "class/thermal"
    zones = (zone_row(*found) for found in _read(thermal, _ZONE, "type", "temp"))
    devices = _read(thermal, _DEVICE, "type", "cur_state", "max_state")
    return [
        *tables(ThermalZones, (row for row in zones if row["celsius"] is not None)),
        *tables(CoolingDevices, (cooling_device_row(*found) for found in devices)),
    ]


def zone_row(number: str, files: dict[str, str]) -> Row:
    """Return the row of a thermal zone; ``celsius`` is ``None`` where the read fails."""
    temperature = parse_int(files.get("temp"))
    celsius = None if temperature is None else temperature / 1000
    return {"zone": number, "type": files.get("type", ""), "celsius": celsius}


def cooling_device_row(number: str, files: dict[str, str]) -> Row:
    """Return the row of a cooling device."""
    return {
        "name": number,
        "type": files.get("type", ""),
        "current_state": parse_int(files.get("cur_state")),
        "max_state": parse_int(files.get("max_state")),
    }


def _read(thermal: Path, kind: str, *files: str) -> list[tuple[str, dict[str, str]]]:
    directories = sorted(thermal.glob(f"{kind}*"))
    return [(path.name.removeprefix(kind), read_texts(path, files)) for path in directories]
