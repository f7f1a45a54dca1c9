"""Mounted filesystems: bytes and inodes."""

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
    """A line of the mount table."""

    mountpoint: str
    device: str
    fstype: str
    readonly: bool


def collect(sources: Sources) -> list[Part]:
    """Return the ``filesystems`` section."""
    mounts = _mounts(sources.procfs, sources.rootfs)
    paths = {mount: _inside(sources.rootfs, mount.mountpoint) for mount in topmost(mounts)}
    return section(paths, sources)


def section(paths: Mapping[Mount, str], sources: Sources) -> list[Part]:
    """Return what the wanted ones of these mounts answer, each asked at its path.

    A mount that does not answer is left out.
    """
    types = sources.filters["filesystem.fs-types"]
    points = sources.filters["filesystem.mount-points"]
    wanted = {
        mount: path
        for mount, path in paths.items()
        if types.keeps(mount.fstype) and points.keeps(mount.mountpoint)
    }
    usages = sources.usages(wanted.values())
    return tables(
        Filesystems,
        (_row(mount, usages[path]) for mount, path in wanted.items() if path in usages),
    )


def parse_mounts(text: str, rootfs: Path, *, own: bool = False) -> list[Mount]:
    """Return the mounts that ``/proc/<pid>/mountinfo`` lists, in its order (proc(5)).

    A host seen from a container may show its mount points below ``rootfs``: the prefix goes.
    In this process's ``own`` view, what is not below is the container's and no mount of the
    host; and whether a mount is read-only is the container's or the service manager's choice,
    so that there the filesystem's own state counts alone.
    """
    mounts = []
    for line in text.splitlines():
        of_mount, of_filesystem = line.split(" - ")
        _, _, _, _, mountpoint, options, *_ = of_mount.split(" ")
        fstype, device, super_options = map(_unescape, of_filesystem.split(" "))
        shown = _outside(rootfs, _unescape(mountpoint))
        if shown is None:
            if own:
                continue
            shown = _unescape(mountpoint)
        flags = super_options.split(",") + ([] if own else options.split(","))
        mounts.append(Mount(shown, device, fstype, "ro" in flags))
    return mounts


def topmost(mounts: Iterable[Mount]) -> list[Mount]:
    """Return what can be seen: the last of those mounted over each other at one point."""
    return list({mount.mountpoint: mount for mount in mounts}.values())


def usage(path: str) -> Usage:
    """Ask the filesystem at ``path``. A network mount whose server is gone never answers.

    Raises:
        OSError: when the mount is not to be seen from here.
    """
    answer = os.statvfs(path)
    return {
        "size": answer.f_blocks * answer.f_frsize,
        "free": answer.f_bfree * answer.f_frsize,
        "available": answer.f_bavail * answer.f_frsize,
        "files": answer.f_files,
        "files_free": answer.f_ffree,
    }


def _row(mount: Mount, answer: Usage) -> Row:
    return {
        "mountpoint": mount.mountpoint,
        "device": mount.device,
        "fstype": mount.fstype,
        "readonly": int(mount.readonly),
        "device_error": 0,
        **answer,
    }


def _unescape(field: str) -> str:
    r"""Undo the kernel's octal for space, tab, newline and backslash: ``\040``."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), field)


def _inside(rootfs: Path, mountpoint: str) -> str:
    return str(rootfs / mountpoint.lstrip("/"))


def _outside(rootfs: Path, mountpoint: str) -> str | None:
    prefix = str(rootfs).rstrip("/")
    if mountpoint == prefix or mountpoint.startswith(f"{prefix}/"):
        return mountpoint.removeprefix(prefix) or "/"
    return None


def _mounts(procfs: Path, rootfs: Path) -> list[Mount]:
    """Return the host's mounts, as the first process sees them or, if need be, as this one."""
    try:
        return parse_mounts(read_text(procfs / "1/mountinfo"), rootfs)
    except OSError:
        return parse_mounts(read_text(procfs / "self/mountinfo"), rootfs, own=True)
