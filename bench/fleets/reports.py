"""Reads captured reports: the sections of a host, and how each value changes by report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from pombo_wire import MAPS, SECTIONS, Table

CAPTURE = Path(__file__).with_name("vm.jsonl")

#: Sections that repeat `meminfo`, which the agent no longer sends.
_NOT_SENT = {"memory", "swap"}

#: What does not only grow, by section; all values of a section that has no set.
GAUGES: Mapping[str, set[str] | None] = {
    "system": {
        *("boot_time", "load1", "load5", "load15", "processes_running", "processes_blocked"),
        *("file_handles", "file_handles_max", "entropy_available", "entropy_pool"),
        "selinux_enabled",
    },
    "timex": None,
    "time_zone": None,
    "clock_sources": None,
    "meminfo": None,
    "disks": {"io_now"},
    "interfaces": None,
    "arp": None,
    "conntrack": {"entries", "entries_limit"},
    "netstat": {"Ip_Forwarding", "Tcp_CurrEstab"},
    "sockstat": None,
    "softnet": {"backlog_len"},
    "udp_queues": None,
    "temperatures": None,
    "filesystems": None,
    "collectors": None,
    "containers": {
        *("cpu_quota", "cpu_period", "memory_usage", "memory_working_set", "memory_rss"),
        *("memory_cache", "memory_swap", "memory_limit", "processes", "threads", "threads_max"),
        "start_time",
    },
}

#: Values that follow the clock: they grow by the same amount in each report.
CLOCKS = {"uptime", "time"}


class Trend(NamedTuple):
    """A value in each report, in units of its last decimal.

    A counter starts at ``start`` and grows by ``growth`` a report on average. A gauge is between
    ``start`` and ``start`` + ``spread``. A value without either never changes.
    """

    start: int
    decimals: int = 0
    growth: float = 0.0
    spread: int = 0
    clock: bool = False

    @property
    def changes(self) -> bool:
        """Whether the value is another one in each report."""
        return bool(self.growth or self.spread)

    def times(self, factor: float) -> "Trend":
        """Return a trend whose values are greater by this factor, and change as much as before."""
        return self._replace(start=round(self.start * factor))

    @property
    def first(self) -> float:
        """The value that never changes, or the first one."""
        return self.start / float(10**self.decimals) if self.decimals else self.start


@dataclass(frozen=True)
class Row:
    """A record, a map, or a row of a table: its texts, and its values by column or name."""

    texts: tuple[str, ...]
    trends: Mapping[str, Trend]

    def named(self, *texts: str) -> "Row":
        """Return the same values with other texts."""
        return replace(self, texts=texts)

    def given(self, **trends: Trend) -> "Row":
        """Return the row with some values replaced."""
        return replace(self, trends={**self.trends, **trends})


def heads(section: str, rows: Sequence[Row]) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Return the labels of the rows of a section, by name, and the columns that they have."""
    columns = tuple(dict.fromkeys(column for row in rows for column in row.trends))
    if section in MAPS:
        return {}, columns
    kind = SECTIONS[section]
    fields = kind.__struct_fields__
    texts = zip(*(row.texts for row in rows), strict=True)
    labels = dict(zip(fields[: kind.label_columns], texts, strict=False))
    return labels, tuple(column for column in fields if column in columns)


#: A host: the rows of its sections.
Sections = dict[str, list[Row]]


def read(path: Path) -> list[list[dict[str, Any]]]:
    """Return the reports of a captured file, each as the datagrams that it took."""
    reports: dict[float, list[dict[str, Any]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        datagram = msgspec.json.decode(line)
        reports.setdefault(datagram["monotonic"], []).append(datagram)
    return list(reports.values())


def sections(reports: Sequence[Sequence[dict[str, Any]]]) -> Sections:
    """Return the host that sent these reports, with the trend of each value.

    Raises:
        ValueError: when a value shrinks that is not among the ``GAUGES``.
    """
    values = [_values(report) for report in reports]
    found: Sections = {}
    for (section, texts), first in values[0].items():
        trends = {
            name: _trend(section, name, [report[section, texts][name] for report in values])
            for name in first
        }
        found.setdefault(section, []).append(Row(texts, trends))
    return {name: found[name] for name in (*SECTIONS, *MAPS) if name in found}


_Values = dict[tuple[str, tuple[str, ...]], dict[str, float]]


def _values(report: Sequence[dict[str, Any]]) -> _Values:
    """Return the values of each row of a report, by section and texts."""
    found: _Values = {}
    for datagram in report:
        for section, fields in datagram.items():
            if section in _NOT_SENT:
                continue
            if section in MAPS:
                found.setdefault((section, ()), {}).update(fields)
            elif section in SECTIONS:
                kind = SECTIONS[section]
                names = kind.__struct_fields__[: kind.label_columns]
                columns = {name: fields[name] for name in kind.__struct_fields__ if name in fields}
                if not issubclass(kind, Table):
                    columns = {name: [value] for name, value in columns.items()}
                for place in range(len(next(iter(columns.values())))):
                    row = {name: column[place] for name, column in columns.items()}
                    texts = tuple(row.pop(name, "") for name in names)
                    found[section, texts] = {
                        name: value for name, value in row.items() if value is not None
                    }
    return found


def _trend(section: str, name: str, values: Sequence[float]) -> Trend:
    decimals = max(0, *(-int(Decimal(repr(value)).as_tuple().exponent) for value in values))
    if all(isinstance(value, int) for value in values):
        decimals = 0
    units = [round(value * 10**decimals) for value in values]
    least, most = min(units), max(units)
    if least == most:
        return Trend(least, decimals)
    if is_gauge(section, name):
        return Trend(least, decimals, spread=max(2, most - least))
    if units != sorted(units):
        raise ValueError(f"{name} of {section} is no counter: {values}")
    # With two units or more, no two reports have the same value.
    growth = max(2.0, (units[-1] - units[0]) / (len(units) - 1))
    return Trend(units[0], decimals, growth, clock=name in CLOCKS)


def is_gauge(section: str, name: str) -> bool:
    """Return whether a value of this name may shrink."""
    names = GAUGES.get(section, set())
    return names is None or name in names
