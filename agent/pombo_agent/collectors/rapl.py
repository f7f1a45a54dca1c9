"""Energy that the processor and the memory have used, as RAPL counts it."""

import os.path
import re

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import switch
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Row, families, family

_FORBIDDEN = re.compile(r"_*[^0-9A-Za-z_]+_*")
_INDEXED = re.compile(r"([^-]*)-([+-]?[0-9]+)")
_MICRO = 1e6


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_rapl_*_joules_total``, or one with a label for the zone.

    Since Linux 5.10 only root may read the counters.
    """
    powercap = f"{sources.sysfs}/class/powercap"
    if not os.path.isdir(powercap):
        raise NoDataError("no power capping")
    rows = _zones(sources, powercap)
    if all(row["joules"] is None for row in rows):
        raise NoDataError("no energy counter can be read")
    if sources.flags.switch("enable-zone-label"):
        labels = ("index", "path", "rapl_zone")
        cells = [(*(row[label] for label in labels), row["joules"]) for row in rows]
        text = "Current RAPL value in joules"
        return family("node_rapl_joules_total", "counter", text, labels, cells)
    helps: dict[str, str] = {}
    found: list[Row] = []
    for row in rows:
        zone = str(row["rapl_zone"])
        column = _FORBIDDEN.sub("_", zone)
        helps.setdefault(column, f"Current RAPL {zone} value in joules")
        found.append({**row, column: row["joules"]})
    return families("node_rapl_*_joules_total", "counter", helps, ("index", "path"), found)


def _zones(sources: Sources, powercap: str) -> list[Row]:
    """Return the row of each zone that has a name.

    Its index ends its name, else it is the number of zones of that name before.
    """
    rows: list[Row] = []
    next_index: dict[str, int] = {}
    for entry in sorted(sources.names(powercap)):
        path = os.path.normpath(f"{powercap}/{entry}")
        name = sources.text(f"{path}/name")
        if name is None:
            continue
        if indexed := _INDEXED.fullmatch(name):
            zone, index = indexed[1], int(indexed[2])
        else:
            zone, index = name, next_index.get(name, 0)
        next_index[zone] = index + 1
        energy = sources.value(f"{path}/energy_uj")
        joules = None if energy is None else energy / _MICRO
        rows.append({"index": str(index), "path": path, "rapl_zone": zone, "joules": joules})
    return rows


FLAGS = (switch("enable-zone-label", "Name the zone in a label, not in the family."),)
COLLECTORS = [Collector("rapl", collect, flags=FLAGS)]
