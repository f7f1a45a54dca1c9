"""Tables whose texts change with every report, shortened to what a datagram has room for."""

from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import NamedTuple

from pombo_wire.forms import extra_line
from pombo_wire.limits import MAX_PROCESSES, MAX_TEXT
from pombo_wire.section import Section

#: What is left out first: texts are cut to these lengths, in characters, then columns are dropped.
_SHORTER = (80, 24)
_DROPPED = ("start_time", "user", "command")

#: Reports between two attempts to send more than in the last one.
_PATIENCE = 6

_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


class _Size(NamedTuple):
    """The worst rank of a process, the most characters of a text, and the columns dropped."""

    rank: float
    characters: int
    dropped: int


_WHOLE = _Size(MAX_PROCESSES, MAX_TEXT, 0)


def ranks(cpu: Sequence[float | None], memory: Sequence[float | None]) -> list[float]:
    """Return the better of the places that each process has by CPU and by memory, from 1.

    It is infinite for one that uses none. The table of processes has the ``k`` with most CPU and
    the ``k`` with most memory, so the greatest rank is at most ``k``.
    """
    found = [inf] * max(len(cpu), len(memory))
    for column in (cpu, memory):
        used = [(-value, row) for row, value in enumerate(column) if value]
        for place, (_, row) in enumerate(sorted(used), 1):
            found[row] = min(found[row], place)
    return found


class Fitter:
    """Finds the most of the table of processes for which a datagram has room.

    It begins with what had room in the last report, so that most reports take one attempt.
    """

    def __init__(self) -> None:
        self._size: _Size | None = None  # that had room; None when nothing had
        self._reports = 0

    def fitted(
        self, processes: Section | None, attempt: Callable[[bytes], bytes | None]
    ) -> bytes | None:
        """Return the datagram that ``attempt`` makes of a line, or ``None`` without room for any.

        ``attempt`` takes a fourth line, and returns ``None`` when it is too long.
        """
        if processes is None:
            return None
        columns = processes.columns
        its = ranks(columns.get("cpu", ()), columns.get("memory", ()))
        sizes = [*_sizes(processes, its)]
        first = self._first(sizes)
        self._reports += 1
        for place, size in enumerate(sizes[first:], first):
            datagram = attempt(extra_line([_shortened(processes, its, size)]))
            if datagram is not None:
                self._size = size if place else _WHOLE
                return datagram
        self._size = None
        return None

    def _first(self, sizes: Sequence[_Size]) -> int:
        """Return the place of the size to begin with."""
        if not self._reports:
            return 0
        known = self._size
        place = len(sizes)
        if known:
            fits = (
                at
                for at, size in enumerate(sizes)
                if size.rank <= known.rank
                and size.characters <= known.characters
                and size.dropped >= known.dropped
            )
            place = next(fits, len(sizes) - 1)
        return max(0, place - 1) if self._reports % _PATIENCE == 0 else place


def _sizes(processes: Section, its: Sequence[float]) -> Iterator[_Size]:
    """Yield the sizes to which the table can be shortened, the largest first."""
    rank = max((each for each in its if each < inf), default=1)
    columns = processes.labels.values()
    longest = max(len(text) for column in columns for text in column)
    size = _Size(rank, MAX_TEXT, 0)
    yield size
    for shorter in _SHORTER:
        if longest > shorter:
            size = size._replace(characters=shorter)
            yield size
    for dropped, name in enumerate(_DROPPED, 1):
        size = size._replace(dropped=dropped)
        if name in processes.values or any(processes.labels.get(name, ())):
            yield size
    while size.rank > 1:
        size = size._replace(rank=size.rank * 3 // 4)
        yield size


def _shortened(processes: Section, its: Sequence[float], size: _Size) -> Section:
    """Return the table with processes of a rank at most, with shorter texts and fewer columns."""
    dropped = _DROPPED[: size.dropped]
    kept = [row for row, rank in enumerate(its) if rank <= size.rank]
    texts = {
        name: tuple(_cut(column[row], size.characters) for row in kept)
        for name, column in processes.labels.items()
        if name not in dropped
    }
    columns = {name: cells for name, cells in processes.columns.items() if name not in dropped}
    cells = [column[row] for column in columns.values() for row in kept]
    return processes._replace(labels=texts, values=tuple(columns), cells=cells)


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + _ELLIPSIS
