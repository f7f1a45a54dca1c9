"""Rows and values to sections of the wire."""

from collections.abc import Iterable, Mapping, Sequence

from pombo_wire.columns import EXTRA, SECTIONS
from pombo_wire.limits import MAX_TEXT
from pombo_wire.section import Section, is_column_name

# How large the columns of open families may be. A datagram has 1200 bytes in all.
_MOST_BYTES = 700
_COLUMN_BYTES = 24  # a number, and what surrounds the name and the HELP text

Cell = str | bytes | float | None
Row = Mapping[str, Cell]


def table(name: str, rows: Iterable[Row]) -> list[Section]:
    """Return ``rows`` as the section ``name`` of the schema, or nothing without rows.

    A column is omitted where no row has a value (other than ``None``), and a cell is ``None``
    where its row has none. A missing text becomes empty. Keys that the schema does not have are
    ignored.
    """
    columns = SECTIONS.get(name) or EXTRA[name]
    return _table(name, columns.labels, columns.values, [*rows])


def record(name: str, found: Row) -> list[Section]:
    """Return the section ``name`` of the schema, which has one row, or nothing without a value.

    Keys that the schema does not have are ignored.
    """
    columns = SECTIONS[name]
    [section] = _table(name, columns.labels, columns.values, [found])
    return [section] if section.labels or section.values else []


def numbers(name: str, found: Mapping[str, float | None]) -> list[Section]:
    """Return the section ``name``, a map, with a column for each number, or nothing without any."""
    known = {column: value for column, value in found.items() if value is not None}
    return [Section(name, {}, tuple(known), tuple(known.values()))] if known else []


def families(
    name: str, kind: str, helps: Mapping[str, str], labels: Sequence[str], rows: Iterable[Row]
) -> list[Section]:
    """Return ``rows`` as open families of one type, or nothing without a value.

    ``name`` contains ``*``, which each key of ``helps`` replaces: these keys are the columns, and
    the values their HELP texts. Each collector needs names of its own. ``kind`` is ``counter`` or
    ``gauge``. A row has the texts of the ``labels`` and the values of the columns; without labels
    there is one row. Where a row with all columns might not fit into a datagram, each family is a
    section of its own.

    Example:
        ``families("node_xfs_*_total", "counter", {"reads": "Reads."}, ("device",), rows)``
    """
    found = _table(name, labels, tuple(helps), [*rows])
    sections = [
        section._replace(type=kind, help=tuple(_help(helps[value]) for value in section.values))
        for section in found
        if section.values
    ]
    # By all columns, so that the sections of a host stay the same when a value is unknown.
    size = sum(len(column) + len(_help(text)) + _COLUMN_BYTES for column, text in helps.items())
    if not labels or size <= _MOST_BYTES:  # without labels, columns are sent separately
        return sections
    return [part for section in sections for part in _one_by_one(section)]


def _one_by_one(section: Section) -> list[Section]:
    """Return open families, each as a section of its own."""
    if not all(is_column_name(section.name, column) for column in section.values):
        return [section]  # from which they are dropped
    return [
        part
        for (column, cells), text in zip(section.columns.items(), section.help, strict=True)
        for part in family(
            section.name.replace("*", column),
            section.type,
            text,
            tuple(section.labels),
            [*zip(*section.labels.values(), cells, strict=True)],
        )
    ]


def family(
    name: str, kind: str, text: str, labels: Sequence[str], rows: Iterable[tuple[Cell, ...]]
) -> list[Section]:
    """Return ``rows`` as one open family with the HELP ``text``, or nothing without a value.

    A row has the text of each of the ``labels``, and at its end the value.
    """
    found = [row for row in rows if row[-1] is not None]
    if not found:
        return []
    *texts, values = zip(*found, strict=True)
    columns = {
        label: tuple(map(clean, column)) for label, column in zip(labels, texts, strict=True)
    }
    return [Section(name, columns, (), values, type=kind, help=_help(text))]


def _table(
    name: str, labels: Sequence[str], values: Sequence[str], rows: Sequence[Row]
) -> list[Section]:
    if not rows:
        return []
    texts = {label: tuple([clean(row.get(label)) for row in rows]) for label in labels}
    columns = {}
    for value in values:
        column = [row.get(value) for row in rows]
        if any(cell is not None for cell in column):
            columns[value] = column
    cells = [cell for column in columns.values() for cell in column]
    return [Section(name, texts, tuple(columns), cells)]  # type: ignore[arg-type]


def _help(text: str) -> str:
    """Return a HELP text in one line, no longer than the wire allows."""
    return " ".join(text.split("\n"))[:MAX_TEXT]


def clean(text: Cell) -> str:
    """Return ``text`` as valid UTF-8, without NUL, and no longer than the wire allows."""
    if not text:
        return ""
    if isinstance(text, bytes):
        shown = text.decode(errors="replace")
    else:
        shown = str(text)
        if not shown.isascii():
            shown = shown.encode(errors="surrogateescape").decode(errors="replace")
    return shown.replace("\0", "")[:MAX_TEXT]
