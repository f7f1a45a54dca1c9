"""Rows to tables of the wire, and texts to records."""

from collections.abc import Iterable, Mapping

from pombo_wire import SECTIONS, Part, Record, Table
from pombo_wire.schema import MAX_ROWS

Row = Mapping[str, str | float | None]

_FIELDS = {kind: name for name, kind in SECTIONS.items()}
_MAX_TEXT_LENGTH = 255


def tables(kind: type[Table], rows: Iterable[Row]) -> list[Part]:
    """Return ``rows`` as one or more parts of the section whose type is ``kind``.

    All rows of a table have the same columns. Rows are therefore grouped by the columns in which
    they have a value (not ``None``), and each group is a table, or several of ``MAX_ROWS`` rows.
    Of rows with the same keys, the first is used. A missing text becomes empty.
    """
    texts = kind.__struct_fields__[: kind.label_columns]
    values = kind.__struct_fields__[kind.label_columns :]
    groups: dict[tuple[tuple[str, ...], int], dict[tuple[str, ...], Row]] = {}
    seen: set[tuple[str, ...]] = set()
    for row in rows:
        columns = tuple(name for name in values if row.get(name) is not None)
        labels = tuple(_clean(str(row.get(name) or "")) for name in texts)
        key = labels[: kind.key_columns]
        if key not in seen:
            groups.setdefault((columns, len(seen) // MAX_ROWS), {})[labels] = row
            seen.add(key)
    return [(_FIELDS[kind], _table(kind, columns, group)) for (columns, _), group in groups.items()]


def record(kind: type[Record], texts: Mapping[str, str]) -> Part:
    """Return a record of texts; names that ``kind`` does not have are ignored."""
    known = {name: _clean(text) for name, text in texts.items() if name in kind.__struct_fields__}
    return _FIELDS[kind], kind(**known)


def _table(
    kind: type[Table], columns: tuple[str, ...], group: Mapping[tuple[str, ...], Row]
) -> Table:
    labels = zip(*group, strict=True)
    values = (tuple(row[name] for row in group.values()) for name in columns)
    named = zip(columns, values, strict=True)
    return kind(*labels, **dict(named))


def _clean(text: str) -> str:
    """Return ``text`` as valid UTF-8, without NUL, and no longer than the wire allows."""
    clean = text.encode(errors="surrogateescape").decode(errors="replace").replace("\0", "")
    return clean[:_MAX_TEXT_LENGTH]
