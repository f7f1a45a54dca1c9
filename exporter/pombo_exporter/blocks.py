"""What is held of one section of one host: its last two reports, row by row.

A section arrives whole or in parts, and each part is held as a *block*, known by the keys of
its rows. As long as the rows stay the same, a report replaces its block and nothing else is
looked at. When they change (a device came or went, or the agent cut the section elsewhere),
``place`` follows each row from the block that holds it to the new one, so that its rate goes
on and no row is ever held twice.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

from msgspec import Struct
from msgspec.structs import astuple
from pombo_wire import SECTIONS, Record, Table

Section = Record | Table
Key = Any  # a column of texts, or a tuple of such columns
Blocks = dict[Key, "Block"]


class Named(Table, frozen=True):
    """A map of a report, as a table like any other: each name completes a family's."""

    name: tuple[str, ...]
    value: tuple[float, ...]


class Stamp(Struct, frozen=True, gc=False):
    """When a report was made: its place in the agent's session, and the agent's clock."""

    session: int | None
    order: int
    monotonic: float | None


class Block(Struct, frozen=True, gc=False):
    """Rows of a section as they came last, and as they came before.

    ``labels`` holds each row's label text, ready for the page; ``seconds`` is the time on the
    agent's clock from ``previous`` to ``current``. A block leaves the page at ``expires``, on
    the exporter's monotonic clock.
    """

    labels: tuple[bytes, ...]
    current: Any
    previous: Any
    seconds: float
    stamp: Stamp
    expires: float


def _key_of(kind: type[Section]) -> Callable[[Any], Key]:
    names = kind.__struct_fields__[: kind.label_columns]
    return attrgetter(*names) if names else lambda _: ()


#: Each section type's function from a section to its key: all its texts, so that a section
#: with the key of a block has that block's labels.
KEYS: dict[type[Section], Callable[[Any], Key]] = {
    kind: _key_of(kind) for kind in (*SECTIONS.values(), Named)
}


def escape(value: str) -> str:
    """Return ``value`` as it stands between the quotes of a label."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def label_text(*pairs: tuple[str, str]) -> bytes:
    """Return labels up to and with the closing brace and the space before the value."""
    return (",".join(f'{name}="{escape(value)}"' for name, value in pairs) + "} ").encode()


def row_labels(host: str, section: Section) -> tuple[bytes, ...]:
    """Return the label text of each row of ``section``, the host's name first."""
    if isinstance(section, Named):
        return (label_text(("instance", host)),) * len(section.name)
    names = section.__struct_fields__[: section.label_columns]
    texts = astuple(section)[: section.label_columns]
    rows = [texts] if isinstance(section, Record) else zip(*texts, strict=True)
    return tuple(label_text(("instance", host), *zip(names, row, strict=True)) for row in rows)


def follow(old: Block, section: Section, stamp: Stamp, expires: float) -> Block | None:
    """Return the block that replaces ``old`` with the same rows; None when ``old`` is newer."""
    before = old.stamp
    if stamp.session is None or stamp.session != before.session:
        return Block(old.labels, section, None, 0.0, stamp, expires)
    if stamp.order <= before.order:
        return None
    if stamp.monotonic is None or before.monotonic is None or stamp.monotonic <= before.monotonic:
        return Block(old.labels, section, None, 0.0, stamp, expires)
    seconds = stamp.monotonic - before.monotonic
    return Block(old.labels, section, old.current, seconds, stamp, expires)


def place(blocks: Blocks, host: str, section: Section, stamp: Stamp, expires: float) -> Blocks:
    """Return what is held of a section once these rows, in a new arrangement, have arrived."""
    labels = row_labels(host, section)
    if isinstance(section, Record):
        if any(follow(old, section, stamp, expires) is None for old in blocks.values()):
            return blocks
        return {_key(section): Block(labels, section, None, 0.0, stamp, expires)}
    places = {
        row: (block, index)
        for block in blocks.values()
        for index, row in enumerate(_rows(block.current))
    }
    # New rows, gathered by the report that each was last seen in.
    groups: dict[Stamp | None, list[int]] = defaultdict(list)
    rows = list(_rows(section))
    for index, row in enumerate(rows):
        held = places.get(row)
        groups[held[0].stamp if held else None].append(index)
    arrived = set(rows)
    result = {}
    for before, indexes in groups.items():
        fresh = _gather([(section, index) for index in indexes])
        texts = tuple(labels[index] for index in indexes)
        block: Block | None = Block(texts, fresh, None, 0.0, stamp, expires)
        if before is not None:
            held_rows = [places[rows[index]] for index in indexes]
            old = _gather([(block.current, index) for block, index in held_rows])
            block = follow(Block(texts, old, None, 0.0, before, expires), fresh, stamp, expires)
        if block is None:  # these rows are held from a newer report
            arrived -= {rows[index] for index in indexes}
        else:
            result[_key(fresh)] = block
    for key, block in blocks.items():
        kept = [i for i, row in enumerate(_rows(block.current)) if row not in arrived]
        if len(kept) == len(block.labels):
            result[key] = block
        elif kept:
            rest = _pick(block, kept)
            result[_key(rest.current)] = rest
    return result


def _key(section: Section) -> Key:
    return KEYS[type(section)](section)


def _rows(table: Table) -> Iterator[tuple[str, ...]]:
    return zip(*astuple(table)[: table.key_columns], strict=True)


def _pick(block: Block, indexes: list[int]) -> Block:
    current, previous = block.current, block.previous
    return Block(
        tuple(block.labels[index] for index in indexes),
        _gather([(current, index) for index in indexes]),
        previous and _gather([(previous, index) for index in indexes]),
        block.seconds,
        block.stamp,
        block.expires,
    )


def _gather(rows: list[tuple[Table, int]]) -> Table:
    """Return a table of single rows, each out of a table of the same type.

    A column that one of them lacks is left out.
    """
    columns = {id(table): astuple(table) for table, _ in rows}
    picked = []
    for number in range(len(type(rows[0][0]).__struct_fields__)):
        cells = [(columns[id(table)][number], index) for table, index in rows]
        whole = all(column is not None for column, _ in cells)
        picked.append(tuple(column[index] for column, index in cells) if whole else None)
    return type(rows[0][0])(*picked)
