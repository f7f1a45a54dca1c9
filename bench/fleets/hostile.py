"""Hostile datagrams: the costliest ones that a sender can make, as far as a search finds them.

A *family* is one idea of an attack. Its parameters are numbers, so that a search can vary them;
any numbers within their ranges make datagrams, some of which are refused.
"""

import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pombo_wire import MAPS, SECTIONS, Table
from pombo_wire.forms import DICTIONARY, PACKED, read_dictionary

#: The parameters of an attack, by name, and the range of each.
Params = Mapping[str, int]
Ranges = Mapping[str, range]

#: Numbers of which some parser or packer has a slow case.
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

_SESSION: Final = 1_800_000_000_000_000_000  # nanoseconds; later ones follow
_KINDS: Final = ("open", "star", "table", "map", "newer", "record", "rates")
_RATES: Final = ("cpu", "disks", "networks")
_TABLES: Final = tuple(name for name, kind in SECTIONS.items() if issubclass(kind, Table))
_RECORDS: Final = tuple(name for name in SECTIONS if name not in _TABLES)
_TOO_LONG: Final = 16 * 1024  # bytes
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True)
class Attack:
    """Datagrams that prepare the exporter's memory once, and rounds of others.

    ``round`` returns the datagrams of the round of that number; the last one is the costly one.
    """

    prepared: tuple[bytes, ...]
    round: Callable[[int], list[bytes]]


@dataclass(frozen=True)
class Family:
    """One idea of an attack, and the ranges of its parameters."""

    name: str
    ranges: Ranges
    make: Callable[[Params], Attack]


#: All families, by name.
FAMILIES: dict[str, Family] = {}


def _family(**ranges: int | tuple[int, int]) -> Callable[[Callable[[Params], Attack]], Family]:
    """Register a family; a range is from 0, or between two numbers, its end included."""
    pairs = {
        name: range(each + 1) if isinstance(each, int) else range(each[0], each[1] + 1)
        for name, each in ranges.items()
    }

    def register(make: Callable[[Params], Attack]) -> Family:
        family = Family(make.__name__, pairs, make)
        FAMILIES[family.name] = family
        return family

    return register


def deflated(*lines: bytes) -> bytes:
    """Return the packed datagram of these lines, whatever they are."""
    compressor = zlib.compressobj(
        9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, read_dictionary(DICTIONARY)
    )
    stream = compressor.compress(b"\n".join(lines)) + compressor.flush()
    return bytes((PACKED, DICTIONARY)) + stream


def header(host: str = "attacker", **fields: Any) -> bytes:
    """Return a header line; without ``session`` it is that of a script."""
    return json.dumps({"host": host, **fields}, separators=(",", ":")).encode()


def of_part(order: int, part: int = 0, parts: int = 1, plan: int = 0, session: int = 0) -> bytes:
    """Return the header of a part of an agent's report; ``order`` numbers its datagrams."""
    more = {"part": part, "parts": parts, "plan": plan, "interval": 3600}
    clock = {"time": 1.8e9 + order, "monotonic": 10.0 + order}
    return header(session=_SESSION + session, seq=order, **clock, **more)


def word(number: int, width: int = 3) -> str:
    """Return a short text for a number, of that width; great numbers wrap around."""
    found = ""
    for _ in range(width):
        number, digit = divmod(number, len(_LETTERS))
        found = _LETTERS[digit] + found
    return found


def array(count: int, number: bytes) -> bytes:
    """Return a JSON array of one number, ``count`` times."""
    return b"[%b]" % b",".join([number] * count)


@dataclass(frozen=True)
class Shape:
    """What the sections of a datagram have in common.

    ``kind`` and ``number`` are indexes of kinds of sections and of ``NUMBERS``. ``text`` is how
    many letters a text has besides its number; every ``absent``-th cell is absent.
    """

    kind: int = 0
    sections: int = 1
    rows: int = 1
    columns: int = 1
    labels: int = 1
    text: int = 0
    absent: int = 0
    number: int = 0

    def lines(self, salt: str, first_row: int = 0) -> tuple[bytes, bytes]:
        """Return a layout and its numbers; another salt makes other names and texts."""
        members, count, size = [], 0, 0
        for index in range(self.sections):
            if size > _TOO_LONG:
                break  # it is refused in any case
            name, body, cells = self._member(index, salt, first_row)
            if self.absent and cells:
                body["absent"] = absent = [*range(0, cells, self.absent)]
                cells -= len(absent)
            members.append(b'"%b":%b' % (name.encode(), _dumps(body)))
            size += len(members[-1])
            count += cells
        return b"{%b}" % b",".join(members), array(min(count, _TOO_LONG), NUMBERS[self.number])

    def _member(self, index: int, salt: str, first_row: int) -> tuple[str, dict[str, Any], int]:
        kind = _KINDS[self.kind]
        rows = max(1, self.rows)
        columns = [f"{word(each, 2)}{salt}" for each in range(self.columns)]
        if kind in ("table", "rates"):
            names = _RATES if kind == "rates" else _TABLES
            name = names[index] if index < len(names) else f"x{word(index, 2)}"
            schema = SECTIONS.get(name)
            texts = schema.label_columns if schema else 1
            fields = schema.__struct_fields__ if schema else ("device",)
            columns = [*fields[texts:], *columns][: self.columns]
            labels = {label: self._texts(rows, salt, first_row) for label in fields[:texts]}
            return name, {"labels": labels, "values": columns}, len(columns) * rows
        if kind == "map":
            name = MAPS[index] if index < len(MAPS) else f"x{word(index, 2)}"
            return name, {"values": columns}, len(columns)
        if kind == "record":
            name = _RECORDS[index] if index < len(_RECORDS) else f"x{word(index, 2)}"
            schema = SECTIONS.get(name)
            fields = schema.__struct_fields__[: schema.label_columns] if schema else ()
            labels = {label: ["a" * self.text + salt] for label in fields}
            return name, {"labels": labels, "values": columns}, len(columns)
        labels = {
            f"k{_LETTERS[each % len(_LETTERS)]}": self._texts(rows, salt, first_row)
            for each in range(self.labels)
        }
        rows = rows if labels else 1
        if kind == "open":
            return f"f{word(index, 2)}{salt}", {"type": "gauge", "labels": labels}, rows
        if kind == "star":
            body = {"type": "counter", "labels": labels, "values": columns}
            return f"f{word(index, 2)}{salt}*", body, len(columns) * rows
        body = {"labels": labels, "values": columns}
        return f"x{word(index, 2)}{salt}", body, len(columns) * rows

    def _texts(self, rows: int, salt: str, first_row: int) -> list[str]:
        return [f"{'a' * self.text}{salt}{row}" for row in range(first_row, first_row + rows)]


def _dumps(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


_SHAPE_RANGES: Final = {
    "kind": len(_KINDS) - 1,
    "sections": (1, 128),
    "rows": (1, 1024),
    "columns": 1024,
    "labels": 16,
    "text": 255,
    "absent": 8,
    "number": len(NUMBERS) - 1,
}


def _shape(params: Params, prefix: str = "") -> Shape:
    return Shape(
        **{name: params[prefix + name] for name in _SHAPE_RANGES if prefix + name in params}
    )


def _prefixed(prefix: str, names: Mapping[str, Any]) -> dict[str, Any]:
    return {prefix + name: each for name, each in names.items()}


# --- One datagram, without any state ---


@_family(**_SHAPE_RANGES)
def new_layout(params: Params) -> Attack:
    """A report of one part, with a layout that was never there."""
    shape = _shape(params)
    return Attack((), lambda number: [deflated(of_part(number), *shape.lines(word(number)))])


@_family(**_SHAPE_RANGES)
def new_host(params: Params) -> Attack:
    """A new host with each datagram."""
    shape = _shape(params)

    def one(number: int) -> list[bytes]:
        head = header(f"{word(number)}{'h' * 200}", session=1, seq=0, parts=1, interval=3600)
        return [deflated(head, *shape.lines(word(number)))]

    return Attack((), one)


@_family(
    **_SHAPE_RANGES,
    other_kind=len(_KINDS) - 1,
    other_sections=(1, 127),
    other_rows=(1, 1024),
    other_columns=1024,
)
def mixed_layout(params: Params) -> Attack:
    """A new layout of sections of two kinds."""
    one, other = _shape(params), _shape(params, "other_")

    def datagram(number: int) -> list[bytes]:
        salt = word(number)
        layout, numbers = one.lines(salt)
        more, more_numbers = other.lines(f"y{salt}")
        joined = b"[%b]" % b",".join(filter(None, (numbers[1:-1], more_numbers[1:-1])))
        return [deflated(of_part(number), layout[:-1] + b"," + more[1:], joined)]

    return Attack((), datagram)


@_family(count=(0, 16_000), number=len(NUMBERS) - 1, columns=1000, name=1)
def numbers(params: Params) -> Attack:
    """Many numbers that are slow to read, for a layout that has as many or not."""
    columns = params["columns"]
    shape = Shape(4, columns=columns, rows=max(1, params["count"] // max(1, columns)), labels=1)

    def datagram(number: int) -> list[bytes]:
        layout, _ = shape.lines(word(number))
        if params["name"]:
            layout = b"{}"
        return [
            deflated(of_part(number), layout, array(params["count"], NUMBERS[params["number"]]))
        ]

    return Attack((), datagram)


@_family(count=(0, 2000), number=len(NUMBERS) - 1, field=5)
def header_numbers(params: Params) -> Attack:
    """Numbers that are slow to read, in the header."""
    names = ("time", "monotonic", "interval", "session", "seq", "x")
    name = names[params["field"]].encode()
    pairs = b",".join([b'"%b":%b' % (name, NUMBERS[params["number"]])] * params["count"])

    def datagram(number: int) -> list[bytes]:
        head = b'{"host":"%d",%b}' % (number, pairs or b'"x":0')
        return [deflated(head, b"{}", b"[]")]

    return Attack((), datagram)


@_family(count=(0, 1200), number=len(NUMBERS) - 1, form=6)
def plain(params: Params) -> Attack:
    """A plain datagram: numbers in columns, gauges, maps and families."""
    literal = NUMBERS[params["number"]]
    count = params["count"]

    def datagram(number: int) -> list[bytes]:
        salt = word(number).encode()
        rows = b",".join(b'"%b"' % word(row, 2).encode() for row in range(count))
        cells = b",".join([literal] * count)
        pairs = b",".join(
            b'"%b%b":%b' % (word(row, 2).replace("0", "_").encode(), b"", literal)
            for row in range(count)
        )
        body = (
            b'"cpu":{"cpu":[%b],"user":[%b]}' % (rows, cells),
            b'"gauges":{%b}' % pairs,
            b'"meminfo":{%b}' % pairs,
            b'"families":{"f*":{"type":"gauge","columns":{%b}}}'
            % pairs.replace(b":", b":[").replace(b",", b"],").rstrip(b"]")
            + b"]" * bool(pairs),
            b'"families":{%b}'
            % b",".join(
                b'"f%b":{"type":"gauge","values":[1]}' % word(row, 2).encode()
                for row in range(count)
            ),
            b'"labels":{%b}' % pairs.replace(b":" + literal, b':"a"'),
            b'"cpu":{"cpu":["0"],"user":[%b]}' % cells,
        )[params["form"]]
        return [b'{"host":"h%b",%b}' % (salt, body)]

    return Attack((), datagram)


@_family(count=(0, 16_000), form=13)
def broken(params: Params) -> Attack:
    """What is no report: nesting, escapes, white space, many lines, a stream that is too long."""
    count = params["count"]

    def datagram(number: int) -> list[bytes]:
        salt = word(number).encode()
        head = of_part(number)
        form = params["form"]
        layouts = (
            b"[" * count,
            b'{"a":' * (count // 5),
            b'{"%b":{}}' % (b"\\u0061" * (count // 6)),
            b'{"%b":{}}' % (b"\\ud83d\\ude00" * (count // 12)),
            b"{%b}" % b",".join(b'"%b":0' % word(each).encode() for each in range(count // 8)),
            b'{"%b":{"type":"gauge"}}' % (b"\xf0\x9f\x98\x80" * (count // 4)),
            b'{"f%b":{"type":"gauge","labels":{"a":["%b"]}}}' % (salt, b"\\\\" * (count // 2)),
            b'{"cpu":{"labels":{"cpu":["%b"]},"values":["%b"]}}' % (salt, b"\x7f" * count),
            b'{"%b":{"values":[%b]}}' % (salt, b",".join([b"[]"] * (count // 3))),
            b'{"cpu":{"labels":{"cpu":[%b]}}}' % b",".join([b'""'] * (count // 3)),
            b"{" + b" " * count + b"}",
        )
        if form < len(layouts):
            return [deflated(head, layouts[form], b"[]")]
        if form == len(layouts):
            return [deflated(head, b"\n" * count)]
        if form == len(layouts) + 1:
            return [deflated(head, b"{}", b"[]", b"[" * count)]
        return [deflated(head, b"{}", b"[" * count)]

    return Attack((), datagram)


@_family(labels=(0, 40), text=(0, 400), letter=3, form=2)
def own_labels(params: Params) -> Attack:
    """The owner's labels: as many and as long as they may be, other ones each time."""
    letter = ("a", "\\", "\U0001f600", "\n")[params["letter"]]

    def datagram(number: int) -> list[bytes]:
        salt = word(number)
        pairs = {
            f"l{word(each, 2)}": letter * params["text"] + salt for each in range(params["labels"])
        }
        layout = json.dumps({"labels": pairs}, separators=(",", ":"), ensure_ascii=False).encode()
        head = of_part(number) if params["form"] else header(f"h{salt}")
        return [deflated(head, layout, b"[]")]

    return Attack((), datagram)


@_family(size=(0, 16_000), letter=2, same=1)
def extra(params: Params) -> Attack:
    """A fourth line of any length."""
    letter = (b"a", b"\\u0061", b"[1e308,5e-324],")[params["letter"]]

    def datagram(number: int) -> list[bytes]:
        count = params["size"] // len(letter)
        text = (
            b'{"a":"%b"}' % (letter * count)
            if params["letter"] < 2
            else b'{"a":[%b0]}' % (letter * count)
        )
        layout = b"{}" if params["same"] else Shape().lines(word(number))[0]
        return [deflated(of_part(number), layout, b"[]" if params["same"] else b"[1]", text)]

    return Attack((), datagram)


@_family(sections=(1, 128), rows=(1, 1000), columns=200, text=200)
def one_byte_differs(params: Params) -> Attack:
    """Layouts that differ in their last byte only."""
    shape = Shape(0, params["sections"], params["rows"], params["columns"], 1, params["text"])

    def datagram(number: int) -> list[bytes]:
        layout, numbers = shape.lines("x")
        return [
            deflated(of_part(number), layout[:-6] + word(number, 2).encode() + layout[-4:], numbers)
        ]

    return Attack((), datagram)


# --- A datagram for a host that has many already ---

_STATE_RANGES: Final = {
    **_prefixed("stored_", _SHAPE_RANGES),
    "datagrams": (1, 256),
    "plan": 1,
    "same": 1,
}


def _stored(params: Params, session: int = 0, salt: str = "s") -> list[bytes]:
    """Return the datagrams of a report of several parts, each with the same shape."""
    shape, parts = _shape(params, "stored_"), params["datagrams"]
    return [
        deflated(
            of_part(part, part, parts, session=session),
            *shape.lines("s" if params["same"] else f"{salt}{word(part, 2)}", part * shape.rows),
        )
        for part in range(parts)
    ]


@_family(**_SHAPE_RANGES, **_STATE_RANGES)
def new_part(params: Params) -> Attack:
    """A new layout of one part of a large report, in the same plan or in another one."""
    shape, parts = _shape(params), params["datagrams"]

    def datagram(number: int) -> list[bytes]:
        plan, order = (number + 1, 100 + number) if params["plan"] else (0, 100 + number)
        salt = "s" if params["same"] else word(number)
        first = parts * params["stored_rows"] + number if not params["plan"] else number
        return [deflated(of_part(order, 0, parts, plan), *shape.lines(salt, first))]

    return Attack(tuple(_stored(params)), datagram)


@_family(**_prefixed("stored_", _SHAPE_RANGES), datagrams=(1, 256), same=1, form=3)
def all_dropped(params: Params) -> Attack:
    """A bye, a new session, a new plan or a repeated layout after a large report."""
    form = params["form"]

    def datagrams(number: int) -> list[bytes]:
        stored = _stored(params, 10 * number, word(number))
        if form == 0:
            last = deflated(header(session=_SESSION + 10 * number, seq=100, bye=True), b"{}", b"[]")
        elif form == 1:
            last = deflated(of_part(0, session=10 * number + 1), b"{}", b"[]")
        elif form == 2:
            last = deflated(of_part(100, 0, 1, 1, session=10 * number), b"{}", b"[]")
        else:
            shape = _shape(params, "stored_")
            salt = "s" if params["same"] else f"{word(number)}{word(0, 2)}"
            last = deflated(
                of_part(100, 0, params["datagrams"], session=10 * number), *shape.lines(salt)
            )
        return [*stored, last]

    return Attack((), datagrams)


@_family(
    **_SHAPE_RANGES,
    stored_sections=(1, 128),
    stored_columns=300,
    stored_rows=(1, 900),
    stored_kind=len(_KINDS) - 1,
    datagrams=(0, 20),
    agent=1,
    same=1,
)
def loose(params: Params) -> Attack:
    """A datagram without ``parts`` for a host with many loose sections."""
    shape, stored = _shape(params), _shape(params, "stored_")

    def head(order: int) -> bytes:
        session = {"session": _SESSION, "seq": order, "monotonic": 10.0 + order}
        return header(interval=3600, **(session if params["agent"] else {}))

    prepared = [
        deflated(head(each), *stored.lines(f"s{word(each, 2)}"))
        for each in range(params["datagrams"])
    ]

    def datagram(number: int) -> list[bytes]:
        salt = f"s{word(0, 2)}" if params["same"] else f"t{word(number)}"
        return [deflated(head(100 + number), *shape.lines(salt, number))]

    return Attack(tuple(prepared), datagram)


@_family(sections=(1, 128), columns=1000, hosts=(1, 400), kind=(0, 1))
def families(params: Params) -> Attack:
    """Many open families, other ones from each host."""
    shape = Shape(params["kind"], params["sections"], 1, params["columns"], 0)

    def of_host(number: int) -> bytes:
        head = header(f"h{number}", session=1, seq=0, parts=1, interval=3600)
        return deflated(head, *shape.lines(word(number)))

    return Attack(
        tuple(map(of_host, range(params["hosts"]))), lambda number: [of_host(2001 + number)]
    )


@_family(hosts=(0, 3000), length=(1, 250), letter=2, gap=70)
def names(params: Params) -> Attack:
    """Many hosts with long names, and gaps in their sequence numbers."""
    letter = ("h", "\\", "\x01")[params["letter"]]

    def of_host(number: int, seq: int = 0) -> bytes:
        name = letter * params["length"] + word(number)
        return deflated(header(name, session=1, seq=seq, parts=1, interval=3600), b"{}", b"[]")

    prepared = tuple(of_host(number) for number in range(params["hosts"]))
    return Attack(prepared, lambda number: [of_host(3001 + number, params["gap"])])


@_family(gap=(1, 100), burst=70, leap=1)
def sequence_gaps(params: Params) -> Attack:
    """Sequence numbers with gaps, some of which close."""

    def datagrams(number: int) -> list[bytes]:
        start = 10_000 + number * 1000
        orders = [start, *range(start + params["gap"], start, -1)][: params["burst"] + 1]
        orders.append(2**62 + start if params["leap"] else start + 500)
        return [deflated(of_part(order, session=number), b"{}", b"[]") for order in orders]

    return Attack((), datagrams)


@_family(form=11, size=(0, 1200))
def unreadable(params: Params) -> Attack:
    """Bytes that end in a refusal of the first checks."""

    def datagram(number: int) -> list[bytes]:
        size = params["size"]
        body = number.to_bytes(4, "big") * (size // 4)
        return [
            (
                b"",
                b"\xb0",
                b"\xb0" + bytes([number % 256]) + body,
                b"\xb0\x01" + body,
                b"\xff" + body,
                b"{" + body,
                b"{" * size,
                b"\xb0\x01" + bytes(size),
                b"x" * 1300,
                _bomb(16 * 1024 + 1),
                _bomb(size * 1000),
                b"[" * size,
            )[params["form"]]
        ]

    return Attack((), datagram)


def _bomb(size: int) -> bytes:
    return deflated(bytes(size))


def datagrams(family: Family, params: Params, rounds: int) -> Iterator[bytes]:
    """Yield all datagrams of an attack."""
    attack = family.make(params)
    yield from attack.prepared
    for number in range(rounds):
        yield from attack.round(number)
