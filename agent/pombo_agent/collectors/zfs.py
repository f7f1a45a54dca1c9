"""ZFS: the statistics of the module, and of each pool and dataset."""

import os.path

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Cell, Row, families, family

# Each file in /proc/spl/kstat/zfs, and what its families are named for. Old and new versions of
# ZFS have some of them.
_FILES = {
    "abdstats": "abd",
    "arcstats": "arc",
    "dbufstats": "dbuf",
    "dmu_tx": "dmu_tx",
    "dnodestats": "dnode",
    "fm": "fm",
    "vdev_cache_stats": "vdev_cache",
    "vdev_mirror_stats": "vdev_mirror",
    "xuio_stats": "xuio",
    "zfetchstats": "zfetch",
    "zil": "zil",
}

# The types of a statistic, as the kernel numbers them: those that are read, and all others.
_INT64, _UINT64 = b"3", b"4"
_OTHER_TYPES = {b"0", b"1", b"2", b"5", b"6", b"7"}

# The values of a pool's file "io", in the order in which all versions write them.
_IO = (
    *("nread", "nwritten", "reads", "writes", "wtime", "wlentime"),
    *("wupdate", "rtime", "rlentime", "rupdate", "wcnt", "rcnt"),
)

_STATES = ("online", "degraded", "faulted", "offline", "removed", "unavail")
# node_exporter 1.5 does not know this one, so that only the pools in it have it.
_LATER_STATES = ("suspended",)

# How the names of the datasets' statistics begin, by section: one row of all of them, with their
# HELP texts, would fit no datagram.
_DATASET_PARTS = (
    *("zil_itx_metaslab_normal_", "zil_itx_metaslab_slog_", "zil_itx_", "zil_commit_"),
    *("zil_", ""),
)


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_zfs_*``, one for each statistic that ZFS has.

    Their units are those of ZFS: numbers, bytes, nanoseconds.
    """
    path = f"{sources.procfs}/spl/kstat/zfs"
    if not os.path.isdir(path):
        raise NoDataError("no ZFS")
    sections: list[Section] = []
    pools = []
    for name in sources.names(path):
        if name not in _FILES:
            pools.append(name)  # or a file, in which no names are found
        elif file := sources.optional(f"{path}/{name}"):
            values = parse_statistics(file, {_INT64, _UINT64})
            sections += _untyped(f"node_zfs_{_FILES[name]}_*", name, (), [values])
    return sections + _pools(sources, path, pools)


def _pools(sources: Sources, path: str, pools: list[str]) -> list[Section]:
    """Return the families of pools and their datasets."""
    totals: list[Row] = []
    datasets: list[Row] = []
    states: list[tuple[Cell, ...]] = []
    for pool in pools:
        for name in sources.names(f"{path}/{pool}"):
            file = sources.optional(f"{path}/{pool}/{name}") if _is_heard(name) else None
            if file is None:
                continue
            if name == "state":
                found = file.text.lower()
                states += [(pool, state, int(state == found)) for state in _STATES]
                states += [(pool, state, 1) for state in _LATER_STATES if state == found]
            elif name == "io":
                totals.append({"zpool": pool, **parse_io(file)})
            elif dataset := parse_dataset(file):
                values = parse_statistics(file, {_UINT64})
                datasets.append({"zpool": pool, "dataset": dataset, **values})
    return [
        *_untyped("node_zfs_zpool_*", "io", ("zpool",), totals),
        *_untyped(
            "node_zfs_zpool_dataset_*", "objset", ("zpool", "dataset"), datasets, _DATASET_PARTS
        ),
        *family("node_zfs_zpool_state", "gauge", _help("state"), ("zpool", "state"), states),
    ]


def _is_heard(name: str) -> bool:
    return name in {"io", "state"} or name.startswith("objset-")


def _untyped(
    name: str, file: str, labels: tuple[str, ...], rows: list[Row], parts: tuple[str, ...] = ("",)
) -> list[Section]:
    """Return rows as open families; their columns are all keys that are not labels.

    There is a section for each of the ``parts`` with which keys begin.
    """
    rest = dict.fromkeys(key for row in rows for key in row if key not in labels)
    sections: list[Section] = []
    for part in parts:
        columns = {
            key: key[len(part) :].replace("-", "_")
            for key in rest
            if key.startswith(part) and key != part
        }
        rest = {key: None for key in rest if key not in columns}
        helps = {column: _help(f"{file}.{key}") for key, column in columns.items()}
        found = [
            {label: row[label] for label in labels}
            | {column: row.get(key) for key, column in columns.items()}
            for row in rows
        ]
        sections += families(name.replace("*", f"{part}*"), "untyped", helps, labels, found)
    return sections


def _help(name: str) -> str:
    return f"kstat.zfs.misc.{name}"


def parse_statistics(file: File, types: set[bytes]) -> dict[str, float | None]:
    """Return the values of these types in a file of names, types and values."""
    found: dict[str, float | None] = {}
    for name, kind, value, *_ in file.words(3):
        if kind in types:
            found[decoded(name)] = file.number(value)
        elif kind not in _OTHER_TYPES and kind != b"type":  # that one is in the line of titles
            file.skip("value", kind)
    return found


def parse_dataset(file: File) -> str:
    """Return the name of a dataset to its first space; it is empty where the file has none."""
    for name, _, value, *_ in file.words(3):
        if name == b"dataset_name":
            return decoded(value)
    file.skip("line", file.data)
    return ""


def parse_io(file: File) -> dict[str, float | None]:
    """Return the values in the file ``io`` of a pool, which are in its last line."""
    lines = [words for words in file.words() if len(words) == len(_IO) and words[0] != b"nread"]
    return dict(zip(_IO, file.numbers(lines[-1]), strict=True)) if lines else {}


COLLECTORS = [Collector("zfs", collect)]
