"""Divides a report of any size into datagrams, each within the limit and valid by itself."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec
from msgspec.structs import astuple, replace

from pombo_wire.codec import encode
from pombo_wire.schema import MAPS, MAX_DATAGRAM_BYTES, Report, Table

#: A field of ``Report`` and its value. A table may come in several parts: rows that lack a column
#: are a table of their own.
Part = tuple[str, Any]

_RECENT = 16  # reports that are tried for room
_SEQ_RESERVE = 10_000  # added to seq when the header is measured, for the digits of later ones


def split(
    header: Report, parts: Iterable[Part], limit: int = MAX_DATAGRAM_BYTES
) -> tuple[list[Report], list[str]]:
    """Return ``parts`` as reports of at most ``limit`` bytes, and a line for each omission.

    Each part is put into the first report with room for it. Each report repeats ``header`` (host,
    session, time…), with ``seq`` counted from that of the header. A table or map that is longer
    than a datagram is cut between its rows. A value or row that exceeds ``limit`` together with
    the header is omitted; where the header alone exceeds it, no report is returned.
    """
    reports: list[dict[str, Any]] = [{}]
    omitted: list[str] = []
    capacity = limit - len(encode(_numbered(header, _SEQ_RESERVE, {})))
    rooms = [capacity]
    if capacity < 0:
        return [], [f"header: {limit - capacity} bytes, but a datagram has {limit}: shorten host"]
    for name, value in parts:
        for piece in _cut(name, value, capacity):
            size = _size(name, piece)
            if size > capacity:
                omitted.append(f"{name}: {size} bytes, but a datagram has room for {capacity}")
                continue
            # Only the last few reports are tried, since those before have little room left.
            recent = range(max(0, len(reports) - _RECENT), len(reports))
            fitting = (i for i in recent if size <= rooms[i] and name not in reports[i])
            index = next(fitting, len(reports))
            if index == len(reports):
                reports.append({})
                rooms.append(capacity)
            reports[index][name] = piece
            rooms[index] -= size
    return [_numbered(header, number, fields) for number, fields in enumerate(reports)], omitted


def _numbered(header: Report, number: int, fields: dict[str, Any]) -> Report:
    seq = None if header.seq is None else header.seq + number
    return replace(header, seq=seq, **fields)


def _size(name: str, value: object) -> int:
    """Return the bytes that a field adds to a datagram."""
    return len(msgspec.json.encode({name: value})) - 1  # without its two braces, with a comma


def _cut(name: str, value: Any, room: int) -> Iterator[Any]:
    """Yield ``value`` in pieces of at most ``room`` bytes, unless one row is longer."""
    if not isinstance(value, Table) and name not in MAPS:
        yield value
        return
    rows = len(value if name in MAPS else astuple(value)[0])
    # Pieces of equal row count have the same rows in every report, even when their numbers grow
    # longer; so the exporter finds each block again.
    pieces = -(-_size(name, value) // room)
    start, even = 0, -(-rows // pieces)
    while start < rows:
        count = min(even, rows - start)
        while count > 1 and (size := _size(name, _rows(value, start, count))) > room:
            count = max(1, count * room // size)
        yield _rows(value, start, count)
        start += count


def _rows(value: Any, start: int, count: int) -> Any:
    if isinstance(value, dict):
        return dict(islice(value.items(), start, start + count))
    return type(value)(*(column and column[start : start + count] for column in astuple(value)))
