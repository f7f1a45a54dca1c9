"""Filesystems: bytes and inodes."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from pombo_wire import Filesystems, Part

from pombo_agent.collectors.sources import Sources, Usage, read_text
from pombo_agent.collectors.tables import Row, tables

_ESCAPE = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """A mount, as one line of mountinfo has it."""

    mountpoint: str
    device: str
    fstype: str
    readonly: bool


def collect(sources: Sources) -> list[Part]:
    """Return the ``filesystems`` section."""
    mounts = _mounts(sources.procfs, sources.rootfs)
    paths = {mount: _below_rootfs(sources.rootfs, mount.mountpoint) for mount in topmost(mounts)}
    return filesystems(paths, sources)


def filesystems(paths: Mapping[Mount, str], sources: Sources) -> list[Part]:
    """Return the ``filesystems`` section of the mounts that the filters keep.

    ``paths`` has the path of each mount as this process sees it. A mount without usage is omitted.
    """
    types = sources.filters["filesystem.fs-types"]
    points = sources.filters["filesystem.mount-points"]
    kept = {
        mount: path
        for mount, path in paths.items()
        if types.keeps(mount.fstype) and points.keeps(mount.mountpoint)
    }
    usages = sources.usages(kept.values())
    return tables(
        Filesystems,
        (_row(mount, usages[path]) for mount, path in kept.items() if path in usages),
    )


def parse_mounts(text: str, rootfs: Path, *, own: bool = False) -> list[Mount]:
    """Return the mounts in ``/proc/<pid>/mountinfo``, in its order; see proc_pid_mountinfo(5).

    In a container the mount points of the host are below ``rootfs``, and the prefix is removed.
    ``own`` is for the mountinfo of this process: there, a mount that is not below ``rootfs``
    belongs to the container and is skipped, and the mount option ``ro`` is ignored, since the
    container or the service manager may have set it. That of the filesystem counts.
    """
    mounts = []
    for line in text.splitlines():
        of_mount, of_filesystem = line.split(" - ")
        _, _, _, _, mountpoint, options, *_ = of_mount.split(" ")
        fstype, device, super_options = map(_unescape, of_filesystem.split(" "))
        shown = _without_rootfs(rootfs, _unescape(mountpoint))
        if shown is None:
            if own:
                continue
            shown = _unescape(mountpoint)
        flags = super_options.split(",") + ([] if own else options.split(","))
        mounts.append(Mount(shown, device, fstype, "ro" in flags))
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
    return {
        "size": stat.f_blocks * stat.f_frsize,
        "free": stat.f_bfree * stat.f_frsize,
        "available": stat.f_bavail * stat.f_frsize,
        "files": stat.f_files,
        "files_free": stat.f_ffree,
    }


def _row(mount: Mount, usage: Usage) -> Row:
    return {
        "mountpoint": mount.mountpoint,
        "device": mount.device,
        "fstype": mount.fstype,
        "readonly": int(mount.readonly),
        "device_error": 0,
        **usage,
    }


def _unescape(field: str) -> str:
    r"""Decode octal escapes of space, tab, newline and backslash, such as ``\040``."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), field)


def _below_rootfs(rootfs: Path, mountpoint: str) -> str:
    return str(rootfs / mountpoint.lstrip("/"))


def _without_rootfs(rootfs: Path, mountpoint: str) -> str | None:
    prefix = str(rootfs).rstrip("/")
    if mountpoint == prefix or mountpoint.startswith(f"{prefix}/"):
        return mountpoint.removeprefix(prefix) or "/"
    return None


def _mounts(procfs: Path, rootfs: Path) -> list[Mount]:
    """Return the mounts of the first process, or of this one where that is forbidden."""
    try:
        return parse_mounts(read_text(procfs / "1/mountinfo"), rootfs)
    except OSError:
        return parse_mounts(read_text(procfs / "self/mountinfo"), rootfs, own=True)
