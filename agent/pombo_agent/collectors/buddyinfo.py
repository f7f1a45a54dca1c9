"""Free blocks of memory by size, which show how fragmented it is."""

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Cell, family

_BLOCKS = "Count of free blocks according to size."
_FEWEST_WORDS = 4


def collect(sources: Sources) -> list[Section]:
    """Return the open family ``node_buddyinfo_blocks``."""
    rows = parse_buddyinfo(sources.proc("buddyinfo"))
    return family("node_buddyinfo_blocks", "gauge", _BLOCKS, ("node", "zone", "size"), rows)


def parse_buddyinfo(file: File) -> list[tuple[Cell, ...]]:
    """Return the node, the zone, the size and the number of blocks of each size and zone.

    A block of the size N has 2 to the power of N pages.
    """
    rows: list[tuple[Cell, ...]] = []
    for words in file.words(_FEWEST_WORDS):
        kind, node, zone, name, *counts = words
        if (kind, zone) != (b"Node", b"zone"):
            file.skip("line", b" ".join(words))
            continue
        labels = node.rstrip(b","), name.rstrip(b",")
        rows += ((*labels, str(at), count) for at, count in enumerate(file.numbers(counts)))
    return rows


COLLECTORS = [Collector("buddyinfo", collect, enabled=False)]
