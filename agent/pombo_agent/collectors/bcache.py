"""bcache: the sets of caches, with their cache devices and backing devices."""

import os.path
import re

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import switch
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Row, families, family

# The files of a set, of a backing device, and of a cache device.
_SET = {
    "average_key_size_sectors": "average_key_size",
    "btree_cache_size_bytes": "btree_cache_size",
    "cache_available_percent": "cache_available_percent",
    "congested": "congested",
    "root_usage_percent": "root_usage_percent",
    "tree_depth": "tree_depth",
    "active_journal_entries": "internal/active_journal_entries",
    "btree_nodes": "internal/btree_nodes",
    "btree_read_average_duration_seconds": "internal/btree_read_average_duration_us",
    "cache_read_races": "internal/cache_read_races",
}
_TOTALS = {
    "bypassed_bytes": "stats_total/bypassed",
    "cache_hits": "stats_total/cache_hits",
    "cache_misses": "stats_total/cache_misses",
    "cache_bypass_hits": "stats_total/cache_bypass_hits",
    "cache_bypass_misses": "stats_total/cache_bypass_misses",
    "cache_miss_collisions": "stats_total/cache_miss_collisions",
    "cache_readaheads": "stats_total/cache_readaheads",
}
_CACHE = {"io_errors": "io_errors", "metadata_written": "metadata_written", "written": "written"}

# The column of each line.
_WRITEBACK = {
    b"target": "dirty_target",
    b"rate": "rate",
    b"proportional": "rate_proportional_term",
    b"integral": "rate_integral_term",
    b"change": "change",
}
_PRIORITY = {b"Unused": "unused_percent", b"Metadata": "metadata_percent"}

_SET_FAMILIES = {  # column: HELP text
    "average_key_size_sectors": "Average data per key in the btree (sectors).",
    "btree_cache_size_bytes": "Amount of memory currently used by the btree cache.",
    "cache_available_percent": (
        "Percentage of cache device without dirty data, usable for writeback (may contain clean "
        "cached data)."
    ),
    "congested": "Congestion.",
    "root_usage_percent": (
        "Percentage of the root btree node in use (tree depth increases if too high)."
    ),
    "tree_depth": "Depth of the btree.",
    "active_journal_entries": "Number of journal entries that are newer than the index.",
    "btree_nodes": "Total nodes in the btree.",
    "btree_read_average_duration_seconds": "Average btree read duration.",
}
_RACES_HELP = (
    "Counts instances where while data was being read from the cache, the bucket was reused and "
    "invalidated - i.e. where the pointer was stale after the read completed."
)
_TOTAL_FAMILIES = {
    "bypassed_bytes": "Amount of IO (both reads and writes) that has bypassed the cache.",
    "cache_hits": "Hits counted per individual IO as bcache sees them.",
    "cache_misses": "Misses counted per individual IO as bcache sees them.",
    "cache_bypass_hits": "Hits for IO intended to skip the cache.",
    "cache_bypass_misses": "Misses for IO intended to skip the cache.",
    "cache_miss_collisions": (
        "Instances where data insertion from cache miss raced with write (data already present)."
    ),
    "cache_readaheads": "Count of times readahead occurred.",
}
_DIRTY_FAMILIES = {
    "dirty_data": "Amount of dirty data for this backing device in the cache.",
    "dirty_target": "Current dirty data target threshold for this backing device in bytes.",
}
_WRITEBACK_FAMILIES = {
    "rate": "Current writeback rate for this backing device in bytes.",
    "rate_proportional_term": ("Current result of proportional controller, part of writeback rate"),
    "rate_integral_term": "Current result of integral controller, part of writeback rate",
    "change": "Last writeback rate change step for this backing device.",
}
_ERRORS_HELP = "Number of errors that have occurred, decayed by io_error_halflife."
_WRITTEN_FAMILIES = {
    "metadata_written": "Sum of all non data writes (btree writes and all other metadata).",
    "written": "Sum of all data that has been written to the cache.",
}
_PRIORITY_FAMILIES = {
    "unused_percent": "The percentage of the cache that doesn't contain any data.",
    "metadata_percent": "Bcache's metadata overhead.",
}

# The powers of 1024 of a unit.
_UNITS = {unit.encode(): 1024**power for power, unit in enumerate("kMGTPEZY", 1)}
_SIZE = re.compile(rb"(-?)(\d{1,30})(?:\.(\d{1,30}))?([kMGTPEZY]?)")
_MEMBER = re.compile(r"(bdev|cache)[0-9].*")


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_bcache_*``."""
    path = f"{sources.sysfs}/fs/bcache"
    if not os.path.isdir(path):
        return []  # which node_exporter takes for a success
    sets: list[Row] = []
    backing: list[Row] = []
    caches: list[Row] = []
    for uuid in sources.names(path):
        if "-" not in uuid:
            continue  # a file such as "register"
        row = sizes(sources, f"{path}/{uuid}", _SET)
        duration = row["btree_read_average_duration_seconds"]
        row["btree_read_average_duration_seconds"] = duration and duration * 1e-9
        sets.append({"uuid": uuid, **row})
        for name in sources.names(f"{path}/{uuid}"):
            if found := _MEMBER.fullmatch(name):
                labels = {"uuid": uuid, "backing_device": name, "cache_device": name}
                if found[1] == "bdev":
                    backing.append({**labels, **_backing(sources, f"{path}/{uuid}/{name}")})
                else:
                    caches.append({**labels, **_cache(sources, f"{path}/{uuid}/{name}")})
    of_backing, of_cache = ("uuid", "backing_device"), ("uuid", "cache_device")
    races = [(row["uuid"], row["cache_read_races"]) for row in sets]
    errors = [(row["uuid"], row["cache_device"], row["io_errors"]) for row in caches]
    return [
        *families("node_bcache_*", "gauge", _SET_FAMILIES, ("uuid",), sets),
        *family("node_bcache_cache_read_races_total", "counter", _RACES_HELP, ("uuid",), races),
        *families("node_bcache_*_total", "counter", _TOTAL_FAMILIES, of_backing, backing),
        *families("node_bcache_*_bytes", "gauge", _DIRTY_FAMILIES, of_backing, backing),
        *families("node_bcache_writeback_*", "gauge", _WRITEBACK_FAMILIES, of_backing, backing),
        *family("node_bcache_io_errors", "gauge", _ERRORS_HELP, of_cache, errors),
        *families("node_bcache_*_bytes_total", "counter", _WRITTEN_FAMILIES, of_cache, caches),
        *families("node_bcache_priority_stats_*", "gauge", _PRIORITY_FAMILIES, of_cache, caches),
    ]


def _backing(sources: Sources, path: str) -> dict[str, float | None]:
    found = sizes(sources, path, {"dirty_data": "dirty_data", **_TOTALS})
    if file := sources.optional(f"{path}/writeback_rate_debug"):
        found |= parse_lines(file, _WRITEBACK, b"/sec")
    return found


def _cache(sources: Sources, path: str) -> dict[str, float | None]:
    found = sizes(sources, path, _CACHE)
    if sources.flags.switch("priorityStats") and (
        file := sources.optional(f"{path}/priority_stats")
    ):
        found |= parse_lines(file, _PRIORITY, b"%")
    return found


def sizes(sources: Sources, path: str, files: dict[str, str]) -> dict[str, float | None]:
    """Return the sizes in files of a directory by column; 0 where the kernel lacks a file."""
    found: dict[str, float | None] = {}
    for column, name in files.items():
        if file := sources.optional(f"{path}/{name}"):
            found[column] = size(file, file.data.strip())
        else:
            found[column] = None if os.path.exists(f"{path}/{name}") else 0
    return found


def parse_lines(file: File, columns: dict[bytes, str], suffix: bytes) -> dict[str, float | None]:
    """Return the sizes at the ends of lines; 0 where the kernel lacks a line."""
    found: dict[str, float | None] = dict.fromkeys(columns.values(), 0)
    for key, *_, value in file.words(2):
        if column := columns.get(key[:-1]):
            found[column] = size(file, value.removesuffix(suffix))
    return found


def size(file: File, text: bytes) -> float | None:
    """Return a size such as ``1.512k``, or a plain number, without the digits after its point.

    Behind the point of a size with a unit are not decimal digits, but a number from 0 to 1023 as
    the kernel writes it, which node_exporter divides by 10.24.
    """
    found = _SIZE.fullmatch(text)
    if not found:
        file.skip("value", text)
        return None
    sign, whole, part, unit = found.groups()
    value = file.number(whole) or 0
    if unit:
        parts = (file.number(part) or 0) / 10.24 if part else 0
        value = int((value + parts) * _UNITS[unit])
    return -value if sign else value


FLAGS = (switch("priorityStats", "Expose expensive priority stats."),)
COLLECTORS = [Collector("bcache", collect, flags=FLAGS)]
