"""Btrfs: the space of each filesystem, its devices, and its commits."""

import errno
import fcntl
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Cell, Row, families, family

_SECTOR_BYTES = 512
_BLOCK_GROUP_TYPES = ("data", "metadata", "system")

# How many bytes of its devices a byte takes, by mode, and how many devices have its parity. The
# ratio of other modes is 0, as node_exporter has it.
_RATIOS = {"single": 1, "raid0": 1, "dup": 2, "raid1": 2, "raid10": 2}
_PARITIES = {"raid5": 1, "raid6": 2}

# The column of each line of "commit_stats".
_COMMITS = {
    b"commits": "commits",
    b"last_commit_ms": "last_commit",
    b"max_commit_ms": "max_commit",
    b"total_commit_ms": "commit_seconds",
}

_INFO_HELP = "Filesystem information"
_RESERVE_HELP = "Size of global reserve."
_DEVICE_HELP = "Size of a device that is part of the filesystem."
_UNUSED_HELP = "Unused bytes unused on a device that is part of the filesystem."
_ERRORS_HELP = "Errors reported for the device"
_RESERVED_HELP = "Amount of space reserved for a data type"
_SPACE_FAMILIES = {  # column: HELP text
    "used_bytes": "Amount of used space by a layout/data type",
    "size_bytes": "Amount of space allocated for a layout/data type",
    "allocation_ratio": "Data allocation ratio for a layout/data type",
}
_COMMIT_COUNTERS = {
    "commits": "The total number of commits that have occurred.",
    "commit_seconds": "Sum of the duration of all commits, in seconds.",
}
_COMMIT_GAUGES = {
    "last_commit": "Duration of the most recent commit, in seconds.",
    "max_commit": "Duration of the slowest commit, in seconds.",
}

# The requests of <linux/btrfs.h> for a filesystem, a device, and the errors of a device.
_FS_INFO, _DEV_INFO, _DEV_STATS = 0x8400941F, 0xD000941E, 0xC4089434
# Parts of the structure of a device.
_UUID_PARTS = ((8, 12), (12, 14), (14, 16), (16, 18), (18, 24))
_PATH_START = 3072
_ERRORS = ("write", "read", "flush", "corruption", "generation")
_ESCAPE = re.compile(rb"\\([0-3][0-7]{2})")

Cells = list[tuple[Cell, ...]]


#: The name of a device, its UUID, its bytes and its unused bytes, and its errors as ``_ERRORS``.
Device = tuple[str, str, int, int, list[int]]


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_btrfs_*``."""
    path = f"{sources.sysfs}/fs/btrfs"
    if not os.path.isdir(path):
        raise NoDataError("no Btrfs")
    names = [name for name in sources.names(path) if "-" in name]  # the others are no filesystems
    filesystems = [_filesystem(sources, f"{path}/{name}", name) for name in names]
    sizes: dict[Cell, list[tuple[str, float | None]]] = {}
    reserved: Cells = []
    spaces: list[Row] = []
    for name, filesystem in zip(names, filesystems, strict=True):
        uuid = filesystem["uuid"]
        sizes[uuid] = sources.rows(f"{path}/{name}/devices", partial(_size, sources))
        for group in _BLOCK_GROUP_TYPES:
            space = f"{path}/{name}/allocation/{group}"
            labels = {"uuid": uuid, "block_group_type": group}
            reserved.append((uuid, group, sources.value(f"{space}/bytes_reserved")))
            spaces += [{**labels, **row} for row in _modes(sources, space, len(sizes[uuid]))]
    infos = [(row["uuid"], row["label"], 1) for row in filesystems]
    reserve = [(row["uuid"], row["reserve"]) for row in filesystems]
    name = "node_btrfs_global_rsv_size_bytes"
    of_space = ("uuid", "block_group_type")
    return [
        *family("node_btrfs_info", "gauge", _INFO_HELP, ("uuid", "label"), infos),
        *family(name, "gauge", _RESERVE_HELP, ("uuid",), reserve),
        *families("node_btrfs_*_total", "counter", _COMMIT_COUNTERS, ("uuid",), filesystems),
        *families("node_btrfs_*_seconds", "gauge", _COMMIT_GAUGES, ("uuid",), filesystems),
        *family("node_btrfs_reserved_bytes", "gauge", _RESERVED_HELP, of_space, reserved),
        *families("node_btrfs_*", "gauge", _SPACE_FAMILIES, (*of_space, "mode"), spaces),
        *_of_devices(sizes, mounted_devices(sources) if names else {}),
    ]


def _of_devices(
    sizes: dict[Cell, list[tuple[str, float | None]]], mounted: dict[str, list[Device]]
) -> list[Section]:
    """Return the families of devices, of which only mounted filesystems have more than a size."""
    labels = ("uuid", "device", "btrfs_dev_uuid")
    sized: Cells = []
    unused: Cells = []
    errors: Cells = []
    for uuid, found in sizes.items():
        devices = mounted.get(str(uuid).replace("-", ""))
        if devices is None:
            sized += [(uuid, name, "", size) for name, size in found]
            continue
        for name, device_uuid, total, free, counts in devices:
            key = (uuid, name, device_uuid)
            sized.append((*key, total))
            unused.append((*key, free))
            errors += [(*key, kind, count) for kind, count in zip(_ERRORS, counts, strict=True)]
    name = "node_btrfs_device_errors_total"
    of_sizes = labels if unused else labels[:2]
    rows = [(*row[: len(of_sizes)], row[-1]) for row in sized]
    return [
        *family("node_btrfs_device_size_bytes", "gauge", _DEVICE_HELP, of_sizes, rows),
        *family("node_btrfs_device_unused_bytes", "gauge", _UNUSED_HELP, labels, unused),
        *family(name, "counter", _ERRORS_HELP, (*labels, "type"), errors),
    ]


def mounted_devices(sources: Sources) -> dict[str, list[Device]]:
    """Return the devices of each filesystem that is mounted, by its UUID without dashes.

    A mount point that cannot be opened is skipped: the filesystem may have another.
    """
    found: dict[str, list[Device]] = {}
    done = set()
    file = sources.optional_of_init("mounts")
    for source, mountpoint, kind, *_ in file.words(3) if file else ():
        if kind != b"btrfs" or source in done:
            continue
        path = os.fsdecode(_ESCAPE.sub(_unescaped, mountpoint))
        with suppress(OSError):
            directory = os.open(f"{sources.rootfs}/{path}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                uuid, devices = read_devices(directory)
            finally:
                os.close(directory)
            found[uuid] = devices
            done.add(source)
    return found


def _unescaped(escape: re.Match[bytes]) -> bytes:
    return bytes([int(escape[1], 8)])


def read_devices(directory: int) -> tuple[str, list[Device]]:
    """Return the UUID of the filesystem of an open directory, and its devices.

    Raises:
        OSError: when it is another filesystem, or denied.
    """
    info = _requested(directory, _FS_INFO, 1024)
    last, count = _numbers(info, 0, 2)
    devices: list[Device] = []
    for identity in range(last + 1):
        if len(devices) == count:
            break
        try:
            found = _requested(directory, _DEV_INFO, 4096, identity)
        except OSError as error:
            if error.errno == errno.ENODEV:
                continue  # it is no longer part of the filesystem
            raise
        stats = _requested(directory, _DEV_STATS, 1032, identity, len(_ERRORS))
        used, total = _numbers(found, 24, 2)
        path = decoded(found[_PATH_START:].partition(b"\0")[0])
        errors = _numbers(stats, 24, len(_ERRORS))
        uuid = "-".join(found[start:end].hex() for start, end in _UUID_PARTS)
        devices.append((os.path.basename(path), uuid, total, total - used, errors))
    return info[16:32].hex(), devices


def _requested(directory: int, request: int, size: int, *numbers: int) -> bytes:
    """Return the structure with which the kernel answers one that begins with these numbers."""
    structure = b"".join(number.to_bytes(8, sys.byteorder) for number in numbers)
    answer = bytearray(structure.ljust(size, b"\0"))
    fcntl.ioctl(directory, request, answer)
    return bytes(answer)


def _numbers(structure: bytes, start: int, count: int) -> list[int]:
    """Return 64-bit numbers of a structure from a byte on."""
    ends = range(start + 8, start + 8 * count + 1, 8)
    return [int.from_bytes(structure[end - 8 : end], sys.byteorder) for end in ends]


def _filesystem(sources: Sources, path: str, name: str) -> dict[str, Cell]:
    found: dict[str, Cell] = {
        "uuid": sources.text(f"{path}/metadata_uuid") or name,
        "label": sources.text(f"{path}/label"),
        "reserve": sources.value(f"{path}/allocation/global_rsv_size"),
    }
    if file := sources.optional(f"{path}/commit_stats"):  # Linux 6.1 and later
        found |= parse_commits(file)
    return found


def _size(sources: Sources, path: str, name: str) -> tuple[str, float | None]:
    """Return the name of a device, and its size in bytes."""
    size = sources.value(f"{path}/size")
    return name, None if size is None else size * _SECTOR_BYTES


def _modes(sources: Sources, path: str, devices: int) -> Iterator[Row]:
    """Yield the space of each mode of a type of block groups; each has a directory."""
    for mode in sources.names(path):
        if os.path.isdir(f"{path}/{mode}"):
            ratio: float | None = _RATIOS.get(mode, 0)
            if parity := _PARITIES.get(mode):
                ratio = devices / (devices - parity) if devices > parity else None
            columns = {"used_bytes": "used_bytes", "size_bytes": "total_bytes"}
            space = sources.values(f"{path}/{mode}", columns)
            yield {"mode": mode, "allocation_ratio": ratio, **space}


def parse_commits(file: File) -> dict[str, float | None]:
    """Return the number of commits, and durations in seconds, by column."""
    found = {key: file.number(value) for key, value, *_ in file.words(2) if key in _COMMITS}
    return {
        _COMMITS[key]: value / 1000 if value is not None and key.endswith(b"_ms") else value
        for key, value in found.items()
    }


COLLECTORS = [Collector("btrfs", collect)]
