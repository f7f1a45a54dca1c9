"""Zones of memory: their pages and watermarks, and counts since boot."""

import re
from collections.abc import Iterator, Mapping, Sequence

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Cell, Row, family

# By the name in /proc/zoneinfo: the column, and its HELP text. Numbers without a row of their own,
# as those of a node, are in its first zone.
_GAUGES = {
    b"nr_free_pages": ("nr_free_pages", "Total number of free pages in the zone"),
    b"min": ("min_pages", "Zone watermark pages_min"),
    b"low": ("low_pages", "Zone watermark pages_low"),
    b"high": ("high_pages", "Zone watermark pages_high"),
    b"scanned": ("scanned_pages", "Pages scanned since last reclaim"),
    b"spanned": ("spanned_pages", "Total pages spanned by the zone, including holes"),
    b"present": ("present_pages", "Physical pages existing within the zone"),
    b"managed": ("managed_pages", "Present pages managed by the buddy system"),
    b"nr_active_anon": ("nr_active_anon_pages", "Number of anonymous pages recently more used"),
    b"nr_inactive_anon": ("nr_inactive_anon_pages", "Number of anonymous pages recently less used"),
    b"nr_isolated_anon": ("nr_isolated_anon_pages", "Temporary isolated pages from anon lru"),
    b"nr_anon_pages": ("nr_anon_pages", "Number of anonymous pages currently used by the system"),
    b"nr_anon_transparent_hugepages": (
        "nr_anon_transparent_hugepages",
        "Number of anonymous transparent huge pages currently used by the system",
    ),
    b"nr_active_file": ("nr_active_file_pages", "Number of active pages with file-backing"),
    b"nr_inactive_file": ("nr_inactive_file_pages", "Number of inactive pages with file-backing"),
    b"nr_isolated_file": ("nr_isolated_file_pages", "Temporary isolated pages from file lru"),
    b"nr_file_pages": ("nr_file_pages", "Number of file pages"),
    b"nr_slab_reclaimable": ("nr_slab_reclaimable_pages", "Number of reclaimable slab pages"),
    b"nr_slab_unreclaimable": ("nr_slab_unreclaimable_pages", "Number of unreclaimable slab pages"),
    b"nr_mlock_stack": ("nr_mlock_stack_pages", "mlock()ed pages found and moved off LRU"),
    b"nr_kernel_stack": ("nr_kernel_stacks", "Number of kernel stacks"),
    b"nr_mapped": ("nr_mapped_pages", "Number of mapped pages"),
    b"nr_dirty": ("nr_dirty_pages", "Number of dirty pages"),
    b"nr_writeback": ("nr_writeback_pages", "Number of writeback pages"),
    b"nr_unevictable": ("nr_unevictable_pages", "Number of unevictable pages"),
    b"nr_shmem": ("nr_shmem_pages", "Number of shmem pages (included tmpfs/GEM pages)"),
}
_COUNTERS = {
    b"nr_dirtied": ("nr_dirtied", "Page dirtyings since bootup"),
    b"nr_written": ("nr_written", "Page writings since bootup"),
    b"numa_hit": ("numa_hit", "Allocated in intended node"),
    b"numa_miss": ("numa_miss", "Allocated in non intended node"),
    b"numa_foreign": ("numa_foreign", "Was intended here, hit elsewhere"),
    b"numa_interleave": ("numa_interleave", "Interleaver preferred this zone"),
    b"numa_local": ("numa_local", "Allocation from local node"),
    b"numa_other": ("numa_other", "Allocation from other node"),
}
_COLUMNS = {name: column for name, (column, _) in {**_GAUGES, **_COUNTERS}.items()}
_PROTECTION = b"protection:"

_ZONE = re.compile(rb"Node\s+(\d+), zone\s+(\w+)\s*")


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_zoneinfo_*``."""
    rows = parse_zoneinfo(sources.proc("zoneinfo"))
    most = max((len(row) for row in rows), default=0)
    protections = {f"protection_{at}": f"Protection array {at}. field" for at in range(most)}
    gauges = {**dict(_GAUGES.values()), **protections}
    return [
        *_families("gauge", gauges, "", rows),
        *_families("counter", dict(_COUNTERS.values()), "_total", rows),
    ]


def _families(
    kind: str, helps: Mapping[str, str], end: str, rows: Sequence[Row]
) -> Iterator[Section]:
    """Yield a section for each column: all of them would be too large for a datagram in JSON."""
    for column, text in helps.items():
        cells = [(row["node"], row["zone"], row.get(column)) for row in rows]
        yield from family(f"node_zoneinfo_{column}{end}", kind, text, ("node", "zone"), cells)


def parse_zoneinfo(file: File) -> list[dict[str, Cell]]:
    """Return a row for each zone in ``/proc/zoneinfo``, in pages or counts."""
    rows: list[dict[str, Cell]] = []
    row: dict[str, Cell] | None = None
    for line in file.lines():
        if line.startswith(b"Node"):
            zone = _ZONE.fullmatch(line)
            row = None
            if zone is None:
                file.skip("line", line)
            else:
                row = {"node": zone[1], "zone": zone[2]}
                rows.append(row)
        elif row is not None:
            name, *words = line.split()
            if name == _PROTECTION:
                row.update(_protection(file, line))
            elif name in _COLUMNS and words:
                row[_COLUMNS[name]] = file.number(words[0])
    return rows


def _protection(file: File, line: bytes) -> dict[str, Cell]:
    """Return the numbers of a line such as ``protection: (0, 2877, 7825)``."""
    texts = line.partition(b":")[2].strip().removeprefix(b"(").removesuffix(b")").split(b",")
    return {f"protection_{at}": file.number(text) for at, text in enumerate(texts)}


COLLECTORS = [Collector("zoneinfo", collect, enabled=False)]
