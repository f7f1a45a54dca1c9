"""Datagrams in the body of an HTTP request or answer. Source: docs/wire.md.

Each is preceded by its length in 2 bytes, unsigned and big-endian.
"""

from collections.abc import Iterable, Iterator
from typing import Final

#: The type of a body of datagrams, and of a body that is one plain datagram.
FRAMED: Final = "application/vnd.pombo.report"
PLAIN: Final = "application/json"

#: The path at which exporters take reports.
REPORT_PATH: Final = "/report"

#: The most bytes of a body, and the most datagrams of it.
MAX_BODY_BYTES: Final = 64 * 1024
MAX_DATAGRAMS: Final = 64

_LENGTH_BYTES: Final = 2


def framed(datagrams: Iterable[bytes]) -> bytes:
    """Return datagrams as one body; each has 65,535 bytes at most."""
    return b"".join(len(each).to_bytes(_LENGTH_BYTES, "big") + each for each in datagrams)


def unframed(body: bytes) -> list[bytes]:
    """Return the datagrams of a body.

    Raises:
        ValueError: when there are none or more than ``MAX_DATAGRAMS``, or a length is wrong.
    """
    found: list[bytes] = []
    at = 0
    while at < len(body):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(body[at:start], "big")
        if start > len(body) or at > len(body):
            raise ValueError(f"datagram {len(found)} is longer than the body: check its length")
        if len(found) == MAX_DATAGRAMS:
            raise ValueError(f"more than {MAX_DATAGRAMS} datagrams: send several requests")
        found.append(body[start:at])
    if not found:
        raise ValueError("no datagram: send each after its length in 2 bytes")
    return found


def bodies(datagrams: Iterable[bytes]) -> Iterator[bytes]:
    """Yield as many bodies as the datagrams of a report need, which is one of nearly all."""
    batch: list[bytes] = []
    size = 0
    for each in datagrams:
        if len(batch) == MAX_DATAGRAMS or size + _LENGTH_BYTES + len(each) > MAX_BODY_BYTES:
            yield framed(batch)
            batch, size = [], 0
        batch.append(each)
        size += _LENGTH_BYTES + len(each)
    if batch:
        yield framed(batch)
