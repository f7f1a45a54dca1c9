"""Hostile datagrams: the costliest ones that a sender can make, as far as a search finds them.

A *family* is one idea of an attack on the processor. Its parameters are numbers, so that a search
can vary them; any numbers within their ranges make datagrams, some of which are refused. A *flood*
is an attack on the memory: it stores as much as it can for each byte sent.
"""

import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pombo_wire import MAPS, SECTIONS, Record, Table
from pombo_wire.forms import DICTIONARY, PACKED, read_dictionary
from pombo_wire.limits import MAX_DATAGRAM_BYTES, MAX_INFLATED_BYTES

#: The parameters of an attack, by name, and the range of each.
Params = Mapping[str, int]
Ranges = Mapping[str, range]

#: Numbers that are slow to read or to pack, and some others.
NUMBERS: Final = (
    b"0",
    b"1",
    b"null",
    b"-1",
    b"0.1",
    b"1e308",
    b"5e-324",
    b"1e23",
    b"1.7976931348623157e308",
    b"18446744073709551615",
    b"-9223372036854775808",
    b"99999999999999999999",
    b"123456789.123456789",
)

#: The kinds of sections that a shape may have.
KINDS: Final = ("open", "star", "table", "map", "newer", "record", "rates")

_SESSION: Final = 1_800_000_000_000_000_000  # nanoseconds; later ones follow
_RATES: Final = ("cpu", "disks", "networks")
_TABLES: Final = tuple(name for name, kind in SECTIONS.items() if issubclass(kind, Table))
_RECORDS: Final = tuple(name for name, kind in SECTIONS.items() if issubclass(kind, Record))
_DIGITS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_EMOJI: Final = "\N{DOVE OF PEACE}\N{GRINNING FACE}"


@dataclass(frozen=True)
class Attack:
    """Datagrams that prepare the exporter's memory once, and rounds of others.

    ``round`` returns the datagrams of the round of that number; the last one is the costly one.
    """

    prepared: Sequence[bytes]
    round: Callable[[int], Sequence[bytes]]


@dataclass(frozen=True)
class Family:
    """One idea of an attack, and the ranges of its parameters."""

    name: str
    about: str
    ranges: Ranges
    make: Callable[[Params], Attack]

    def attack(self, params: Params) -> Attack:
        """Return the attack with these parameters; those that are left out are the least."""
        least = {name: each[0] for name, each in self.ranges.items()}
        return self.make({**least, **params})


#: All families, by name.
FAMILIES: dict[str, Family] = {}

#: Of a host by its number: the datagrams that it sends once.
Flood = Callable[[int], Sequence[bytes]]

#: All floods, by name.
FLOODS: dict[str, Flood] = {}


def _family(
    **ranges: int | tuple[int, int],
) -> Callable[[Callable[[Params], Attack]], Callable[[Params], Attack]]:
    """Register a family; a range is from 0, or between two numbers, its end included."""
    pairs = {
        name: range(each + 1) if isinstance(each, int) else range(each[0], each[1] + 1)
        for name, each in ranges.items()
    }

    def register(make: Callable[[Params], Attack]) -> Callable[[Params], Attack]:
        about = (make.__doc__ or "").partition(".")[0]
        FAMILIES[make.__name__] = Family(make.__name__, about, pairs, make)
        return make

    return register


def _flood(make: Flood) -> Flood:
    FLOODS[make.__name__.removeprefix("_").replace("_", " ")] = make
    return make


def deflated(*lines: bytes) -> bytes:
    """Return the packed datagram of these lines, whatever they are."""
    compressor = zlib.compressobj(
        9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, read_dictionary(DICTIONARY)
    )
    stream = compressor.compress(b"\n".join(lines)) + compressor.flush()
    return bytes((PACKED, DICTIONARY)) + stream


def header(host: str = "attacker", **fields: Any) -> bytes:
    """Return a header line; without ``session`` it is that of a script."""
    return _dumps({"host": host, **fields})


def of_part(order: int, part: int = 0, parts: int = 1, plan: int = 0, session: int = 0) -> bytes:
    """Return the header of a part of an agent's report; ``order`` numbers its datagrams."""
    return header(
        session=_SESSION + session,
        seq=order,
        time=1.8e9 + order,
        monotonic=10.0 + order,
        interval=3600,
        part=part,
        parts=parts,
        plan=plan,
    )


def word(number: int, width: int = 3) -> str:
    """Return a short text for a number, of that width; too great numbers begin again."""
    found = ""
    for _ in range(width):
        number, digit = divmod(number, len(_DIGITS))
        found = _DIGITS[digit] + found
    return found


def array(count: int, number: bytes = b"0") -> bytes:
    """Return a JSON array of one number, ``count`` times."""
    return b"[%b]" % b",".join([number] * count)


def _dumps(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True)
class Shape:
    """What the sections of a datagram have in common.

    ``kind`` and ``number`` are indexes of ``KINDS`` and ``NUMBERS``. ``text`` is how many letters a
    text has besides its number; every ``absent``-th cell is absent, 0 for none.
    """

    kind: int = 0
    sections: int = 1
    rows: int = 1
    columns: int = 1
    labels: int = 0
    text: int = 0
    absent: int = 0
    number: int = 0

    def lines(self, salt: str, first_row: int = 0) -> tuple[bytes, bytes]:
        """Return a layout and its numbers; another salt makes other names and texts."""
        members: list[bytes] = []
        count = size = 0
        for index in range(self.sections):
            if size > MAX_INFLATED_BYTES:
                break  # the datagram is refused in any case
            name, body = self._member(index, salt, first_row)
            rows = len(next(iter(body.get("labels", {}).values()), " "))
            cells = rows * (len(body["values"]) if "values" in body else 1)
            if self.absent and cells:
                body["absent"] = [*range(0, cells, self.absent)]
                cells -= len(body["absent"])
            members.append(b'"%b":%b' % (name.encode(), _dumps(body)))
            size += len(members[-1])
            count += cells
        numbers = array(min(count, MAX_INFLATED_BYTES), NUMBERS[self.number])
        return b"{%b}" % b",".join(members), numbers

    def _member(self, index: int, salt: str, first_row: int) -> tuple[str, dict[str, Any]]:
        kind = KINDS[self.kind]
        columns = [f"{word(each, 2)}{salt}" for each in range(self.columns)]
        rows = [f"{'a' * self.text}{salt}{row}" for row in range(first_row, first_row + self.rows)]
        known = {"table": _TABLES, "rates": _RATES, "record": _RECORDS, "map": MAPS}.get(kind, ())
        if index < len(known):
            return known[index], self._known(known[index], columns, rows)
        # Not `le`, which is reserved.
        labels = {f"k{_DIGITS[each % len(_DIGITS)]}": rows for each in range(self.labels)}
        if kind == "open":
            return f"f{word(index, 2)}{salt}", {"type": "gauge", "labels": labels}
        if kind == "star":
            body = {"type": "counter", "labels": labels, "values": columns}
            return f"f{word(index, 2)}{salt}*", body
        return f"x{word(index, 2)}{salt}", {"labels": labels, "values": columns}

    def _known(self, name: str, columns: list[str], rows: list[str]) -> dict[str, Any]:
        """Return a section of the schema, with columns that it has first."""
        if name in MAPS:
            return {"values": columns}
        kind = SECTIONS[name]
        fields = kind.__struct_fields__
        rows = rows[:1] if issubclass(kind, Record) else rows
        labels = dict.fromkeys(fields[: kind.label_columns], rows)
        values = [*fields[kind.label_columns :], *columns][: self.columns]
        return {"labels": labels, "values": values}


_SHAPE: Final[Mapping[str, int | tuple[int, int]]] = {
    "kind": len(KINDS) - 1,
    "sections": (1, 128),
    "rows": (1, 1024),
    "columns": 1024,
    "labels": 16,
    "text": 255,
    "absent": 8,
    "number": len(NUMBERS) - 1,
}

#: The shape of what a host has already.
_STORED: Final = {f"stored_{name}": each for name, each in _SHAPE.items()}


def _shape(params: Params, prefix: str = "") -> Shape:
    return Shape(**{name: params[prefix + name] for name in _SHAPE if prefix + name in params})


def _repeated(one: Callable[[int], bytes]) -> Attack:
    """Return an attack of one datagram in each round, without a prepared state."""
    return Attack((), lambda number: [one(number)])


# --- One datagram ---


@_family(**_SHAPE)
def new_layout(params: Params) -> Attack:
    """A layout that was never there."""
    shape = _shape(params)
    return _repeated(lambda number: deflated(of_part(number), *shape.lines(word(number))))


@_family(**_SHAPE)
def new_host(params: Params) -> Attack:
    """A layout that was never there, of a new host."""
    shape = _shape(params)

    def one(number: int) -> bytes:
        head = header(f"{word(number)}{'h' * 200}", session=1, seq=0, parts=1, interval=3600)
        return deflated(head, *shape.lines(word(number)))

    return _repeated(one)


@_family(
    **_SHAPE,
    other_kind=len(KINDS) - 1,
    other_sections=(1, 127),
    other_rows=(1, 1024),
    other_columns=1024,
    other_labels=16,
)
def mixed_layout(params: Params) -> Attack:
    """A layout that was never there, with sections of two kinds."""
    first, second = _shape(params), _shape(params, "other_")

    def one(number: int) -> bytes:
        layout, numbers = first.lines(word(number))
        more, more_numbers = second.lines(f"y{word(number)}")
        joined = b",".join(filter(None, (numbers[1:-1], more_numbers[1:-1])))
        return deflated(of_part(number), layout[:-1] + b"," + more[1:], b"[%b]" % joined)

    return _repeated(one)


@_family(sections=(1, 128), rows=(1, 1000), columns=200, text=200)
def one_byte_differs(params: Params) -> Attack:
    """A layout that differs from the one before in one byte."""
    shape = Shape(KINDS.index("newer"), labels=1, **params)

    def one(number: int) -> bytes:
        layout, numbers = shape.lines("x")
        place = layout.rindex(b'x0"') if b'x0"' in layout else 2
        letter = _DIGITS[number % len(_DIGITS)].encode()
        return deflated(of_part(number), layout[:place] + letter + layout[place + 1 :], numbers)

    return _repeated(one)


@_family(count=16_000, number=len(NUMBERS) - 1, columns=(1, 500), wrong=1)
def numbers(params: Params) -> Attack:
    """Many numbers that are slow to read, for a layout with as many or another number."""
    count = params["count"] // params["columns"] * params["columns"]
    rows = max(1, count // params["columns"])
    shape = Shape(KINDS.index("newer"), columns=params["columns"], rows=rows, labels=1)
    values = array(count, NUMBERS[params["number"]])

    def one(number: int) -> bytes:
        layout = b"{}" if params["wrong"] else shape.lines(word(number))[0]
        return deflated(of_part(number), layout, values)

    return _repeated(one)


@_family(count=2000, number=len(NUMBERS) - 1, field=5)
def header_numbers(params: Params) -> Attack:
    """Numbers that are slow to read, in the header."""
    name = (b"time", b"monotonic", b"interval", b"session", b"seq", b"x")[params["field"]]
    pairs = [b',"%b":%b' % (name, NUMBERS[params["number"]])] * params["count"]
    end = b"".join(pairs) + b"}"
    return _repeated(lambda number: deflated(b'{"host":"%d"%b' % (number, end), b"{}", b"[]"))


@_family(count=(1, 400), number=len(NUMBERS) - 1, form=6)
def plain(params: Params) -> Attack:
    """A plain datagram with as many numbers, names or texts as it can have."""
    literal, names = NUMBERS[params["number"]], [word(row, 2) for row in range(params["count"])]
    cells = b",".join([literal] * len(names))

    def members(value: bytes) -> bytes:
        return b",".join(b'"g%b":%b' % (name.encode(), value) for name in names)

    body = (
        b'"cpu":{"cpu":%b,"user":[%b]}' % (_dumps(names), cells),
        b'"gauges":{%b}' % members(literal),
        b'"meminfo":{%b}' % members(literal),
        b'"families":{"f*":{"type":"gauge","columns":{%b}}}' % members(b"[%b]" % literal),
        b'"families":{%b}' % members(b'{"type":"gauge","values":[1]}'),
        b'"labels":{%b}' % members(b'"a"'),
        b'"cpu":{"cpu":["0"],"user":[%b]}' % cells,
    )[params["form"]]
    return _repeated(lambda number: b'{"host":"%d",%b}' % (number, body))


@_family(count=16_000, form=14)
def broken(params: Params) -> Attack:
    """No report: nesting, escapes, white space, many lines, invalid names and texts."""
    count = params["count"]
    names = b",".join(b'"%b":0' % word(each).encode() for each in range(count // 8))
    layout = (
        b"[" * count,
        b'{"a":' * (count // 5),
        b'{"%b":{}}' % (b"\\u0061" * (count // 6)),
        b'{"%b":{}}' % (b"\\ud83d\\ude00" * (count // 12)),
        b"{%b}" % names,
        b'{"%b":{"type":"gauge"}}' % _EMOJI.encode() * (count // 8),
        b'{"f":{"type":"gauge","labels":{"a":["%b"]}}}' % (b"\\\\" * (count // 2)),
        b'{"cpu":{"labels":{"cpu":["0"]},"values":["%b"]}}' % (b"\x7f" * count),
        b'{"x":{"values":%b}}' % array(count // 3, b"[]"),
        b'{"x":{"type":"gauge","labels":{"a":["0"]},"absent":%b}}' % array(count // 6, b"1e308"),
        b'{"cpu":{"labels":{"cpu":%b}}}' % array(count // 3, b'""'),
        b'{"x_*":{"type":"gauge","values":%b}}' % array(count // 4, b'"a"'),
        b"{" + b" " * count + b"}",
    )
    form = params["form"]
    if form < len(layout):
        return _repeated(lambda number: deflated(of_part(number), layout[form], b"[]"))
    end = b"\n" * count if form == len(layout) else b"{}\n" + b"[" * count
    return _repeated(lambda number: deflated(of_part(number), end))


@_family(labels=(1, 40), text=400, letter=3, script=1)
def own_labels(params: Params) -> Attack:
    """The owner's labels: as many and as long as they may be, other ones each time."""
    text = ("a", "\\", _EMOJI, "\n")[params["letter"]] * params["text"]

    def one(number: int) -> bytes:
        pairs = {f"k{word(each, 2)}": text + word(number) for each in range(params["labels"])}
        head = header(word(number)) if params["script"] else of_part(number)
        return deflated(head, _dumps({"labels": pairs}), b"[]")

    return _repeated(one)


@_family(size=16_000, form=2)
def fourth_line(params: Params) -> Attack:
    """A fourth line as long as it may be."""
    piece = (b'"a"', b'"\\u0061"', b"5e-324")[params["form"]]
    line = b'{"a":%b}' % array(params["size"] // (len(piece) + 1), piece)
    return _repeated(lambda number: deflated(of_part(number), b"{}", b"[]", line))


@_family(form=9, size=1200)
def unreadable(params: Params) -> Attack:
    """Bytes that end in a refusal of the first checks, or inflate to more than is allowed."""
    size = params["size"]

    def one(number: int) -> bytes:
        body = number.to_bytes(4, "big") * (size // 4)
        return (
            b"",
            b"\xb0",
            b"\xb0" + bytes([number % 256]) + body,
            b"\xb0\x01" + body,
            b"\xff" + body,
            b"{" * size,
            b"\xb0\x01" + bytes(size),
            b"x" * (MAX_DATAGRAM_BYTES + 1),
            deflated(bytes(MAX_INFLATED_BYTES + 1)),
            deflated(bytes(size * 900)),
        )[params["form"]]

    return _repeated(one)


# --- A datagram after others of the same host ---


def _report(params: Params, salt: str = "s", session: int = 0) -> list[bytes]:
    """Return the datagrams of a report of several parts, each of the same shape."""
    shape, parts = _shape(params, "stored_"), params["datagrams"]
    return [
        deflated(
            of_part(part, part, parts, session=session),
            *shape.lines("s" if params["same"] else f"{salt}{word(part, 2)}", part * shape.rows),
        )
        for part in range(parts)
    ]


@_family(**_SHAPE, **_STORED, datagrams=(1, 256), plan=1, same=1)
def new_part(params: Params) -> Attack:
    """A new layout of one part of a large report, in the same plan or in another one."""
    shape, parts = _shape(params), params["datagrams"]

    def one(number: int) -> bytes:
        salt = "s" if params["same"] else word(number)
        if params["plan"]:  # the rows of the first part, and others
            return deflated(of_part(300 + number, 0, parts, 1 + number), *shape.lines(salt, number))
        first = parts * params["stored_rows"] + number * shape.rows
        return deflated(of_part(300 + number, 0, parts), *shape.lines(salt, first))

    return Attack(_report(params), lambda number: [one(number)])


@_family(**_STORED, datagrams=(1, 256), same=1, form=3)
def all_dropped(params: Params) -> Attack:
    """A bye, a new session, a new plan or nothing new after a large report."""
    form, shape, parts = params["form"], _shape(params, "stored_"), params["datagrams"]

    def datagrams(number: int) -> list[bytes]:
        session, salt = 10 * number, word(number)
        report = _report(params, salt, session)
        bye = header(session=_SESSION + session, seq=300, bye=True)
        again = "s" if params["same"] else f"{salt}{word(0, 2)}"
        last = (
            (bye, b"{}", b"[]"),
            (of_part(0, session=session + 1), b"{}", b"[]"),
            (of_part(300, 0, 1, 1, session), b"{}", b"[]"),
            (of_part(300, 0, parts, 0, session), *shape.lines(again)),
        )[form]
        return [*report, deflated(*last)]

    return Attack((), datagrams)


@_family(**_SHAPE, **_STORED, datagrams=20, agent=1, same=1)
def loose(params: Params) -> Attack:
    """A datagram without ``parts`` for a host with many sections of others."""
    shape, stored = _shape(params), _shape(params, "stored_")

    def head(order: int) -> bytes:
        if params["agent"]:
            return header(interval=3600, session=_SESSION, seq=order, monotonic=10.0 + order)
        return header(interval=3600)

    prepared = [
        deflated(head(each), *stored.lines(f"s{word(each, 2)}"))
        for each in range(params["datagrams"])
    ]

    def one(number: int) -> bytes:
        salt = f"s{word(0, 2)}" if params["same"] else f"t{word(number)}"
        return deflated(head(100 + number), *shape.lines(salt, number))

    return Attack(prepared, lambda number: [one(number)])


@_family(gap=(1, 100), burst=70, leap=1)
def sequence_gaps(params: Params) -> Attack:
    """Sequence numbers with gaps, some of which close, and a leap at the end."""

    def datagrams(number: int) -> list[bytes]:
        start = 10_000 + number * 1000
        orders = [start, *range(start + params["gap"], start, -1)][: params["burst"] + 1]
        orders.append(2**62 + start if params["leap"] else start + 500)
        return [deflated(of_part(order, session=number), b"{}", b"[]") for order in orders]

    return Attack((), datagrams)


# --- A datagram after those of many hosts ---


@_family(hosts=3000, length=(1, 250), letter=2, gap=70)
def names(params: Params) -> Attack:
    """A new host with a long name, after many others."""
    letter = ("h", "\\", "\x01")[params["letter"]]

    def of_host(number: int, seq: int = 0) -> bytes:
        name = letter * params["length"] + word(number)
        return deflated(header(name, session=1, seq=seq, parts=1, interval=3600), b"{}", b"[]")

    prepared = [of_host(number) for number in range(params["hosts"])]
    return Attack(prepared, lambda number: [of_host(3001 + number, params["gap"])])


@_family(**_SHAPE, hosts=400)
def many_families(params: Params) -> Attack:
    """Other open families from each of many hosts, up to the limit of all."""
    shape = _shape(params)

    def of_host(number: int) -> bytes:
        head = header(f"h{number}", session=1, seq=0, parts=1, interval=3600)
        return deflated(head, *shape.lines(word(number)))

    prepared = [of_host(number) for number in range(params["hosts"])]
    return Attack(prepared, lambda number: [of_host(401 + number)])


#: Costly attacks that a search found or a reader thought of: further searches begin with them.
COSTLY: Final[Mapping[str, Sequence[Params]]] = {
    "new_layout": (
        {"kind": 0, "sections": 56},
        {"kind": 0, "sections": 53, "labels": 16},
        {"kind": 1, "sections": 1, "columns": 420},
        {"kind": 3, "sections": 5, "columns": 100},
        {"kind": 2, "sections": 22, "rows": 3, "columns": 18},
    ),
    "new_host": ({"kind": 0, "sections": 52, "rows": 2, "labels": 1, "number": 12},),
    "mixed_layout": (
        {
            "kind": 6,
            "sections": 2,
            "rows": 8,
            "other_kind": 0,
            "other_sections": 51,
            "other_rows": 2,
            "other_labels": 8,
        },
    ),
    "one_byte_differs": ({"sections": 52, "rows": 2},),
    "numbers": (
        {"count": 3000, "number": 5, "columns": 100},
        {"count": 4000, "number": 2, "columns": 10},
        {"count": 2900, "number": 7, "columns": 10},
    ),
    "header_numbers": ({"count": 70, "number": 5}, {"count": 2000, "number": 5}),
    "plain": ({"count": 55, "form": 1}, {"count": 30, "form": 4}, {"count": 100, "number": 5}),
    "broken": ({"count": 16_000, "form": 8}, {"count": 16_000, "form": 9}, {"count": 1000}),
    "own_labels": ({"labels": 32, "text": 201, "letter": 3},),
    "fourth_line": ({"size": 16_000, "form": 2},),
    "unreadable": ({"form": 8}, {"form": 9, "size": 1000}, {"form": 2}),
    "new_part": (
        {
            "kind": 6,
            "sections": 3,
            "rows": 130,
            "columns": 3,
            "plan": 1,
            "same": 1,
            "stored_kind": 6,
            "stored_sections": 3,
            "stored_rows": 100,
            "stored_columns": 3,
            "datagrams": 30,
        },
        {
            "kind": 6,
            "rows": 400,
            "columns": 2,
            "same": 1,
            "stored_kind": 6,
            "stored_rows": 300,
            "stored_columns": 2,
            "datagrams": 36,
        },
        {
            "kind": 1,
            "columns": 400,
            "labels": 1,
            "same": 1,
            "stored_kind": 1,
            "stored_columns": 400,
            "stored_labels": 1,
            "datagrams": 28,
        },
        {
            "kind": 0,
            "sections": 54,
            "labels": 1,
            "stored_kind": 0,
            "stored_sections": 54,
            "stored_labels": 1,
            "datagrams": 12,
        },
    ),
    "all_dropped": tuple(
        {**stored, "form": form}
        for stored in (
            {"stored_kind": 0, "stored_sections": 54, "datagrams": 12},
            {"stored_kind": 1, "stored_columns": 420, "datagrams": 28},
            {"stored_kind": 1, "stored_sections": 4, "stored_columns": 120, "datagrams": 22},
        )
        for form in (0, 1, 2)
    ),
    "loose": tuple(
        {
            "kind": kind,
            "sections": 54,
            "columns": 1,
            "labels": 1,
            "agent": agent,
            "stored_kind": 0,
            "stored_sections": 54,
            "datagrams": 11,
        }
        for kind in (0, 6)
        for agent in (0, 1)
    ),
    "sequence_gaps": ({"gap": 64, "burst": 64, "leap": 1},),
    "names": ({"hosts": 300, "length": 240, "gap": 64},),
    "many_families": (
        {"kind": 1, "columns": 400, "hosts": 22},
        {"kind": 0, "sections": 54, "hosts": 180},
    ),
}


# --- Floods ---


def _head(number: int, **fields: Any) -> bytes:
    first = {"session": _SESSION, "seq": 0, "monotonic": 1.0, "interval": 3600, "parts": 1}
    return header(f"h{word(number, 4)}", **{**first, **fields})


def _of_shape(shape: Shape, number: int) -> list[bytes]:
    return [deflated(_head(number), *shape.lines(word(number, 4)))]


def _texts(salt: str, count: int, width: int = 2) -> bytes:
    return _dumps([word(each, width) + salt for each in range(count)])


def _member(number: int, name: str, body: Mapping[str, Any], count: int = 0) -> list[bytes]:
    return [deflated(_head(number), _dumps({name: body}), array(count))]


_SHAPES: Final = {
    "numbers": Shape(KINDS.index("newer"), 1, 85, 80, 1),
    "open families": Shape(KINDS.index("open"), 55),
    "open families with a label": Shape(KINDS.index("open"), 53, 1, 1, 1),
    "open families with 16 labels": Shape(KINDS.index("open"), 30, 1, 1, 16),
    "newer sections": Shape(KINDS.index("newer"), 52, 1, 1, 1),
    "rows with 16 labels": Shape(KINDS.index("newer"), 1, 60, 1, 16),
    "records": Shape(KINDS.index("record"), 13, 1, 20),
    "tables": Shape(KINDS.index("table"), 22, 3, 18),
    "absent cells": Shape(KINDS.index("newer"), 1, 12, 36, 1, absent=1),
    "long texts": Shape(KINDS.index("open"), 1, 55, 1, 1, text=245),
}
FLOODS.update({name: partial(_of_shape, shape) for name, shape in _SHAPES.items()})


@_flood
def _columns(number: int) -> list[bytes]:
    values = json.loads(_texts(word(number, 4), 400))
    return _member(number, "cpu", {"labels": {"cpu": ["0"]}, "values": values}, len(values))


@_flood
def _columns_of_a_map(number: int) -> list[bytes]:
    values = json.loads(_texts(word(number, 4), 400))
    return _member(number, "vmstat", {"values": values}, len(values))


@_flood
def _columns_that_all_have(number: int) -> list[bytes]:
    body = {"type": "gauge", "labels": {"a": [word(number, 4)]}}
    return _member(number, "f*", {**body, "values": json.loads(_texts("", 400))}, 400)


@_flood
def _rows(number: int) -> list[bytes]:
    texts = json.loads(_texts(word(number, 4), 380))
    body = {"labels": {"device": texts}, "values": ["entries"]}
    return _member(number, "arp", body, len(texts))


@_flood
def _rows_of_hosts_with_long_names(number: int) -> list[bytes]:
    head = header("n" * 200 + word(number, 4), session=1, seq=0, parts=1, interval=3600)
    body = {"labels": {"device": json.loads(_texts(word(number, 4), 300))}, "values": ["entries"]}
    return [deflated(head, _dumps({"arp": body}), array(300))]


@_flood
def _rows_of_two_hosts(number: int) -> list[bytes]:
    texts = json.loads(_texts(word(number // 2, 4), 380))
    body = {"labels": {"device": texts}, "values": ["entries"]}
    return _member(number, "arp", body, len(texts))


def _long_labels(number: int, salt: str) -> list[bytes]:
    text = salt + _EMOJI * 58
    return _member(number, "labels", {f"k{word(each, 2)}": text for each in range(32)})


@_flood
def _labels(number: int) -> list[bytes]:
    return _long_labels(number, word(number, 4))


@_flood
def _labels_that_all_have(number: int) -> list[bytes]:
    return _long_labels(number, "s")


@_flood
def _fourth_line(number: int) -> list[bytes]:
    return [deflated(_head(number), b"{}", b"[]", b'{"a":"%b"}' % (b"a" * 16_000))]


@_flood
def _emoji(number: int) -> list[bytes]:
    texts = [f"{word(number, 4)}{each}{_EMOJI * 60}" for each in range(11)]
    layout = json.dumps({"x": {"type": "gauge", "labels": {"a": texts}}}, separators=(",", ":"))
    return [deflated(_head(number), layout.encode(), array(11))]


@_flood
def _helps(number: int) -> list[bytes]:
    helps = [word(number, 4) + "h" * 200] * 70
    values = json.loads(_texts("", 70))
    return _member(number, "f*", {"type": "gauge", "help": helps, "values": values}, 70)


@_flood
def _names(number: int) -> list[bytes]:
    name = "n" * 240 + word(number, 4)
    return [deflated(header(name, session=1, seq=0, parts=1, interval=3600), b"{}", b"[]")]


@_flood
def _gaps(number: int) -> list[bytes]:
    return [deflated(_head(number, seq=seq), b"{}", b"[]") for seq in (0, 64)]


@_flood
def _loose_sections(number: int) -> list[bytes]:
    head = header(f"h{word(number, 4)}", interval=3600)
    return [deflated(head, *Shape(sections=55).lines(word(number % 3)))]


@_flood
def _plain_gauges(number: int) -> list[bytes]:
    gauges = {f"g{word(each, 2)}": 1 for each in range(55)}
    return [_dumps({"host": f"h{word(number, 4)}", "interval": 3600, "gauges": gauges})]


@_flood
def _parts(number: int, parts: int = 20) -> list[bytes]:
    shape = Shape(KINDS.index("newer"), labels=1)
    return [
        deflated(
            _head(number, part=part, parts=parts, seq=part),
            *shape.lines(word(number, 4) + word(part, 2)),
        )
        for part in range(parts)
    ]


@_flood
def _empty_parts(number: int) -> list[bytes]:
    heads = (_head(number, part=part, parts=200, seq=part) for part in range(200))
    return [deflated(head, b"{}", b"[]") for head in heads]


@_flood
def _info(number: int) -> list[bytes]:
    fields = SECTIONS["info"].__struct_fields__
    texts = {name: [word(number, 4) + _EMOJI * 120] for name in fields}
    return _member(number, "info", {"labels": texts})


def datagrams(flood: Flood, hosts: Iterable[int]) -> Iterable[bytes]:
    """Yield the datagrams of a flood from hosts of these numbers."""
    for number in hosts:
        yield from flood(number)
