"""Memory of each NUMA node in bytes, and counts of allocations."""

import re
from collections.abc import Iterator

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Cell, family

_PARENTHESES = re.compile(r"\((.*)\)")
_NAME = re.compile("[a-zA-Z0-9_]{1,100}")
_FEWEST_WORDS = 4

#: The row of each node, by its number.
Nodes = dict[str, dict[str, Cell]]


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_memory_numa_*``."""
    devices = f"{sources.sysfs}/devices/system/node"
    numbers = [name for name in sources.names(devices, "node") if name[4:].isdigit()]
    if not numbers:
        raise NoDataError("no NUMA nodes in /sys")
    sizes: Nodes = {}
    counts: Nodes = {}
    for name in numbers:
        node = name[4:]
        if file := sources.optional(f"{devices}/{name}/meminfo"):
            parse_meminfo(file, sizes)
        if file := sources.optional(f"{devices}/{name}/numastat"):
            counts[node] = {"node": node, **parse_numastat(file)}
    return [*_families("gauge", "", sizes), *_families("counter", "_total", counts)]


def _families(kind: str, end: str, nodes: Nodes) -> Iterator[Section]:
    """Yield a section for each column: all of them would be too large for a datagram in JSON."""
    rows = nodes.values()
    for column in dict.fromkeys(name for row in rows for name in row if name != "node"):
        text = f"Memory information field {column}{end}."
        cells = [(row["node"], row.get(column)) for row in rows]
        yield from family(f"node_memory_numa_{column}{end}", kind, text, ("node",), cells)


def parse_meminfo(file: File, nodes: Nodes) -> None:
    """Add the lines of a node's ``meminfo`` to ``nodes``, in bytes; lines without kB are counts."""
    for line in file.lines():
        words = line.split()
        if len(words) < _FEWEST_WORDS or words[0] != b"Node" or words[4:] not in ([], [b"kB"]):
            file.skip("line", line)
            continue
        node = decoded(words[1])
        column = _PARENTHESES.sub(r"_\1", decoded(words[2]).rstrip(":"))
        if not _NAME.fullmatch(column):
            file.skip("line", line)
            continue
        value = file.number(words[3])
        row = nodes.setdefault(node, {"node": node})
        row[column] = value and value * 1024 if words[4:] else value


def parse_numastat(file: File) -> dict[str, Cell]:
    """Return the counts of a node's ``numastat``."""
    found: dict[str, Cell] = {}
    for name, count, *_ in file.words(2):
        column = decoded(name)
        if _NAME.fullmatch(column):
            found[column] = file.number(count)
        else:
            file.skip("line", name)
    return found


COLLECTORS = [Collector("meminfo_numa", collect, enabled=False)]
