"""What the collectors read from, and which devices they leave out."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

#: A mount point's sizes, named as the columns of ``Filesystems``.
Usage = dict[str, float | None]

_PIECE_BYTES = 65536


class NoDataError(Exception):
    """The host does not have what a collector looks for, and need not have it."""


class Filter(NamedTuple):
    """Names are kept if ``include`` finds something in them and ``exclude`` does not."""

    include: re.Pattern[str] | None = None
    exclude: re.Pattern[str] | None = None

    def keeps(self, name: str) -> bool:
        """Tell whether ``name`` is to be reported."""
        if self.include and not self.include.search(name):
            return False
        return not (self.exclude and self.exclude.search(name))


class Sources(NamedTuple):
    """Everything that a collector needs to know of the host and of the user's wishes."""

    procfs: Path
    sysfs: Path
    rootfs: Path
    filters: Mapping[str, Filter]
    #: Paths to the usage of each that answers in time.
    usages: Callable[[Iterable[str]], Mapping[str, Usage]]


def read_text(path: Path | str) -> str:
    """Return what a file of the kernel says; bytes that are no UTF-8 survive as surrogates.

    Raises:
        OSError: when there is no such file, or it may not be read.
    """
    # A report takes some two hundred files: this way each costs half of what Python's own do.
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = [os.read(file, _PIECE_BYTES)]
        while pieces[-1]:
            pieces.append(os.read(file, _PIECE_BYTES))
    finally:
        os.close(file)
    return b"".join(pieces).decode(errors="surrogateescape")


def read_optional(path: Path | str) -> str | None:
    """Return what a file says, or None where it is not there or has nothing to say."""
    try:
        return read_text(path)
    except OSError:
        return None


def read_as_init(procfs: Path, name: str) -> str:
    """Return ``/proc/1/NAME``, or ``/proc/self/NAME`` where that is forbidden.

    The first process sees the mounts and the network of the host itself, while this one may
    have been given its own view of them by a service manager or a container.

    Raises:
        OSError: as ``read_text`` does.
    """
    try:
        return read_text(procfs / "1" / name)
    except OSError:
        return read_text(procfs / "self" / name)


def read_optional_as_init(procfs: Path, name: str) -> str | None:
    """Return what ``read_as_init`` does, or None where this kernel has no such file."""
    try:
        return read_as_init(procfs, name)
    except OSError:
        return None


def texts_of(directory: Path, names: Iterable[str]) -> dict[str, str]:
    """Return what the named files say that can be read, without white space around it."""
    found = ((name, read_optional(f"{directory}/{name}")) for name in names)
    return {name: text.strip() for name, text in found if text is not None}


def whole(text: str | None) -> int | None:
    """Return a number that the kernel writes as decimal or with ``0x``; None for none."""
    return None if text is None else int(text, 0)
