"""What is held of one section of one host: its last two reports, row by row.

A section arrives whole or in parts, and each part is held as a *block*, known by the texts of
its rows. As long as these stay the same, a report replaces its block and nothing else is
looked at. When they change (a device came or went, or the agent cut the section elsewhere),
``place`` follows each row from the block that holds it to the new one, so that its rate goes
on and no row is ever held twice.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from math import nan
from operator import attrgetter
from struct import Struct as Packing
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import astuple, replace
from numpy.typing import NDArray
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

    ``texts`` are the section's columns of texts, and ``labels`` each row's label text, ready for
    the page. ``current`` and ``previous`` are its columns of values, one after the other, as
    ``pack`` makes them; ``seconds`` is the time on the agent's clock between the two. A block
    leaves the page at ``expires``, on the exporter's monotonic clock.
    """

    texts: tuple[tuple[str, ...], ...]
    labels: tuple[bytes, ...]
    current: bytes
    previous: bytes | None
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
    texts = _texts(section)
    if isinstance(section, Named):
        return (label_text(("instance", host)),) * len(section.name)
    names = section.__struct_fields__[: section.label_columns]
    rows = zip(*texts, strict=True) if texts else [()]
    return tuple(label_text(("instance", host), *zip(names, row, strict=True)) for row in rows)


def pack(section: Section) -> bytes:
    """Return a section's values, column after column, as float64 in the machine's byte order.

    A value that the host lacks is NaN, which JSON does not have.
    """
    columns = astuple(section)
    values: list[float] = []
    if isinstance(section, Record):
        values += [nan if value is None else value for value in columns[section.label_columns :]]
    else:
        lacking = (nan,) * len(columns[0])
        for column in columns[section.label_columns :]:
            values += column or lacking
    return _packing(len(values)).pack(*values)


@cache
def _packing(count: int) -> Packing:
    return Packing(f"{count}d")


def columns_of(packed: bytes, rows: int) -> NDArray[np.float64]:
    """Return what ``pack`` packed: a line for each column, with a value for each row."""
    return np.frombuffer(packed).reshape(-1, rows)


def follow(old: Block, section: Section, stamp: Stamp, expires: float) -> Block | None:
    """Return the block that replaces ``old`` with the same rows; None when ``old`` is newer."""
    if not _is_newer(stamp, old.stamp):
        return None
    return _follow(old, pack(section), stamp, expires)


def _is_newer(stamp: Stamp, before: Stamp) -> bool:
    return stamp.session is None or stamp.session != before.session or stamp.order > before.order


def _follow(old: Block, packed: bytes, stamp: Stamp, expires: float) -> Block:
    before, seconds = old.stamp, 0.0
    both = stamp.session is not None and stamp.session == before.session
    if both and stamp.monotonic is not None and before.monotonic is not None:
        seconds = stamp.monotonic - before.monotonic
    if seconds <= 0:  # what was between the two is not known
        return Block(old.texts, old.labels, packed, None, 0.0, stamp, expires)
    return Block(old.texts, old.labels, packed, old.current, seconds, stamp, expires)


def place(blocks: Blocks, host: str, section: Section, stamp: Stamp, expires: float) -> Blocks:
    """Return what is held of a section once these rows, in a new arrangement, have arrived."""
    labels = row_labels(host, section)
    whole = Block(_texts(section), labels, pack(section), None, 0.0, stamp, expires)
    if not blocks or isinstance(section, Record):
        newer = all(_is_newer(stamp, old.stamp) for old in blocks.values())
        return {KEYS[type(section)](section): whole} if newer else blocks
    names = section.key_columns
    places = {
        row: (block, index)
        for block in blocks.values()
        for index, row in enumerate(_rows(block, names))
    }
    # New rows, gathered by the report that each was last seen in.
    groups: dict[Stamp | None, list[int]] = defaultdict(list)
    rows = list(_rows(whole, names))
    for index, row in enumerate(rows):
        held = places.get(row)
        groups[held[0].stamp if held else None].append(index)
    arrived = set(rows)
    result = {}
    for before, indexes in groups.items():
        block = _pick(whole, indexes)
        if before is not None:
            if not _is_newer(stamp, before):  # these rows are held from a newer report
                arrived -= {rows[index] for index in indexes}
                continue
            old = _gather([places[rows[index]] for index in indexes])
            seen = replace(block, current=old, stamp=before)
            block = _follow(seen, block.current, stamp, expires)
        result[_key(block)] = block
    for key, block in blocks.items():
        kept = [i for i, row in enumerate(_rows(block, names)) if row not in arrived]
        if len(kept) == len(block.labels):
            result[key] = block
        elif kept:
            rest = _pick(block, kept)
            result[_key(rest)] = rest
    return result


def _texts(section: Section) -> tuple[tuple[str, ...], ...]:
    texts = astuple(section)[: section.label_columns]
    return tuple((text,) for text in texts) if isinstance(section, Record) else texts


def _key(block: Block) -> Key:
    """Return what ``KEYS`` makes of a table that has the block's texts."""
    return block.texts[0] if len(block.texts) == 1 else block.texts


def _rows(block: Block, names: int) -> Iterator[tuple[str, ...]]:
    return zip(*block.texts[:names], strict=True)


def _pick(block: Block, indexes: Sequence[int]) -> Block:
    """Return a block of some rows of another."""
    rows = len(block.labels)

    def picked(packed: bytes) -> bytes:
        return columns_of(packed, rows)[:, indexes].tobytes()

    return Block(
        tuple(tuple(column[index] for index in indexes) for column in block.texts),
        tuple(block.labels[index] for index in indexes),
        picked(block.current),
        None if block.previous is None else picked(block.previous),
        block.seconds,
        block.stamp,
        block.expires,
    )


def _gather(rows: list[tuple[Block, int]]) -> bytes:
    """Return the values of single rows, each out of a block of the same section."""
    each = [columns_of(block.current, len(block.labels))[:, index] for block, index in rows]
    return np.column_stack(each).tobytes()
