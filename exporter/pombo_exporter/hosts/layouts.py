"""Sections: the texts of reports, each stored once for all hosts that send the same.

A section is known by its bytes. It is read and checked when they first arrive, and lives as long as
a host uses it. Most sections of a host, such as the names of its cores, are the same on many hosts;
others, such as its addresses, are its own.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
from msgspec import Struct
from numpy.typing import NDArray
from pombo_wire import MAPS, SECTIONS, DecodeError, Info, Reason, Table
from pombo_wire.layout import (
    OWN_LABELS,
    SectionLayout,
    read_own_labels,
    read_sections,
)
from pombo_wire.limits import MAX_LABEL_NAME, SECTION_ITEMS, label_bytes
from pombo_wire.schema import unsigned_columns

#: Ranges of numbers: where each begins and ends.
Ranges = tuple[tuple[int, int], ...]

_SHARDS: Final = 256  # a dict of 200,000 entries stops the event loop for 7 ms when it grows

# What things take in memory, in bytes, with what Python's allocator and dicts add. Measured by
# tests/exporter/hosts/test_memory.py.
_SECTION_BYTES: Final = 400  # a section besides its bytes: its fields, and its place in a dict
_ROW_BYTES: Final = 8  # the hash of its keys
_TEXT_BYTES: Final = 48  # a text of bytes, besides its length
_NAME_BYTES: Final = 72  # a name, besides its length
_TUPLE_BYTES: Final = 64  # a tuple of names or numbers, besides these
_RANGE_BYTES: Final = 144
_WIDE_TEXT_BYTES: Final = 81  # a text that is not ASCII, and its UTF-8 form, besides the letters
_MOST_LETTER_BYTES: Final = 4
_NAMES_BYTES: Final = 300  # the tuples of names of a section, besides the names
FAMILY_BYTES: Final = 360  # an open family in the dict of all


def size_of(text: str) -> int:
    """Return how many bytes a text takes at most.

    Beside a text that is not ASCII, Python keeps its UTF-8 form once it was part of an answer in
    JSON. So ``__sizeof__`` grows while it is stored, and may not be booked.
    """
    if text.isascii():
        return text.__sizeof__()
    return _WIDE_TEXT_BYTES + _MOST_LETTER_BYTES * len(text) + len(text.encode())


@dataclass(frozen=True)
class Catalog:
    """What the table of families says about sections.

    ``rate_columns`` are the columns of which rates are derived, by section. ``series`` returns how
    many series a row with these columns has at most. ``maps`` has what precedes the names of a
    map's families, and their type. ``reserved`` are the names of families that cannot be sent as
    open ones.
    """

    rate_columns: Mapping[str, Collection[str]]
    series: Callable[[str, Collection[str]], int]
    maps: Mapping[str, tuple[str, str]]
    reserved: Collection[str]


_NONE: Final = array("i")
_MARKS: Final = 1 << 14  # a power of two, some times the rows of a datagram
_KNOWN: Final = frozenset({*SECTIONS, *MAPS})
_OWN_LABELS: Final = b'"%b":' % OWN_LABELS.encode()


class Section(Struct, gc=False, eq=False):
    """The texts of one section, shared by all hosts that send these bytes.

    Cells, ``absent`` and ``items`` are as in ``SectionLayout``. ``families`` are the names of open
    families, one for each column, and ``type`` is their type; both are empty for sections of the
    schema.
    ``rates`` are the ranges of numbers of which rates are derived, ``unsigned`` those that are
    never negative. ``series`` is how many series the section has at most. ``booked_bytes`` is what
    is booked for it alone, ``name_bytes`` for its labels, columns and families. ``users`` is how
    many slots have it. ``label_texts`` and ``key_hashes`` are those of its rows, once they were
    made; ``described`` is what it says of the host itself.
    """

    raw: bytes
    name: str
    labels: tuple[str, ...]
    columns: tuple[str, ...]
    families: tuple[str, ...]
    type: str
    rows: int
    absent: "array[int]"
    count: int
    rates: Ranges
    unsigned: Ranges
    series: int
    items: int
    booked_bytes: int
    name_bytes: int
    users: int = 0
    label_texts: Any = None
    key_hashes: bytes | None = None
    described: Any = None

    @property
    def is_shared(self) -> bool:
        """Whether several slots have the section."""
        return self.users > 1

    @property
    def text_bytes(self) -> int:
        """What is booked for its label texts while they may be kept, in bytes."""
        if not self.labels:
            return 0
        row = _TEXT_BYTES + sum(map(len, self.labels)) + len('="",') * len(self.labels)
        return self.rows * row + len(self.raw)  # in JSON no text is shorter

    @property
    def is_table(self) -> bool:
        """Whether this is a table of the schema, whose rows may be in several datagrams."""
        kind = SECTIONS.get(self.name)
        return kind is not None and issubclass(kind, Table)

    def texts(self) -> tuple[tuple[str, ...], ...]:
        """Return the label texts, of shape (labels, rows)."""
        if not self.labels:
            return ()
        return tuple(map(tuple, self._member().get("labels", {}).values()))

    def helps(self) -> Sequence[str]:
        """Return the HELP text of each family, or none at all."""
        found = self._member().get("help", "")
        return ([found] if found else []) if isinstance(found, str) else found

    @property
    def most_label_bytes(self) -> int:
        """A bound of ``label_bytes`` that needs no texts: in JSON none is shorter."""
        if not self.labels:
            return len(self.raw)
        names = self.rows * len(self.labels) * MAX_LABEL_NAME
        return (len(self.raw) + names) * max(1, len(self.columns))

    @property
    def label_bytes(self) -> int:
        """The bytes of label texts in an exposition of the section."""
        if own := self.own_labels():
            return label_bytes([*own], [(text,) for text in own.values()], ())
        return label_bytes(self.labels, self.texts(), self.columns)

    def own_labels(self) -> dict[str, str]:
        """Return the owner's labels, if this is the section that has them."""
        if self.name != OWN_LABELS:
            return {}
        if self.described is None:
            self.described = self._member()
        return self.described  # type: ignore[no-any-return]

    def info(self) -> Info:
        """Return the host's software, of the section that has it."""
        if self.described is None:
            self.described = Info(*(text for [text] in self.texts()))
        return self.described  # type: ignore[no-any-return]

    def hashes(self) -> NDArray[np.int64]:
        """Return a hash of what identifies each row, of shape (rows,); they are kept.

        The hashes of Python's texts are keyed, so nobody can choose texts whose hashes are equal.
        """
        if self.key_hashes is None:
            self.key_hashes = np.fromiter(map(hash, self.keys()), np.int64, self.rows).tobytes()
        return np.frombuffer(self.key_hashes, np.int64)

    def keys(self) -> Collection[Any]:
        """Return what identifies each row, of shape (rows,)."""
        texts = self.texts()
        kind = SECTIONS.get(self.name)
        if kind is not None:
            texts = texts[: kind.key_columns] if issubclass(kind, Table) else ()
        if not texts:
            return [()]
        return texts[0] if len(texts) == 1 else [*zip(*texts, strict=True)]

    def place(self, cell: int) -> int:
        """Return the index of a cell's number, or where it would be if the cell is absent."""
        return cell - bisect_left(self.absent, cell) if self.absent else cell

    def cell(self, place: int) -> int:
        """Return the cell of the number of this index."""
        for absent in self.absent:
            if absent > place:
                break
            place += 1
        return place

    def rate_columns(self) -> dict[str, int]:
        """Return the columns of which rates are derived, and the index of each."""
        found = {}
        for start, stop in self.rates:
            column = self.cell(start) // self.rows
            while column < len(self.columns) and self.place(column * self.rows) < stop:
                found[self.columns[column]] = column
                column += 1
        return found

    def _member(self) -> dict[str, Any]:
        [found] = orjson.loads(b"{%b}" % self.raw).values()
        return found  # type: ignore[no-any-return]


#: The labels, columns and families of a section.
_Tuples = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def places_of(hashes: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the places in ``others`` of hashes that are in ``hashes`` too, ascending.

    A host may have ten thousand rows, and to sort or to search them all would take half a
    millisecond. So most are left out first, by some bits of each.
    """
    marked = np.zeros(_MARKS, bool)
    marked[hashes & _MARKS - 1] = True
    places = marked[others & _MARKS - 1].nonzero()[0]
    found: NDArray[np.intp] = places[np.isin(others[places], hashes)]
    return found


class _Names(Struct, gc=False, eq=False):
    """Labels, columns and families that several sections have in common."""

    names: _Tuples
    booked_bytes: int
    users: int = 1


class FamilyTypes(Mapping[str, Collection[str]]):
    """The types of each open family that a stored section has; usually one."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, int]] = {}  # of sections by type and family

    def __getitem__(self, family: str) -> Collection[str]:
        found = [kind for kind, counts in self._counts.items() if family in counts]
        if not found:
            raise KeyError(family)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter({name for counts in self._counts.values() for name in counts})

    def __len__(self) -> int:
        """Return how many families there are; one with several types counts for each of them."""
        return sum(map(len, self._counts.values()))

    def new(self, sections: Iterable[Section]) -> int:
        """Return by how much the length would grow with these sections."""
        found: dict[str, set[str]] = {}
        for section in sections:
            if section.families:
                found.setdefault(section.type, set()).update(section.families)
        return sum(len(names - self._of(kind).keys()) for kind, names in found.items())

    def add(self, section: Section) -> None:
        """Count the families of one more section."""
        counts = self._of(section.type)
        for name in section.families:
            counts[name] = counts[name] + 1 if name in counts else 1

    def remove(self, section: Section) -> None:
        """Count the families of one section less."""
        counts = self._of(section.type)
        for name in section.families:
            left = counts[name] - 1
            if left:
                counts[name] = left
            else:
                del counts[name]

    def _of(self, kind: str) -> dict[str, int]:
        return self._counts.setdefault(kind, {})


class Layouts:
    """All sections that hosts use, by their bytes.

    ``count`` is their number, ``types`` are those of the open families that they have.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._reserved = frozenset(catalog.reserved)
        self._shards: tuple[dict[bytes, Section], ...] = tuple({} for _ in range(_SHARDS))
        self._names: tuple[dict[Any, _Names], ...] = tuple({} for _ in range(_SHARDS))
        self._booked_bytes = 0
        self.count = 0
        self.types = FamilyTypes()

    @property
    def booked_bytes(self) -> int:
        """What is booked for all sections and their families, in bytes."""
        return self._booked_bytes + FAMILY_BYTES * len(self.types)

    def find(self, raw: bytes) -> Section:
        """Return the section of these bytes: a stored one, or else one that is read now.

        Raises:
            DecodeError: when the bytes describe no valid section.
        """
        [section] = self.find_all([raw])
        return section

    def find_all(self, members: Sequence[bytes]) -> Iterator[Section]:
        """Yield the sections of these bytes: stored ones, and others that are read now.

        Raises:
            DecodeError: when the bytes describe no valid section.
        """
        shards = self._shards
        stored = [shards[hash(raw) % _SHARDS].get(raw) for raw in members]
        unknown = [
            raw
            for raw, section in zip(members, stored, strict=True)
            if section is None and not raw.startswith(_OWN_LABELS)
        ]
        read = read_sections(unknown)
        for raw, section in zip(members, stored, strict=True):
            if section is not None:
                yield section
            elif raw.startswith(_OWN_LABELS):
                yield _own_labels(raw)
            else:
                yield self._section(raw, next(read))

    def use(self, sections: Iterable[Section]) -> None:
        """Count one more user of each section, and store those that are new."""
        for section in sections:
            if not section.users:
                self._store(section)
            elif section.users == 1:
                self._booked_bytes += section.text_bytes
            section.users += 1

    def release(self, sections: Iterable[Section]) -> None:
        """Count one user less of each section, and drop those without any."""
        for section in sections:
            section.users -= 1
            if not section.users:
                self._drop(section)
            elif section.users == 1:
                self._booked_bytes -= section.text_bytes
                section.label_texts = None

    def bytes_of_use(self, section: Section) -> int:
        """Return what would be booked for one more user of a section, at most; without families."""
        if not section.users:
            return section.booked_bytes + section.name_bytes
        return section.text_bytes if section.users == 1 else 0

    def _store(self, section: Section) -> None:
        self._shards[hash(section.raw) % _SHARDS][section.raw] = section
        self._booked_bytes += section.booked_bytes
        self.count += 1
        self._share_names(section)
        if section.families:
            self.types.add(section)

    def _drop(self, section: Section) -> None:
        del self._shards[hash(section.raw) % _SHARDS][section.raw]
        self._booked_bytes -= section.booked_bytes
        self.count -= 1
        names = section.labels, section.columns, section.families
        shard = self._names[hash(section.columns) % _SHARDS]
        shared = shard.pop(names)  # to find and then to delete it would take twice as long
        if shared.users > 1:
            shared.users -= 1
            shard[shared.names] = shared
        else:
            self._booked_bytes -= shared.booked_bytes
        if section.families:
            self.types.remove(section)

    def _share_names(self, section: Section) -> None:
        """Replace the names of a section by equal ones that other sections use too."""
        names = section.labels, section.columns, section.families
        shard = self._names[hash(section.columns) % _SHARDS]
        shared = shard.get(names)
        if shared is None:
            shard[names] = _Names(names, section.name_bytes)
            self._booked_bytes += section.name_bytes
        else:
            shared.users += 1
            section.labels, section.columns, section.families = shared.names

    def _section(self, raw: bytes, found: SectionLayout) -> Section:
        """Return a section that was not stored."""
        name, columns, rows, absent = found.name, found.columns, found.rows, found.absent
        count = len(columns) * rows - len(absent)
        rates: Ranges = ()
        unsigned: Ranges = ()
        if found.type is not None:
            families, kind = columns, found.type
        elif name in self._catalog.maps:
            prefix, kind = self._catalog.maps[name]
            families = tuple([prefix + each for each in columns])
        else:
            families, kind = (), ""
        series = len(families)
        if name in _KNOWN:
            series += self._catalog.series(name, {*columns})
        if name in SECTIONS:
            rates = _ranges(found, self._catalog.rate_columns.get(name, ()))
            unsigned = _ranges(found, unsigned_columns(name))
        elif kind:
            if count and (kind == "counter" or name in MAPS):
                unsigned = ((0, count),)
            if not self._reserved.isdisjoint(families):
                family = next(each for each in families if each in self._reserved)
                detail = f"`{family}` is a family of a section: send the section instead"
                raise DecodeError(Reason.RESERVED_NAME, detail)
        return Section(
            raw,
            name,
            found.labels,
            columns,
            families,
            kind,
            rows,
            array("i", absent) if absent else _NONE,
            count,
            rates,
            unsigned,
            rows * series,
            found.items,
            _booked_bytes(raw, found, len(rates) + len(unsigned)),
            _name_bytes(raw, found, 0 if families is columns else len(families)),
        )


def _booked_bytes(raw: bytes, found: SectionLayout, ranges: int) -> int:
    """Return what is booked for a section alone."""
    booked = len(raw) + _SECTION_BYTES + found.rows * _ROW_BYTES + ranges * _RANGE_BYTES
    if found.absent:
        booked += _NONE.itemsize * len(found.absent) + _TUPLE_BYTES
    if found.name == "info":
        booked += sum(size_of(text) for [text] in found.texts)
    return booked


def _name_bytes(raw: bytes, found: SectionLayout, families: int) -> int:
    """Return what is booked for labels, columns and as many other names of families."""
    names = len(found.labels) + len(found.columns) + families
    # Names are in the bytes of the section too, and there no shorter but for a prefix.
    return _NAMES_BYTES + 2 * len(raw) + names * (_NAME_BYTES + len(found.name))


def _own_labels(raw: bytes) -> Section:
    labels = read_own_labels(raw)
    texts = sum(size_of(name) + size_of(text) for name, text in labels.items())
    booked = len(raw) + _SECTION_BYTES + labels.__sizeof__() + texts
    section = Section(
        raw, OWN_LABELS, (), (), (), "", 0, _NONE, 0, (), (), 0, SECTION_ITEMS, booked, _NAMES_BYTES
    )
    section.described = labels
    return section


def _ranges(found: SectionLayout, columns: Collection[str]) -> Ranges:
    """Return the ranges of numbers that these columns have, those that adjoin as one."""
    if not columns:
        return ()
    ranges: list[tuple[int, int]] = []
    rows, absent = found.rows, found.absent
    for index, name in enumerate(found.columns):
        if name not in columns:
            continue
        start, stop = index * rows, (index + 1) * rows
        if absent:
            start -= bisect_left(absent, start)
            stop -= bisect_left(absent, stop)
        if ranges and ranges[-1][1] == start:
            ranges[-1] = ranges[-1][0], stop
        elif start < stop:
            ranges.append((start, stop))
    return tuple(ranges)
