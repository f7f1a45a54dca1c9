"""Splits reports of any size into datagrams, by a plan that is kept while texts stay the same."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from functools import partial
from typing import Any, NamedTuple

from pombo_wire.columns import EXTRA, MAPS, SECTIONS
from pombo_wire.extra import Fitter
from pombo_wire.forms import (
    Header,
    deflated,
    inflated_bytes,
    layout_line,
    lines_of,
    packed,
    packed_lines,
    plain,
    with_extra,
)
from pombo_wire.limits import (
    MAX_DATAGRAM_BYTES,
    MAX_INFLATED_BYTES,
    MAX_LABEL_BYTES,
    MAX_LAYOUT_ITEMS,
    MAX_PARTS,
    MAX_SECTIONS,
)
from pombo_wire.section import Section, in_order

#: The length to which datagrams are cut, in bytes. Numbers grow: with this reserve, most plans
#: last for months.
TARGET_BYTES = 1000

#: The length up to which the table of processes fills a datagram, in bytes. Beyond it, each report
#: costs the network more than the processes further down are worth, and numbers have no room to
#: grow without the table getting shorter.
FILLED_BYTES = 1100


class Form(Enum):
    """The form of datagrams."""

    PACKED = "packed"
    JSON = "json"


class _Piece(NamedTuple):
    """Rows of a section, or columns where it has no labels: from ``start`` up to ``stop``."""

    place: int
    start: int
    stop: int


_Plan = list[list[_Piece]]


class SplitPart(NamedTuple):
    """A datagram of a report, and what it has."""

    header: Header
    sections: list[Section]
    datagram: bytes


class Splitter:
    """Splits the reports of one session into datagrams.

    A report that fits one datagram is not split. A larger one is split between rows into datagrams
    of at most ``TARGET_BYTES``. This plan is kept while the layout stays the same and each
    datagram fits; then there is a new plan, with the next number.

    A cell that has had a value in this session, while its section had the same rows, is sent as
    ``null`` when it is unknown; one that has never had a value is absent from the layout.

    The table of processes is in the datagram that was the shortest when the plan was made. It is
    shortened to the room that this has up to ``FILLED_BYTES``, or left out, and never needs a
    datagram of its own.

    ``reserve`` bytes of each datagram are left free.
    """

    def __init__(self, form: Form = Form.PACKED, reserve: int = 0) -> None:
        self._form = form
        self._limit, self._target = MAX_DATAGRAM_BYTES - reserve, TARGET_BYTES - reserve
        self._fill_limit = FILLED_BYTES - reserve
        self._known: dict[str, Section] = {}  # as last sent, for their texts and absent cells
        self._last: list[Section] = []
        self._plan: _Plan = []
        self._layouts: list[bytes] = []  # of each datagram of the plan
        self._number = 0
        self._omitted: list[str] = []
        self._fitter = Fitter()
        self._place = 0  # of the datagram that has the table of processes

    def datagrams(
        self, header: Header, sections: Iterable[Section]
    ) -> tuple[list[bytes], list[str]]:
        """Return a report as datagrams, and a line for each section or row that fits none.

        ``header`` has at least the host. Its ``seq`` is that of the first datagram. Where the
        header fits no datagram, none is returned.
        """
        found, omitted = self.split(header, sections)
        return [each.datagram for each in found], omitted

    def split(
        self, header: Header, sections: Iterable[Section]
    ) -> tuple[list[SplitPart], list[str]]:
        """Do what ``datagrams`` does, and return the content of each datagram with it."""
        given = [*sections]
        extra = next((section for section in given if section.name in EXTRA), None)
        rest = (section for section in given if section.name not in EXTRA)
        now = [self._with_known(section) for section in in_order(rest)]
        found = None
        if self._plan and _same_texts(now, self._last):
            found = self._parts(header, now, extra)
        self._last = now
        if found is None:
            self._make_plan(header, now)
            found = self._parts(header, now) or []
            if extra is not None and found:
                sizes = [len(each.datagram) for each in found]
                self._place, self._fitter = sizes.index(min(sizes)), Fitter()
                found = self._parts(header, now, extra) or found
        return found, self._omitted

    def bye(self, header: Header) -> bytes:
        """Return the datagram that ends the session."""
        last = {**header, "bye": True, "parts": 1}
        return packed(last, []) if self._form is Form.PACKED else plain(last, [])

    def _with_known(self, section: Section) -> Section:
        """Return ``section`` with the columns that it had before, and with its absent cells."""
        known = self._known.get(section.name)
        if known is None or known.labels != section.labels or known.type != section.type:
            absent = tuple(at for at, cell in enumerate(section.cells) if cell is None)
            found = section._replace(absent=absent)
        elif known.values == section.values:
            absent = known.absent
            if any(section.cells[at] is not None for at in absent):
                absent = tuple(at for at in absent if section.cells[at] is None)
            # With the texts of before, so that comparing them takes no time.
            found = known._replace(cells=section.cells, absent=absent, help=section.help)
        else:
            found = _with_columns_of(known, section)
        self._known[section.name] = found
        return found

    def _make_plan(self, header: Header, sections: list[Section]) -> None:
        """Make a plan; its number changes unless the last one and this have one datagram."""
        before = len(self._plan)
        self._plan, self._omitted = self._planned(header, sections)
        if before and (before > 1 or len(self._plan) > 1):
            self._number += 1
        if self._form is Form.PACKED:
            self._layouts = [layout_line(_cut(sections, part)) for part in self._plan]

    def _parts(
        self, header: Header, sections: list[Section], extra: Section | None = None
    ) -> list[SplitPart] | None:
        """Return the datagrams, or ``None`` when one of them is too long."""
        count = len(self._plan)
        found = []
        for number, part in enumerate(self._plan):
            its = self._header(header, number, count)
            pieces = _cut(sections, part)
            own = extra if number == self._place else None
            if self._form is Form.PACKED:
                lines = lines_of(its, self._layouts[number], pieces)
                with_own = self._fitter.fitted(own, partial(self._packed, lines))
                datagram = with_own or deflated(lines)
            else:
                datagram = plain(its, pieces)
                datagram = self._fitter.fitted(own, partial(self._plain, datagram)) or datagram
            if len(datagram) > self._limit:
                return None
            found.append(SplitPart(its, pieces, datagram))
        return found

    def _packed(self, lines: bytes, fourth: bytes) -> bytes | None:
        """Return the packed datagram with a fourth line, or ``None`` when that is too long."""
        if len(lines) + 1 + len(fourth) > MAX_INFLATED_BYTES:
            return None
        datagram = deflated(b"%b\n%b" % (lines, fourth))
        return datagram if len(datagram) <= self._fill_limit else None

    def _plain(self, datagram: bytes, extra: bytes) -> bytes | None:
        """Return a plain datagram with processes, or ``None`` when it is too long."""
        found = with_extra(datagram, extra)
        return found if len(found) <= self._fill_limit else None

    def _header(self, header: Header, part: int, parts: int) -> dict[str, Any]:
        found = dict(header)
        if "seq" in found:
            found["seq"] += part
        if part:
            found["part"] = part
        found["parts"] = parts
        if self._number:
            found["plan"] = self._number
        return found

    def _planned(self, header: Header, sections: list[Section]) -> tuple[_Plan, list[str]]:
        """Return which rows each datagram has, and a line for each row that fits none."""
        longest = self._header(header, MAX_PARTS - 1, MAX_PARTS)

        def size(pieces: list[_Piece]) -> int:
            return self._size(longest, _cut(sections, _merged(pieces)))

        try:
            least = size([])
        except ValueError as error:
            return [], [f"header: {error}: shorten host"]
        if least > self._limit:
            return [], [f"header: {least} bytes, but a datagram has {self._limit}: shorten host"]
        whole = [_Piece(place, 0, _length(section)) for place, section in enumerate(sections)]
        if size(whole) <= self._limit:
            return [whole], []
        atoms = list(_atoms(whole, sections, lambda piece: size([piece]) <= self._target))
        plan, beyond = self._filled(atoms, size)
        rooms = f"but a datagram has room for {self._limit - least}"
        omitted = [
            f"{sections[piece.place].name}: {needed - least} bytes, {rooms}"
            for piece, needed in beyond
        ]
        if len(plan) > MAX_PARTS:
            omitted.append(f"report: {len(plan)} datagrams, but a report has {MAX_PARTS}")
        rest = [piece for part in plan for piece in part]
        once = len({piece.place for piece in rest}) == len(rest)
        if beyond and once and size(rest) <= self._limit:
            return [rest], omitted
        return plan[:MAX_PARTS], omitted

    def _filled(
        self, atoms: list[_Piece], size: Callable[[list[_Piece]], int]
    ) -> tuple[_Plan, list[tuple[_Piece, int]]]:
        """Return datagrams filled up to the target, and what fits none with its length."""
        plan: _Plan = []
        beyond = []
        while atoms:
            count = _most(atoms, lambda some: size(some) <= self._target)
            needed = 0 if count else size(atoms[:1])
            if needed > self._limit:
                beyond.append((atoms.pop(0), needed))
                continue
            count = max(1, count)
            plan.append(_merged(atoms[:count]))
            del atoms[:count]
        return plan, beyond

    def _size(self, header: Header, sections: list[Section]) -> int:
        """Return the length of a datagram, or a length beyond all limits."""
        items = sum(section.items for section in sections)
        if len(sections) > MAX_SECTIONS or items > MAX_LAYOUT_ITEMS:
            return MAX_INFLATED_BYTES
        if sum(section.label_bytes for section in sections) > MAX_LABEL_BYTES:
            return MAX_INFLATED_BYTES
        if self._form is Form.JSON:
            return len(plain(header, sections))
        layout = layout_line(sections)
        if inflated_bytes(header, layout, sections) > MAX_INFLATED_BYTES:
            return MAX_INFLATED_BYTES
        return len(packed_lines(header, layout, sections))


def _same_texts(now: list[Section], last: list[Section]) -> bool:
    """Return whether two reports have the same layout.

    Texts are the same objects where they are equal, since ``Splitter`` takes those of before.
    """
    return len(now) == len(last) and all(
        one.name == other.name
        and one.labels is other.labels
        and one.values is other.values
        and one.absent is other.absent
        and one.help == other.help
        for one, other in zip(now, last, strict=True)
    )


def _with_columns_of(known: Section, section: Section) -> Section:
    """Return ``section``, whose rows are those of ``known``, with the columns of both."""
    rows = section.rows
    absent = {divmod(at, rows) for at in known.absent}
    missing = {(known.values[column], row) for column, row in absent}
    columns: dict[str, Sequence[float | None]] = dict.fromkeys(known.values, (None,) * rows)
    for name, cells in section.columns.items():
        if name not in columns:
            missing |= {(name, row) for row, cell in enumerate(cells) if cell is None}
        columns[name] = cells
    if section.name in SECTIONS:
        columns = {name: columns[name] for name in SECTIONS[section.name].values if name in columns}
    every = [cell for column in columns.values() for cell in column]
    names = [(name, row) for name in columns for row in range(rows)]
    still = [at for at, each in enumerate(names) if each in missing and every[at] is None]
    values = known.values if tuple(columns) == known.values else tuple(columns)
    kept = known.absent if values is known.values and tuple(still) == known.absent else tuple(still)
    return known._replace(values=values, cells=every, absent=kept, help=section.help)


def _length(section: Section) -> int:
    """Return how many pieces a section can be cut into: its rows, or columns without labels."""
    return section.rows if section.labels else max(1, len(section.values))


def _cut(sections: list[Section], pieces: Iterable[_Piece]) -> list[Section]:
    return [_between(sections[piece.place], piece) for piece in pieces]


def _between(section: Section, piece: _Piece) -> Section:
    if not piece.start and piece.stop == _length(section):
        return section
    if section.labels:
        return section.rows_between(piece.start, piece.stop)
    return section.columns_between(piece.start, piece.stop)


def _atoms(
    whole: list[_Piece], sections: list[Section], fits: Callable[[_Piece], bool]
) -> Iterator[_Piece]:
    """Yield what is not cut: rows, records, maps that fit a datagram, and columns of others."""
    for piece in whole:
        section = sections[piece.place]
        if section.is_record or (section.name in MAPS and fits(piece)):
            yield piece
        else:
            yield from (piece._replace(start=at, stop=at + 1) for at in range(piece.stop))


def _merged(atoms: list[_Piece]) -> list[_Piece]:
    """Return pieces of one section that follow each other as one."""
    merged = atoms[:1]
    for atom in atoms[1:]:
        if atom.place == merged[-1].place and atom.start == merged[-1].stop:
            merged[-1] = merged[-1]._replace(stop=atom.stop)
        else:
            merged.append(atom)
    return merged


def _most(atoms: list[_Piece], fits: Callable[[list[_Piece]], bool]) -> int:
    """Return how many of ``atoms``, from the first, fit a datagram."""
    most, beyond, step = 0, len(atoms) + 1, 1
    while beyond - most > 1:
        # Steps grow from 1, since what does not fit by far takes the longest to try.
        tried = min(most + step, (most + beyond) // 2)
        if fits(atoms[:tried]):
            most, step = tried, step * 2
        else:
            beyond = tried
    return most
