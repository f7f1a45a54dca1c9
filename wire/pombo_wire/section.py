"""A section as it is sent: its texts, and its numbers column after column."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from pombo_wire.columns import ORDER, SECTIONS, columns_of
from pombo_wire.limits import (
    MAX_LABEL_COLUMNS,
    MAX_TEXT,
    RESERVED_FAMILIES,
    RESERVED_FAMILY_LABELS,
    RESERVED_FAMILY_PREFIXES,
    SECTION_ITEMS,
    label_bytes,
)
from pombo_wire.names import COLUMN, FAMILY, LABEL

_PLACES = {name: place for place, name in enumerate(ORDER)}
_MANY_ROWS = 128
_NUMBERS = frozenset({int, float, type(None)})

#: Returns JSON without white space. Raises ValueError for NaN and infinite numbers.
compact: Callable[[Any], str] = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode


class Section(NamedTuple):
    """A section of a report, or some of its rows.

    ``labels`` has the texts of each row by column. ``values`` are the names of the columns of
    numbers. Row ``r`` of column ``c`` is cell ``c * rows + r``; a number that is unknown is
    ``None``. ``absent`` are the cells that have no number at all, ascending. Open families have a
    ``type`` and may have a ``help``; one without ``values`` has one column.
    """

    name: str
    labels: Mapping[str, tuple[str, ...]]
    values: tuple[str, ...]
    cells: Sequence[float | None]
    absent: tuple[int, ...] = ()
    type: str = ""
    help: str | tuple[str, ...] = ""

    @property
    def rows(self) -> int:
        """How many rows the section has; without labels it has one."""
        return len(next(iter(self.labels.values()), " "))

    @property
    def columns(self) -> dict[str, Sequence[float | None]]:
        """The cells of each of the ``values``."""
        rows = self.rows
        return {
            name: self.cells[column * rows : (column + 1) * rows]
            for column, name in enumerate(self.values)
        }

    @property
    def is_record(self) -> bool:
        """Whether the section is known and has one row at all times."""
        return self.name in SECTIONS and not SECTIONS[self.name].keys

    @property
    def items(self) -> int:
        """What the section counts in the budget of a datagram."""
        return SECTION_ITEMS + self.rows + max(1, len(self.values)) + len(self.labels)

    @property
    def label_bytes(self) -> int:
        """The bytes of label texts in an exposition of the section."""
        return label_bytes([*self.labels], [*self.labels.values()], self.values)

    @property
    def numbers(self) -> list[float | None]:
        """The numbers of the cells that are not absent."""
        if not self.absent:
            return list(self.cells)
        absent = {*self.absent}
        return [cell for at, cell in enumerate(self.cells) if at not in absent]

    @property
    def layout(self) -> str:
        """The member of a layout that has the texts of the section, as JSON."""
        body: dict[str, object]
        if self.name == "labels":
            body = {name: text for name, (text,) in self.labels.items()}
        else:
            found = {
                "type": self.type,
                "help": self.help,
                "labels": self.labels,
                "values": self.values,
                "absent": self.absent,
            }
            body = {name: value for name, value in found.items() if value}
        return compact({self.name: body})[1:-1]

    def rows_between(self, start: int, stop: int) -> "Section":
        """Return the section with some of its rows."""
        rows = self.rows
        width = stop - start
        cells = [
            cell
            for at in range(0, len(self.cells), rows)
            for cell in self.cells[at + start : at + stop]
        ]
        absent = tuple(
            at // rows * width + at % rows - start
            for at in self.absent
            if start <= at % rows < stop
        )
        labels = {name: texts[start:stop] for name, texts in self.labels.items()}
        return self._replace(labels=labels, cells=cells, absent=absent)

    def columns_between(self, start: int, stop: int) -> "Section":
        """Return the section with some of its columns."""
        rows = self.rows
        first, end = start * rows, stop * rows
        return self._replace(
            values=self.values[start:stop],
            cells=self.cells[first:end],
            absent=tuple(at - first for at in self.absent if first <= at < end),
            help=self.help if isinstance(self.help, str) else self.help[start:stop],
        )


def in_order(sections: Iterable[Section]) -> list[Section]:
    """Return sections in the order of the wire, those of one name as one.

    Of several tables the rows follow each other; of other sections, columns are added, and a later
    value replaces an earlier one. No cell may be absent.

    Sections of more than 128 rows follow all others, the longest last: where a host has more series
    than the exporter accepts, or a report more datagrams than it may have, it is their end that is
    missing, and not the memory of a host with a thousand cores.
    """
    found: dict[str, Section] = {}
    for section in sections:
        known = found.get(section.name)
        found[section.name] = section if known is None else _joined(known, section)
    return sorted(found.values(), key=_place)


def _place(section: Section) -> tuple[int, int, str]:
    rows = section.rows
    place = _PLACES.get(section.name, len(ORDER))
    return rows if rows > _MANY_ROWS else 0, place, section.name


def _joined(one: Section, other: Section) -> Section:
    columns, others = one.columns, other.columns
    labels = one.labels
    if labels and not one.is_record:
        labels = {name: texts + other.labels[name] for name, texts in labels.items()}
        nothing, none = (None,) * one.rows, (None,) * other.rows
        names = dict.fromkeys((*columns, *others))
        columns = {n: (*columns.get(n, nothing), *others.get(n, none)) for n in names}
    else:
        columns |= others
    if one.name in SECTIONS:
        columns = {name: columns[name] for name in SECTIONS[one.name].values if name in columns}
    cells = [cell for column in columns.values() for cell in column]
    return one._replace(labels=labels, values=tuple(columns), cells=cells)


def is_column_name(section: str, name: str) -> bool:
    """Return whether a column of a section may have a name that the sender chooses.

    A section whose name contains ``*`` has open families, which are named by both.
    """
    if "*" in section:
        return is_family_name(section.replace("*", name, 1))
    return COLUMN.fullmatch(name) is not None


def is_label_name(name: str) -> bool:
    """Return whether a label of an open family may have this name."""
    return LABEL.fullmatch(name) is not None and name not in RESERVED_FAMILY_LABELS


def is_family_name(name: str) -> bool:
    """Return whether an open family may have this name, unless the exporter has it in its table."""
    return (
        FAMILY.fullmatch(name) is not None
        and name not in _PLACES
        and name not in RESERVED_FAMILIES
        and not name.startswith(RESERVED_FAMILY_PREFIXES)
    )


def check(section: Section) -> None:
    """Check that the exporter accepts the rows and numbers of a section.

    Raises:
        ValueError: when a text is too long or no UTF-8, a name invalid, a column too short, a
            number negative where it must not be, or no number; or when two rows have the same
            keys.
    """
    rows = section.rows
    _check_texts(section, rows)
    known = columns_of(section.name)
    if not known and not _are_valid(section.name, bool(section.type), section.values):
        raise ValueError(f"{section.name}: a name is invalid")
    columns = len(section.values) or (1 if section.type else 0)
    if len(section.cells) != columns * rows:
        raise ValueError(f"{section.name}: columns differ in length")
    if not _NUMBERS.issuperset(map(type, section.cells)):
        raise ValueError(f"{section.name}: a value is not a number")
    if section.type and section.type != "counter":
        return
    signed = known.signed if known else ()
    names = section.values or (section.name,)
    for at, cell in enumerate(section.cells):
        if cell is not None and cell < 0 and names[at // rows] not in signed:
            raise ValueError(f"{section.name}: {names[at // rows]} is negative")


@lru_cache(maxsize=256)  # the names are the same in each report, and some sections have hundreds
def _are_valid(section: str, is_open: bool, columns: tuple[str, ...]) -> bool:  # noqa: FBT001
    if is_open and not columns:
        return is_family_name(section)
    return all(is_column_name(section, name) for name in columns)


def _check_texts(section: Section, rows: int) -> None:
    for name, texts in section.labels.items():
        if len(texts) != rows or any(len(text) > MAX_TEXT for text in texts):
            raise ValueError(f"{section.name}: {name} has a text that is too long, or too few")
        "".join(texts).encode()
    known = columns_of(section.name)
    if not known and section.name != "labels":
        invalid = [name for name in section.labels if not is_label_name(name)]
        if invalid or len(section.labels) > MAX_LABEL_COLUMNS:
            raise ValueError(f"{section.name}: labels are too many or invalid: {invalid}")
    keys = [*section.labels.values()][: known.keys if known else None]
    if keys and len({*zip(*keys, strict=True)} if len(keys) > 1 else {*keys[0]}) < rows:
        raise ValueError(f"{section.name}: a row is named twice")
