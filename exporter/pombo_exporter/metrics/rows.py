"""The rows of many hosts' blocks as flat arrays.

Python spends most time per number, numpy per call. So families are computed over the rows of many
hosts at once.

In all shapes below, ``h`` is the number of hosts, ``b`` the number of blocks and ``n`` the number
of rows of all of them, host by host, and ``f`` the number of fields.
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

#: float64 values, NaN where unknown; each docstring gives the shape.
Floats = NDArray[np.float64]

#: Python objects in an array. The cyclic garbage collector visits each item of a list or a tuple,
#: which takes milliseconds where there are many; it does not visit the items of an array.
Objects = NDArray[np.object_]

Made = TypeVar("Made")

_LABELS, _LAST, _EXPIRES = map(attrgetter, ("labels", "last", "expires"))
_NAN = np.array(np.nan).tobytes()


class Rows:
    """The rows of one section of some hosts.

    ``host_labels`` are the label texts of the hosts, of shape (h,), ``blocks`` their blocks, of
    shape (b,), and ``blocks_per_host`` how many of these each host has, of shape (h,).
    """

    def __init__(
        self,
        section: str,
        host_labels: Sequence[bytes],
        blocks: Sequence[Block],
        blocks_per_host: Sequence[int],
    ) -> None:
        self.host_labels: Objects = np.fromiter(host_labels, object, len(host_labels))
        self.blocks: Objects = np.fromiter(blocks, object, len(blocks))
        self._blocks_per_host = np.array(blocks_per_host, np.intp)
        # Of shape (b,).
        self._rows_per_block = np.fromiter(map(len, map(_LABELS, blocks)), np.intp, len(blocks))
        kind = SECTIONS.get(section, MapTable)
        names = kind.__struct_fields__
        self._label_names, self._fields = names[: kind.label_columns], names[kind.label_columns :]
        self._cache: dict[Callable[[Rows], Any], Any] = {}

    def __len__(self) -> int:
        """Return n, the number of rows."""
        return int(self._rows_per_block.sum())

    @cached_property
    def labels(self) -> Objects:
        """The label text of each row, of shape (n,)."""
        return np.fromiter(chain.from_iterable(map(_LABELS, self.blocks)), object)

    @cached_property
    def label_sets(self) -> Objects:
        """The labels of each row but ``instance``, as a dict, of shape (n,)."""
        rows = (zip(*block.texts, strict=True) if block.texts else [()] for block in self.blocks)
        sets = (dict(zip(self._label_names, row, strict=True)) for each in rows for row in each)
        return np.fromiter(sets, object)

    @cached_property
    def host_of_block(self) -> NDArray[np.intp]:
        """The index of the host of each block, of shape (b,)."""
        return np.repeat(np.arange(len(self.host_labels)), self._blocks_per_host)

    @cached_property
    def host_of(self) -> NDArray[np.intp]:
        """The index of the host of each row, of shape (n,)."""
        return np.repeat(self.host_of_block, self._rows_per_block)

    @cached_property
    def elapsed(self) -> Floats:
        """Seconds between the last two reports on the agent's clock, of shape (n,).

        0 where no rate can be derived.
        """
        return np.repeat(np.array([block.elapsed for block in self.blocks]), self._rows_per_block)

    def texts(self, name: str) -> list[str]:
        """Return one text of each row, n of them."""
        index = self._label_names.index(name)
        return [text for block in self.blocks for text in block.texts[index]]

    def last(self, name: str) -> Floats:
        """Return the last value of a field, of shape (n,)."""
        found: Floats = self._last[self._fields.index(name)]
        return found

    def change(self, *names: str) -> Floats:
        """Return the last value of fields less the one before, of shape (len(names), n).

        Negative after a counter reset, NaN without a report before.
        """
        found: Floats = self._change[[*map(self._fields.index, names)]]
        return found

    def cached(self, compute: Callable[["Rows"], Made]) -> Made:
        """Return what ``compute`` returns for these rows; it is called once."""
        if compute not in self._cache:
            self._cache[compute] = compute(self)
        made: Made = self._cache[compute]
        return made

    @cached_property
    def _last(self) -> Floats:
        """The last values of all fields, of shape (f, n)."""
        return self._unpacked(map(_LAST, self.blocks))

    @cached_property
    def _change(self) -> Floats:
        """The last values of all fields less those before, of shape (f, n)."""
        return self._last - self._unpacked(map(_before, self.blocks))

    def _unpacked(self, packed: Iterable[bytes]) -> Floats:
        """Return the packed values of all blocks as one array of shape (f, n).

        They are ordered by block, within a block by field, and within a field by row. With two
        fields a and b, a block of two rows and a block of one::

            stored    a0 a1 b0 b1 | a2 b2
            result    a0 a1 a2
                      b0 b1 b2

        In a block with m rows, a value is m places behind the same row's value of the field before.
        The first field of row r comes after all values of the blocks before, and after the first
        fields of the rows before r in its block.
        """
        counts = self._rows_per_block
        before = np.repeat(np.cumsum(counts) - counts, counts)  # rows of the blocks before
        first = before * len(self._fields) + np.arange(len(before)) - before
        distance = np.repeat(counts, counts)  # from one field to the next
        places = first + distance * np.arange(len(self._fields))[:, np.newaxis]
        found: Floats = np.frombuffer(b"".join(packed))[places]
        return found


def _before(block: Block) -> bytes:
    return _NAN * (len(block.last) // 8) if block.before is None else block.before


class SectionBlocks:
    """References to the blocks of one section, host by host.

    To collect them costs little and does not read them. Blocks never change, so ``rows`` may be
    called after further reports have arrived.
    """

    def __init__(self, section: str) -> None:
        self._section = section
        self._host_labels: list[bytes] = []
        self._blocks: list[Block] = []
        self._ends = [0]  # the blocks of host i are _blocks[_ends[i] : _ends[i + 1]]

    def add(self, host: Host) -> None:
        """Add the next host."""
        self._host_labels.append(host.label_text)
        self._blocks.extend(host.sections.get(self._section, {}).values())
        self._ends.append(len(self._blocks))

    def rows(self, start: int, stop: int, now: float) -> Rows:
        """Return the rows of the hosts from ``start`` to before ``stop``.

        Without blocks that have expired at ``now`` (monotonic clock, seconds).
        """
        ends = self._ends
        blocks = self._blocks[ends[start] : ends[stop]]
        counts = [ends[host + 1] - ends[host] for host in range(start, stop)]
        if min(map(_EXPIRES, blocks), default=inf) <= now:
            each = [self._blocks[ends[host] : ends[host + 1]] for host in range(start, stop)]
            each = [[block for block in found if block.expires > now] for found in each]
            blocks, counts = [*chain.from_iterable(each)], [*map(len, each)]
        return Rows(self._section, self._host_labels[start:stop], blocks, counts)

    def all_rows(self, now: float, size: StepSize) -> Iterator[Rows]:
        """Yield the rows of all hosts, as many hosts at a time as ``size`` allows."""
        for hosts in size.batches(range(len(self._host_labels)), self._weight):
            yield self.rows(hosts[0], hosts[-1] + 1, now)

    def _weight(self, host: int) -> int:
        """Return the number of rows of a host, and one for the host itself."""
        blocks = self._blocks[self._ends[host] : self._ends[host + 1]]
        return 1 + sum(map(len, map(_LABELS, blocks)))


def gather(hosts: Sequence[Host], section: str, now: float) -> Rows:
    """Return the rows of a section of these hosts, without what has expired at ``now``."""
    blocks = SectionBlocks(section)
    for host in hosts:
        blocks.add(host)
    return blocks.rows(0, len(hosts), now)
