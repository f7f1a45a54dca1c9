"""The rows of many hosts' blocks as flat arrays.

Python spends most time per number, numpy per call. So families are computed over the rows of many
hosts at once.

In all shapes below, ``h`` is the number of hosts, ``n`` the number of rows of all of them, host by
host, and ``f`` the number of fields.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from math import inf
from operator import attrgetter
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pombo_wire import SECTIONS

from pombo_exporter.hosts.blocks import Block, MapTable
from pombo_exporter.hosts.host import Host
from pombo_exporter.runtime.pacing import StepSize

#: Values of shape (n,), NaN where unknown.
Column = NDArray[np.float64]

#: Python objects in an array. The cyclic garbage collector visits each item of a list or a tuple,
#: which takes milliseconds where there are many; it does not visit the items of an array.
Objects = NDArray[np.object_]

Made = TypeVar("Made")

_LABELS, _LAST, _EXPIRES = map(attrgetter, ("labels", "last", "expires"))
_NAN = np.array(np.nan).tobytes()


class Columns:
    """The rows of one section over some hosts.

    ``host_labels`` has the label text of each host, of shape (h,), and ``blocks`` their blocks;
    ``blocks_of`` is the number of blocks of each host, of shape (h,).
    """

    def __init__(
        self,
        section: str,
        host_labels: Sequence[bytes],
        blocks: Sequence[Block],
        blocks_of: Sequence[int],
    ) -> None:
        self.host_labels: Objects = np.fromiter(host_labels, object, len(host_labels))
        self.blocks: Objects = np.fromiter(blocks, object, len(blocks))
        self._blocks_of = np.array(blocks_of, np.intp)
        self._rows_of = np.fromiter(map(len, map(_LABELS, blocks)), np.intp, len(blocks))
        kind = SECTIONS.get(section, MapTable)
        names = kind.__struct_fields__
        self._texts, self._values = names[: kind.label_columns], names[kind.label_columns :]
        self._cache: dict[Callable[[Columns], Any], Any] = {}

    def __len__(self) -> int:
        """Return n, the number of rows."""
        return int(self._rows_of.sum())

    @cached_property
    def labels(self) -> Objects:
        """The label text of each row, of shape (n,)."""
        return np.fromiter(chain.from_iterable(map(_LABELS, self.blocks)), object)

    @cached_property
    def label_sets(self) -> Objects:
        """The labels of each row but ``instance``, as a dict, of shape (n,)."""
        rows = (zip(*block.texts, strict=True) if block.texts else [()] for block in self.blocks)
        sets = (dict(zip(self._texts, row, strict=True)) for each in rows for row in each)
        return np.fromiter(sets, object)

    @cached_property
    def host_of_block(self) -> NDArray[np.intp]:
        """The index of the host of each block."""
        return np.repeat(np.arange(len(self.host_labels)), self._blocks_of)

    @cached_property
    def host_of(self) -> NDArray[np.intp]:
        """The index of the host of each row, of shape (n,)."""
        return np.repeat(self.host_of_block, self._rows_of)

    @cached_property
    def seconds(self) -> Column:
        """The time between the last two reports, of shape (n,); 0 where there is one report."""
        return np.repeat(np.array([block.elapsed for block in self.blocks]), self._rows_of)

    def texts(self, name: str) -> list[str]:
        """Return one text of each row, n of them."""
        place = self._texts.index(name)
        return [text for block in self.blocks for text in block.texts[place]]

    def latest(self, name: str) -> Column:
        """Return a field in the last report, of shape (n,)."""
        found: Column = self._latest[self._values.index(name)]
        return found

    def delta(self, *names: str) -> Column:
        """Return the increase of fields since the report before, of shape (len(names), n)."""
        found: Column = self._delta[[*map(self._values.index, names)]]
        return found

    def cached(self, compute: Callable[["Columns"], Made]) -> Made:
        """Return what ``compute`` returns for these columns; it is called once."""
        if compute not in self._cache:
            self._cache[compute] = compute(self)
        made: Made = self._cache[compute]
        return made

    @cached_property
    def _latest(self) -> Column:
        """All fields in the last report, of shape (f, n)."""
        return self._unpacked(map(_LAST, self.blocks))

    @cached_property
    def _delta(self) -> Column:
        """The increase of all fields since the report before, of shape (f, n)."""
        return self._latest - self._unpacked(map(_before, self.blocks))

    def _unpacked(self, packed: Iterable[bytes]) -> Column:
        """Return the packed values of all blocks as one array of shape (f, n).

        The packed values are ordered by block, and within a block by field. With two fields
        a and b, a block of two rows and a block of one::

            stored    a0 a1 b0 b1 | a2 b2
            result    a0 a1 a2
                      b0 b1 b2

        In a block with m rows, a value is m places behind the same row's value of the field before.
        The first field of row r comes after all values of the blocks before, and after the first
        fields of the rows before r in its block.
        """
        ends = np.cumsum(self._rows_of)
        before = np.repeat(ends - self._rows_of, self._rows_of)  # rows of the blocks before
        first = before * len(self._values) + np.arange(len(before)) - before
        distance = np.repeat(self._rows_of, self._rows_of)  # from one field to the next
        places = first + distance * np.arange(len(self._values))[:, np.newaxis]
        found: Column = np.frombuffer(b"".join(packed))[places]
        return found


def _before(block: Block) -> bytes:
    return _NAN * (len(block.last) // 8) if block.before is None else block.before


class SectionBlocks:
    """References to the blocks of one section, host by host.

    To collect them costs little and does not read them. Blocks never change, so ``columns`` may
    be called after further reports have arrived.
    """

    def __init__(self, section: str) -> None:
        self._section = section
        self._host_labels: list[bytes] = []
        self._blocks: list[Block] = []
        self._ends = [0]  # of each host's blocks in the list, the start of all first

    def add(self, host: Host) -> None:
        """Add the next host."""
        self._host_labels.append(host.label_text)
        self._blocks.extend(host.sections.get(self._section, {}).values())
        self._ends.append(len(self._blocks))

    def columns(self, start: int, stop: int, now: float) -> Columns:
        """Return the rows of the hosts in a range, without those that expired before ``now``."""
        ends = self._ends
        blocks = self._blocks[ends[start] : ends[stop]]
        counts = [ends[host + 1] - ends[host] for host in range(start, stop)]
        if min(map(_EXPIRES, blocks), default=inf) <= now:
            each = [self._blocks[ends[host] : ends[host + 1]] for host in range(start, stop)]
            each = [[block for block in found if block.expires > now] for found in each]
            blocks, counts = [*chain.from_iterable(each)], [*map(len, each)]
        return Columns(self._section, self._host_labels[start:stop], blocks, counts)

    def all_columns(self, now: float, size: StepSize) -> Iterator[Columns]:
        """Yield the rows of all hosts, as many hosts at a time as ``size`` allows."""
        for hosts in size.batches(range(len(self._host_labels)), self._weight):
            yield self.columns(hosts[0], hosts[-1] + 1, now)

    def _weight(self, host: int) -> int:
        """Return the number of rows of a host, and one for the host itself."""
        blocks = self._blocks[self._ends[host] : self._ends[host + 1]]
        return 1 + sum(map(len, map(_LABELS, blocks)))


def gather(hosts: Sequence[Host], section: str, now: float) -> Columns:
    """Return a section of these hosts as it is at this moment, without what expired."""
    blocks = SectionBlocks(section)
    for host in hosts:
        blocks.add(host)
    return blocks.columns(0, len(hosts), now)
