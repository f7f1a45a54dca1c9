"""Bonding interfaces: their slaves, and how many of these are active."""

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import decoded
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Row, families

_FAMILIES = {
    "slaves": "Number of configured slaves per bonding interface.",
    "active": "Number of active slaves per bonding interface.",
}
_LINKS = ("lower", "slave")  # how newer and older kernels name the links to slaves


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_bonding_*``."""
    classes = f"{sources.sysfs}/class/net"
    masters = sources.file(f"{classes}/bonding_masters").data.split()
    rows = [_row(sources, classes, decoded(master)) for master in masters]
    return families("node_bonding_*", "gauge", _FAMILIES, ("master",), rows)


def _row(sources: Sources, classes: str, master: str) -> Row:
    """Return the row of a bonding interface; ``active`` needs the status of each slave."""
    file = sources.optional(f"{classes}/{master}/bonding/slaves")
    if file is None:
        return {"master": master}
    statuses = [
        _status(sources, f"{classes}/{master}", decoded(slave)) for slave in file.data.split()
    ]
    active = None if None in statuses else statuses.count("up")
    return {"master": master, "slaves": len(statuses), "active": active}


def _status(sources: Sources, path: str, slave: str) -> str | None:
    """Return the status of the link of a slave; ``None`` where it is unknown."""
    for link in _LINKS:
        status = sources.text(f"{path}/{link}_{slave}/bonding_slave/mii_status")
        if status is not None:
            return status
    return None


COLLECTORS = [Collector("bonding", collect)]
