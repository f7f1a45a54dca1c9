"""What an exposition has of a host's last two reports, computed value by value."""

from collections.abc import Iterator, Sequence

from msgspec.structs import astuple
from pombo_exporter.metrics import derive
from pombo_exporter.metrics.family import Family, PerRow
from pombo_wire import MAPS, OpenFamily, Record, Report, Table

from support.builders import TABLE, Series

Labels = tuple[tuple[str, str], ...]
Value = float | None

#: Families that show what hosts report as it is, or a difference of it.
NAMES = [
    family.name
    for family in TABLE.families
    if family.row_sources
    and all(
        isinstance(source, PerRow)
        and (
            source.derive in (None, derive.one)
            or (source.derive is derive.used and source.section in MAPS)
        )
        for source in family.row_sources
    )
]


def labels_of(section: Record | Table) -> Iterator[Labels]:
    """Yield the labels of each row, in the order of their names."""
    names = section.__struct_fields__[: section.label_columns]
    texts = astuple(section)[: section.label_columns]
    for row in [texts] if isinstance(section, Record) else zip(*texts, strict=True):
        yield tuple(sorted(zip(names, row, strict=True)))


def reported(report: Report, family: Family) -> dict[Series, float]:
    """Return the samples of a family that a report contains as they are."""
    found: dict[Series, float] = {}
    for source in family.sources:
        assert isinstance(source, PerRow)
        section = getattr(report, source.section)
        if section is None:
            continue
        if isinstance(section, dict):
            values = [section[name] for name in source.fields if name in section]
            if len(values) == len(source.fields):
                found[family.name, ()] = max(0, values[0] - sum(values[1:]))
            continue
        rows = list(labels_of(section))
        column = [1] * len(rows) if source.derive else getattr(section, *source.fields)
        by_row = [column] if isinstance(section, Record) and not source.derive else column
        for labels, value in zip(rows, by_row or (), strict=by_row is not None):
            if value is not None:
                found[family.name, tuple(sorted((*labels, *source.labels)))] = value
    return found


def all_reported(report: Report) -> dict[Series, float]:
    """Return all samples of a report that are not derived."""
    found: dict[Series, float] = {}
    for family in TABLE.families:
        if family.name in NAMES:
            found |= reported(report, family)
    for each in TABLE.maps:
        for name, value in (getattr(report, each.section) or {}).items():
            if value is not None:
                found[each.prefix + name, ()] = value
    for name, value in (report.gauges or {}).items():
        found[name, ()] = value
    for name, open_family in (report.families or {}).items():
        found |= of_family(name, open_family)
    return found


def of_family(name: str, family: OpenFamily) -> dict[Series, float]:
    """Return the samples of an open family."""
    rows = [*zip(*family.labels.values(), strict=True)] if family.labels else [()]
    columns = {name.replace("*", key): column for key, column in family.columns.items()}
    return {
        (full, tuple(sorted(zip(family.labels, row, strict=True)))): value
        for full, column in (columns or {name: family.values}).items()
        for row, value in zip(rows, column, strict=True)
        if value is not None
    }


def plain(samples: dict[Series, float]) -> dict[Series, float]:
    """Return the samples that hosts report: neither derived nor counted by the exporter."""
    derived = {family.name for family in TABLE.families} - {*NAMES}
    return {key: value for key, value in samples.items() if key[0] not in derived}


def all_derived(last: Report, before: Report | None, seconds: float) -> dict[Series, float]:
    """Return all samples that are derived from a report and the one ``seconds`` before it."""
    found: dict[tuple[str, Labels], Value] = {}
    for labels, row in _rows(last.filesystems):
        used = _difference(row["size"], row["free"])
        found["host_filesystem_used_bytes", labels] = None if used is None else max(0.0, used)
    for labels, row in _rows(last.clock_sources):
        found["node_time_clocksource_current_info", labels] = 1.0 if row["current"] else None
    if before is not None:
        for name, section, *fields in _RATES:
            old = dict(_rows(getattr(before, section)))
            for labels, row in _rows(getattr(last, section)):
                found[name, labels] = _rate(row, old.get(labels, {}), fields, seconds)
        found |= _cpu_usage(last, before)
    return {key: value for key, value in found.items() if value is not None}


_RATES = (
    ("host_disk_read_bytes_per_second", "disks", "read_bytes"),
    ("host_disk_write_bytes_per_second", "disks", "written_bytes"),
    ("host_network_receive_bytes_per_second", "networks", "receive_bytes"),
    ("host_network_transmit_bytes_per_second", "networks", "transmit_bytes"),
    (
        "host_network_receive_lost_packets_per_second",
        "networks",
        "receive_errors",
        "receive_drops",
    ),
    (
        "host_network_transmit_lost_packets_per_second",
        "networks",
        "transmit_errors",
        "transmit_drops",
    ),
)


def _rows(section: Table | None) -> Iterator[tuple[Labels, dict[str, Value]]]:
    """Yield the labels of each row, and its value in each column."""
    if section is None:
        return
    names = section.__struct_fields__[section.label_columns :]
    columns = [getattr(section, name) for name in names]
    for index, labels in enumerate(labels_of(section)):
        values = [None if column is None else column[index] for column in columns]
        yield labels, dict(zip(names, values, strict=True))


def _difference(one: Value, other: Value) -> Value:
    return None if one is None or other is None else one - other


def _rate(
    row: dict[str, Value], old: dict[str, Value], fields: Sequence[str], seconds: float
) -> Value:
    changes = [_difference(row[name], old.get(name)) for name in fields]
    known = [change for change in changes if change is not None]
    if not known or min(known) < 0:
        return None
    return sum(known) / seconds


def _cpu_usage(last: Report, before: Report) -> dict[tuple[str, Labels], Value]:
    found: dict[tuple[str, Labels], Value] = {}
    spent: list[tuple[float, float]] = []
    old = dict(_rows(before.cpu))
    for labels, row in _rows(last.cpu):
        changes = {
            mode: _difference(row[mode], old.get(labels, {}).get(mode)) for mode in derive.CPU_MODES
        }
        known = [change for change in changes.values() if change is not None]
        if changes["idle"] is not None and sum(known) > 0:
            idle = changes["idle"] + (changes["iowait"] or 0)
            spent.append((idle, sum(known)))
            found["host_cpu_usage_ratio", labels] = _busy(idle, sum(known))
    if spent:
        idle, total = (sum(each) for each in zip(*spent, strict=True))
        found["host_cpu_average_usage_ratio", ()] = _busy(idle, total)
    return found


def _busy(idle: float, total: float) -> float:
    return min(1.0, max(0.0, 1 - idle / total))
