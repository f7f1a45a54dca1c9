"""What the collectors read, and the filters of devices."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

#: Sizes of a filesystem, named as the columns of ``Filesystems``.
Usage = dict[str, float | None]

_READ_BYTES = 65536


class NoDataError(Exception):
    """The host lacks what a collector reads, which is no fault."""


class Filter(NamedTuple):
    """Keeps the names that ``include`` matches and ``exclude`` does not; ``None`` is no limit."""

    include: re.Pattern[str] | None = None
    exclude: re.Pattern[str] | None = None

    def keeps(self, name: str) -> bool:
        """Return whether ``name`` is reported."""
        if self.include and not self.include.search(name):
            return False
        return not (self.exclude and self.exclude.search(name))


class Sources(NamedTuple):
    """What a collector reads from: the paths of the host, the filters, and filesystem usage."""

    procfs: Path
    sysfs: Path
    rootfs: Path
    filters: Mapping[str, Filter]
    #: Takes mount points; returns the usage of each one that responds within its deadline.
    usages: Callable[[Iterable[str]], Mapping[str, Usage]]


def read_text(path: Path | str) -> str:
    """Return the text of a file in ``/proc`` or ``/sys``; invalid UTF-8 becomes surrogates.

    Raises:
        OSError: when the file does not exist or cannot be read.
    """
    # A report reads some two hundred files, and open() would take twice as long for each.
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        chunks = [os.read(file, _READ_BYTES)]
        while chunks[-1]:
            chunks.append(os.read(file, _READ_BYTES))
    finally:
        os.close(file)
    return b"".join(chunks).decode(errors="surrogateescape")


def read_optional(path: Path | str) -> str | None:
    """Return the text of a file, or ``None`` where it cannot be read."""
    try:
        return read_text(path)
    except OSError:
        return None


def read_as_init(procfs: Path, name: str) -> str:
    """Return ``/proc/1/NAME``, or ``/proc/self/NAME`` where that is forbidden.

    The first process sees the mounts and the network of the host. This process may be in another
    namespace, of a container or a service manager.

    Raises:
        OSError: as ``read_text`` does.
    """
    try:
        return read_text(procfs / "1" / name)
    except OSError:
        return read_text(procfs / "self" / name)


def read_optional_as_init(procfs: Path, name: str) -> str | None:
    """Return what ``read_as_init`` does, or ``None`` where the file cannot be read."""
    try:
        return read_as_init(procfs, name)
    except OSError:
        return None


def read_texts(directory: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the stripped texts of those of the named files that can be read."""
    found = ((name, read_optional(f"{directory}/{name}")) for name in names)
    return {name: text.strip() for name, text in found if text is not None}


def parse_int(text: str | None) -> int | None:
    """Return an integer in decimal or with the prefix ``0x``; ``None`` for ``None``."""
    return None if text is None else int(text, 0)
