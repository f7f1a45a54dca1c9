"""Summaries of hosts as CSV (RFC 4180), which a spreadsheet may open without running anything.

Names and labels come from strangers, and spreadsheets take a text that begins like a formula for
one, so it gets an apostrophe before it.
"""

import csv
from collections.abc import Iterable
from typing import Any, Final

from pombo_exporter.views.schema import BusiestProcess, FullestFilesystem, HostSummary

#: What a text that spreadsheets run begins with, after spaces; the last ones are full-width forms.
_FORMULA: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")

_PARTS: Final = {
    "fullest_filesystem": FullestFilesystem.__struct_fields__,
    "busiest_process": BusiestProcess.__struct_fields__,
}

#: The titles of the columns: the fields of a summary, and of what is within them.
COLUMNS: Final = tuple(
    f"{name}_{part}" if part else name
    for name in HostSummary.__struct_fields__
    for part in _PARTS.get(name, ("",))
)


class _Lines(list[str]):
    """What the writer of CSV writes to."""

    write = list.append


def head() -> bytes:
    """Return the line of titles."""
    return _written([COLUMNS])


def lines(hosts: Iterable[HostSummary]) -> bytes:
    """Return a line for each host; a value that is not known is empty."""
    return _written([_cell(value) for value in _values(host)] for host in hosts)


def _written(rows: Iterable[Iterable[Any]]) -> bytes:
    found = _Lines()
    csv.writer(found, quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    return "".join(found).encode(errors="replace")


def _values(host: HostSummary) -> Iterable[Any]:
    for name in HostSummary.__struct_fields__:
        value = getattr(host, name)
        if name in _PARTS:
            yield from (None if value is None else getattr(value, part) for part in _PARTS[name])
        elif name == "reasons":
            yield "; ".join(reason.text for reason in value)
        elif name == "labels":
            yield " ".join(f"{label}={text}" for label, text in value.items())
        elif name == "duplicate_addresses":
            yield " ".join(value)
        else:
            yield value


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = str(value)  # of an enum, too
    is_formula = text.lstrip().startswith(_FORMULA) or text[:1] in {"\t", "\r", "\n"}
    return f"'{text}" if is_formula else text
