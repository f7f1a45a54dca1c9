"""A report as text for people: its datagrams joined, its values with units."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final

from msgspec.structs import asdict, astuple
from pombo_cli import human
from pombo_wire import MAPS, SECTIONS, Record, Report, Table, decode

Formatter = Callable[[float], str]

_INDENT: Final = "  "
_GAP: Final = "  "


def _timestamp(unix: float) -> str:
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _with_unit(unit: str) -> Formatter:
    return lambda value: f"{human.number(value)} {unit}"


#: The formatter of a section's values. `_FIELDS` and `_ENDINGS` come before it.
_SECTIONS: dict[str, Formatter] = {
    "cpu": human.span,
    "memory": human.size,
    "swap": human.size,
    "pressure": human.span,
    "udp_queues": human.size,
    "temperatures": _with_unit("°C"),
    "thermal_zones": _with_unit("°C"),
    "fans": _with_unit("rpm"),
}

_FIELDS: dict[tuple[str, str], Formatter] = {
    ("system", "boot_time"): _timestamp,
    ("system", "time"): _timestamp,
    ("system", "uptime"): human.span,
    ("system", "entropy_available"): _with_unit("bit"),
    ("system", "entropy_pool"): _with_unit("bit"),
    ("filesystems", "size"): human.size,
    ("filesystems", "free"): human.size,
    ("filesystems", "available"): human.size,
    ("interfaces", "mtu"): _with_unit("B"),
    ("interfaces", "speed"): human.speed,
    ("time_zone", "offset"): human.span,
    ("collectors", "seconds"): human.span,
    **{
        ("timex", name): human.span
        for name in ("offset", "maxerror", "estimated_error", "tick", "tai_offset")
    },
}

_ENDINGS: tuple[tuple[str, Formatter], ...] = (("_bytes", human.size), ("_seconds", human.span))


def render(datagrams: Sequence[bytes], width: int) -> str:
    """Return the datagrams of one report as text, in lines of ``width`` where columns fit."""
    reports = [decode(datagram) for datagram in datagrams]
    return "\n".join(chain(_head(reports, sum(map(len, datagrams))), _body(reports, width), [""]))


def _head(reports: Sequence[Report], length: int) -> Iterator[str]:
    first = reports[0]
    every = human.span(first.interval)
    count = f"{len(reports)} datagram{'s' if len(reports) > 1 else ''} of {human.size(length)}"
    yield f"{human.printable(first.host)}: reports every {every}, in {count}"
    if first.time is not None:
        yield f"at {_timestamp(first.time)}"


def _body(reports: Sequence[Report], width: int) -> Iterator[str]:
    for name in Report.__struct_fields__:
        found = [value for report in reports if (value := getattr(report, name))]
        if not found or name not in {*SECTIONS, *MAPS, "labels"}:
            continue
        yield ""
        yield name
        if isinstance(found[0], Table):
            yield from _table(name, found, width - len(_INDENT))
        else:
            yield from _pairs(name, found)


def _pairs(section: str, found: Iterable[Record | dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each value of a record or a map."""
    values: dict[str, Any] = {}
    for part in found:
        values |= asdict(part) if isinstance(part, Record) else part
    known = {name: value for name, value in values.items() if value not in (None, "")}
    longest = max(map(len, known), default=0)
    for name, value in known.items():
        yield f"{_INDENT}{name:{longest}}{_GAP}{_cell(section, name, value)}"


def _table(section: str, parts: Sequence[Table], width: int) -> Iterator[str]:
    """Yield a table; columns beyond ``width`` follow below, with the keys of the rows again."""
    columns: dict[str, tuple[Any, ...]] = dict.fromkeys(parts[0].__struct_fields__, ())
    for part in parts:
        rows = len(astuple(part)[0])
        for name, values in asdict(part).items():
            columns[name] += (None,) * rows if values is None else values
    cells = [
        [name, *(_cell(section, name, value) for value in values)]
        for name, values in columns.items()
        if any(value not in (None, "") for value in values)
    ]
    texts = parts[0].__struct_fields__[: parts[0].label_columns]
    keys = [column for column in cells if column[0] in texts[: parts[0].key_columns]]
    rest = cells[len(keys) :]
    while True:
        shown, used = [*keys], sum(map(_width, keys))
        while rest and (len(shown) == len(keys) or used + _width(rest[0]) <= width):
            used += _width(rest[0])
            shown.append(rest.pop(0))
        yield from _aligned(shown, texts)
        if not rest:
            return


def _width(column: Sequence[str]) -> int:
    return max(map(len, column)) + len(_GAP)


def _aligned(columns: Sequence[Sequence[str]], texts: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a table: texts aligned left, numbers right."""
    padded = [
        [cell.ljust(wide) if column[0] in texts else cell.rjust(wide) for cell in column]
        for column in columns
        for wide in [max(map(len, column))]
    ]
    for row in zip(*padded, strict=True):
        yield (_INDENT + _GAP.join(row)).rstrip()


def _cell(section: str, name: str, value: float | str | None) -> str:
    if value is None:
        return human.UNKNOWN
    if isinstance(value, str):
        return human.printable(value) or human.UNKNOWN
    by_ending = next((each for ending, each in _ENDINGS if name.endswith(ending)), None)
    formatter = _FIELDS.get((section, name)) or by_ending or _SECTIONS.get(section, human.number)
    return formatter(value)
