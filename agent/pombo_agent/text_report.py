"""A report as text for people: its sections, and its values with units."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from itertools import chain
from typing import Any, Final

from pombo_cli import human
from pombo_wire.columns import columns_of
from pombo_wire.section import Section

Formatter = Callable[[float], str]

_INDENT: Final = "  "
_GAP: Final = "  "


def _timestamp(unix: float) -> str:
    return f"{datetime.fromtimestamp(unix, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


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
    ("textfiles", "mtime"): _timestamp,
    ("process", "start_time"): _timestamp,
    ("process", "virtual_bytes_max"): human.size,
    ("collectors", "seconds"): human.span,
    ("containers", "start_time"): _timestamp,
    **{
        ("containers", name): human.span
        for name in (
            *("cpu_usage", "cpu_user", "cpu_system", "cfs_throttled", "cpu_waiting"),
            *("cpu_stalled", "memory_waiting", "memory_stalled", "io_waiting", "io_stalled"),
        )
    },
    **{
        ("containers", f"memory_{name}"): human.size
        for name in ("usage", "working_set", "rss", "cache", "swap", "limit")
    },
    ("processes", "start_time"): _timestamp,
    ("processes", "cpu"): human.ratio,
    ("processes", "memory"): human.size,
    **{
        ("timex", name): human.span
        for name in ("offset", "maxerror", "estimated_error", "tick", "tai_offset")
    },
}

_ENDINGS: tuple[tuple[str, Formatter], ...] = (("_bytes", human.size), ("_seconds", human.span))


def render(
    header: Mapping[str, Any], sections: Sequence[Section], sizes: Sequence[int], width: int
) -> str:
    """Return a report as text, in lines of ``width`` where columns fit.

    ``sizes`` are the lengths of its datagrams.
    """
    body = chain.from_iterable(_section(section, width - len(_INDENT)) for section in sections)
    return "\n".join(chain(_head(header, sizes), body, [""]))


def _head(header: Mapping[str, Any], sizes: Sequence[int]) -> Iterator[str]:
    every = human.span(header["interval"])
    count = f"{len(sizes)} datagram{'s' if len(sizes) > 1 else ''} of {human.size(sum(sizes))}"
    yield f"{human.printable(header['host'])}: reports every {every}, in {count}"
    yield f"at {_timestamp(header['time'])}"


def _section(section: Section, width: int) -> Iterator[str]:
    yield ""
    yield section.name
    columns: dict[str, Sequence[Any]] = {**section.labels, **section.columns}
    if section.cells and not section.values:  # an open family of one column
        columns[section.name] = section.cells
    if section.is_record or section.name == "labels" or not section.labels:
        yield from _pairs(section.name, {name: cells[0] for name, cells in columns.items()})
    else:
        known = columns_of(section.name)
        keys = known.keys if known else len(section.labels)
        yield from _table(section.name, columns, (*section.labels,), keys, width)


def _pairs(section: str, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each value of a section of one row."""
    known = {name: value for name, value in values.items() if value not in (None, "")}
    longest = max(map(len, known), default=0)
    for name, value in known.items():
        yield f"{_INDENT}{name:{longest}}{_GAP}{_cell(section, name, value)}"


def _table(
    section: str,
    columns: Mapping[str, Sequence[Any]],
    texts: tuple[str, ...],
    key_count: int,
    width: int,
) -> Iterator[str]:
    """Yield a table; columns beyond ``width`` follow below, with the keys of the rows again."""
    cells = [
        [name, *(_cell(section, name, value) for value in values)]
        for name, values in columns.items()
        if any(value not in (None, "") for value in values)
    ]
    keys = [column for column in cells if column[0] in texts[:key_count]]
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
