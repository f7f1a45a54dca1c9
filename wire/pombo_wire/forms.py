"""The two forms of a datagram: plain, one JSON object; and packed, lines that are deflated.

A packed datagram is the byte ``0xB0``, the number of a dictionary, and the header, the layout and
the numbers of its sections as lines of JSON, deflated with that dictionary. A fourth line may have
tables whose texts change with every report. Source: docs/wire.md.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pombo_wire.columns import SECTIONS
from pombo_wire.limits import MAX_HEADER_BYTES
from pombo_wire.section import Section, compact

#: The first byte of a packed datagram.
PACKED = 0xB0

#: The dictionary that agents use.
DICTIONARY = 1

#: The fields of a header, without those that have their default.
Header = Mapping[str, Any]

_LEVEL = 6
_WINDOW_BITS = 14  # a window of 16 KiB: the dictionary and the longest lines are in it
_MEMORY_LEVEL = 8


def plain(header: Header, sections: Iterable[Section]) -> bytes:
    """Return the plain datagram of some sections."""
    report: dict[str, Any] = dict(header)
    for section in sections:
        if section.type:
            report.setdefault("families", {})[section.name] = _family(section)
        else:
            report[section.name] = _fields(section)
    return _json(report)


def _fields(section: Section) -> dict[str, Any]:
    """Return the fields of a section that is no open family."""
    if section.name in SECTIONS and not section.is_record:
        return {**section.labels, **section.columns}
    texts = {name: text for name, (text,) in section.labels.items() if text}
    numbers = zip(section.values, section.cells, strict=True)
    return {**texts, **{n: c for at, (n, c) in enumerate(numbers) if at not in section.absent}}


def _family(section: Section) -> dict[str, Any]:
    family: dict[str, Any] = {"type": section.type}
    if section.help:
        family["help"] = section.help
    if section.labels:
        family["labels"] = section.labels
    if section.values:
        return {**family, "columns": section.columns}
    return {**family, "values": section.cells}


def packed(header: Header, sections: Sequence[Section], dictionary: int = DICTIONARY) -> bytes:
    """Return the packed datagram of some sections.

    Raises:
        ValueError: when there is no such dictionary, or the header is too long.
    """
    return packed_lines(header, layout_line(sections), sections, dictionary)


def layout_line(sections: Iterable[Section]) -> bytes:
    """Return the layout of a packed datagram."""
    return f"{{{','.join(section.layout for section in sections)}}}".encode()


def packed_lines(
    header: Header, layout: bytes, sections: Iterable[Section], dictionary: int = DICTIONARY
) -> bytes:
    """Return the packed datagram of some sections whose layout is known; else as ``packed``."""
    return deflated(lines_of(header, layout, sections), dictionary)


def lines_of(header: Header, layout: bytes, sections: Iterable[Section]) -> bytes:
    """Return the lines of a packed datagram of some sections, without an end of the last one.

    Raises:
        ValueError: when the header is too long.
    """
    first = _json(header)
    if len(first) > MAX_HEADER_BYTES:
        raise ValueError(f"the header has {len(first)} bytes, {MAX_HEADER_BYTES} at most")
    numbers = [number for section in sections for number in section.numbers]
    # Whole numbers need no fraction, and a datagram has few bytes.
    last = _json(numbers).replace(b".0,", b",").replace(b".0]", b"]")
    return b"%b\n%b\n%b" % (first, layout, last)


def deflated(lines: bytes, dictionary: int = DICTIONARY) -> bytes:
    """Return the packed datagram of these lines.

    Raises:
        ValueError: when there is no such dictionary.
    """
    # A new compressor would take three times as long, since it reads the dictionary.
    compressor = _compressor(dictionary).copy()
    stream = compressor.compress(lines) + compressor.flush()
    return bytes((PACKED, dictionary)) + stream


def extra_line(tables: Iterable[Section]) -> bytes:
    """Return the fourth line of a packed datagram, an object of tables.

    A column without any text is left out, and so is one without any number.
    """
    return _json({table.name: _extra(table) for table in tables})


def _extra(table: Section) -> dict[str, Any]:
    texts = {name: column for name, column in table.labels.items() if any(column)}
    return {**texts, **table.columns}


def with_extra(datagram: bytes, line: bytes) -> bytes:
    """Return a plain datagram with the members of ``extra_line``."""
    return b"%b,%b" % (datagram[:-1], line[1:])


def inflated_bytes(header: Header, layout: bytes, sections: Iterable[Section]) -> int:
    """Return the length of the lines of a packed datagram."""
    numbers = [number for section in sections for number in section.numbers]
    return len(_json(header)) + len(layout) + len(_json(numbers)) + 2


def _json(value: object) -> bytes:
    """Return JSON, with ``null`` for NaN and infinite numbers."""
    try:
        return compact(value).encode()
    except ValueError:
        return compact(_finite(value)).encode()


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and value - value != 0 else value


@lru_cache
def _compressor(number: int) -> "zlib._Compress":
    return zlib.compressobj(
        _LEVEL,
        zlib.DEFLATED,
        -_WINDOW_BITS,
        _MEMORY_LEVEL,
        zlib.Z_FILTERED,
        read_dictionary(number),
    )


def read_dictionary(number: int) -> bytes:
    """Return the preset dictionary of that number.

    Raises:
        ValueError: when there is none.
    """
    # The loader also reads from a zip file, and needs no module that an agent lacks otherwise.
    assert __spec__ is not None
    folder = __file__.removesuffix("forms.py")
    try:
        data = __spec__.loader.get_data(f"{folder}dictionaries/{number}.bin")  # type: ignore[union-attr]
    except OSError:
        raise ValueError(f"no dictionary has the number {number}") from None
    return bytes(data)
