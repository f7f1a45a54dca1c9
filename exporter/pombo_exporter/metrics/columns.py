"""The rows of many hosts' blocks, as flat columns.

Python takes its time over each number, and numpy over each call, so that what is derived for a
page is derived over the rows of some hundred hosts at once.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, pairwise
from math import inf
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from pombo_wire import SECTIONS

from pombo_exporter.hosts.blocks import Block, Named, Section
from pombo_exporter.hosts.host import Host

#: A value for each row, NaN where it is not known.
Column = NDArray[np.float64]

#: Python's own things. In lists or tuples the cyclic collector would look at every one of them,
#: milliseconds at a time where they are many; it never looks into numpy's.
Things = NDArray[np.object_]

Made = TypeVar("Made")

_A_PIECE = 16_384  # values and rows; a step over all of these takes half a millisecond

_LABELS, _CURRENT, _EXPIRES = map(attrgetter, ("labels", "current", "expires"))


class Columns:
    """One section of some hosts, all of whose rows stand in one order, host by host."""

    def __init__(
        self, kind: type[Section], hosts: Sequence[Host], blocks: Things, counts: "_Counts"
    ) -> None:
        """Take the section's type, the hosts, and the blocks that they have of it."""
        self.hosts, self.blocks = hosts, blocks
        self._kind = kind
        self._blocks_of, self._rows_of = counts
        names = kind.__struct_fields__
        self._texts, self._values = names[: kind.label_columns], names[kind.label_columns :]
        self._made: dict[Callable[[Columns], Any], Any] = {}

    def pieces(self) -> Iterator["Columns"]:
        """Yield the same rows, some hosts at a time: few enough to be done with before long."""
        most = _A_PIECE // (1 + len(self._values))  # rows
        ends = _ends(self._blocks_of)
        piece_of = _ends(self._rows_of)[ends[1:]] // most
        starts = np.flatnonzero(np.diff(piece_of, prepend=-1))
        for start, end in pairwise([*starts, len(self.hosts)]):
            blocks = slice(ends[start], ends[end])
            counts = _Counts(self._blocks_of[start:end], self._rows_of[blocks])
            yield Columns(self._kind, self.hosts[start:end], self.blocks[blocks], counts)

    @cached_property
    def labels(self) -> Things:
        """Each row's label text."""
        return np.fromiter(chain.from_iterable(map(_LABELS, self.blocks)), object)

    @cached_property
    def host_of(self) -> NDArray[np.intp]:
        """For each row the place of its host among ``hosts``."""
        return np.repeat(np.repeat(np.arange(len(self.hosts)), self._blocks_of), self._rows_of)

    @cached_property
    def seconds(self) -> Column:
        """The time from the report before to the last one, for each row; 0 where none was."""
        return np.repeat(np.array([block.seconds for block in self.blocks]), self._rows_of)

    def texts(self, name: str) -> list[str]:
        """Return one of the texts that name each row."""
        place = self._texts.index(name)
        return [text for block in self.blocks for text in block.texts[place]]

    def named(self) -> list[dict[str, str]]:
        """Return what names each row, by the names of the texts."""
        rows = (zip(*block.texts, strict=True) if block.texts else [()] for block in self.blocks)
        return [dict(zip(self._texts, row, strict=True)) for each in rows for row in each]

    def now(self, name: str) -> Column:
        """Return a field of each row as it came last."""
        found: Column = self._now[self._values.index(name)]
        return found

    def grown(self, *names: str) -> Column:
        """Return by how much fields grew since the report before: a line for each of them."""
        lines: Column = self._grown[[*map(self._values.index, names)]]
        return lines

    def once(self, make: Callable[["Columns"], Made]) -> Made:
        """Return what ``make`` makes of these rows; it is made only once."""
        if make not in self._made:
            self._made[make] = make(self)
        made: Made = self._made[make]
        return made

    @cached_property
    def _now(self) -> Column:
        """All values as they came last: a line for each field."""
        return self._lines(map(_CURRENT, self.blocks))

    @cached_property
    def _grown(self) -> Column:
        """By how much all values grew, as ``_now`` has them."""
        return self._now - self._lines(map(_previous, self.blocks))

    def _lines(self, packed: Iterable[bytes]) -> Column:
        """Return a line for each field, with a value for each row, of what each block has."""
        ends = np.cumsum(self._rows_of)
        before = np.repeat(ends - self._rows_of, self._rows_of)  # rows in the blocks before
        first = before * len(self._values) + np.arange(len(before)) - before
        step = np.repeat(self._rows_of, self._rows_of)  # from one of a row's values to the next
        places = first + step * np.arange(len(self._values))[:, np.newaxis]
        found: Column = np.frombuffer(b"".join(packed))[places]
        return found


class _Counts(NamedTuple):
    """How many blocks each host has, and how many rows each block has."""

    blocks_of: NDArray[np.intp]
    rows_of: NDArray[np.intp]


def _ends(counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return where each of some things of such lengths ends, and before them where all begin."""
    return np.concatenate(([0], np.cumsum(counts)))


def _previous(block: Block) -> bytes:
    return _NAN * (len(block.current) // 8) if block.previous is None else block.previous


_NAN = np.array(np.nan).tobytes()


def gather(hosts: Sequence[Host], section: str, now: float) -> Columns:
    """Return a section of these hosts as it is held at this moment, without what expired."""
    held: list[Collection[Block]] = [host.sections.get(section, {}).values() for host in hosts]
    if min(map(_EXPIRES, chain.from_iterable(held)), default=inf) <= now:
        held = [[block for block in blocks if block.expires > now] for blocks in held]
    blocks: Things = np.fromiter(chain.from_iterable(held), object)
    counts = _Counts(_lengths(held), _lengths(map(_LABELS, blocks)))
    return Columns(SECTIONS.get(section, Named), hosts, blocks, counts)


def _lengths(things: Iterable[Collection[Any]]) -> NDArray[np.intp]:
    return np.fromiter(map(len, things), np.intp)
