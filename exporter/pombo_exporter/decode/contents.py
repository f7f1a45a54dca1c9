"""What a datagram says: its header, the owner's labels, its sections with their numbers."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import orjson
from msgspec import Struct
from pombo_wire import MAPS, SECTIONS
from pombo_wire.layout import (
    OWN_LABELS,
    SectionLayout,
    read_own_labels,
    read_section,
    split_members,
)
from pombo_wire.reading import PACKED, Datagram, read
from pombo_wire.reports import header_of

from pombo_exporter.hosts.layouts import Catalog
from pombo_exporter.hosts.limits import Limits
from pombo_exporter.hosts.roster import Roster

Number = int | float | None

_EXACT: Final = 2.0**53  # a float64 below it that is whole is written without a fraction


class SectionContents(Struct, frozen=True, omit_defaults=True):
    """A section: by column the text or number of each row, None where absent or unknown.

    ``absent`` are the cells that the layout excludes, as on the wire. Of an open family, the
    columns are full names. ``ignored`` is true of a section that this version does not know.
    """

    name: str
    type: str = ""
    help: tuple[str, ...] = ()
    labels: dict[str, tuple[str, ...]] = {}
    values: dict[str, list[Number]] = {}
    absent: tuple[int, ...] = ()
    ignored: bool = False


class Contents(Struct, frozen=True, omit_defaults=True):
    """A datagram. ``form`` is ``plain`` or ``packed``; ``extra`` is its fourth line."""

    form: str
    header: dict[str, Any]
    labels: dict[str, str] = {}
    sections: tuple[SectionContents, ...] = ()
    extra: dict[str, Any] | None = None


def contents(datagram: bytes, catalog: Catalog) -> Contents:
    """Return what a datagram says, if an exporter that knows no host yet accepts it.

    Raises:
        DecodeError: when it is not valid.
        AdmissionError: when it alone exceeds a limit.
    """
    found = read(datagram)
    roster = Roster(Limits(), catalog, lambda *_: None, 0.0, bytes)
    roster.admit(found, ("", 0), 0.0, 0.0)
    members = split_members(found.layout)
    own = [member for member in members if member.startswith(b'"%b":' % OWN_LABELS.encode())]
    return Contents(
        "packed" if datagram[0] == PACKED else "plain",
        {
            name: _number(value) if isinstance(value, float) else value
            for name, value in header_of(found.header).items()
        },
        read_own_labels(own[0]) if own else {},
        tuple(_sections([read_section(each) for each in members if each not in own], found)),
        orjson.loads(found.extra) if found.extra else None,
    )


def _sections(layouts: list[SectionLayout], datagram: Datagram) -> Iterator[SectionContents]:
    numbers = map(_number, np.frombuffer(datagram.numbers).tolist())
    for layout in layouts:
        absent, rows = {*layout.absent}, layout.rows
        cells = [
            None if at in absent else next(numbers) for at in range(len(layout.columns) * rows)
        ]
        yield SectionContents(
            layout.name,
            layout.type or "",
            layout.helps,
            dict(zip(layout.labels, layout.texts, strict=True)),
            {name: cells[at * rows : (at + 1) * rows] for at, name in enumerate(layout.columns)},
            layout.absent,
            ignored=layout.type is None and layout.name not in {*SECTIONS, *MAPS},
        )


def _number(value: float) -> Number:
    if value != value:  # noqa: PLR0124 - NaN, where unknown
        return None
    return int(value) if value.is_integer() and abs(value) < _EXACT else value
