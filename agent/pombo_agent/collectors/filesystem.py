"""Filesystems: bytes and inodes."""

import os
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import filtered
from pombo_agent.collecting.reading import NO_VALUE, File, PathLike, decoded
from pombo_agent.collecting.sources import Sources, Usage
from pombo_agent.collecting.tables import Row, family, table

_ESCAPE = re.compile(rb"\\([0-3][0-7]{2})")

# The fields of a mount in mountinfo, which has at least that many before the separator.
_NUMBER, _MOUNT_POINT, _OPTIONS, _FEWEST_FIELDS = 2, 4, 5, 6

_LARGEST = 2**63 - 1  # of a count; what is above was below zero

_REMOTE = re.compile("nfs|cifs|smb|9p|fuse|ceph|virtiofs|gluster|lustre|afs|gpfs|beegfs|ocfs|gfs")


_PSEUDO_FILESYSTEMS = (
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "erofs",
    "fusectl",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nsfs",
    "overlay",
    "proc",
    "procfs",
    "pstore",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "squashfs",
    "sysfs",
    "tracefs",
)

_SYSTEM_MOUNTS = (
    "dev",
    "proc",
    "sys",
    "run/credentials/.+",
    "var/lib/docker/.+",
    "var/lib/containers/storage/.+",
)

FLAGS = (
    filtered("fs-types", f"^({'|'.join(_PSEUDO_FILESYSTEMS)})$"),
    filtered("mount-points", f"^/({'|'.join(_SYSTEM_MOUNTS)})(/|$)"),
)


class Mount(NamedTuple):
    """A mount, as one line of mountinfo has it."""

    mountpoint: str
    device: str
    fstype: str
    readonly: bool
    #: The major and the minor number of the device, such as ``8:1``, if they are known.
    number: str = ""


def collect(sources: Sources) -> list[Section]:
    """Return the ``filesystems`` section, and the numbers of the devices as an open family."""
    mounts = topmost(_mounts(sources))
    paths = {mount: _below_rootfs(sources.rootfs, mount.mountpoint) for mount in mounts}
    return filesystems(paths, sources)


def filesystems(paths: Mapping[Mount, str], sources: Sources) -> list[Section]:
    """Return what ``collect`` does, of the mounts that the filters keep.

    ``paths`` has the path of each mount as this process sees it. A mount whose usage cannot be
    read has a row with ``device_error`` 1. One for which there was no time has none.
    """
    types = sources.flags.filter("fs-types")
    points = sources.flags.filter("mount-points")
    kept = {
        mount: path
        for mount, path in paths.items()
        if types.keeps(mount.fstype) and points.keeps(mount.mountpoint)
    }
    # Those of which another machine or process responds come last, since they may hang.
    local_first = sorted(kept, key=lambda mount: _REMOTE.match(mount.fstype) is not None)
    usages, faults = sources.usages(kept[mount] for mount in local_first)
    for path, error in faults.items():
        reason = getattr(error, "strerror", None) or str(error)
        denied = isinstance(error, OSError) and error.errno in NO_VALUE
        sources.skips.add(f"mount: {reason}", reason, path, 0 if denied else 1)
    for mount, path in [*kept.items()]:
        if path not in usages and path not in faults:
            sources.skips.add("mount", "no time left for statvfs", path)
            del kept[mount]
    return [
        *table("filesystems", (_row(mount, usages.get(path)) for mount, path in kept.items())),
        *_mount_info(mount for mount, path in kept.items() if path in usages),
    ]


def _mount_info(mounts: Iterable[Mount]) -> list[Section]:
    """Return the family ``node_filesystem_mount_info``."""
    rows = []
    for mount in mounts:
        major, colon, minor = mount.number.partition(":")
        if colon:
            rows.append((mount.device, major, minor, mount.mountpoint, 1))
    labels = ("device", "major", "minor", "mountpoint")
    text = "Filesystem mount information."
    return family("node_filesystem_mount_info", "gauge", text, labels, rows)


def parse_mounts(file: File, rootfs: PathLike, *, own: bool = False) -> list[Mount]:
    """Return the mounts in ``/proc/<pid>/mountinfo``, in its order; see proc_pid_mountinfo(5).

    In a container the mount points of the host are below ``rootfs``, and the prefix is removed.
    ``own`` is for the mountinfo of this process: there, a mount that is not below ``rootfs``
    belongs to the container and is skipped, and the mount option ``ro`` is ignored, since the
    container or the service manager may have set it. That of the filesystem counts.
    """
    mounts = []
    for line in file.lines():
        # Optional fields end the first half, and options of the filesystem may contain spaces.
        of_mount, _, of_filesystem = line.partition(b" - ")
        fields, others = of_mount.split(b" "), of_filesystem.split(b" ", 2)
        if len(fields) < _FEWEST_FIELDS or len(others) < 2:
            file.skip("line", line)
            continue
        mountpoint = _unescape(fields[_MOUNT_POINT])
        shown = _without_rootfs(rootfs, mountpoint)
        if shown is None:
            if own:
                continue
            shown = mountpoint
        flags = b"".join(others[2:]).split(b",") + ([] if own else fields[_OPTIONS].split(b","))
        device, fstype = _unescape(others[1]), _unescape(others[0])
        number = decoded(fields[_NUMBER])
        mounts.append(Mount(shown, device, fstype, b"ro" in flags, number))
    return mounts


def parse_fstab(file: File, rootfs: PathLike) -> list[Mount]:
    """Return the mounts in ``/proc/<pid>/mounts``, in its order."""
    mounts = []
    for device, mountpoint, fstype, options, *_ in file.words(4):
        point = _unescape(mountpoint)
        shown = _without_rootfs(rootfs, point) or point
        mounts.append(
            Mount(shown, _unescape(device), _unescape(fstype), b"ro" in options.split(b","))
        )
    return mounts


def topmost(mounts: Iterable[Mount]) -> list[Mount]:
    """Return the visible mounts: of several at one mount point, the last."""
    return list({mount.mountpoint: mount for mount in mounts}.values())


def usage(path: str) -> Usage:
    """Return the usage of the filesystem at ``path``.

    The call hangs for a network mount whose server does not respond.

    Raises:
        OSError: when this process cannot see the mount.
    """
    stat = os.statvfs(path)
    blocks = stat.f_blocks, stat.f_bfree, stat.f_bavail
    return sizes(*blocks, stat.f_frsize, stat.f_files, stat.f_ffree)


def sizes(  # noqa: PLR0913, PLR0917  # the fields of one struct
    blocks: int, free: int, available: int, block_size: int, files: int, files_free: int
) -> Usage:
    """Return the usage of a filesystem in bytes and inodes, of the fields of ``statvfs``.

    Where more is used than unprivileged users may use, some filesystems count ``available`` below
    zero, which the kernel's type wraps: then it is 0. Above ``blocks`` it is unknown.
    """
    free, available, files_free = (
        0 if count > _LARGEST else count for count in (free, available, files_free)
    )
    return {
        "size": blocks * block_size,
        "free": free * block_size,
        "available": available * block_size if available <= blocks else None,
        "files": files,
        "files_free": files_free,
    }


def _row(mount: Mount, usage: Usage | None) -> Row:
    return {
        "mountpoint": mount.mountpoint,
        "device": mount.device,
        "fstype": mount.fstype,
        "readonly": int(mount.readonly),
        "device_error": int(usage is None),
        **(usage or {}),
    }


def _unescape(field: bytes) -> str:
    r"""Decode octal escapes of space, tab, newline and backslash, such as ``\040``."""
    return os.fsdecode(_ESCAPE.sub(lambda found: bytes([int(found[1], 8)]), field))


def _below_rootfs(rootfs: PathLike, mountpoint: str) -> str:
    return f"{str(rootfs).rstrip('/')}{mountpoint}".rstrip("/") or "/"


def _without_rootfs(rootfs: PathLike, mountpoint: str) -> str | None:
    prefix = str(rootfs).rstrip("/")
    if mountpoint == prefix or mountpoint.startswith(f"{prefix}/"):
        return mountpoint.removeprefix(prefix) or "/"
    return None


def _mounts(sources: Sources) -> list[Mount]:
    """Return the mounts of the first process, or of this one where that is forbidden.

    Where neither has ``mountinfo``, as in a copy of another host's files, ``mounts`` is read.
    """
    try:
        return parse_mounts(sources.proc("1/mountinfo"), sources.rootfs)
    except OSError as error:
        try:
            return parse_mounts(sources.proc("self/mountinfo"), sources.rootfs, own=True)
        except FileNotFoundError:
            for name in ("1/mounts", "mounts"):
                if file := sources.optional(f"{sources.procfs}/{name}"):
                    return parse_fstab(file, sources.rootfs)
            raise error from None


COLLECTORS = [Collector("filesystem", collect, flags=FLAGS, waits=True)]
