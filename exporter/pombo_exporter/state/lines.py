"""The lines of the state file, as docs/recovery.md specifies them, with what one may cost."""

from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import msgspec
from msgspec import MsgspecError

from pombo_exporter.hosts.remembered import Remembered

_VERSION: Final = 1

#: The longest line: a name of 255 bytes that are all escaped, and the other fields.
MOST_LINE_BYTES: Final = 2048

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Remembered)

#: The first line.
HEADER: Final = _encoder.encode({"version": _VERSION}) + b"\n"


class StateFileError(Exception):
    """A state file cannot be used at all; ``str()`` says why."""


def encoded(record: Remembered) -> bytes:
    """Return the line of a host."""
    return _encoder.encode(record) + b"\n"


def read_header(file: BinaryIO) -> None:
    """Read the first line.

    Raises:
        StateFileError: when it is none of a state file, or of another version.
        OSError: when it cannot be read.
    """
    try:
        header: Any = msgspec.json.decode(file.readline(MOST_LINE_BYTES))
    except (MsgspecError, UnicodeDecodeError):
        raise StateFileError("the first line is not that of a state file") from None
    version = header.get("version") if isinstance(header, dict) else None
    if version != _VERSION:
        raise StateFileError(f"its version is {str(version)[:20]}, not {_VERSION}")


def read_records(file: BinaryIO, most: int) -> Iterator[Remembered | None]:
    """Yield the hosts of at most so many further lines, None for each line that is invalid.

    Raises:
        OSError: when the file cannot be read to its end.
    """
    for _ in range(most):
        line = file.readline(MOST_LINE_BYTES)
        if not line:
            return
        yield _record(line)


def _record(line: bytes) -> Remembered | None:
    """Return the host of a line; None where it is invalid, also because it is cut off."""
    try:
        record = _decoder.decode(line)
    except (MsgspecError, UnicodeError):
        return None
    return record if record.is_consistent else None
