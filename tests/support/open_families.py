"""The samples of open families, as short as the exposition format has them."""

from collections.abc import Iterable, Sequence

from pombo_wire.section import Section


def samples(sections: Iterable[Section]) -> dict[str, dict[tuple[str, ...], float]]:
    """Return the values of each family by the texts of its labels."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for section in sections:
        keys = [*zip(*section.labels.values(), strict=True)] or [()]
        columns: dict[str, Sequence[float | None]] = {section.name: section.cells}
        if section.values:
            columns = {section.name.replace("*", key): at for key, at in section.columns.items()}
        for name, cells in columns.items():
            rows = zip(keys, cells, strict=True)
            found[name] = {key: cell for key, cell in rows if cell is not None}
    return found
