"""One section of one host: the values of its last two reports, row by row.

A section arrives whole or in parts, and each part is stored as a *block* whose key is the texts
of its rows. As long as these stay the same, a report replaces its block and nothing else is read.
When they change (a device was added or removed, or the agent split the section elsewhere),
``rearrange_rows`` carries each row over from the block that has it, so that its rate continues and
no row is ever stored twice.

Values are packed: float64 in the machine's byte order, column after column, so an array of shape
(columns, rows).
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


class MapTable(Table, frozen=True):
    """A map of a report as a table; each name completes the name of an open family."""

    name: tuple[str, ...]
    value: tuple[float, ...]


class Stamp(Struct, frozen=True, gc=False):
    """When a report was made: its sequence number in the session, and the agent's clock (s)."""

    session: int | None
    order: int
    monotonic: float | None


class Block(Struct, frozen=True, gc=False):
    """Rows of a section, with their values in the last report and in the one before.

    ``texts`` are the section's columns of texts, and ``labels`` the label text of each row.
    ``last`` and ``before`` are the packed values of the two reports, of shape (columns, rows), and
    ``elapsed`` the seconds between them on the agent's clock. Where no rate can be derived,
    ``before`` is None and ``elapsed`` 0. A block has no samples from ``expires`` on (monotonic
    clock, seconds).
    """

    texts: tuple[tuple[str, ...], ...]
    labels: tuple[bytes, ...]
    last: bytes
    before: bytes | None
    elapsed: float
    stamp: Stamp
    expires: float


def _key_of(kind: type[Section]) -> Callable[[Any], Key]:
    names = kind.__struct_fields__[: kind.label_columns]
    return attrgetter(*names) if names else lambda _: ()


#: By section type, the function from a section to its key. The key is all its texts, so a section
#: with the key of a block has the labels of that block.
KEYS: dict[type[Section], Callable[[Any], Key]] = {
    kind: _key_of(kind) for kind in (*SECTIONS.values(), MapTable)
}


def escape(value: str) -> str:
    """Return ``value`` escaped for the quotes of a label (text format 0.0.4)."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def label_text(*pairs: tuple[str, str]) -> bytes:
    """Return labels up to and with the closing brace and the space before the value."""
    return (",".join(f'{name}="{escape(value)}"' for name, value in pairs) + "} ").encode()


def row_labels(host: str, section: Section) -> tuple[bytes, ...]:
    """Return the label text of each row of ``section``, the host's name first."""
    texts = _texts(section)
    if isinstance(section, MapTable):
        return (label_text(("instance", host)),) * len(section.name)
    names = section.__struct_fields__[: section.label_columns]
    rows = zip(*texts, strict=True) if texts else [()]
    return tuple(label_text(("instance", host), *zip(names, row, strict=True)) for row in rows)


def pack(section: Section) -> bytes:
    """Return a section's values packed, of shape (columns, rows).

    A value that the host lacks is NaN, which no report can contain, for JSON has none.
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


def unpack(packed: bytes, rows: int) -> NDArray[np.float64]:
    """Return packed values as an array of shape (columns, rows)."""
    return np.frombuffer(packed).reshape(-1, rows)


def update_rows(old: Block, section: Section, stamp: Stamp, expires: float) -> Block | None:
    """Return the block that replaces ``old`` with the same rows; None when ``old`` is newer."""
    if not _is_newer(stamp, old.stamp):
        return None
    return _updated(old, pack(section), stamp, expires)


def _is_newer(stamp: Stamp, stored: Stamp) -> bool:
    return stamp.session is None or stamp.session != stored.session or stamp.order > stored.order


def _updated(old: Block, packed: bytes, stamp: Stamp, expires: float) -> Block:
    stored, elapsed = old.stamp, 0.0
    same_session = stamp.session is not None and stamp.session == stored.session
    if same_session and stamp.monotonic is not None and stored.monotonic is not None:
        elapsed = stamp.monotonic - stored.monotonic
    if elapsed <= 0:  # no rate can be derived
        return Block(old.texts, old.labels, packed, None, 0.0, stamp, expires)
    return Block(old.texts, old.labels, packed, old.last, elapsed, stamp, expires)


def rearrange_rows(
    blocks: Blocks, host: str, section: Section, stamp: Stamp, expires: float
) -> Blocks:
    """Return the blocks of a section after a report whose rows are arranged otherwise.

    The blocks that are passed in do not change.
    """
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
    # The new rows, grouped by the report that each was last seen in: one block has one stamp.
    groups: dict[Stamp | None, list[int]] = defaultdict(list)
    rows = list(_rows(whole, names))
    for index, row in enumerate(rows):
        found = places.get(row)
        groups[found[0].stamp if found else None].append(index)
    arrived = set(rows)
    result = {}
    for stored, indexes in groups.items():
        block = _pick(whole, indexes)
        if stored is not None:
            if not _is_newer(stamp, stored):  # a newer report has these rows
                arrived -= {rows[index] for index in indexes}
                continue
            old = _gather([places[rows[index]] for index in indexes])
            block = _updated(replace(block, last=old, stamp=stored), block.last, stamp, expires)
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
    """Return the key that ``KEYS`` gives a table with the block's texts."""
    return block.texts[0] if len(block.texts) == 1 else block.texts


def _rows(block: Block, names: int) -> Iterator[tuple[str, ...]]:
    return zip(*block.texts[:names], strict=True)


def _pick(block: Block, indexes: Sequence[int]) -> Block:
    """Return a block with only these rows of another."""
    rows = len(block.labels)

    def picked(packed: bytes) -> bytes:
        return unpack(packed, rows)[:, indexes].tobytes()

    return Block(
        tuple(tuple(column[index] for index in indexes) for column in block.texts),
        tuple(block.labels[index] for index in indexes),
        picked(block.last),
        None if block.before is None else picked(block.before),
        block.elapsed,
        block.stamp,
        block.expires,
    )


def _gather(rows: list[tuple[Block, int]]) -> bytes:
    """Return packed values of single rows, each from a block of the same section."""
    each = [unpack(block.last, len(block.labels))[:, index] for block, index in rows]
    return np.column_stack(each).tobytes()
