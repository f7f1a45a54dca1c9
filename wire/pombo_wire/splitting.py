"""A report of any size to datagrams that each fit, each valid by itself."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec
from msgspec.structs import astuple, replace

from pombo_wire.codec import encode
from pombo_wire.schema import MAPS, MAX_DATAGRAM_BYTES, Report, Table

#: A field of the report and its value. The same table may come in several parts: rows that
#: have other columns than the rest make a part of their own.
Part = tuple[str, Any]

_OPEN_DATAGRAMS = 16
_MOST_DATAGRAMS = 10_000  # for the digits of the last one's seq


def split(
    header: Report, parts: Iterable[Part], limit: int = MAX_DATAGRAM_BYTES
) -> tuple[list[Report], list[str]]:
    """Lay each of ``parts`` into the first report with room, and say what had to stay out.

    Each report repeats ``header`` (host, session, time…) and counts ``seq`` on from the
    header's. A table or map too long for what room a datagram has is cut between its rows. A
    single value or row that is over ``limit`` bytes with the header is left out, and all of it
    where the header is too long by itself; the second list holds a line about each.
    """
    reports: list[dict[str, Any]] = [{}]
    left_out: list[str] = []
    full = limit - len(encode(_numbered(header, _MOST_DATAGRAMS, {})))
    rooms = [full]
    if full < 0:
        return [], [f"header: {limit - full} bytes, of {limit} that a datagram has: shorten host"]
    for name, whole in parts:
        for piece in _cut(name, whole, full):
            size = _size(name, piece)
            if size > full:
                left_out.append(f"{name}: {size} bytes, of {full} that a datagram has room for")
                continue
            # Only the last few: those before are full, or as good as.
            recent = range(max(0, len(reports) - _OPEN_DATAGRAMS), len(reports))
            fits = (at for at in recent if size <= rooms[at] and name not in reports[at])
            place = next(fits, len(reports))
            if place == len(reports):
                reports.append({})
                rooms.append(full)
            reports[place][name] = piece
            rooms[place] -= size
    return [_numbered(header, number, fields) for number, fields in enumerate(reports)], left_out


def _numbered(header: Report, number: int, fields: dict[str, Any]) -> Report:
    seq = None if header.seq is None else header.seq + number
    return replace(header, seq=seq, **fields)


def _size(name: str, value: object) -> int:
    return len(msgspec.json.encode({name: value})) - 1  # its braces less its comma


def _cut(name: str, value: Any, room: int) -> Iterator[Any]:
    if not isinstance(value, Table) and name not in MAPS:
        yield value
        return
    rows = len(value if name in MAPS else astuple(value)[0])
    # Even pieces stay the same ones from report to report, though the numbers in them grow.
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
