"""Small files that are read again and again: read within bounds, compared by their content."""

import errno
import os
import stat
from hashlib import blake2b
from pathlib import Path
from typing import Final

_MAX_BYTES: Final = 2**20


def read_file(path: Path) -> bytes:
    """Return what a regular file has.

    Raises:
        OSError: when it cannot be read, is a pipe or a device, or is longer than 1 MiB.
    """
    try:
        with open(path, "rb", opener=_without_blocking) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            data = file.read(_MAX_BYTES + 1)
    except ValueError as error:  # a null byte in the path
        raise OSError(errno.EINVAL, str(error)) from None
    if len(data) > _MAX_BYTES:
        raise OSError(errno.EFBIG, f"longer than {_MAX_BYTES} bytes")
    return data


def _without_blocking(path: str, flags: int) -> int:
    """Open a file; a pipe, too, is opened at once."""
    return os.open(path, flags | os.O_NONBLOCK)


class Files:
    """Reads files, and finds out whether one of them has changed since.

    Contents are compared and not times: a file may change twice in one tick of its clock.
    """

    def __init__(self) -> None:
        self._seen: dict[Path, bytes] = {}

    def read(self, path: Path) -> bytes:
        """Do what ``read_file`` does."""
        try:
            data = read_file(path)
        except OSError as error:
            self._seen[path] = _unreadable(error)
            raise
        self._seen[path] = _digest(data)
        return data

    def have_changed(self) -> bool:
        """Return whether a file that was read, or could not be, is another one now."""
        return any(_state(path) != seen for path, seen in self._seen.items())


def _state(path: Path) -> bytes:
    try:
        return _digest(read_file(path))
    except OSError as error:
        return _unreadable(error)


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=32).digest()  # keeps no second copy of a key


def _unreadable(error: OSError) -> bytes:
    return str(error.errno).encode()
