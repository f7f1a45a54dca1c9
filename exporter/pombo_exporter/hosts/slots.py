"""Slots: what a host's datagrams said last.

A report takes one datagram or more, and each has a *slot*. As long as the layout of a datagram
stays the same, its numbers replace those of its slot. When the layout changes, because a device was
added or removed or the report is split otherwise, each row that was there before keeps its last
numbers, so that its rates continue.

Numbers are packed float64 in the machine's byte order, NaN where unknown.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from pombo_exporter.hosts.layouts import Ranges, Section, places_of

NUMBER_BYTES: Final = 8

#: When the rows of a section were in more slots before, the rates of the others pause once.
_MAX_SOURCES: Final = 8

_FEW: Final = 16  # numbers for which a loop is faster than numpy

# What things take in memory, in bytes; see layouts.
_SLOT_BYTES: Final = 640  # a slot and its arrangement: their fields, and what refers to the slot
_PLACE_BYTES: Final = 16  # the reference to a section, and where its numbers begin
_RANGE_BYTES: Final = 144


class Stamp(Struct, frozen=True, gc=False):
    """When a report was made: its sequence number in the session, and the agent's clock (s)."""

    session: int | None
    order: int
    monotonic: float | None

    def is_newer(self, stored: "Stamp") -> bool:
        """Whether this replaces what was stored with another stamp."""
        return self.session is None or self.session != stored.session or self.order > stored.order

    def since(self, stored: "Stamp") -> float:
        """Return the seconds since another stamp, 0 where no rate can be derived."""
        if self.session is None or self.session != stored.session:
            return 0.0
        if self.monotonic is None or stored.monotonic is None:
            return 0.0
        return max(0.0, self.monotonic - stored.monotonic)


class Arrangement(Struct, frozen=True, gc=False):
    """Where the numbers of a datagram's sections are; hosts with sections of equal sizes share it.

    ``starts`` are the indexes of each section's first number, ``size`` is the number of all.
    ``rates`` are the ranges of bytes of which rates are derived; ``rate_starts`` are the indexes of
    each section's first number among those, ``rate_size`` is the number of those. ``unsigned`` are
    the starts and stops of ranges of numbers that are never negative, ascending. ``series`` is how
    many series the sections have at most, ``items`` how many items.
    """

    starts: "array[int]"
    size: int
    rates: Ranges
    rate_starts: "array[int]"
    rate_size: int
    unsigned: "array[int]"
    series: int
    items: int

    @property
    def booked_bytes(self) -> int:
        """What is booked for a slot with this arrangement, which it may share, in bytes."""
        numbers = NUMBER_BYTES * (self.size + self.rate_size)
        ranges = self.unsigned.itemsize * len(self.unsigned) + _RANGE_BYTES * len(self.rates)
        return _SLOT_BYTES + numbers + ranges + _PLACE_BYTES * len(self.starts)

    @property
    def key(self) -> bytes:
        """What is equal in equal arrangements only."""
        ranges = array("i", chain.from_iterable(self.rates))
        arrays = (self.starts, self.rate_starts, ranges, self.unsigned)
        counts = (len(self.starts), self.size, len(ranges), self.rate_size, self.series, self.items)
        return array("q", counts).tobytes() + b"".join([each.tobytes() for each in arrays])


def arrange(sections: Sequence[Section]) -> Arrangement:
    """Return where the numbers of these sections are."""
    starts, rate_starts, unsigned = array("i"), array("i"), array("i")
    rates: list[tuple[int, int]] = []
    size = rate_size = series = items = 0
    for section in sections:
        starts.append(size)
        rate_starts.append(rate_size)
        for start, stop in section.rates:
            first, end = (size + start) * NUMBER_BYTES, (size + stop) * NUMBER_BYTES
            if rates and rates[-1][1] == first:
                rates[-1] = rates[-1][0], end
            else:
                rates.append((first, end))
            rate_size += stop - start
        for start, stop in section.unsigned:
            if unsigned and unsigned[-1] == size + start:
                unsigned[-1] = size + stop
            else:
                unsigned.extend((size + start, size + stop))
        size += section.count
        series += section.series
        items += section.items
    return Arrangement(starts, size, tuple(rates), rate_starts, rate_size, unsigned, series, items)


class Slot(Struct, frozen=True, gc=False, eq=False):
    """What a datagram said: its sections and their numbers, of shape (size,).

    ``previous`` are the numbers of which rates are derived, of shape (rate_size,), as they were
    ``elapsed`` seconds before on the agent's clock. Where no rate can be derived, ``previous`` is
    None and ``elapsed`` 0. ``extra`` is data that changes with every report, as a JSON object.
    A slot has no samples from ``expires`` on (monotonic clock, seconds).
    """

    sections: tuple[Section, ...]
    arrangement: Arrangement
    numbers: bytes
    previous: bytes | None
    elapsed: float
    stamp: Stamp
    expires: float
    extra: bytes = b""

    @property
    def booked_bytes(self) -> int:
        """What is booked for the slot, in bytes; rates are booked before there are any."""
        return self.arrangement.booked_bytes + len(self.extra)

    @property
    def series(self) -> int:
        """How many series the slot has at most."""
        return self.arrangement.series

    def has_layout(self, line: bytes) -> bool:
        """Whether a layout line is that of this slot."""
        return b"{%b}" % b",".join([section.raw for section in self.sections]) == line

    def updated(self, numbers: bytes, stamp: Stamp, expires: float, extra: bytes = b"") -> "Slot":
        """Return the slot after a report with the same layout."""
        elapsed = stamp.since(self.stamp)
        previous = None
        if elapsed:
            rates, before = self.arrangement.rates, self.numbers
            previous = b"".join([before[start:stop] for start, stop in rates])
        return Slot(
            self.sections, self.arrangement, numbers, previous, elapsed, stamp, expires, extra
        )


def first_negative(
    sections: Sequence[Section], arrangement: Arrangement, numbers: bytes
) -> str | None:
    """Return the section and column of a negative number that must not be negative, or None."""
    negative = (np.frombuffer(numbers) < 0).nonzero()[0]
    index = _first_within(negative, arrangement.unsigned)
    if index is None:
        return None
    which = bisect_right(arrangement.starts, index) - 1
    section = sections[which]
    column = section.cell(index - arrangement.starts[which]) // section.rows
    return f"{section.name}.{section.columns[column]}"


def _first_within(indexes: NDArray[np.intp], bounds: "array[int]") -> int | None:
    """Return the first index that is within a range; ``bounds`` are starts and stops, ascending."""
    # Within a range is what follows an odd number of bounds.
    if not bounds or len(indexes) <= _FEW:
        return next((at for at in indexes.tolist() if bisect_right(bounds, at) % 2), None)
    within = np.searchsorted(np.frombuffer(bounds, np.intc), indexes, "right") % 2 == 1
    return int(indexes[within.argmax()]) if within.any() else None


def with_rates(slot: Slot, before: Sequence[Slot]) -> Slot:
    """Return a slot of another layout, with the numbers that its rows had in the slots before.

    A slot has one time since its last report. So of the slots before, the latest ones count; a row
    that was only in others has no rate once.
    """
    times = [old.stamp.monotonic for old in before if slot.stamp.since(old.stamp)]
    latest = max((time for time in times if time is not None), default=None)
    sources = [old for old in before if latest is not None and old.stamp.monotonic == latest]
    elapsed = max((slot.stamp.since(old.stamp) for old in sources), default=0.0)
    if not elapsed:
        return slot
    previous = np.full(slot.arrangement.rate_size, np.nan)
    stored = _sources(slot, sources)
    for section, start in zip(slot.sections, slot.arrangement.rate_starts, strict=True):
        if section.name in stored:
            _carry_over(section, previous[start:], stored[section.name])
    return replace(slot, previous=previous.tobytes(), elapsed=elapsed)


class _Source(NamedTuple):
    """A section that was stored before, in numbers that have it from ``start`` on."""

    section: Section
    numbers: bytes
    start: int


def _sources(slot: Slot, before: Sequence[Slot]) -> dict[str, list[_Source]]:
    """Return the sections before by name, of those of which the slot derives rates."""
    found: dict[str, list[_Source]] = {
        section.name: [] for section in slot.sections if section.rates
    }
    for old in before:
        for section, start in zip(old.sections, old.arrangement.starts, strict=True):
            if section.name in found:
                found[section.name].append(_Source(section, old.numbers, start))
    return {name: sources for name, sources in found.items() if sources}


def _carry_over(
    section: Section, previous: NDArray[np.float64], sources: Sequence[_Source]
) -> None:
    """Write the last numbers of a section's rows into ``previous``, which begins at its rates."""
    columns = section.rate_columns()
    cells = np.full((len(section.columns), section.rows), np.nan)
    for source, new_rows, old_rows in _common_rows(section, sources):
        old_columns = source.section.rate_columns()
        pairs = [(columns[name], old_columns[name]) for name in columns.keys() & old_columns.keys()]
        if pairs:
            found = cells_of(*source)
            news, olds = np.array(pairs).T
            cells[np.ix_(news, new_rows)] = found[np.ix_(olds, old_rows)]
    numbers = cells.reshape(-1)
    if section.absent:
        numbers = np.delete(numbers, section.absent)
    start = 0
    for first, stop in section.rates:
        previous[start : start + stop - first] = numbers[first:stop]
        start += stop - first


def _common_rows(
    section: Section, sources: Sequence[_Source]
) -> Iterator[tuple[_Source, NDArray[np.intp], NDArray[np.intp]]]:
    """Yield sources that have rows of a section: the rows there and in the source, of equal order.

    Of more than _MAX_SOURCES, those with most rows in common.
    """
    keys = section.hashes()
    stored = np.concatenate([source.section.hashes() for source in sources])
    common = places_of(keys, stored)
    order = np.argsort(keys)
    rows = order[np.searchsorted(keys, stored[common], sorter=order)]
    ends = np.cumsum([source.section.rows for source in sources])
    which = np.searchsorted(ends, common, "right")
    counts = np.bincount(which, minlength=len(sources))
    for index in np.argsort(-counts, kind="stable")[:_MAX_SOURCES].tolist():
        if counts[index]:
            found = which == index
            source = sources[index]
            yield source, rows[found], common[found] - (ends[index] - source.section.rows)


def cells_of(section: Section, numbers: bytes, start: int) -> NDArray[np.float64]:
    """Return the cells of a section, of shape (columns, rows), NaN where absent or unknown.

    ``start`` is the index of its first number.
    """
    found = np.frombuffer(numbers, np.float64, section.count, start * NUMBER_BYTES)
    if section.absent:
        cells = np.full(len(section.columns) * section.rows, np.nan)
        present = np.ones(len(cells), bool)
        present[np.frombuffer(section.absent, np.intc)] = False
        cells[present] = found
        found = cells
    return found.reshape(len(section.columns), section.rows)
