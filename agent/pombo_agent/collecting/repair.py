"""Makes sections valid: drops what the exporter would refuse a whole datagram for."""

from collections.abc import Collection, Sequence

from pombo_wire.columns import columns_of
from pombo_wire.section import Section, check, is_column_name

from pombo_agent.collecting.reading import Skips

_NUMBERS = frozenset({int, float})


def valid(section: Section, skips: Skips) -> Section:
    """Return ``section`` without what the exporter refuses, which is counted as skipped.

    A row with the keys of an earlier one is dropped, and so is a column whose name is invalid. A
    cell without a number that the column may have becomes ``None``.

    Raises:
        ValueError: when something else is invalid, which is a mistake of the collector.
    """
    try:
        check(section)
    except ValueError:
        section = _valid_cells(_valid_columns(_unique_rows(section, skips), skips), skips)
        check(section)
    return section


def _unique_rows(section: Section, skips: Skips) -> Section:
    known = columns_of(section.name)
    labels = [*section.labels.values()]
    keys = labels[: known.keys] if known else labels
    if not keys:
        return section
    first: dict[tuple[str, ...], int] = {}
    for row, key in enumerate(zip(*keys, strict=True)):
        if first.setdefault(key, row) != row:
            skips.add("row", f"named twice: {' '.join(key)}", section.name)
    rows, kept = section.rows, [*first.values()]
    if len(kept) == rows:
        return section
    cells = [section.cells[at + row] for at in range(0, len(section.cells), rows) for row in kept]
    texts = {name: tuple(column[row] for row in kept) for name, column in section.labels.items()}
    return section._replace(labels=texts, cells=cells)


def _valid_columns(section: Section, skips: Skips) -> Section:
    invalid = [
        at for at, name in enumerate(section.values) if not is_column_name(section.name, name)
    ]
    for at in invalid:
        skips.add("column", f"invalid name: {section.values[at]}", section.name)
    return without_columns(section, invalid) if invalid else section


def without_columns(section: Section, places: Collection[int]) -> Section:
    """Return ``section`` without the columns at these places."""
    kept = [at for at in range(len(section.values)) if at not in places]
    rows = section.rows
    cells = [cell for at in kept for cell in section.cells[at * rows : (at + 1) * rows]]
    helps = section.help if isinstance(section.help, str) else [section.help[at] for at in kept]
    return section._replace(
        values=tuple(section.values[at] for at in kept),
        cells=cells,
        help=helps if isinstance(helps, str) else tuple(helps),
    )


def _valid_cells(section: Section, skips: Skips) -> Section:
    rows = section.rows
    names: Sequence[str] = section.values or (section.name,)
    if len(section.cells) != len(names) * rows:
        return section
    signed = names if section.type and section.type != "counter" else ()
    known = columns_of(section.name)
    if known:
        signed = known.signed
    cells: list[float | None] = []
    for at, cell in enumerate(section.cells):
        name = names[at // rows]
        if cell is None or (type(cell) in _NUMBERS and (name in signed or not cell < 0)):
            cells.append(cell)
        else:
            skips.add("value", f"not a number of this column: {cell!r}", f"{section.name} {name}")
            cells.append(None)
    return section._replace(cells=cells)
