"""What a table of families reads of the hosts of one snapshot.

Hosts are read in two phases. ``Capture.read`` collects references to what each host has; slots
never change, so afterwards reports may go on arriving. ``Capture.load`` then reads the numbers of
one section of all hosts, so that those of other sections take no memory meanwhile.

Nothing here is as long as there are hosts and walked, copied or freed in one step, and nothing that
the cyclic garbage collector visits: objects are in arrays, whose items it does not visit.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from pombo_wire.limits import MAX_SECTIONS

from pombo_exporter.hosts.host import Host, State
from pombo_exporter.hosts.layouts import Section
from pombo_exporter.hosts.slots import Slot
from pombo_exporter.hosts.snapshot import Snapshot
from pombo_exporter.metrics.family import FamilyTable, HostField, MetricType, Unit
from pombo_exporter.metrics.parts import whole_of
from pombo_exporter.metrics.rows import (
    Floats,
    GroupedRows,
    Indexes,
    MixedRows,
    Objects,
    Rows,
    spans,
)
from pombo_exporter.runtime.pacing import StepClock

#: A section is read *grouped* if so many hosts use it.
GROUP_FROM: Final = 192

#: Bytes of label texts that a capture keeps in any case.
MOST_LABEL_BYTES: Final = 2**23

_HOSTS: Final = 2048  # of one matrix
_NUMBERS: Final = 65_536  # of one matrix; more take milliseconds, for the kernel clears their pages
_WEIGHT: Final = 12_288  # of mixed rows that are read together; see _weights
_LABELS: Final = 4096  # of label texts that are made together

_CHUNK_BITS: Final = 10
_CHUNK: Final = 1 << _CHUNK_BITS

_END: Final = b"} "  # of every label text

_IN_PARTS: Final = frozenset({MetricType.HISTOGRAM, MetricType.SUMMARY})


class HostValues(NamedTuple):
    """The values of the host fields of some hosts.

    ``labels`` and ``info_labels`` are label texts, of shape (h,). ``values`` is of shape
    (fields, h), in the order of the table's ``host_fields``.
    """

    labels: Objects
    info_labels: Objects
    values: Floats


class UnitFamilies(NamedTuple):
    """A unit of the table, with the names of open families that its sections have."""

    unit: Unit
    names: Sequence[str]


class Capture:
    """What a table of families reads of the hosts of one snapshot.

    ``host_values`` has the host fields, in pieces. A host that is down has no rows. ``states``
    counts all hosts of the snapshot by state, including those that ``include`` leaves out.
    Without ``instance``, label texts lack the label of that name.
    """

    def __init__(  # noqa: PLR0913 - answers differ in some, tests in the others
        self,
        table: FamilyTable,
        types: Mapping[str, Collection[str]],
        include: Callable[[Host, State], bool] = lambda *_: True,
        *,
        instance: bool = True,
        group_from: int = GROUP_FROM,
        most_label_bytes: int = MOST_LABEL_BYTES,
    ) -> None:
        """Take the table, and the types of each open family that hosts have sent.

        Sections that ``group_from`` hosts or more use are read grouped. Of the label texts of a
        unit's rows, some more than ``most_label_bytes`` are kept until its families are rendered.
        """
        self.now = 0.0
        self.states: Counter[State] = Counter()
        self.host_values: list[HostValues] = []
        self._table, self._include = table, include
        self.instance, self._group_from = instance, group_from
        self._most_label_bytes = most_label_bytes
        self._label_bytes = 0  # of the present unit
        self._slots, self._labels = _Chunks(), _Chunks()  # of each slot
        self._host_of = array("q")  # of each slot
        self._hosts = 0
        self._buckets: dict[str, _Bucket] = {}
        self._adders: dict[Section, Callable[[int], object]] = {}
        self._read = frozenset(name for unit in table.units for name in unit.sections)
        self._families = _Families(table, types)
        self._sizes: _Sizes | None = None

    def read(self, snapshot: Snapshot, steps: StepClock) -> Iterator[None]:
        """Read all hosts of the snapshot; yields between steps."""
        self.now = snapshot.now
        with snapshot:
            fields = _HostFields(self._table.host_fields, self.now, instance=self.instance)
            for host in snapshot:
                state = host.state_at(self.now)
                self.states[state] += 1
                if self._include(host, state):
                    fields.add(host)
                    if state is not State.DOWN or host.loose:
                        self._add(host)
                if len(fields) >= _CHUNK:
                    self.host_values.append(fields.collected())
                if steps.step_is_over:
                    yield
            self.host_values.append(fields.collected())
        self._slots.close()
        self._labels.close()
        self._adders.clear()

    def _add(self, host: Host) -> None:
        slots = host.shown_at(self.now)
        divided = _repeated_names(slots) if len(slots) > 1 else ()
        label = host.label_text if self.instance else _END
        for slot in slots:
            entry = len(self._host_of) * MAX_SECTIONS
            self._slots.append(slot)
            self._labels.append(label)
            self._host_of.append(self._hosts)
            for section in slot.sections:
                if divided and section.name in divided:
                    self._divided(section)(entry)
                else:
                    add = self._adders.get(section)
                    if add is None:
                        add = self._adder(section)
                    add(entry)
                entry += 1
        self._hosts += 1

    def _adder(self, section: Section) -> Callable[[int], object]:
        """Return what takes the entry of a section."""
        bucket = self._bucket(section)
        if bucket is None:
            return _ignore
        if section.users < self._group_from:
            return bucket.mixed.append
        entries = bucket.groups[section] = array("q")
        self._adders[section] = entries.append
        return entries.append

    def _divided(self, section: Section) -> Callable[[int], object]:
        bucket = self._bucket(section)
        return bucket.mixed.append if bucket else _ignore

    def _bucket(self, section: Section) -> "_Bucket | None":
        bucket = self._buckets.get(section.name)
        if bucket is None:
            if not (section.families or section.name in self._read):
                return None
            bucket = self._buckets[section.name] = _Bucket()
        if section.families and id(section.families) not in bucket.seen:
            bucket.seen[id(section.families)] = section
            self._families.add(section)
        return bucket

    def units(self) -> Iterator[UnitFamilies]:
        """Yield all units of which hosts have sections, and the open families of each.

        Each open family is in one unit.
        """
        seen: set[str] = set()
        for unit in self._table.units:
            sections = self._families.connected(unit.sections)
            seen |= sections
            names = self._families.of(sections)
            self._label_bytes = 0
            yield UnitFamilies(Unit(sections, unit.families), names)
        for name in self._buckets:
            if name not in seen:
                sections = self._families.connected({name})
                seen |= sections
                self._label_bytes = 0
                yield UnitFamilies(Unit(sections, ()), self._families.of(sections))

    def type_of(self, family: str) -> MetricType:
        """Return the type of an open family; untyped where hosts disagree."""
        return self._families.types[family]

    def open_type(self, family: str) -> MetricType | None:
        """Return the type of an open family, None where hosts have none of this name."""
        return self._families.types.get(family)

    def load(self, name: str, steps: StepClock) -> Iterator[Rows | None]:
        """Yield all rows of a section, some in each step; None after a step without any.

        Rows of one host that are in several slots come together.
        """
        bucket = self._buckets.get(name)
        if bucket is None:
            return
        few_users: list[array[int]] = []
        sizes = self._sizes = self._sizes or _Sizes(steps)
        for section, entries in bucket.groups.items():
            if len(entries) < self._group_from:
                few_users.append(entries)
            else:
                yield from self._grouped(section, entries, sizes)
        for mixed in (bucket.mixed, *_joined(few_users)):
            for few in self._by_columns(mixed) if len(bucket.seen) > 1 else [mixed]:
                if few is None:
                    yield None
                else:
                    yield from self._mixed(few, sizes)

    def _grouped(
        self, section: Section, entries: "array[int]", sizes: "_Sizes"
    ) -> Iterator[Rows | None]:
        weights = np.full(len(entries), max(section.count, _NUMBERS // _HOSTS))
        for start, stop in spans(weights, sizes.grouped):
            numbers, places = _divmod(entries[start:stop])
            yield GroupedRows(
                section, self._labels.at(numbers), self._slots.at(numbers).tolist(), places.tolist()
            )

    def _mixed(self, entries: "array[int]", sizes: "_Sizes") -> Iterator[Rows | None]:
        for few in self._blocks(entries):
            numbers, places = _divmod(few)
            labels, slots = self._labels.at(numbers), self._slots.at(numbers).tolist()
            hosts = np.frombuffer(self._host_of, np.int64)[numbers]
            which = places.tolist()
            weights = _weights(slots, which, hosts)
            yield None
            read: list[MixedRows] = []
            for start, stop in spans(weights, sizes.mixed):
                firsts, host_of = _distinct(hosts[start:stop])
                rows = MixedRows(
                    labels[start:stop][firsts],
                    host_of,
                    slots[start:stop],
                    which[start:stop],
                )
                rows.read()
                read.append(rows)
                yield rows
            for rows in read:
                rows.keeps_labels = self._label_bytes < self._most_label_bytes
                if rows.keeps_labels:
                    yield from rows.make_labels(sizes.labels)
                    self._label_bytes += rows.label_bytes

    def _blocks(self, entries: "array[int]") -> Iterator["array[int]"]:
        """Yield entries in blocks that do not divide a host."""
        start = 0
        while start < len(entries):
            stop = min(len(entries), start + _CHUNK)
            while stop < len(entries) and self._same_host(entries[stop - 1], entries[stop]):
                stop += 1
            yield entries[start:stop]
            start = stop

    def _same_host(self, one: int, other: int) -> bool:
        return self._host_of[one // MAX_SECTIONS] == self._host_of[other // MAX_SECTIONS]

    def _by_columns(self, entries: "array[int]") -> Iterator["array[int] | None"]:
        """Yield the entries of sections with the same columns together; None between steps."""
        found: dict[tuple[str, ...], array[int]] = {}
        for start in range(0, len(entries), _CHUNK):
            few = entries[start : start + _CHUNK]
            numbers, places = _divmod(few)
            slots = self._slots.at(numbers)
            for entry, slot, place in zip(few, slots, places.tolist(), strict=True):
                found.setdefault(slot.sections[place].columns, array("q")).append(entry)
            yield None
        yield from found.values()

    def drop(self, name: str) -> None:
        """Drop what refers to the rows of a section, once they are loaded."""
        if name in self._buckets:
            self._buckets[name].clear()

    def release(self) -> Iterator[None]:
        """Drop all references, a few at a time; yields between steps."""
        for chunks in (self._slots, self._labels):
            yield from chunks.release()
        while self.host_values:
            self.host_values.pop()
            yield
        for number, name in enumerate([*self._buckets]):
            del self._buckets[name]
            if number % _CHUNK == 0:
                yield


class _Sizes:
    """How much a step may read of grouped and of mixed rows, and how many labels it may make."""

    def __init__(self, steps: StepClock) -> None:
        self.grouped = steps.size(_NUMBERS, _NUMBERS)
        self.mixed = steps.size(_WEIGHT, _WEIGHT)
        self.labels = steps.size(_LABELS, _LABELS)


class _Bucket:
    """The entries of the sections of one name: the slot's number and the section's place in it.

    ``groups`` has those of sections that many hosts use, ``mixed`` all others. ``seen`` has one
    section with each tuple of open families, by the identity of the tuple.
    """

    __slots__ = ("groups", "mixed", "seen")

    def __init__(self) -> None:
        self.mixed = array("q")
        self.groups: dict[Section, array[int]] = {}
        self.seen: dict[int, Section] = {}

    def clear(self) -> None:
        """Drop the entries."""
        self.mixed = array("q")
        self.groups.clear()
        self.seen.clear()


class _Families:
    """The open families of a capture: their types, and which sections have them."""

    def __init__(self, table: FamilyTable, types: Mapping[str, Collection[str]]) -> None:
        self._table, self._sent = table, types
        self.types: dict[str, MetricType] = {}
        self._owners: dict[str, str] = {}  # the first section with each family, by its name
        self._names: dict[str, list[str]] = {}  # the families of each owner
        self._linked: dict[str, set[str]] = {}  # other sections that have a family in common
        self._wholes: dict[str, str] = {}  # the first section with each histogram or summary

    def add(self, section: Section) -> None:
        """Add the families of a section."""
        for name in section.families:
            owner = self._owners.get(name)
            if owner is None and self._table.shows(name):
                owner = self._owners[name] = section.name
                self._names.setdefault(owner, []).append(name)
                types = self._sent.get(name) or (section.type,)
                self.types[name] = MetricType(next(iter(types)) if len(types) == 1 else "untyped")
            elif owner is not None:
                self._link(owner, section.name)
            if section.type in _IN_PARTS:
                whole = whole_of(name, section.type)
                self._link(self._wholes.setdefault(whole, section.name), section.name)

    def _link(self, one: str, other: str) -> None:
        """Let two sections, which have a family in common, be read together."""
        if one != other:
            self._linked.setdefault(one, set()).add(other)
            self._linked.setdefault(other, set()).add(one)

    def connected(self, sections: Collection[str]) -> frozenset[str]:
        """Return sections, and all that have a family in common with them."""
        found = {*sections}
        waiting = [*sections]
        while waiting:
            more = self._linked.get(waiting.pop(), set()) - found
            found |= more
            waiting += more
        return frozenset(found)

    def of(self, sections: Collection[str]) -> list[str]:
        """Return the names of the families of these sections, sorted, with parts together."""
        names = [name for section in sections for name in self._names.get(section, ())]
        return sorted(names, key=lambda name: (whole_of(name, self.types[name]), name))


class _Chunks:
    """Objects by their number, in arrays of _CHUNK."""

    def __init__(self) -> None:
        self._chunks: list[Objects] = []
        self._last: list[Any] = []

    def append(self, item: Any) -> None:
        """Append an object, which gets the next number."""
        self._last.append(item)
        if len(self._last) == _CHUNK:
            self.close()

    def close(self) -> None:
        """End appending."""
        self._chunks.append(np.fromiter(self._last, object, len(self._last)))
        self._last = []

    def at(self, numbers: Indexes) -> Objects:
        """Return the objects of some numbers, which ascend."""
        chunks = numbers >> _CHUNK_BITS
        first, last = int(chunks[0]), int(chunks[-1])
        inside = numbers & (_CHUNK - 1)
        found = np.empty(len(numbers), object)
        ends = np.searchsorted(chunks, np.arange(first, last + 1), "right").tolist()
        start = 0
        for chunk, stop in zip(range(first, last + 1), ends, strict=True):
            if stop > start:
                found[start:stop] = self._chunks[chunk][inside[start:stop]]
                start = stop
        return found

    def release(self) -> Iterator[None]:
        """Drop all objects; yields between steps."""
        while self._chunks:
            self._chunks.pop()
            yield


class _HostFields:
    """Collects the host fields of some hosts."""

    def __init__(self, fields: Sequence[HostField], now: float, *, instance: bool) -> None:
        self._now, self._instance, self._fields = now, instance, fields
        self._start()

    def _start(self) -> None:
        self._labels: list[bytes] = []
        self._info_labels: list[bytes] = []
        self._values: list[list[float | None]] = [[] for _ in self._fields]

    def __len__(self) -> int:
        return len(self._labels)

    def add(self, host: Host) -> None:
        """Add the next host."""
        label, info = host.label_text, host.info_text
        if not self._instance:  # the first label of both
            label, info = _END, info[len(label) - len(_END) + 1 :]
        self._labels.append(label)
        self._info_labels.append(info)
        for field, values in zip(self._fields, self._values, strict=True):
            values.append(field.value(host, self._now))

    def collected(self) -> HostValues:
        """Return the values of the hosts that were added since the last call."""
        count = len(self._labels)
        found = HostValues(
            np.fromiter(self._labels, object, count),
            np.fromiter(self._info_labels, object, count),
            np.array(self._values, float).reshape(len(self._fields), count),  # None becomes NaN
        )
        self._start()
        return found


def _ignore(_: int) -> None:
    """Take the entry of a section that no family reads."""


def _repeated_names(slots: Sequence[Slot]) -> Collection[str]:
    """Return the names of sections that are in several slots of a host."""
    names = [section.name for slot in slots for section in slot.sections]
    if len({*names}) == len(names):
        return ()
    return {name for name, count in Counter(names).items() if count > 1}


def _joined(several: Iterable["array[int]"]) -> Iterator["array[int]"]:
    """Yield entries of several arrays together, some of these at a time, ascending."""
    found: list[int] = []
    for entries in several:
        found += entries
        if len(found) >= _CHUNK:
            yield array("q", sorted(found))
            found = []
    yield array("q", sorted(found))


def _divmod(entries: "array[int]") -> tuple[Indexes, Indexes]:
    """Return the slots' numbers and the sections' places of entries."""
    found = np.frombuffer(entries, np.int64)
    return found // MAX_SECTIONS, found % MAX_SECTIONS


def _distinct(hosts: Indexes) -> tuple[list[int], Indexes]:
    """Return where each host is first, and the index of each item's host among these."""
    is_first = np.ones(len(hosts), bool)
    is_first[1:] = hosts[1:] != hosts[:-1]
    return np.flatnonzero(is_first).tolist(), np.cumsum(is_first) - 1


def _weights(slots: Sequence[Slot], places: Sequence[int], hosts: Indexes) -> Indexes:
    """Return how long each section takes, relative to a row; all of a host's with its first."""
    each = [slot.sections[place] for slot, place in zip(slots, places, strict=True)]
    weights = np.array([2 + section.rows + (section.count >> 3) for section in each], np.int64)
    firsts, host_of = _distinct(hosts)
    if len(firsts) < len(hosts):
        of_hosts = np.bincount(host_of, weights).astype(np.int64)
        weights = np.zeros(len(hosts), np.int64)
        weights[firsts] = of_hosts
    return weights
