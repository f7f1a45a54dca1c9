"""Reads captures, prints their datagrams on standard output and refusals on standard error."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from pombo_wire import DecodeError

from pombo_exporter.decode.contents import contents
from pombo_exporter.decode.options import DecodeOptions, Format
from pombo_exporter.decode.payloads import CaptureError, payloads
from pombo_exporter.decode.text import text_of
from pombo_exporter.hosts.limits import AdmissionError
from pombo_exporter.metrics.host_families import family_table

_STANDARD_INPUT: Final = Path("-")


def decode(options: DecodeOptions) -> int:
    """Print each datagram; return the exit code, 1 when one would be refused or is none."""
    codes = [_decode(path, options.format) for path in options.files or (_STANDARD_INPUT,)]
    return max(codes)


def _decode(path: Path, style: Format) -> int:
    """Print the datagrams of a file."""
    name = "standard input" if path == _STANDARD_INPUT else str(path)
    catalog = family_table().catalog()
    code = count = 0
    try:
        for count, datagram in enumerate(_read(path), 1):
            try:
                found = contents(datagram, catalog)
            except (DecodeError, AdmissionError) as error:
                sys.stderr.write(f"{name}: datagram {count}: {error.reason}: {error}\n")
                code = 1
                continue
            if style is Format.JSON:
                sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
            else:
                sys.stdout.write(f"{name}: datagram {count}\n{text_of(found, len(datagram))}\n")
            sys.stdout.flush()  # a capture may go on for hours
    except CaptureError as error:
        sys.stderr.write(f"{name}: {error}\n")
        return 1
    if not count:
        sys.stderr.write(f"{name}: no datagram\n")
        return 1
    return code


def _read(path: Path) -> Iterator[bytes]:
    """Yield the datagrams of a file.

    Raises:
        CaptureError: when it cannot be read, or has something else than datagrams.
    """
    if path == _STANDARD_INPUT:
        yield from payloads(sys.stdin.buffer)
        return
    try:
        capture = path.open("rb")
    except OSError as error:
        raise CaptureError(error.strerror) from None
    with capture:
        yield from payloads(capture)
