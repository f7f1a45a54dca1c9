"""The rows of many hosts' sections as flat arrays.

Python spends most time per number, numpy per call. So families are computed over the rows of many
hosts at once. There are two layouts of such rows:

- *grouped*: one section that many hosts use. All have the same rows, so these are ordered by row,
  and then by host: the values of one row of all hosts are one vector.
- *mixed*: many sections of one name, ordered by host, and then by row.

In all shapes below, ``h`` is the number of hosts, ``e`` the number of sections of all of them and
``n`` the number of rows.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray

from pombo_exporter.hosts.host import Host
from pombo_exporter.hosts.layouts import Section
from pombo_exporter.hosts.slots import NUMBER_BYTES, Slot
from pombo_exporter.metrics.label_texts import label_texts, row_texts_of
from pombo_exporter.runtime.pacing import StepSize

#: float64 values, NaN where unknown; each docstring gives the shape.
Floats = NDArray[np.float64]

Indexes = NDArray[np.intp]

#: Python objects in an array. The cyclic garbage collector visits each item of a list or a tuple
#: that is new, which takes milliseconds where there are many; it does not visit those of an array.
Objects = NDArray[np.object_]

Made = TypeVar("Made")

_ROWS, _COUNT, _ABSENT, _COLUMNS = map(attrgetter, ("rows", "count", "absent", "columns"))
_ELAPSED = attrgetter("elapsed")
_NOTHING = (b"",)


_LABEL_BYTES = 64  # a label text besides its length, with what the allocator adds


class Block(NamedTuple):
    """Samples and their label texts.

    ``values`` has the shape (len(begins), len(ends)). The labels of the sample (i, j) are
    ``begins[i]``, with a comma after each, and ``ends[j]``.
    """

    begins: Sequence[bytes]
    ends: Objects
    values: Floats


class Rows(ABC):
    """The rows of the sections of one name of some hosts.

    ``host_labels`` are the label texts of the hosts, of shape (h,).
    """

    def __init__(self, host_labels: Objects) -> None:
        self.host_labels = host_labels
        self._cache: dict[Callable[[Rows], Any], Any] = {}

    @property
    def hosts(self) -> int:
        """Return h, the number of hosts."""
        return len(self.host_labels)

    @abstractmethod
    def __len__(self) -> int:
        """Return n, the number of rows."""

    @property
    @abstractmethod
    def columns(self) -> Collection[str]:
        """The columns that a row may have."""

    @property
    @abstractmethod
    def families(self) -> Sequence[tuple[str, str]]:
        """Open families and the column of each, if all rows have the same."""

    @abstractmethod
    def help_of(self, family: str) -> str:
        """Return the HELP text of an open family, empty where no section has one."""

    @abstractmethod
    def comes_from(self, section: str) -> bool:
        """Whether these are rows of a section of this name."""

    @property
    @abstractmethod
    def host_of(self) -> Indexes:
        """The index of the host of each row, of shape (n,)."""

    @property
    @abstractmethod
    def elapsed(self) -> Floats:
        """Seconds between the last two reports on the agent's clock, of shape (n,).

        0 where no rate can be derived.
        """

    @abstractmethod
    def last(self, name: str) -> Floats:
        """Return the last value of a column, of shape (n,)."""

    @abstractmethod
    def before(self, name: str) -> Floats:
        """Return the value of a column in the report before, of shape (n,).

        NaN without a report before, and for columns of which no rates are derived.
        """

    @abstractmethod
    def where_first(self, keeps: Callable[[str], bool]) -> NDArray[np.bool_]:
        """Return what ``keeps`` returns for the first label of each row, of shape (n,)."""

    @abstractmethod
    def block(self, values: Floats) -> Block:
        """Return values of all rows, of shape (n,), with their label texts."""

    def change(self, *names: str) -> Floats:
        """Return the last value of columns less the one before, of shape (len(names), n).

        Negative after a counter reset.
        """
        found = np.empty((len(names), len(self)))
        for row, name in zip(found, names, strict=True):
            np.subtract(self.last(name), self.before(name), out=row)
        return found

    def drop_before(self) -> None:
        """Drop what was read of the reports before, and what was computed of it.

        It takes half of the memory of all numbers that are read at a time.
        """
        self._cache.clear()

    def cached(self, compute: Callable[["Rows"], Made]) -> Made:
        """Return what ``compute`` returns for these rows; it is called once."""
        if compute not in self._cache:
            self._cache[compute] = compute(self)
        made: Made = self._cache[compute]
        return made

    def _unknown(self) -> Floats:
        return np.full(len(self), np.nan)


class GroupedRows(Rows):
    """The rows of one section that all of these hosts use, ordered by row and then by host.

    ``slots`` are the slots that have the section, of shape (h,), and ``places`` its index in each.
    """

    def __init__(
        self,
        section: Section,
        host_labels: Objects,
        slots: Sequence[Slot],
        places: Sequence[int],
    ) -> None:
        super().__init__(host_labels)
        self.section = section
        self._texts = row_texts_of(section)
        starts = [slot.arrangement.starts[place] for slot, place in zip(slots, places, strict=True)]
        numbers = [slot.numbers for slot in slots]
        self._numbers = _transposed(numbers, starts, section.count)
        self._absent: NDArray[np.bool_] | None = None  # of shape (columns * rows,)
        if section.absent:
            self._absent = np.zeros(len(section.columns) * section.rows, bool)
            self._absent[[*section.absent]] = True
        self._before: Floats | None = None
        self._elapsed: Floats | None = None
        if section.rates:
            self._elapsed = np.fromiter(map(_ELAPSED, slots), float, len(slots))
            self._before = self._numbers_before(slots, places)

    def _numbers_before(self, slots: Sequence[Slot], places: Sequence[int]) -> Floats:
        size = sum(stop - start for start, stop in self.section.rates)
        unknown = np.full(size, np.nan).tobytes()
        packed = [unknown if slot.previous is None else slot.previous for slot in slots]
        starts = [
            0 if slot.previous is None else slot.arrangement.rate_starts[place]
            for slot, place in zip(slots, places, strict=True)
        ]
        return _transposed(packed, starts, size)

    def __len__(self) -> int:
        return self.section.rows * len(self.host_labels)

    @property
    def columns(self) -> Collection[str]:
        """The columns that a row may have."""
        return self.section.columns

    @property
    def families(self) -> Sequence[tuple[str, str]]:
        """Open families and the column of each."""
        return _families(self.section)

    def help_of(self, family: str) -> str:
        """Return the HELP text of an open family, empty where the section has none."""
        return _helps(self.section).get(family, "")

    def comes_from(self, section: str) -> bool:
        """Whether these are rows of a section of this name."""
        return self.section.name == section

    @property
    def host_of(self) -> Indexes:
        """The index of the host of each row, of shape (n,)."""
        return np.tile(np.arange(self.hosts), self.section.rows)

    @property
    def elapsed(self) -> Floats:
        """Seconds between the last two reports on the agent's clock, of shape (n,)."""
        if self._elapsed is None:
            return np.zeros(len(self))
        return np.tile(self._elapsed, self.section.rows)

    def last(self, name: str) -> Floats:
        """Return the last value of a column, of shape (n,)."""
        return self._column(name, self._numbers, 0)

    def before(self, name: str) -> Floats:
        """Return the value of a column in the report before, of shape (n,)."""
        if self._before is None or name not in self.section.columns:
            return self._unknown()
        first = self.section.place(self.section.columns.index(name) * self.section.rows)
        kept = 0  # how many numbers of the ranges before are in self._before
        for start, stop in self.section.rates:
            if start <= first < stop:
                return self._column(name, self._before, start - kept)
            kept += stop - start
        return self._unknown()

    def drop_before(self) -> None:
        """Drop what was read of the reports before, and what was computed of it."""
        super().drop_before()
        self._before = None

    def _column(self, name: str, numbers: Floats, first: int) -> Floats:
        """Return a column of ``numbers``, which begin with the section's number ``first``."""
        section, rows = self.section, self.section.rows
        if name not in section.columns:
            return self._unknown()
        cell = section.columns.index(name) * rows
        start, stop = section.place(cell), section.place(cell + rows)
        found = numbers[start - first : stop - first]
        if self._absent is not None and stop - start < rows:
            known, found = found, np.full((rows, self.hosts), np.nan)
            found[~self._absent[cell : cell + rows]] = known
        return found.reshape(-1)

    def where_first(self, keeps: Callable[[str], bool]) -> NDArray[np.bool_]:
        """Return what ``keeps`` returns for the first label of each row, of shape (n,)."""
        return np.repeat([*map(keeps, self.section.texts()[0])], self.hosts)

    def block(self, values: Floats) -> Block:
        """Return values of all rows, of shape (n,), with their label texts."""
        return Block(self._texts, self.host_labels, values.reshape(-1, self.hosts))


def _families(section: Section) -> Sequence[tuple[str, str]]:
    return [*zip(section.families, section.columns, strict=True)] if section.families else ()


def _helps(section: Section) -> dict[str, str]:
    """Return the HELP texts of open families that a section has, by family."""
    if not section.families or b'"help":' not in section.raw:
        return {}
    return dict(zip(section.families, section.helps(), strict=False))


def _transposed(packed: Sequence[bytes], starts: Sequence[int], count: int) -> Floats:
    """Return ``count`` numbers of each host from its ``starts``, of shape (count, h)."""
    size = count * NUMBER_BYTES
    if len({*starts}) == 1:
        start = starts[0] * NUMBER_BYTES
        parts = [numbers[start : start + size] for numbers in packed]
    else:
        parts = [
            numbers[start * NUMBER_BYTES : start * NUMBER_BYTES + size]
            for numbers, start in zip(packed, starts, strict=True)
        ]
    found = np.frombuffer(b"".join(parts)).reshape(len(packed), count)
    return np.ascontiguousarray(found.T)


class _Before(NamedTuple):
    """The numbers of the reports before, of all sections.

    ``firsts`` are the index of each row's cell in the first column, of shape (n,), and ``sizes``
    how many cells of each section have a number, of shape (e,).
    """

    numbers: Floats
    firsts: Indexes
    sizes: Indexes


class MixedRows(Rows):
    """The rows of sections of one name, ordered by host and then by row.

    ``host_of_section`` is the index of each section's host, ascending; ``slots`` are the slots that
    have them and ``places`` the index of each in its slot, all of shape (e,). Unless
    ``keeps_labels``, label texts are made again for each family.
    """

    def __init__(
        self,
        host_labels: Objects,
        host_of_section: Indexes,
        slots: Sequence[Slot],
        places: Sequence[int],
    ) -> None:
        super().__init__(host_labels)
        sections = [slot.sections[place] for slot, place in zip(slots, places, strict=True)]
        self.sections = tuple(sections)
        self.keeps_labels = True
        self._host_of_section = host_of_section
        self._slots, self._places = tuple(slots), tuple(places)
        count = len(slots)
        self._rows = np.fromiter(map(_ROWS, self.sections), np.intp, count)
        self._length = int(self._rows.sum())

    def __len__(self) -> int:
        return self._length

    @cached_property
    def columns(self) -> Collection[str]:
        """The columns that a row may have."""
        kinds, _ = self._kinds
        return kinds[0] if len(kinds) == 1 else {name for kind in kinds for name in kind}

    @property
    def families(self) -> Sequence[tuple[str, str]]:
        """Open families and the column of each, if all rows have the same."""
        return _families(self.sections[0]) if len(self._kinds[0]) == 1 else ()

    def help_of(self, family: str) -> str:
        """Return the HELP text of an open family, empty where no section has one."""
        return self._helps.get(family, "")

    @cached_property
    def _helps(self) -> dict[str, str]:
        return next(filter(None, map(_helps, self.sections)), {})

    def comes_from(self, section: str) -> bool:
        """Whether these are rows of a section of this name."""
        return self.sections[0].name == section

    @cached_property
    def host_of(self) -> Indexes:
        """The index of the host of each row, of shape (n,)."""
        return np.repeat(self._host_of_section, self._rows)

    @cached_property
    def elapsed(self) -> Floats:
        """Seconds between the last two reports on the agent's clock, of shape (n,)."""
        found = np.fromiter(map(_ELAPSED, self._slots), float, len(self._slots))
        return np.repeat(found, self._rows)

    @cached_property
    def labels(self) -> Objects:
        """The label text of each row, of shape (n,)."""
        deque(self._make_labels([(0, len(self.sections))]), maxlen=0)
        return self.labels  # which is an array now

    def read(self) -> None:
        """Read the numbers, which else are read when they are first needed."""
        _ = self._cells

    def make_labels(self, size: StepSize) -> Iterator[None]:
        """Make the label texts; yields between steps."""
        # How long the labels of each section take.
        weights = 20 + self._rows * (1 + max(len(section.labels) for section in self.sections))
        yield from self._make_labels(spans(weights, size))

    def _make_labels(self, ranges: Iterable[tuple[int, int]]) -> Iterator[None]:
        """Make the label texts of sections in these ranges; yields after each range."""
        hosts = self.host_labels[self._host_of_section].tolist()
        found = np.empty(self._length, object)
        row = 0
        for start, stop in ranges:
            texts = label_texts(self.sections[start:stop], hosts[start:stop])
            found[row : row + len(texts)] = texts
            row += len(texts)
            yield
        self.labels = found

    @property
    def label_sets(self) -> Iterator[dict[str, str]]:
        """The labels of each row but ``instance``, n of them."""
        for section in self.sections:
            if section.labels:
                for row in zip(*section.texts(), strict=True):
                    yield dict(zip(section.labels, row, strict=True))
            else:
                yield {}

    def texts(self, name: str) -> list[str]:
        """Return one text of each row, n of them."""
        read = self._texts
        return [
            text
            for section, texts in zip(self.sections, read, strict=True)
            for text in texts[section.labels.index(name)]
        ]

    def texts_of(self, row: int) -> Mapping[str, str]:
        """Return the texts of one row by their labels."""
        index = int(np.searchsorted(self._ends, row, "right"))
        section, place = self.sections[index], row - int(self._ends[index])  # from the end
        return {
            label: texts[place]
            for label, texts in zip(section.labels, section.texts(), strict=True)
        }

    @cached_property
    def _ends(self) -> Indexes:
        """How many rows there are up to the end of each section, of shape (e,)."""
        found: Indexes = np.cumsum(self._rows)
        return found

    @cached_property
    def _texts(self) -> Sequence[tuple[tuple[str, ...], ...]]:
        return [section.texts() for section in self.sections]

    def is_text(self, text: str) -> NDArray[np.bool_]:
        """Return whether the first label of each row is this text, of shape (n,)."""
        mark = orjson.dumps(text)
        found = np.zeros(len(self), bool)
        row = 0
        for section in self.sections:
            if mark in section.raw:
                found[row : row + section.rows] = [each == text for each in section.texts()[0]]
            row += section.rows
        return found

    def where_first(self, keeps: Callable[[str], bool]) -> NDArray[np.bool_]:
        """Return what ``keeps`` returns for the first label of each row, of shape (n,)."""
        texts = (text for section in self.sections for text in section.texts()[0])
        return np.fromiter(map(keeps, texts), bool, len(self))

    def last(self, name: str) -> Floats:
        """Return the last value of a column, of shape (n,)."""
        column = self._column(name)
        if column is None:
            return self._unknown()
        if not isinstance(column, int):
            return _taken(self._cells, self._firsts + column * self._row_counts, column >= 0)
        found: Floats = self._cells.take(self._firsts + column * self._row_counts)
        return found

    def before(self, name: str) -> Floats:
        """Return the value of a column in the report before, of shape (n,)."""
        column = self._column(name)
        numbers, firsts, sizes = self._before
        if column is None or not len(numbers):
            return self._unknown()
        if isinstance(column, int) and ((column + 1) * self._rows <= sizes).all():
            found: Floats = numbers.take(firsts + column * self._row_counts)
            return found
        cell = column * self._row_counts
        ends = cell + self._row_counts
        return _taken(numbers, firsts + cell, (cell >= 0) & (ends <= np.repeat(sizes, self._rows)))

    def change(self, *names: str) -> Floats:
        """Return the last value of columns less the one before, of shape (len(names), n)."""
        kinds, which = self._kinds
        columns = [kinds[0].index(name) if name in kinds[0] else -1 for name in names]
        numbers, firsts, sizes = self._before
        if which is not None or not ((max(columns) + 1) * self._rows <= sizes).all():
            return super().change(*names)
        found = np.full((len(names), len(self)), np.nan)
        known = [place for place, column in enumerate(columns) if column >= 0]
        if known and len(self):
            indexes = np.array([[columns[place]] for place in known]) * self._row_counts
            before = numbers.take(firsts + indexes)
            found[known] = self._cells.take(self._firsts + indexes) - before
        return found

    def drop_before(self) -> None:
        """Drop what was read of the reports before, and what was computed of it."""
        super().drop_before()
        for name in ("_before", "elapsed"):
            vars(self).pop(name, None)

    def block(self, values: Floats) -> Block:
        """Return values of all rows, of shape (n,), with their label texts."""
        labels = self.labels
        if not self.keeps_labels:
            del self.labels
        return Block(_NOTHING, labels, values.reshape(1, -1))

    @property
    def label_bytes(self) -> int:
        """How many bytes the label texts take."""
        return sum(map(len, self.labels)) + _LABEL_BYTES * self._length

    @cached_property
    def _kinds(self) -> tuple[Sequence[tuple[str, ...]], Indexes | None]:
        """The different tuples of columns, and which of them each row has, of shape (n,).

        None instead, if all have the same.
        """
        of_sections = [*map(_COLUMNS, self.sections)]
        first = of_sections[0] if of_sections else ()
        if all(columns is first for columns in of_sections):
            return (first,), None
        kinds: dict[tuple[str, ...], int] = {}
        which = [kinds.setdefault(columns, len(kinds)) for columns in of_sections]
        if len(kinds) == 1:
            return (*kinds,), None
        return (*kinds,), np.repeat(np.array(which, np.intp), self._rows)

    def _column(self, name: str) -> int | Indexes | None:
        """Return the index of a column, or that of each row, of shape (n,), if they differ.

        Negative where the section has no such column; None where no section has it.
        """
        kinds, which = self._kinds
        columns = [kind.index(name) if name in kind else -1 for kind in kinds]
        if max(columns) < 0:
            return None
        return columns[0] if which is None else np.array(columns, np.intp)[which]

    @cached_property
    def _row_counts(self) -> Indexes:
        """How many rows the section of each row has, of shape (n,)."""
        return np.repeat(self._rows, self._rows)

    @cached_property
    def _firsts(self) -> Indexes:
        """The index of each row's cell in the first column, of shape (n,)."""
        return self._with_rows(_starts(self._sizes))

    def _with_rows(self, firsts: Indexes) -> Indexes:
        """Return the index of each row, from that of the first row of its section."""
        found: Indexes = np.repeat(firsts - _starts(self._rows), self._rows)
        found += np.arange(self._length)
        return found

    @cached_property
    def _sizes(self) -> Indexes:
        """How many cells each section has, of shape (e,)."""
        if any(map(_ABSENT, self.sections)):
            found = (len(section.columns) * section.rows for section in self.sections)
        else:
            found = map(_COUNT, self.sections)  # type: ignore[assignment]  # of the same items
        return np.fromiter(found, np.intp, len(self.sections))

    @cached_property
    def _cells(self) -> Floats:
        """The cells of all sections, one after the other; NaN where absent or unknown."""
        starts = (
            slot.arrangement.starts[place] * NUMBER_BYTES
            for slot, place in zip(self._slots, self._places, strict=True)
        )
        parts = [
            slot.numbers[start : start + section.count * NUMBER_BYTES]
            for slot, start, section in zip(self._slots, starts, self.sections, strict=True)
        ]
        numbers = np.frombuffer(b"".join(parts))
        firsts = _starts(self._sizes).tolist()
        lacking = [
            first + cell
            for section, first in zip(self.sections, firsts, strict=True)
            if section.absent
            for cell in section.absent
        ]
        if not lacking:
            return numbers
        cells = np.full(len(numbers) + len(lacking), np.nan)
        present = np.ones(len(cells), bool)
        present[lacking] = False
        cells[present] = numbers
        return cells

    @cached_property
    def _before(self) -> _Before:
        """The numbers of the reports before."""
        parts, sizes = [], []
        for section, slot, place in zip(self.sections, self._slots, self._places, strict=True):
            packed = _packed_before(section, slot, place)
            parts.append(packed)
            sizes.append(len(packed) // NUMBER_BYTES)
        each = np.array(sizes, np.intp)
        return _Before(np.frombuffer(b"".join(parts)), self._with_rows(_starts(each)), each)


def spans(weights: Indexes, size: StepSize) -> Iterator[tuple[int, int]]:
    """Yield the ranges (start, stop) that divide items of these weights into steps."""
    ends = np.cumsum(weights)
    start = 0
    for _, end in size.ranges(int(ends[-1]) if len(ends) else 0):
        stop = int(np.searchsorted(ends, end, "right"))
        if stop > start:
            yield start, stop
            start = stop


def _starts(sizes: Indexes) -> Indexes:
    found: Indexes = np.cumsum(sizes) - sizes
    return found


def _taken(numbers: Floats, indexes: Indexes, known: NDArray[np.bool_]) -> Floats:
    """Return the numbers of these indexes, NaN where they are not known."""
    found = np.full(len(indexes), np.nan)
    found[known] = numbers[indexes[known]]
    return found


def _packed_before(section: Section, slot: Slot, place: int) -> bytes:
    """Return the first cells of a section in the report before: all of those that rates need."""
    if slot.previous is None or not section.rates:
        return b""
    start = slot.arrangement.rate_starts[place] * NUMBER_BYTES
    first, stop = section.rates[0]
    if len(section.rates) == 1 and not first and not section.absent:  # columns of rates come first
        return slot.previous[start : start + stop * NUMBER_BYTES]
    numbers = np.full(section.count, np.nan)
    for first, stop in section.rates:
        numbers[first:stop] = np.frombuffer(slot.previous, float, stop - first, start)
        start += (stop - first) * NUMBER_BYTES
    cells = np.full(len(section.columns) * section.rows, np.nan)
    present = np.ones(len(cells), bool)
    present[[*section.absent]] = False
    cells[present] = numbers
    return cells.tobytes()


class Gathered(dict[str, MixedRows]):
    """The rows of sections by their names. A section that no host has is not in it, and is empty.

    Each numpy call costs a microsecond, also without rows, and views make hundreds of a few hosts.
    """

    def __init__(self, host_labels: Objects) -> None:
        super().__init__()
        self._host_labels = host_labels

    @property
    def hosts(self) -> int:
        """Return h, the number of hosts."""
        return len(self._host_labels)

    def __missing__(self, name: str) -> MixedRows:
        """Return no rows."""
        return MixedRows(self._host_labels, np.empty(0, np.intp), (), ())


def gather(hosts: Sequence[Host], names: Collection[str], now: float) -> Gathered:
    """Return the rows of these sections of these hosts, by section.

    Without what has expired at ``now`` (monotonic clock, seconds). A host that is down has those of
    its last report.
    """
    labels = np.fromiter((host.label_text for host in hosts), object, len(hosts))
    found: dict[str, tuple[list[int], list[Slot], list[int]]] = {}
    for index, host in enumerate(hosts):
        moment = host.values_at(now)
        for slot in host.shown():
            if slot.expires <= moment:
                continue
            for place, section in enumerate(slot.sections):
                if section.name in names:
                    if section.name not in found:
                        found[section.name] = [], [], []
                    host_of, slots, places = found[section.name]
                    host_of.append(index)
                    slots.append(slot)
                    places.append(place)
    gathered = Gathered(labels)
    for name, (host_of, slots, places) in found.items():
        gathered[name] = MixedRows(labels, np.array(host_of, np.intp), slots, places)
    return gathered
