"""The rows of many hosts' blocks, as flat columns.

Python takes its time over each call and hardly any over each number, so that what is derived
for a page is derived over the rows of a hundred hosts at once.
"""

from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import chain, repeat
from operator import attrgetter
from typing import Any, TypeVar

from pombo_wire import Record

from pombo_exporter.blocks import Block

Column = list[float | None]
Made = TypeVar("Made")


class _Nothing:
    """Stands for the report before the first one: no column is known of it."""

    def __getattr__(self, _: str) -> None:
        return None


_NOTHING = _Nothing()


class Columns:
    """One section of some hosts, all of whose rows stand in one order, host by host.

    ``labels`` are the rows' label texts; ``hosts`` are the hosts, as their label text and how
    many of the rows are theirs.
    """

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.labels: list[bytes] = []
        self.hosts: list[tuple[bytes, int]] = []
        self._made: dict[Callable[[Columns], Any], Any] = {}

    def add(self, host: bytes, blocks: Iterable[Block]) -> None:
        """Append a host's rows."""
        rows = 0
        for block in blocks:
            self.blocks.append(block)
            self.labels.extend(block.labels)
            rows += len(block.labels)
        self.hosts.append((host, rows))

    def now(self, name: str) -> Column:
        """Return a field of each row as it came last, None where the host lacks it."""
        return self._flat(attrgetter(name), self._current)

    def before(self, name: str) -> Column:
        """Return a field of each row as it came before, None where that is not known."""
        return self._flat(attrgetter(name), self._previous)

    def once(self, make: Callable[["Columns"], Made]) -> Made:
        """Return what ``make`` makes of these rows; it is made only once."""
        if make not in self._made:
            self._made[make] = make(self)
        made: Made = self._made[make]
        return made

    @cached_property
    def seconds(self) -> list[float]:
        """The time from the report before to the last one, for each row; 0 where none was."""
        spans = (repeat(block.seconds, len(block.labels)) for block in self.blocks)
        return [*chain.from_iterable(spans)]

    @cached_property
    def _current(self) -> list[Any]:
        return [block.current for block in self.blocks]

    @cached_property
    def _previous(self) -> list[Any]:
        return [_NOTHING if block.previous is None else block.previous for block in self.blocks]

    def _flat(self, get: Callable[[Any], Any], sections: list[Any]) -> Column:
        columns = [*map(get, sections)]
        if self.blocks and isinstance(self.blocks[0].current, Record):
            return columns
        try:
            return [*chain.from_iterable(columns)]
        except TypeError:  # some hosts lack it
            if not any(columns):
                return [None] * len(self.labels)
            pairs = zip(columns, self.blocks, strict=True)
            spans = (repeat(None, len(b.labels)) if c is None else c for c, b in pairs)
            return [*chain.from_iterable(spans)]
