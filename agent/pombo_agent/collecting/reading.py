r"""Reads files of the kernel, and counts what is wrong in them.

A bad value costs its value, and a bad line its line. Text is bytes until it becomes a label:
lines end only at ``\n``, words only at ASCII white space, whatever else a name contains.
"""

import errno
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import TypeVar

#: A path. Those of the agent are texts: pathlib would take half a megabyte of its memory.
PathLike = str | os.PathLike[str]

Row = TypeVar("Row")

#: The most bytes of a file. More is an error, so that an endless file takes no memory.
MAX_FILE_BYTES = 16 * 2**20

#: What the kernel answers where it has no value, such as the speed of an interface without a link,
#: and where this process may not read it. None of these is a fault of the file.
NO_VALUE = frozenset(
    {
        *(errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENODATA),
        *(errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP, errno.EAGAIN, errno.ESRCH),
    }
)

_READ_BYTES = 65536
_LARGEST = sys.float_info.max
_SAFE_DIGITS = 300  # a number of fewer digits is within the bounds of a float64
_EXAMPLE_CHARACTERS = 40
_DECIMAL = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DIGITS = re.compile(r"([0-9]+)")
_ESCAPED = re.compile("[\udc80-\udcff]+")  # bytes that are invalid UTF-8


class EntryPath(str):
    """A path in a directory that is open: to open it takes half the time of any other path."""

    __slots__ = ("directory", "name")

    directory: int  # a descriptor, which must stay open as long as the path is used
    name: str  # in that directory

    @classmethod
    def of(cls, path: PathLike, directory: int, name: str) -> "EntryPath":
        """Return the path of an entry of the directory ``path``, open as ``directory``."""
        found = cls(f"{path}/{name}")
        found.directory, found.name = directory, name
        return found


class Skips:
    """Counts what one run of a collector skipped, with one example of each kind."""

    def __init__(self) -> None:
        self.count = 0
        #: By kind, such as ``value`` or ``line``: the text that was skipped, cut, and its file.
        self.examples: dict[str, tuple[str, str]] = {}

    def add(self, kind: str, text: bytes | str, path: PathLike, count: int = 1) -> None:
        """Count ``count`` skipped items of a kind."""
        self.count += count
        if kind not in self.examples:
            shown = text if isinstance(text, str) else text.decode(errors="backslashreplace")
            self.examples[kind] = (shown[:_EXAMPLE_CHARACTERS], str(path))


class File:
    """The content of a file, as bytes. What is wrong in it is skipped and counted.

    Lines without any word are not returned, and not counted.
    """

    __slots__ = ("data", "path", "skips")

    def __init__(self, data: bytes, path: PathLike = "", skips: Skips | None = None) -> None:
        self.data, self.path, self.skips = data, path, skips or Skips()

    @property
    def text(self) -> str:
        """The content without white space at its ends; invalid UTF-8 becomes U+FFFD."""
        return decoded(self.data.strip())

    @property
    def value(self) -> float | None:
        """The number that the file consists of; ``None`` where it is none."""
        return self.number(self.data)

    def lines(self) -> list[bytes]:
        """Return the lines that have a word, without their ends."""
        return [line for line in self.data.split(b"\n") if line.strip()]

    def words(self, least: int = 1) -> Iterator[list[bytes]]:
        """Yield the words of each line; a line with less than ``least`` words is skipped."""
        for line in self.data.split(b"\n"):
            words = line.split()
            if len(words) >= least:
                yield words
            elif words:
                self.skip("line", line)

    def rows(self, parse: Callable[[bytes], Row], first: int = 0) -> list[Row]:
        """Return what ``parse`` makes of each line from the number ``first`` on.

        A line for which it raises ValueError, LookupError or TypeError is skipped.
        """
        found = []
        for line in self.lines()[first:]:
            try:
                found.append(parse(line))
            except (ValueError, LookupError, TypeError):  # noqa: PERF203  # it costs one line
                self.skip("line", line)
        return found

    def number(self, text: bytes) -> float | None:
        """Return a decimal number; what is none, or beyond the bounds of float64, is skipped."""
        try:
            return parse_number(text)
        except ValueError:
            self.skip("value", text)
            return None

    def numbers(self, texts: list[bytes]) -> list[float | None]:
        """Return decimal numbers, as ``number`` does, in less time where all are whole."""
        every = b"".join(texts)
        if len(every) < _SAFE_DIGITS and b"_" not in every:
            try:
                return [int(text) for text in texts]
            except ValueError:
                pass
        return [self.number(text) for text in texts]

    def hexadecimal(self, text: bytes) -> int | None:
        """Return a number that is written in hexadecimal, with ``0x`` or without."""
        try:
            return parse_hexadecimal(text)
        except ValueError:
            self.skip("value", text)
            return None

    def skip(self, kind: str, text: bytes) -> None:
        """Count something of this file as skipped."""
        self.skips.add(kind, text, self.path)


def parse_number(text: bytes) -> float:
    """Return a whole number or a decimal fraction; ``0x`` makes it hexadecimal.

    Raises:
        ValueError: when the text is not a number, or the number is beyond the bounds of a float64.
    """
    try:
        value: float = int(text)
    except ValueError:
        stripped = text.strip()
        if stripped[:2] in {b"0x", b"0X"}:
            return parse_hexadecimal(stripped)
        if not _DECIMAL.fullmatch(stripped):
            raise
        value = float(stripped)
    if b"_" in text or not -_LARGEST <= value <= _LARGEST:
        raise ValueError("not a number of a float64")
    return value


def parse_hexadecimal(text: bytes) -> int:
    """Return a number that is written in hexadecimal, with ``0x`` or without.

    Raises:
        ValueError: as ``parse_number`` does.
    """
    value = int(text, 16)
    if b"_" in text or not -_LARGEST <= value <= _LARGEST:
        raise ValueError("not a number of a float64")
    return value


def decoded(text: bytes) -> str:
    """Return ``text`` as a text; each run of bytes that are invalid UTF-8 becomes one U+FFFD."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return _ESCAPED.sub("\N{REPLACEMENT CHARACTER}", text.decode(errors="surrogateescape"))


def in_order(names: list[str]) -> list[str]:
    """Return names sorted, and numbers in them by their value: ``cpu2`` before ``cpu10``."""
    return sorted(names, key=natural)


def natural(name: str) -> list[tuple[int, str]]:
    """Return the key by which ``in_order`` sorts."""
    parts = _DIGITS.split(name)
    return [(int(part), part) if at % 2 else (0, part) for at, part in enumerate(parts)]


def read_bytes(path: PathLike, read: Callable[[int, int], bytes] = os.read) -> tuple[bytes, bool]:
    """Return the content of a file, and whether that is all of it.

    Where reading fails half-way, the lines before are returned. ``read`` takes a descriptor and a
    number of bytes, as ``os.read``.

    Raises:
        OSError: when the file cannot be opened, has no line that can be read, or is too large.
    """
    # A report reads some two hundred files, and open() would take twice as long for each.
    try:
        if isinstance(path, EntryPath):
            file = os.open(path.name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=path.directory)
        else:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except ValueError as error:  # a NUL in the path
        raise OSError(errno.EINVAL, str(error), str(path)) from None
    chunks: list[bytes] = []
    size, whole = 0, True
    try:
        while size <= MAX_FILE_BYTES and (chunk := read(file, _READ_BYTES)):
            chunks.append(chunk)
            size += len(chunk)
    except OSError:
        if not chunks:
            raise
        whole = False
    finally:
        os.close(file)
    if size > MAX_FILE_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    data = b"".join(chunks)
    return (data, True) if whole else (data[: data.rfind(b"\n") + 1], False)
