"""Datagrams that no agent sends, and what a datagram says as cells."""

import json
import zlib
from typing import Any

import numpy as np
from msgspec.structs import asdict
from pombo_wire import MAPS, SECTIONS, OpenFamily, Record, Report
from pombo_wire.layout import OWN_LABELS, SectionLayout, read_own_labels, read_section
from pombo_wire.layout import split_members as members_of
from pombo_wire.reading import Datagram, dictionary, read

HEADER = b'{"host":"pi"}'

#: A cell: the section and the column, or the full name of an open family; and the row's labels.
Cell = tuple[str, tuple[tuple[str, str], ...]]


def plain(**fields: Any) -> bytes:
    """Return a plain datagram of the host ``pi``."""
    return json.dumps({"host": "pi"} | fields).encode()


def deflated(lines: bytes, number: int = 1) -> bytes:
    """Return a packed datagram of any bytes."""
    preset = dictionary(number)
    assert preset is not None
    compressor = zlib.compressobj(9, wbits=-15, zdict=preset)
    return bytes((0xB0, number)) + compressor.compress(lines) + compressor.flush()


def packed(
    layout: bytes = b"{}", numbers: bytes = b"[]", *rest: bytes, header: bytes = HEADER
) -> bytes:
    """Return a packed datagram of these lines."""
    return deflated(b"\n".join((header, layout, numbers, *rest)))


def layout_of(**sections: Any) -> bytes:
    """Return a layout line."""
    return json.dumps(sections, separators=(",", ":")).encode()


def sections_of(datagram: Datagram) -> list[SectionLayout]:
    """Return the sections of a datagram, without the owner's labels."""
    members = members_of(datagram.layout)
    return [read_section(member) for member in members if not is_own_labels(member)]


def own_labels_of(datagram: Datagram) -> dict[str, str] | None:
    """Return the owner's labels."""
    found = [*filter(is_own_labels, members_of(datagram.layout))]
    return read_own_labels(found[0]) if found else None


def is_own_labels(member: bytes) -> bool:
    return member.startswith(b'"%b":' % OWN_LABELS.encode())


def read_all(datagram: bytes) -> tuple[Datagram, list[SectionLayout], dict[str, str] | None]:
    """Return what a datagram says, with its layout read."""
    found = read(datagram)
    return found, sections_of(found), own_labels_of(found)


def cells_of(datagram: Datagram) -> dict[Cell, float]:
    """Return the known numbers of a datagram by their cells."""
    sections = sections_of(datagram)
    numbers = iter(np.frombuffer(datagram.numbers).tolist())
    found: dict[Cell, float] = {}
    for section in sections:
        absent = {*section.absent}
        for column, name in enumerate(section.columns):
            for row in range(section.rows):
                if column * section.rows + row in absent:
                    continue
                texts = [texts[row] for texts in section.texts]
                labels = tuple(zip(section.labels, texts, strict=True))
                cell = (name if section.type else f"{section.name}.{name}", labels)
                number = next(numbers)
                assert cell not in found
                if number == number:  # noqa: PLR0124 - NaN, where unknown
                    found[cell] = number
    assert not [*numbers]
    return found


def cells_of_report(report: Report) -> dict[Cell, float]:
    """Return the numbers of a report by their cells, without help of the codec."""
    found: dict[Cell, float | None] = {}
    for name, value in asdict(report).items():
        if value is None:
            continue
        if name == "gauges":
            found |= {(key, ()): number for key, number in value.items()}
        elif name in MAPS:
            found |= {(f"{name}.{key}", ()): number for key, number in value.items()}
        elif name == "families":
            for family, described in value.items():
                found |= _family(family, described)
        elif name in SECTIONS:
            found |= _section(name, value)
    return {cell: number for cell, number in found.items() if number is not None}


def _family(name: str, family: OpenFamily) -> dict[Cell, float | None]:
    columns = {name.replace("*", key): column for key, column in family.columns.items()}
    rows = [*zip(*family.labels.values(), strict=True)] or [()]
    return {
        (full, tuple(zip(family.labels, row, strict=True))): number
        for full, column in (columns or {name: family.values}).items()
        for row, number in zip(rows, column, strict=True)
    }


def _section(name: str, section: Any) -> dict[Cell, float | None]:
    kind = SECTIONS[name]
    fields = asdict(section)
    labels = kind.__struct_fields__[: kind.label_columns]
    if issubclass(kind, Record):
        fields = {key: (value,) for key, value in fields.items()}
    rows = [*zip(*(fields[label] for label in labels), strict=True)] or [()]
    return {
        (f"{name}.{key}", tuple(zip(labels, row, strict=True))): number
        for key, column in fields.items()
        if key not in labels and column is not None
        for row, number in zip(rows, column, strict=True)
    }
