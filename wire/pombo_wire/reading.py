"""Datagrams to what they say: the header, the layout line and the packed numbers.

All numbers of strangers are read by orjson: msgspec takes 9 microseconds for each ``1e308``, so a
short datagram that is full of them would cost tens of milliseconds. Source: docs/wire.md.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import resources
from itertools import chain
from math import nan
from struct import Struct as Packing
from struct import error as PackingError  # noqa: N812 - the module calls it `error`
from typing import Any, Final, NamedTuple

import msgspec
import orjson
from msgspec import Struct

from pombo_wire.layout import OWN_LABELS, check_family
from pombo_wire.limits import MAX_DATAGRAM_BYTES, MAX_HEADER_BYTES, MAX_INFLATED_BYTES
from pombo_wire.reasons import DecodeError, Reason
from pombo_wire.schema import MAPS, SECTIONS, Extra, Header, Processes, Report, Table

#: The first byte of a packed datagram.
PACKED: Final = 0xB0

_OBJECT: Final = b"{ \t\r\n"  # with one of these begins a plain datagram
_ABSENT: Final = b"{}", b"[]"
_HEADER_FIELDS: Final = frozenset(Header.__struct_fields__)
_REPORT_FIELDS: Final = Report.__struct_fields__
_EXTRA_FIELDS: Final = Extra.__struct_fields__
_TEXTS: Final = Processes.__struct_fields__[1 : Processes.label_columns]
_LEVELS: Final = 200  # orjson writes 254 levels of lists, but reads 1,024
_CONTROL: Final = re.compile("[\0-\x1f\x7f-\x9f]")


class Datagram(Struct, frozen=True, gc=False):
    """What a datagram says.

    ``numbers`` are float64 in the machine's byte order, NaN where unknown, of shape (count,), in
    the order of the cells of ``layout``. ``has_negative`` is false where no number is negative.
    ``extra`` is the JSON object of tables whose texts change with every report, empty without any.
    """

    header: Header
    layout: bytes
    numbers: bytes
    has_negative: bool = False
    extra: bytes = b""


class Outer(NamedTuple):
    """The name and the sequence number of the sealed datagram around a packed or plain one."""

    host: str
    seq: int


def read(datagram: bytes, outer: Outer | None = None) -> Datagram:
    """Return what a packed or plain datagram says; the layout is not read.

    With ``outer``, its name and number may be missing inside.

    Raises:
        DecodeError: when the datagram is not valid.
    """
    if len(datagram) > MAX_DATAGRAM_BYTES:
        detail = f"longer than {MAX_DATAGRAM_BYTES} bytes: split the report between its rows"
        raise DecodeError(Reason.TOO_LARGE, detail)
    first = datagram[:1]
    if first == b"\xb0":
        return _read_lines(inflate(datagram), outer)
    if first and first in _OBJECT:
        return _read_plain(datagram, outer)
    if not first:
        raise DecodeError(Reason.UNKNOWN_FORM, "the datagram is empty")
    detail = f"a datagram begins with `{{` or the byte B0, this one with {first.hex().upper()}"
    raise DecodeError(Reason.UNKNOWN_FORM, detail)


@lru_cache(maxsize=256)
def dictionary(number: int) -> bytes | None:
    """Return the preset dictionary of this number, None when there is none."""
    path = resources.files("pombo_wire") / "dictionaries" / f"{number}.bin"
    return path.read_bytes() if path.is_file() else None


def inflate(datagram: bytes) -> bytes:
    """Return the lines of a packed datagram.

    Raises:
        DecodeError: when it is no DEFLATE stream, or has more than MAX_INFLATED_BYTES.
    """
    number = datagram[1] if len(datagram) > 1 else -1
    preset = dictionary(number)
    if preset is None:
        detail = f"dictionary {number} is unknown: update the exporter"
        raise DecodeError(Reason.UNKNOWN_DICTIONARY, detail)
    stream = zlib.decompressobj(wbits=-zlib.MAX_WBITS, zdict=preset)
    try:
        lines = stream.decompress(datagram[2:], MAX_INFLATED_BYTES + 1)
    except zlib.error as error:
        raise DecodeError(Reason.NOT_DEFLATE, f"send raw DEFLATE (RFC 1951): {error}") from None
    if len(lines) > MAX_INFLATED_BYTES:
        detail = f"longer than {MAX_INFLATED_BYTES} bytes when inflated: split the report"
        raise DecodeError(Reason.TOO_LARGE, detail)
    if not stream.eof or stream.unused_data:
        detail = "the DEFLATE stream must end with the datagram"
        raise DecodeError(Reason.NOT_DEFLATE, detail)
    return lines


def _read_lines(lines: bytes, outer: Outer | None) -> Datagram:
    parts = lines.split(b"\n")
    if not 3 <= len(parts) <= 4:
        detail = f"{len(parts)} lines: send header, layout, numbers, and an object at most"
        raise DecodeError(Reason.NOT_JSON, detail)
    header, layout, numbers, *rest = parts
    if len(header) > MAX_HEADER_BYTES:
        detail = f"header: {len(header)} bytes: it has {MAX_HEADER_BYTES} at most"
        raise DecodeError(Reason.TOO_LARGE, detail)
    extra = rest[0] if rest else b""
    if extra:
        _check_extra(_loads(extra, "line 4"), extra)
    return Datagram(
        _header(_loads(header, "header"), outer),
        layout,
        read_numbers(numbers),
        b"-" in numbers,
        extra,
    )


def _check_extra(found: Any, line: bytes) -> None:
    """Check the tables of a fourth line, and that all of it can be written again.

    Raises:
        DecodeError: when it is no object, or a table of it is not valid.
    """
    if not isinstance(found, dict):
        raise DecodeError(Reason.NOT_JSON, "line 4: send one JSON object")
    if line.count(b"[") + line.count(b"{") > _LEVELS:
        _member("line 4", found)
    _extra(found)


def _extra(found: dict[str, Any]) -> Extra:
    """Return the tables whose texts change with every report.

    Raises:
        DecodeError: when one is not valid.
    """
    try:
        extra = msgspec.convert(found, Extra)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, DecodeError):
            raise error.__cause__ from None
        raise DecodeError(Reason.INVALID_FIELD, str(error)) from None
    processes = extra.processes
    if processes:
        texts = chain(*filter(None, (getattr(processes, name) for name in _TEXTS)))
        if _CONTROL.search("".join(texts)):
            detail = "`$.processes` has a control character: replace it"
            raise DecodeError(Reason.INVALID_FIELD, detail)
    return extra


def read_extra(line: bytes) -> Extra:
    """Return the tables of the ``extra`` of a datagram."""
    return msgspec.convert(orjson.loads(line), Extra) if line else Extra()


def _loads(text: bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise DecodeError(Reason.NOT_JSON, f"{what}: send valid JSON: {error}") from None


def _header(fields: Any, outer: Outer | None) -> Header:
    if outer is not None and isinstance(fields, dict):
        _check_inside(fields, outer)
    try:
        header = msgspec.convert(fields, Header)
    except msgspec.ValidationError as error:
        raise DecodeError(Reason.INVALID_FIELD, str(error)) from None
    if (header.session is None) is not (header.seq is None):
        raise DecodeError(Reason.INVALID_FIELD, "`$.session` and `$.seq` go together: send both")
    if header.parts is None:
        if header.part or header.plan:
            raise DecodeError(Reason.INVALID_FIELD, "`$.part` and `$.plan` need `$.parts`")
    elif header.part >= header.parts:
        detail = f"`$.part` is {header.part}, of {header.parts} parts from 0"
        raise DecodeError(Reason.INVALID_FIELD, detail)
    elif header.session is None:
        raise DecodeError(Reason.INVALID_FIELD, "`$.parts` needs `$.session` and `$.seq`")
    return header


def _check_inside(fields: dict[str, Any], outer: Outer) -> None:
    """Complete the header in a sealed datagram with the name and the number around it."""
    if fields.setdefault("host", outer.host) != outer.host:
        detail = "`$.host` is not the name that is sealed: leave it out"
        raise DecodeError(Reason.WRONG_NAME, detail)
    seq = fields.setdefault("seq", outer.seq)
    if type(seq) is not int or seq != outer.seq:
        detail = "`$.seq` is not the number that is sealed: leave it out"
        raise DecodeError(Reason.INVALID_FIELD, detail)
    fields.setdefault("session", 0)


def read_numbers(line: bytes) -> bytes:
    """Return a JSON array of numbers as packed float64, NaN for each null.

    Raises:
        DecodeError: when it is anything else.
    """
    values = _loads(line, "numbers")
    # `true` would be packed as 1. No number and no null has one of these letters.
    if type(values) is list and not (b"t" in line or b"f" in line):
        packed = _packed(values)
        if packed is not None:
            return packed
    raise DecodeError(Reason.INVALID_FIELD, "numbers: send one array of numbers and nulls")


def _packed(values: Sequence[float | None]) -> bytes | None:
    """Return float64, NaN for each None; None when a value is not a number."""
    packing = _packing(len(values))
    try:
        return packing.pack(*values)
    except PackingError:
        pass
    try:
        return packing.pack(*(nan if value is None else value for value in values))
    except PackingError:
        return None


@lru_cache(maxsize=1024)
def _packing(count: int) -> Packing:
    return Packing(f"{count}d")


def _read_plain(datagram: bytes, outer: Outer | None) -> Datagram:
    report = _loads(datagram, "datagram")
    if not isinstance(report, dict):
        raise DecodeError(Reason.NOT_JSON, "send one JSON object")
    header = _header({name: report[name] for name in report.keys() & _HEADER_FIELDS}, outer)
    members: list[bytes] = []
    numbers: list[float | None] = []
    for name in _REPORT_FIELDS:
        found = report.get(name)
        if found is None or name in _HEADER_FIELDS:
            continue
        if name == OWN_LABELS:
            members.append(_member(name, found))
            continue
        if not isinstance(found, dict):
            raise DecodeError(Reason.INVALID_FIELD, f"`$.{name}`: send an object")
        for member, values in _plain_members(name, found):
            members.append(member)
            numbers += values
    if any(type(value) not in _NUMBERS for value in numbers):
        raise DecodeError(Reason.INVALID_FIELD, "values are numbers, or null where unknown")
    packed = _packed(numbers)
    assert packed is not None
    layout = b"{%b}" % b",".join(members)
    tables = {name: report[name] for name in _EXTRA_FIELDS if name in report}
    extra = msgspec.json.encode(_extra(tables)) if tables else b""
    return Datagram(header, layout, packed, b"-" in datagram, extra)


_NUMBERS: Final = frozenset({float, int, type(None)})

_Plain = Iterator[tuple[bytes, Sequence[float | None]]]


def _plain_members(name: str, found: dict[str, Any]) -> _Plain:
    """Yield the members of a layout that a field of a plain datagram makes, and their numbers."""
    if name == "gauges":
        # Each is a section of its own, so that two scripts do not replace each other's gauges.
        for family, value in found.items():
            check_family(family)
            yield _member(family, {"type": "gauge"}), [value]
    elif name == "families":
        for family, described in found.items():
            if "*" not in family:
                check_family(family)
            yield _open_family(family, described)
    elif name in MAPS:
        yield _member(name, {"values": [*found]}), [*found.values()]
    else:
        yield _section(name, found)


def _member(name: str, value: Any) -> bytes:
    try:
        return orjson.dumps({name: value})[1:-1]
    except orjson.JSONEncodeError:  # it writes fewer levels of lists than it reads
        raise DecodeError(Reason.INVALID_FIELD, f"`$.{name}` is nested too deep") from None


def _open_family(name: str, found: Any) -> tuple[bytes, Sequence[float | None]]:
    if not isinstance(found, dict):
        raise DecodeError(Reason.INVALID_FIELD, f"`$.families.{name}`: send an object")
    layout = {key: found[key] for key in ("type", "help", "labels") if key in found}
    if layout.get("type") is None:
        raise DecodeError(Reason.INVALID_FIELD, f"`$.families.{name}` has no `type`: send it")
    columns = found.get("columns", {}) if "*" in name else {name: found.get("values")}
    if not isinstance(columns, dict):
        raise DecodeError(Reason.INVALID_FIELD, f"`$.families.{name}.columns`: send an object")
    if "*" in name:
        layout["values"] = [*columns]
    rows = _rows(name, layout["labels"]) if layout.get("labels") else 1
    return _member(name, layout), _cells(name, columns, rows)


def _rows(name: str, labels: Any) -> int:
    """Return how many texts the first label column of an open family has."""
    if isinstance(labels, dict):
        first = next(iter(labels.values()))
        if isinstance(first, list):
            return len(first)
    detail = f"`$.families.{name}.labels`: send an array of texts for each label"
    raise DecodeError(Reason.INVALID_FIELD, detail)


def _section(name: str, found: dict[str, Any]) -> tuple[bytes, Sequence[float | None]]:
    kind = SECTIONS[name]
    fields = kind.__struct_fields__
    labels, values = fields[: kind.label_columns], fields[kind.label_columns :]
    layout: dict[str, Any] = {}
    if issubclass(kind, Table):
        columns = {key: found[key] for key in values if found.get(key) is not None}
        missing = [key for key in labels if key not in found]
        if missing:
            detail = f"`$.{name}` lacks `{missing[0]}`: send a text for each row"
            raise DecodeError(Reason.INVALID_FIELD, detail)
        layout["labels"] = {key: found[key] for key in labels}
        first = found[labels[0]]
        if not isinstance(first, list):
            detail = f"`$.{name}.{labels[0]}`: send an array of texts"
            raise DecodeError(Reason.INVALID_FIELD, detail)
        rows = len(first)
    else:
        if labels:
            layout["labels"] = {key: [found.get(key, "")] for key in labels}
        columns, rows = {key: [found[key]] for key in values if key in found}, 1
    if columns:
        layout["values"] = [*columns]
    return _member(name, layout), _cells(name, columns, rows)


def _cells(name: str, columns: dict[str, Any], rows: int) -> Sequence[float | None]:
    """Return the cells of a section, column after column."""
    for key, column in columns.items():
        if not isinstance(column, list):
            raise DecodeError(Reason.INVALID_FIELD, f"`{name}.{key}`: send an array of numbers")
        if len(column) != rows:
            detail = f"`{name}`: columns differ in length: give each {rows} values or leave it out"
            raise DecodeError(Reason.UNEQUAL_COLUMNS, detail)
    return [*chain.from_iterable(columns.values())]
