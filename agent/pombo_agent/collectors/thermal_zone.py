"""Thermal zones and cooling devices."""

from functools import partial

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Row, table


def collect(sources: Sources) -> list[Section]:
    """Return the ``thermal_zones`` and ``cooling_devices`` sections."""
    thermal = f"{sources.sysfs}/class/thermal"
    zones = sources.rows(thermal, partial(_zone, sources), "thermal_zone")
    devices = sources.rows(thermal, partial(_cooling_device, sources), "cooling_device")
    return [
        *table("thermal_zones", (row for row in zones if row["celsius"] is not None)),
        *table("cooling_devices", devices),
    ]


def _zone(sources: Sources, path: str, number: str) -> Row:
    """Return the row of a thermal zone; ``celsius`` is ``None`` where the read fails."""
    value = sources.value(f"{path}/temp")
    celsius = None if value is None else value / 1000
    return {"zone": number, "type": sources.text(f"{path}/type"), "celsius": celsius}


def _cooling_device(sources: Sources, path: str, number: str) -> Row:
    """Return the row of a cooling device; an idle one may have the state -1."""
    states = sources.values(path, {"current_state": "cur_state", "max_state": "max_state"})
    return {"name": number, "type": sources.text(f"{path}/type"), **states}


COLLECTORS = [Collector("thermal_zone", collect)]
