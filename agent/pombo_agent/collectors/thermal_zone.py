"""The platform's thermal zones, and what cools them."""

from pathlib import Path

from pombo_wire import CoolingDevices, Part, ThermalZones

from pombo_agent.collectors.sources import Sources, texts_of, whole
from pombo_agent.collectors.tables import Row, tables

_ZONE = "thermal_zone"
_DEVICE = "cooling_device"


def collect(sources: Sources) -> list[Part]:
    """Return the ``thermal_zones`` and ``cooling_devices`` sections."""
    thermal = sources.sysfs / "class/thermal"
    zones = (zone(*found) for found in _found(thermal, _ZONE, "type", "temp"))
    devices = _found(thermal, _DEVICE, "type", "cur_state", "max_state")
    return [
        *tables(ThermalZones, (row for row in zones if row["celsius"] is not None)),
        *tables(CoolingDevices, (cooling_device(*found) for found in devices)),
    ]


def zone(number: str, files: dict[str, str]) -> Row:
    """Return the row of a thermal zone; its sensor may refuse to tell."""
    temperature = whole(files.get("temp"))
    celsius = None if temperature is None else temperature / 1000
    return {"zone": number, "type": files.get("type", ""), "celsius": celsius}


def cooling_device(number: str, files: dict[str, str]) -> Row:
    """Return the row of a cooling device."""
    return {
        "name": number,
        "type": files.get("type", ""),
        "current_state": whole(files.get("cur_state")),
        "max_state": whole(files.get("max_state")),
    }


def _found(thermal: Path, kind: str, *files: str) -> list[tuple[str, dict[str, str]]]:
    directories = sorted(thermal.glob(f"{kind}*"))
    return [(path.name.removeprefix(kind), texts_of(path, files)) for path in directories]
