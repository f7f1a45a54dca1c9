"""Hosts to views: in one line, or all fields of one.

Everything derived comes from ``derive``, so that views agree with ``/metrics``.
"""

from collections.abc import Generator, Iterator, Sequence
from math import isfinite, nan
from typing import Any, Final

import msgspec
import numpy as np
from msgspec.structs import asdict

from pombo_exporter.hosts.host import Host, State
from pombo_exporter.metrics import derive
from pombo_exporter.metrics.family import FamilyTable
from pombo_exporter.metrics.rows import Floats, Rows, gather
from pombo_exporter.metrics.samples import LABEL_SETS, Capture, samples
from pombo_exporter.runtime.pacing import StepClock
from pombo_exporter.views.schema import (
    Core,
    Disk,
    Filesystem,
    FullestFilesystem,
    HostSummary,
    Network,
)

_MAX_INTEGER: Final = 2**63 - 1  # of JSON readers; a leap of sequence numbers may exceed it

_LOOPBACK: Final = "lo"

_WEIGHT: Final = 50  # rows that take as long as the rest of a summary

_SUMMARISED: Final = ("cpu", "memory", "system", "filesystems", "networks")
_UNKNOWN: Final = (None,) * 8


def weight(host: Host) -> int:
    """Return how much work the summary of a host is, in rows."""
    found = (host.sections.get(name, {}).values() for name in _SUMMARISED)
    return _WEIGHT + sum(len(block.labels) for blocks in found for block in blocks)


def summaries(hosts: Sequence[Host], now: float) -> list[HostSummary]:
    """Return the summaries of these hosts at ``now`` on the exporter's monotonic clock.

    Many hosts in one call cost less than one by one.
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
            host.sequence.received,
            min(host.sequence.lost, _MAX_INTEGER),
            host.sequence.duplicate,
            host.sequence.reordered,
            host.conflicts,
            host.clock_offset,
            *(_UNKNOWN if state is State.DOWN else next(measured)),
        )
        for host, state in zip(hosts, states, strict=True)
    ]


def _measured(hosts: Sequence[Host], now: float) -> Iterator[tuple[Any, ...]]:
    """Yield the fields of each host's summary that come from its sections."""
    rows = {name: gather(hosts, name, now) for name in _SUMMARISED}
    memory = rows["memory"]
    return zip(
        _known(derive.cpu_average_usage(rows["cpu"])),
        _known(_by_host(memory, memory.last("total"))),
        _known(_by_host(memory, memory.last("available"))),
        _known(_memory_usage(memory)),
        _fullest(rows["filesystems"]),
        _known(_traffic(rows["networks"], "receive_bytes")),
        _known(_traffic(rows["networks"], "transmit_bytes")),
        _known(_by_host(rows["system"], rows["system"].last("uptime"))),
        strict=True,
    )


def curve_values(hosts: Sequence[Host], now: float) -> Floats:
    """Return the values that the history keeps of each host, of shape (4, h).

    They are the fields of a summary that ``history.CURVES`` names, in that order.
    """
    memory, networks = gather(hosts, "memory", now), gather(hosts, "networks", now)
    return np.stack(
        (
            derive.cpu_average_usage(gather(hosts, "cpu", now)),
            _memory_usage(memory),
            _traffic(networks, "receive_bytes"),
            _traffic(networks, "transmit_bytes"),
        )
    )


def detail(host: Host, now: float, steps: StepClock) -> Iterator[tuple[str, bytes] | None]:
    """Yield each field of a host's ``HostDetail`` as its name and JSON; None between steps.

    The host must not change meanwhile: pass a copy.
    """
    encode = msgspec.json.encode
    [summary] = summaries([host], now)
    for name, value in asdict(summary).items():
        yield name, encode(value)
    up = [host] if summary.state is not State.DOWN else []
    rows = {name: gather(up, name, now) for name in _DETAILED}
    fields: dict[str, object] = {
        "system": host.info.system,
        "release": host.info.release,
        "machine": host.info.machine,
        **{name: _single(rows["system"], name) for name in ("load1", "load5", "load15")},
        "swap_total_bytes": _single(rows["swap"], "total"),
        "swap_used_bytes": _single(rows["swap"], "used"),
        "gauges": dict(_named_values(rows["gauges"])),
    }
    for name, value in fields.items():
        yield name, encode(value)
    yield None
    yield "cores", (yield from _list(Core, _cores(rows["cpu"]), steps))
    found = _filesystems(rows["filesystems"])
    yield "filesystems", (yield from _list(Filesystem, found, steps))
    yield "disks", (yield from _list(Disk, _disks(rows["disks"]), steps))
    yield "networks", (yield from _list(Network, _networks(rows["networks"]), steps))


_DETAILED: Final = ("cpu", "disks", "filesystems", "gauges", "networks", "swap", "system")


def _list(
    kind: type[msgspec.Struct], fields: Sequence[Sequence[Any]], steps: StepClock
) -> Generator[None, None, bytes]:
    """Return a JSON array of structs whose fields are these columns; yields between steps."""
    parts = []
    for start, stop in steps.size().ranges(len(fields[0])):
        rows = [*map(kind, *(field[start:stop] for field in fields))]
        parts.append(msgspec.json.encode(rows)[1:-1])
        yield None
    return b"[" + b",".join(parts) + b"]"


def families(table: FamilyTable, capture: Capture, steps: StepClock) -> Iterator[bytes | None]:
    """Yield the JSON of a ``HostFamilies`` of one captured host, in pieces; None between steps."""
    encode = msgspec.json.encode
    family = None
    size = steps.size()
    yield b'{"families":['
    for part in samples(table.measured, capture, LABEL_SETS):
        if part is None:
            yield None
            continue
        first = part.family is not family
        if first:
            head = encode({"name": part.family.name, "help": part.family.help})
            kind = encode(part.family.type)
            yield (b"]}," if family else b"") + head[:-1] + b',"type":' + kind + b',"samples":['
            family = part.family
        more = dict([part.shared_label]) if part.shared_label else {}
        for start, stop in size.ranges(len(part.values)):
            rows = zip(part.labels[start:stop], part.values[start:stop].tolist(), strict=True)
            found = [{"labels": more | labels, "value": value} for labels, value in rows]
            yield (b"" if first else b",") + encode(found)[1:-1]
            first = False
    yield (b"]}" if family else b"") + b"]}"


def _known(values: Floats) -> list[float | None]:
    return [value if isfinite(value) else None for value in values.tolist()]


def _single(record: Rows, name: str) -> float | None:
    """Return a field of the record of one host, None where the host has none."""
    return next(iter(_known(record.last(name))), None)


def _by_host(record: Rows, values: Floats) -> Floats:
    """Return the values of a record's rows by host, from shape (n,) to (h,)."""
    found = np.full(len(record.host_labels), nan)
    found[record.host_of] = values
    return found


def _memory_usage(memory: Rows) -> Floats:
    """Return the share of each host's memory that is in use, of shape (h,)."""
    return _by_host(memory, derive.used_ratio(memory, "total", "available"))


def _traffic(networks: Rows, counter: str) -> Floats:
    """Return the rate over all interfaces of each host but the loopback, of shape (h,)."""
    counted = [device != _LOOPBACK for device in networks.texts("device")]
    values = derive.per_second(networks, counter)
    known = np.array(counted, dtype=bool) & ~np.isnan(values)
    count = len(networks.host_labels)
    of = networks.host_of[known]
    sums = np.bincount(of, values[known], count)
    return np.where(np.bincount(of, minlength=count), sums, nan)


def _fullest(filesystems: Rows) -> list[FullestFilesystem | None]:
    found: list[FullestFilesystem | None] = [None] * len(filesystems.host_labels)
    rows = zip(
        filesystems.host_of.tolist(),
        derive.filled_ratio(filesystems, "size", "free", "available").tolist(),
        filesystems.texts("mountpoint"),
        filesystems.last("readonly").tolist(),
        strict=True,
    )
    for host, ratio, path, readonly in rows:
        fullest = found[host]
        if isfinite(ratio) and readonly != 1 and (not fullest or ratio > fullest.used_ratio):
            found[host] = FullestFilesystem(path, ratio)
    return found


def _cores(cpu: Rows) -> Sequence[Sequence[Any]]:
    return cpu.texts("cpu"), _known(derive.cpu_usage(cpu))


def _filesystems(rows: Rows) -> Sequence[Sequence[Any]]:
    readonly = [None if flag is None else bool(flag) for flag in _known(rows.last("readonly"))]
    return (
        *map(rows.texts, ("mountpoint", "device", "fstype")),
        _known(rows.last("size")),
        _known(derive.difference(rows, "size", "free")),
        _known(rows.last("available")),
        _known(derive.filled_ratio(rows, "size", "free", "available")),
        readonly,
    )


def _disks(rows: Rows) -> Sequence[Sequence[Any]]:
    counters = ("read_bytes", "written_bytes")
    return rows.texts("device"), *(_known(derive.per_second(rows, name)) for name in counters)


def _networks(rows: Rows) -> Sequence[Sequence[Any]]:
    counters = (
        ("receive_bytes",),
        ("transmit_bytes",),
        ("receive_errors", "receive_drops"),
        ("transmit_errors", "transmit_drops"),
    )
    found = (_known(derive.per_second(rows, *names)) for names in counters)
    return rows.texts("device"), *found


def _named_values(rows: Rows) -> Iterator[tuple[str, float]]:
    return zip(rows.texts("name"), rows.last("value").tolist(), strict=True)
