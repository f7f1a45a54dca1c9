"""The contents of a datagram as text for people: a table for each section."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import Any, Final

import msgspec
from pombo_cli import human
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from pombo_exporter.decode.contents import Contents, Number, SectionContents

_NULL: Final = "null"  # a number that is unknown just now
_NANOSECONDS: Final = 10**9

#: Unix times in the header, by how many of their units a second has.
_TIMES: Final = {"session": _NANOSECONDS, "time": 1}


def text_of(contents: Contents, size: int) -> str:
    """Return what a datagram of ``size`` bytes says, with an empty line after each table."""
    head = [("form", f"{contents.form}, {size} bytes")]
    head += [(name, _header_value(name, value)) for name, value in contents.header.items()]
    blocks = [_lines(head)]
    if contents.labels:
        blocks.append("labels\n" + _lines(contents.labels.items()))
    blocks += [_title(section) + _table(section) for section in contents.sections]
    if contents.extra is not None:
        extra = msgspec.json.format(msgspec.json.encode(contents.extra)).decode()
        blocks.append("extra\n" + "\n".join(map(human.printable, extra.split("\n"))) + "\n")
    return "\n".join(blocks)


def _header_value(name: str, value: Any) -> str:
    if name in _TIMES:
        try:
            moment = datetime.fromtimestamp(value / _TIMES[name], UTC)
        except (ValueError, OverflowError, OSError):
            return str(value)
        return f"{value} ({moment:%Y-%m-%d %H:%M:%S} UTC)"
    return str(value) if isinstance(value, str) else msgspec.json.encode(value).decode()


def _title(section: SectionContents) -> str:
    title = section.name
    if section.type:
        title = f"{title} ({section.type})"
    if section.ignored:
        title = f"{title} (unknown to this version, ignored)"
    helps = "".join(f"  {human.printable(text)}\n" for text in section.help if text)
    return f"{human.printable(title)}\n{helps}"


def _table(section: SectionContents) -> str:
    """Return a row on each line; of a single row, each column."""
    columns: list[tuple[str, Sequence[str]]] = [*section.labels.items()]
    rows = len(columns[0][1]) if columns else 1
    for place, (name, numbers) in enumerate(section.values.items()):
        first = place * rows
        cells = [_cell(number, first + row in section.absent) for row, number in enumerate(numbers)]
        columns.append((name, cells))
    if rows == 1:
        return _lines((name, cells[0]) for name, cells in columns)
    return _grid(
        [[name for name, _ in columns], *zip(*(cells for _, cells in columns), strict=True)]
    )


def _cell(number: Number, absent: bool) -> str:  # noqa: FBT001 - one of two kinds of nothing
    if number is None:
        return human.UNKNOWN if absent else _NULL
    return repr(number)


def _lines(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a name and its value on each line."""
    return _grid([*pairs])


def _grid(rows: Sequence[Sequence[str]]) -> str:
    """Return columns of one width, as wide as they take."""
    if not rows:
        return ""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    for _ in rows[0]:
        table.add_column(no_wrap=True)
    for row in rows:
        table.add_row(*(Text(human.printable(cell)) for cell in row))
    console = Console(file=StringIO(), width=2**20, color_system=None, legacy_windows=False)
    width = Measurement.get(console, console.options, table).maximum
    with console.capture() as captured:
        console.print(table, width=width, soft_wrap=True)
    return "".join(f"  {line.rstrip()}\n" for line in captured.get().splitlines())
