"""Scrapes an exporter without keeping its answer: one of a million hosts has gigabytes."""

import http.client
import re
from collections.abc import Iterator
from math import inf
from time import monotonic, time
from typing import NamedTuple
from zlib import decompressobj

_LAST = b"pombo_host_last_report_timestamp_seconds"
_VALUES = re.compile(rb"^" + _LAST + rb"\{.*\} (\S+)$", re.MULTILINE)

_READ = 2**18  # bytes that are read at once
_PIECE = 2**22  # bytes that are inflated at once
_GZIP = 31  # zlib's window bits for a gzip container
_TIMEOUT = 120.0  # seconds without a byte


class Scrape(NamedTuple):
    """A scrape with gzip: seconds and bytes, and the ages of values when it was asked for.

    ``newest`` and ``oldest`` are in seconds, since the last report of one host, and of another.
    """

    seconds: float
    bytes: int
    newest: float
    oldest: float


def scrape(port: int) -> Scrape:
    """Scrape all hosts, and read when each has reported last; other families are not inflated."""
    asked_at, began = time(), monotonic()
    size, newest, oldest = 0, -inf, inf
    stream, tail, is_over = decompressobj(_GZIP), b"", False
    for piece in _answer(port, "gzip"):
        size += len(piece)
        rest = piece
        while rest and not is_over:
            text = tail + stream.decompress(rest, _PIECE)
            rest = stream.unconsumed_tail
            lines, _, tail = text.rpartition(b"\n")
            found = [*map(float, _VALUES.findall(lines))]
            newest, oldest = max([newest, *found]), min([oldest, *found])
            is_over = newest > -inf and not found
    took = monotonic() - began
    return Scrape(took, size, max(0.0, asked_at - newest), max(0.0, asked_at - oldest))


def count_samples(port: int) -> int:
    """Return how many samples a scrape has."""
    lines = comments = 0
    last = b"\n"
    for piece in _answer(port, "identity"):
        lines += piece.count(b"\n")
        comments += piece.count(b"\n#") + (last == b"\n" and piece[:1] == b"#")
        last = piece[-1:]
    return lines - comments


def _answer(port: int, encoding: str) -> Iterator[bytes]:
    """Yield the pieces of the exposition of all hosts.

    Raises:
        OSError: when the exporter does not answer, or with an error.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/metrics", headers={"Accept-Encoding": encoding})
        response = connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            raise OSError(f"the scrape of port {port} was answered with {response.status}")
        while piece := response.read1(_READ):
            yield piece
    finally:
        connection.close()
