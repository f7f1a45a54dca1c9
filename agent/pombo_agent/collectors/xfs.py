"""XFS: what has been done with each filesystem since it was mounted."""

import os.path

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import families


def _btree(text: str) -> dict[str, str]:
    return {
        "lookups": f"Number of {text} B-tree lookups for a filesystem.",
        "compares": f"Number of {text} B-tree compares for a filesystem.",
        "records_inserted": f"Number of {text} B-tree records inserted for a filesystem.",
        "records_deleted": f"Number of {text} B-tree records deleted for a filesystem.",
    }


# Each line, and the columns of its first values with their HELP texts.
_LINES = {
    b"extent_alloc": {
        "extents_allocated": "Number of extents allocated for a filesystem.",
        "blocks_allocated": "Number of blocks allocated for a filesystem.",
        "extents_freed": "Number of extents freed for a filesystem.",
        "blocks_freed": "Number of blocks freed for a filesystem.",
    },
    b"abt": _btree("allocation"),
    b"blk_map": {
        "reads": "Number of block map for read operations for a filesystem.",
        "writes": "Number of block map for write operations for a filesystem.",
        "unmaps": "Number of block unmaps (deletes) for a filesystem.",
        "extent_list_insertions": ("Number of extent list insertions for a filesystem."),
        "extent_list_deletions": "Number of extent list deletions for a filesystem.",
        "extent_list_lookups": "Number of extent list lookups for a filesystem.",
        "extent_list_compares": "Number of extent list compares for a filesystem.",
    },
    b"bmbt": _btree("block map"),
    b"dir": {
        "lookup": (
            "Number of file name directory lookups which miss the operating systems directory "
            "name lookup cache."
        ),
        "create": ("Number of times a new directory entry was created for a filesystem."),
        "remove": ("Number of times an existing directory entry was created for a filesystem."),
        "getdents": (
            "Number of times the directory getdents operation was performed for a filesystem."
        ),
    },
    b"ig": {
        "attempts": ("Number of times the OS looked for an XFS inode in the inode cache."),
        "found": ("Number of times the OS looked for and found an XFS inode in the inode cache."),
        "recycled": (
            "Number of times the OS found an XFS inode in the cache, but could not use it as it "
            "was being recycled."
        ),
        "missed": (
            "Number of times the OS looked for an XFS inode in the cache, but did not find it."
        ),
        "duplicates": (
            "Number of times the OS tried to add a missing XFS inode to the inode cache, but "
            "found it had already been added by another process."
        ),
        "reclaims": (
            "Number of times the OS reclaimed an XFS inode from the inode cache to free memory "
            "for another purpose."
        ),
        "attribute_changes": (
            "Number of times the OS explicitly changed the attributes of an XFS inode."
        ),
    },
    b"rw": {
        "write": "Number of write(2) system calls made to files in a filesystem.",
        "read": "Number of read(2) system calls made to files in a filesystem.",
    },
    b"vnodes": {
        "active": "Number of vnodes not on free lists for a filesystem.",
        "allocate": "Number of times vn_alloc called for a filesystem.",
        "get": "Number of times vn_get called for a filesystem.",
        "hold": "Number of times vn_hold called for a filesystem.",
        "release": "Number of times vn_rele called for a filesystem.",
        "reclaim": "Number of times vn_reclaim called for a filesystem.",
        "remove": "Number of times vn_remove called for a filesystem.",
    },
}
_NAMES = {
    b"extent_alloc": "node_xfs_extent_allocation_*_total",
    b"abt": "node_xfs_allocation_btree_*_total",
    b"blk_map": "node_xfs_block_mapping_*_total",
    b"bmbt": "node_xfs_block_map_btree_*_total",
    b"dir": "node_xfs_directory_operation_*_total",
    b"ig": "node_xfs_inode_operation_*_total",
    b"rw": "node_xfs_*_calls_total",
    b"vnodes": "node_xfs_vnode_*_total",
}

Values = dict[str, float | None]


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_xfs_*``, which are numbers of events."""
    path = f"{sources.sysfs}/fs/xfs"
    if not os.path.isdir(path):
        raise NoDataError("no XFS")
    files = {name: sources.optional(f"{path}/{name}/stats/stats") for name in sources.names(path)}
    found = {name: parse_stats(file) for name, file in files.items() if file}
    sections: list[Section] = []
    for key, columns in _LINES.items():
        rows = [{"device": name, **values[key]} for name, values in found.items()]
        sections += families(_NAMES[key], "counter", columns, ("device",), rows)
    return sections


def parse_stats(file: File) -> dict[bytes, Values]:
    """Return the values of each line of a filesystem; 0 where the kernel lacks the line."""
    found: dict[bytes, Values] = {key: dict.fromkeys(names, 0) for key, names in _LINES.items()}
    for key, *values in file.words():
        columns = _LINES.get(key, {})
        if len(values) < len(columns):
            file.skip("line", b" ".join([key, *values]))
            found[key] = dict.fromkeys(columns)
        elif columns:
            numbers = file.numbers(values[: len(columns)])
            found[key] = dict(zip(columns, numbers, strict=True))
    return found


COLLECTORS = [Collector("xfs", collect)]
