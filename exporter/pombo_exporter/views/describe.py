"""Hosts to views: each in a line, or one in full.

Everything derived comes from ``rates``, so that views agree with the page of metrics.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, nan
from typing import Any

import numpy as np

from pombo_exporter.hosts.host import Host, State
from pombo_exporter.metrics import derive
from pombo_exporter.metrics.columns import Column, Columns, gather
from pombo_exporter.metrics.family import Catalogue, OfHost, Rows, Source, Summary
from pombo_exporter.views.schema import (
    Core,
    Disk,
    FamilyView,
    Filesystem,
    FullestFilesystem,
    HostDetail,
    HostSummary,
    Network,
    Sample,
)

_MOST = 2**63 - 1  # a leap in an agent's numbers is as long as it likes; JSON's integers are not

_LOOPBACK = "lo"

_A_STEP = 2_000  # rows; to describe these takes a millisecond or less
_A_HOST = 50  # rows that take as long as what a host costs besides


def steps(hosts: Sequence[Host]) -> Iterator[Sequence[Host]]:
    """Yield these hosts, so many at a time as can be summarised before long."""
    some: list[Host] = []
    rows = 0
    for host in hosts:
        some.append(host)
        held = (host.sections.get(name, {}).values() for name in _SUMMARISED)
        rows += _A_HOST + sum(len(block.labels) for blocks in held for block in blocks)
        if rows >= _A_STEP:
            yield some
            some, rows = [], 0
    if some:
        yield some


def summaries(hosts: Sequence[Host], now: float) -> list[HostSummary]:
    """Return these hosts, each in a line, at ``now`` on the exporter's monotonic clock.

    Some tens at once are cheaper than one by one.
    """
    states = [host.state_at(now) for host in hosts]
    pairs = zip(hosts, states, strict=True)
    measured = _measured([host for host, state in pairs if state is not State.DOWN], now)
    return [
        HostSummary(
            host.name,
            state,
            host.last_seen_wall,
            max(0.0, now - host.last_seen),
            str(host.address[0]),
            host.info.agent,
            host.labels,
            host.interval,
            host.ledger.received,
            min(host.ledger.lost, _MOST),
            host.ledger.duplicate,
            host.ledger.reordered,
            host.conflicts,
            host.clock_offset,
            *(_NOTHING if state is State.DOWN else next(measured)),
        )
        for host, state in zip(hosts, states, strict=True)
    ]


def _measured(hosts: Sequence[Host], now: float) -> Iterator[tuple[Any, ...]]:
    """Yield what stands in a host's line of what it measures."""
    held = {name: gather(hosts, name, now) for name in _SUMMARISED}
    memory = held["memory"]
    return zip(
        _known(derive.cpu_average_usage(held["cpu"])),
        _single(memory, "total"),
        _single(memory, "available"),
        _by_host(memory, derive.used_ratio(memory, "total", "available")),
        _fullest(held["filesystems"]),
        _traffic(held["networks"], "receive_bytes"),
        _traffic(held["networks"], "transmit_bytes"),
        _single(held["system"], "uptime"),
        strict=True,
    )


_SUMMARISED = ("cpu", "memory", "system", "filesystems", "networks")
_NOTHING = (None,) * 8


def detail(host: Host, catalogue: Catalogue, now: float) -> HostDetail:
    """Return all of a host."""
    [summary] = summaries([host], now)
    up = [host] if summary.state is not State.DOWN else []
    held = {name: gather(up, name, now) for name in {*host.sections, *_DETAILED}}

    def single(section: str, name: str) -> float | None:
        return next(iter(_single(held[section], name)), None)

    return HostDetail(
        **{name: getattr(summary, name) for name in summary.__struct_fields__},
        system=host.info.system,
        release=host.info.release,
        machine=host.info.machine,
        load1=single("system", "load1"),
        load5=single("system", "load5"),
        load15=single("system", "load15"),
        swap_total_bytes=single("swap", "total"),
        swap_used_bytes=single("swap", "used"),
        cores=_cores(held["cpu"]),
        filesystems=_filesystems(held["filesystems"]),
        disks=_disks(held["disks"]),
        networks=_networks(held["networks"]),
        gauges=dict(_named_values(held["gauges"])),
        families=[*_families(held, catalogue)],
    )


_DETAILED = ("cpu", "disks", "filesystems", "gauges", "memory", "networks", "swap", "system")


def _known(values: Column) -> list[float | None]:
    return [value if isfinite(value) else None for value in values.tolist()]


def _single(record: Columns, name: str) -> list[float | None]:
    """Return a field of a record, host by host."""
    return _by_host(record, record.now(name))


def _by_host(record: Columns, values: Column) -> list[float | None]:
    """Return what was made of a record, host by host."""
    found = np.full(len(record.hosts), nan)
    found[record.host_of] = values
    return _known(found)


def _traffic(networks: Columns, counter: str) -> list[float | None]:
    """Return, host by host, the rate over all interfaces but the loopback."""
    counted = [device != _LOOPBACK for device in networks.texts("device")]
    values = derive.per_second(networks, counter)
    known = np.array(counted, dtype=bool) & ~np.isnan(values)
    count = len(networks.hosts)
    of = networks.host_of[known]
    sums = np.bincount(of, values[known], count)
    return _known(np.where(np.bincount(of, minlength=count), sums, nan))


def _fullest(filesystems: Columns) -> list[FullestFilesystem | None]:
    found: list[FullestFilesystem | None] = [None] * len(filesystems.hosts)
    rows = zip(
        filesystems.host_of.tolist(),
        derive.filled_ratio(filesystems, "size", "free", "available").tolist(),
        filesystems.texts("mountpoint"),
        filesystems.now("readonly").tolist(),
        strict=True,
    )
    for host, ratio, path, readonly in rows:
        fullest = found[host]
        if isfinite(ratio) and readonly != 1 and (not fullest or ratio > fullest.used_ratio):
            found[host] = FullestFilesystem(path, ratio)
    return found


def _cores(cpu: Columns) -> list[Core]:
    return [*map(Core, cpu.texts("cpu"), _known(derive.cpu_usage(cpu)))]


def _filesystems(rows: Columns) -> list[Filesystem]:
    readonly = [None if flag is None else bool(flag) for flag in _known(rows.now("readonly"))]
    return [
        *map(
            Filesystem,
            *map(rows.texts, ("mountpoint", "device", "fstype")),
            _known(rows.now("size")),
            _known(derive.difference(rows, "size", "free")),
            _known(rows.now("available")),
            _known(derive.filled_ratio(rows, "size", "free", "available")),
            readonly,
        )
    ]


def _disks(rows: Columns) -> list[Disk]:
    found = (_known(derive.per_second(rows, name)) for name in ("read_bytes", "written_bytes"))
    return [*map(Disk, rows.texts("device"), *found)]


def _networks(rows: Columns) -> list[Network]:
    counters = (
        ("receive_bytes",),
        ("transmit_bytes",),
        ("receive_errors", "receive_drops"),
        ("transmit_errors", "transmit_drops"),
    )
    found = (_known(derive.per_second(rows, *names)) for names in counters)
    return [*map(Network, rows.texts("device"), *found)]


def _named_values(rows: Columns) -> Iterator[tuple[str, float]]:
    return zip(rows.texts("name"), rows.now("value").tolist(), strict=True)


def _families(held: Mapping[str, Columns], catalogue: Catalogue) -> Iterator[FamilyView]:
    """Yield what a host measures; what the exporter knows of it has fields of its own."""
    for family in catalogue.families:
        samples = [sample for source in family.sources for sample in _samples(source, held)]
        if samples:
            yield FamilyView(family.name, family.help, family.kind, samples)
    for found in catalogue.maps:
        for name, value in _named_values(held[found.section]) if found.section in held else ():
            text = found.help.format(name)
            yield FamilyView(found.prefix + name, text, found.kind, [Sample({}, value)])


def _samples(source: Source, held: Mapping[str, Columns]) -> Iterator[Sample]:
    if isinstance(source, OfHost) or source.section not in held:
        return
    rows = held[source.section]
    labels: list[dict[str, str]]
    match source:
        case Summary(_, derive):
            values, labels = derive(rows), [{} for _ in rows.hosts]
        case Rows(_, names, derive, label):
            values = derive(rows, *names) if derive else rows.now(names[0])
            labels = rows.once(Columns.named)
            if label:
                labels = [dict([label]) | row for row in labels]
    for texts, value in zip(labels, _known(values), strict=True):
        if value is not None:
            yield Sample(texts, value)
