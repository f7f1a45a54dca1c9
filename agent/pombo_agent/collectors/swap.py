"""Swap devices: their size and how much of it is used."""

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Row, families

_FAMILIES = {
    "priority": "Swap device priority.",
    "size_bytes": "Swap device size in bytes.",
    "used_bytes": "Swap device used in bytes.",
}


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_swap_*``."""
    file = sources.proc("swaps")
    rows = parse_swaps(file)
    return families("node_swap_*", "gauge", _FAMILIES, ("device", "swap_type"), rows)


def parse_swaps(file: File) -> list[Row]:
    """Return a row for each device in ``/proc/swaps``, where sizes are in kibibytes."""
    rows: list[Row] = []
    for words in file.words(5):
        if words[0] == b"Filename":
            continue
        device, kind, *counts = words[:5]
        size, used, priority = file.numbers(counts)
        rows.append(
            {
                "device": device,
                "swap_type": kind,
                "size_bytes": size and size * 1024,
                "used_bytes": used and used * 1024,
                "priority": priority,
            }
        )
    return rows


COLLECTORS = [Collector("swap", collect, enabled=False)]
