"""Caches of kernel objects. Only root may read them."""

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import pattern
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Row, families

# The columns after the name, as in /proc/slabinfo 2.1; see slabinfo(5).
_FAMILIES = {
    "active_objects": "The number of objects that are currently active (i.e., in use).",
    "objects": (
        "The total number of allocated objects (i.e., objects that are both in use and not in use)."
    ),
    "object_size_bytes": "The size of objects in this slab, in bytes.",
    "objects_per_slab": "The number of objects stored in each slab.",
    "pages_per_slab": "The number of pages allocated for each slab.",
}
_FEWEST_WORDS = 1 + len(_FAMILIES)

FLAGS = (
    pattern("slabs-include", ".*", "Regexp of slabs to include in slabinfo collector."),
    pattern("slabs-exclude", "", "Regexp of slabs to exclude in slabinfo collector."),
)


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_slabinfo_*``."""
    include = sources.flags.pattern("slabs-include")
    exclude = sources.flags.pattern("slabs-exclude")
    rows = [
        row
        for row in parse_slabinfo(sources.proc("slabinfo"))
        if include.search(str(row["slab"]))
        and not (exclude.pattern and exclude.search(str(row["slab"])))
    ]
    return families("node_slabinfo_*", "gauge", _FAMILIES, ("slab",), rows)


def parse_slabinfo(file: File) -> list[Row]:
    """Return a row for each cache in ``/proc/slabinfo``."""
    rows: list[Row] = []
    for words in file.words():
        name, *counts = words
        if name == b"slabinfo" or name.startswith(b"#"):
            continue
        if len(words) < _FEWEST_WORDS:
            file.skip("line", b" ".join(words))
            continue
        numbers = file.numbers(counts[: len(_FAMILIES)])
        rows.append({"slab": decoded(name), **dict(zip(_FAMILIES, numbers, strict=True))})
    return rows


COLLECTORS = [Collector("slabinfo", collect, enabled=False, flags=FLAGS)]
