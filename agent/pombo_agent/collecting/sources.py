"""What a collector reads from: the files of the host, and the values of its flags."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from pombo_agent.collecting.flags import Flags
from pombo_agent.collecting.reading import (
    NO_VALUE,
    EntryPath,
    File,
    PathLike,
    Skips,
    in_order,
    read_bytes,
)

#: Sizes of a filesystem, named as the columns of ``Filesystems``.
Usage = dict[str, float | None]


class Usages(NamedTuple):
    """The usage of each mount point that has responded, and why others have none.

    For those that are in neither there was no time.
    """

    found: Mapping[str, Usage]
    faults: Mapping[str, Exception]


Row = TypeVar("Row")


class NoDataError(Exception):
    """The host lacks what a collector reads, which is no fault.

    The collector is not run again for a minute.
    """


class Sources(NamedTuple):
    """What a collector reads from.

    The methods count what they skip in ``skips``. A file that does not exist, that is denied, or
    for which the kernel has no value (``reading.NO_VALUE``) is absent and not counted.
    """

    procfs: PathLike
    sysfs: PathLike
    rootfs: PathLike
    #: The folder of udev's database.
    udev: PathLike
    flags: Flags
    #: Takes mount points, and returns their usage within a deadline.
    usages: Callable[[Iterable[str]], Usages]
    #: What this run of the collector has skipped.
    skips: Skips
    #: What the collector keeps from one run to the next; nothing else uses it.
    kept: dict[str, Any]
    #: Returns the content of a file, and whether that is all of it.
    read: Callable[[PathLike], tuple[bytes, bool]] = read_bytes

    def proc(self, name: str) -> File:
        """Return a file below ``/proc``.

        Raises:
            OSError: when it does not exist or cannot be read.
        """
        return self.file(f"{self.procfs}/{name}")

    def proc_of_init(self, name: str) -> File:
        """Return ``/proc/1/NAME``, or ``/proc/NAME`` where that is forbidden or absent.

        The first process sees the mounts and the network of the host. This process may be in
        another namespace, of a container or a service manager. Names below ``net`` are links to
        those of this process, and all that a copy of ``/proc`` has.

        Raises:
            OSError: when neither can be read.
        """
        try:
            return self.proc(f"1/{name}")
        except OSError as error:
            try:
                return self.proc(name)
            except FileNotFoundError:
                raise error from None

    def file(self, path: PathLike) -> File:
        """Return a file, or the lines before the place where reading it failed.

        Raises:
            OSError: when it does not exist or cannot be read.
        """
        data, whole = self.read(path)
        if not whole:
            self.skips.add("file", "reading failed half-way", path)
        return File(data, path, self.skips)

    def optional(self, path: PathLike) -> File | None:
        """Return a file, or ``None`` where it is absent or cannot be read."""
        try:
            return self.file(path)
        except OSError as error:
            self.skip_unreadable(error, path)
            return None

    def optional_of_init(self, name: str) -> File | None:
        """Return what ``proc_of_init`` does, or ``None`` where the file cannot be read."""
        try:
            return self.proc_of_init(name)
        except OSError as error:
            self.skip_unreadable(error, f"{self.procfs}/1/{name}")
            return None

    def text(self, path: PathLike) -> str | None:
        """Return the stripped text of a file; ``None`` where it is absent or cannot be read."""
        file = self.optional(path)
        return None if file is None else file.text

    def value(self, path: PathLike) -> float | None:
        """Return the number that a file consists of; ``None`` where there is none."""
        file = self.optional(path)
        return None if file is None else file.value

    def texts(self, directory: PathLike, files: Iterable[str]) -> dict[str, str]:
        """Return the stripped texts of those of the files of a directory that can be read."""
        found = ((name, self.text(path)) for name, path in _paths(directory, files))
        return {name: text for name, text in found if text is not None}

    def values(self, directory: PathLike, columns: Mapping[str, str]) -> dict[str, float | None]:
        """Return the numbers in files of a directory by column.

        ``columns`` has the file of each column. A column is ``None`` where its file has no number.
        """
        paths = (path for _, path in _paths(directory, columns.values()))
        return {column: self.value(path) for column, path in zip(columns, paths, strict=True)}

    def rows(
        self, directory: PathLike, read: Callable[[str, str], Row], prefix: str = ""
    ) -> list[Row]:
        """Return what ``read`` makes of each entry of a directory whose name has the prefix.

        It takes the path and the name without the prefix, in natural order. An entry for which it
        raises OSError, ValueError, LookupError or TypeError is skipped.
        """
        found = []
        for name in self.names(directory, prefix):
            path = f"{directory}/{name}"
            try:
                found.append(read(path, name.removeprefix(prefix)))
            except (ValueError, LookupError, TypeError) as error:
                self.skips.add("row", f"{type(error).__name__}: {error}", path)
            except OSError as error:
                self.skip_unreadable(error, path)
        return found

    def names(self, directory: PathLike, prefix: str = "") -> list[str]:
        """Return the names in a directory that have the prefix, in natural order.

        There are none where the directory does not exist or is denied.
        """
        try:
            names = os.listdir(directory)
        except OSError as error:
            self.skip_unreadable(error, directory)
            return []
        return in_order([name for name in names if name.startswith(prefix)])

    def skip_unreadable(self, error: OSError, path: PathLike) -> None:
        """Count a file that cannot be read, unless it is merely absent, denied or has no value."""
        if error.errno not in NO_VALUE:
            self.skips.add("file", error.strerror or str(error), path)


def _paths(directory: PathLike, names: Iterable[str]) -> Iterator[tuple[str, PathLike]]:
    """Yield the names, and their paths in a directory, which is open meanwhile if it can be."""
    try:
        opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (OSError, ValueError):  # reading each file then raises what is wrong
        yield from ((name, f"{directory}/{name}") for name in names)
        return
    try:
        for name in names:
            yield name, EntryPath.of(directory, opened, name)
    finally:
        os.close(opened)
