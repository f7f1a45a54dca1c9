"""Hosts to views: in one line, or all fields of one.

Everything derived comes from ``derive``, so that views agree with ``/metrics``.
"""

from array import array
from collections.abc import Callable, Generator, Iterator, Sequence
from math import isfinite, nan
from typing import Any, Final

import msgspec
import numpy as np
from msgspec.structs import asdict
from numpy.typing import NDArray

from pombo_exporter.hosts import loss
from pombo_exporter.hosts.host import Host, State
from pombo_exporter.hosts.severity import DEFAULTS, OK, Table
from pombo_exporter.hosts.slots import Slot, cells_of
from pombo_exporter.metrics import derive
from pombo_exporter.metrics.capture import Capture
from pombo_exporter.metrics.family import FamilyTable
from pombo_exporter.metrics.rows import Floats, Gathered, MixedRows, Rows, gather
from pombo_exporter.metrics.samples import samples
from pombo_exporter.runtime.pacing import StepClock
from pombo_exporter.views import attention, resources
from pombo_exporter.views.links import is_own_link
from pombo_exporter.views.processes import busiest, others, processes
from pombo_exporter.views.resources import numeric
from pombo_exporter.views.schema import (
    Container,
    Core,
    Disk,
    Filesystem,
    FullestFilesystem,
    HostSummary,
    Network,
    Sample,
)

_MAX_INTEGER: Final = 2**63 - 1  # of JSON readers; a leap of sequence numbers may exceed it

_LOOPBACK: Final = "lo"

_WEIGHT: Final = 50  # rows that take as long as the rest of a summary
_ROW_BYTES: Final = 32  # bytes of a fourth line that are read in the time of a row

#: The weight of the hosts that are summarised in the first step of many.
FIRST: Final = 400

#: What a host has of its memory: one of these.
_MEMORY: Final = ("memory", "meminfo")
_SWAP: Final = ("swap", "meminfo")

_CURVES: Final = ("cpu", *_MEMORY, "networks")
_SUMMARISED: Final = frozenset({*_CURVES, "system", "swap", *attention.SECTIONS})
#: How many totals of hosts there are.
TOTALS: Final = 7

_HELD: Final = frozenset({*_MEMORY, "swap", *attention.SECTIONS})


def weight(host: Host) -> int:
    """Return how much work the summary of a host is, in rows."""
    slots = host.shown()
    return (
        _WEIGHT
        + sum(len(slot.extra) for slot in slots) // _ROW_BYTES
        + sum(
            section.rows
            for slot in slots
            for section in slot.sections
            if section.name in _SUMMARISED
        )
    )


def summaries(hosts: Sequence[Host], now: float, thresholds: Table = DEFAULTS) -> list[HostSummary]:
    """Return the summaries of these hosts at ``now`` on the exporter's monotonic clock.

    Many hosts in one call cost less than one by one.
    """
    rows = gather(hosts, _SUMMARISED, now)
    memory = _memory_usage(rows)
    reasons = attention.reasons(hosts, _of_attention(rows, memory), now, thresholds)
    return [
        HostSummary(
            host.name,
            own[0].severity if own else OK,  # the most urgent is the first
            own,
            host.state_at(now),
            host.last_seen_wall,
            max(0.0, now - host.last_seen),
            str(host.address[0]),
            attention.duplicate_addresses(host, now),
            host.info.agent,
            host.labels,
            host.interval,
            host.sequence.received,
            min(host.sequence.lost, _MAX_INTEGER),
            min(host.sequence.skipped, _MAX_INTEGER),
            host.sequence.duplicate,
            host.sequence.reordered,
            _loss(host) if host.sequence.lost else 0.0,
            host.conflicts,
            host.looks_like,
            host.clock_offset,
            *measured,
        )
        for host, own, measured in zip(
            hosts, reasons, _measured(hosts, rows, memory, now), strict=True
        )
    ]


def held(hosts: Sequence[Host], now: float, thresholds: Table = DEFAULTS) -> list["array[int]"]:
    """Return the next ``Host.held`` of each host."""
    rows = gather(hosts, _HELD, now)
    return attention.held(hosts, _of_attention(rows, _memory_usage(rows)), thresholds)


def _of_attention(rows: Gathered, memory: Floats) -> attention.Measured:
    return attention.Measured(rows, memory, lambda: _swap_usage(rows))


@np.errstate(over="ignore", invalid="ignore")
def _swap_usage(rows: Gathered) -> Floats:
    """Return the share of each host's swap space that is in use, of shape (h,)."""
    total, used = _swap(rows)
    return np.divide(used, total, out=np.full_like(total, nan), where=total > 0)


def _loss(host: Host) -> float:
    """Return the share of a host's datagrams that was lost in the last ten minutes."""
    received, lost = loss.since(host.loss_samples, host.sequence.received, host.sequence.lost)
    return lost / (received + lost) if lost else 0.0


def _shown(host: Host, now: float) -> list[Slot]:
    """Return the slots that have values: of a host that is down, those of its last report."""
    moment = host.values_at(now)
    return [slot for slot in host.shown() if slot.expires > moment]


def _measured(
    hosts: Sequence[Host], rows: Gathered, memory: Floats, now: float
) -> Iterator[tuple[Any, ...]]:
    """Yield the fields of each host's summary that come from its sections."""
    total, available = _memory(rows)
    slots = [_shown(host, now) for host in hosts]
    return zip(
        _known(derive.cpu_average_usage(rows["cpu"])),
        [
            count or None
            for count in np.bincount(rows["cpu"].host_of, minlength=len(hosts)).tolist()
        ],
        _known(total),
        _known(available),
        _known(memory),
        _fullest(rows["filesystems"]),
        map(busiest, slots),
        _known(_traffic(rows["networks"], "receive_bytes")),
        _known(_traffic(rows["networks"], "transmit_bytes")),
        _known(_by_host(rows["system"], rows["system"].last("uptime"))),
        strict=True,
    )


def curve_values(hosts: Sequence[Host], now: float) -> Floats:
    """Return the values that the history keeps of each host, of shape (4, h).

    They are the fields of a summary that ``history.CURVES`` names, in that order.
    """
    rows = gather(hosts, _CURVES, now)
    return np.stack(
        (
            derive.cpu_average_usage(rows["cpu"]),
            _memory_usage(rows),
            _traffic(rows["networks"], "receive_bytes"),
            _traffic(rows["networks"], "transmit_bytes"),
        )
    )


@np.errstate(over="ignore", invalid="ignore")
def totals(hosts: Sequence[Host], now: float) -> Floats:
    """Return totals of these hosts, of shape (TOTALS,): a host that is down adds nothing to them.

    They are cores and busy ones, memory and what is used of it, received and transmitted bytes a
    second, and the sum of the hosts' loss. Unknown values add nothing.
    """
    running = [host for host in hosts if host.state_at(now) is not State.DOWN]
    rows = gather(running, _CURVES, now)
    usage = derive.cpu_average_usage(rows["cpu"])
    cores = np.bincount(rows["cpu"].host_of, minlength=len(running))
    total, available = _memory(rows)
    is_known = np.isfinite(total) & np.isfinite(available)
    return np.array(
        (
            cores[np.isfinite(usage)].sum(),
            np.nansum(cores * usage),
            total[is_known].sum(),
            np.maximum(total - available, 0.0)[is_known].sum(),
            np.nansum(_traffic(rows["networks"], "receive_bytes")),
            np.nansum(_traffic(rows["networks"], "transmit_bytes")),
            sum(_loss(host) for host in running if host.sequence.lost),
        )
    )


def uptimes(hosts: Sequence[Host], now: float) -> list[float]:
    """Return for how many seconds each host was up when it reported; NaN where that is unknown."""
    rows = gather(hosts, ("system",), now)
    found: list[float] = _by_host(rows["system"], rows["system"].last("uptime")).tolist()
    return found


def detail(
    host: Host, now: float, steps: StepClock, thresholds: Table = DEFAULTS
) -> Iterator[tuple[str, bytes] | None]:
    """Yield each field of a host's ``HostDetail`` as its name and JSON; None between steps.

    The host must not change meanwhile: pass a copy.
    """
    encode = msgspec.json.encode
    [summary] = summaries([host], now, thresholds)
    for name, value in asdict(summary).items():
        yield name, encode(value)
    rows = gather([host], _DETAILED, now)
    slots = _shown(host, now)
    swap_total, swap_used = _swap(rows)
    fields: dict[str, object] = {
        "system": host.info.system,
        "release": host.info.release,
        "machine": host.info.machine,
        **{name: _single(rows["system"], name) for name in ("load1", "load5", "load15")},
        "swap_total_bytes": _first(swap_total),
        "swap_used_bytes": _first(swap_used),
        "gauges": dict(_gauges(slots)),
    }
    for name, value in fields.items():
        yield name, encode(value)
    by_cpu, by_memory = processes(slots)
    yield "processes_by_cpu", encode(by_cpu)
    yield "processes_by_memory", encode(by_memory)
    yield "extra", others(slots)
    yield None
    yield "cpu_modes", encode(resources.cpu_modes(rows["cpu"]))
    yield "cores", (yield from _list(Core, _cores(rows["cpu"]), steps))
    yield "memory_parts", encode(resources.memory_parts(rows))
    yield "temperatures", encode(resources.temperatures(rows))
    yield "fans", encode(resources.fans(rows))
    yield "pressure", encode(resources.pressure(rows["pressure"]))
    yield "services", encode(resources.services(rows))
    yield None
    found = _filesystems(rows["filesystems"])
    yield "filesystems", (yield from _list(Filesystem, found, steps))
    yield "disks", (yield from _list(Disk, _disks(rows["disks"]), steps))
    yield "networks", (yield from _list(Network, _networks(rows["networks"]), steps))
    containers = _containers(rows["containers"], rows["container_disks"])
    yield "containers", (yield from _list(Container, containers, steps))


_DETAILED: Final = (
    *("containers", "container_disks", "disks", "filesystems", "networks", "swap", "system"),
    *resources.SECTIONS,
)


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
    for part in samples(table.measured, capture, steps):
        if part is None:
            yield None
            continue
        values = part.values.tolist()
        pairs = zip(part.label_sets(), values, strict=True)
        found = [Sample(labels, value) for labels, value in pairs if isfinite(value)]
        if not found:
            continue
        first = part.family is not family
        if first:
            head = encode({"name": part.family.name, "help": part.family.help})
            kind = encode(part.family.type)
            yield (b"]}," if family else b"") + head[:-1] + b',"type":' + kind + b',"samples":['
            family = part.family
        for start, stop in size.ranges(len(found)):
            yield (b"" if first else b",") + encode(found[start:stop])[1:-1]
            first = False
    yield (b"]}" if family else b"") + b"]}"


def _known(values: Floats) -> list[float | None]:
    return [value if isfinite(value) else None for value in values.tolist()]


def _first(values: Floats) -> float | None:
    """Return the value of one host, None where the host has none."""
    return next(iter(_known(values)), None)


def _single(record: Rows, name: str) -> float | None:
    """Return a field of the record of one host, None where the host has none."""
    return _first(record.last(name))


def _by_host(record: Rows, values: Floats) -> Floats:
    """Return the values of a record's rows by host, from shape (n,) to (h,)."""
    found = np.full(record.hosts, nan)
    found[record.host_of] = values
    return found


def _memory(rows: Gathered) -> tuple[Floats, Floats]:
    """Return the total and the available memory of each host in bytes, both of shape (h,)."""
    return (
        _either(rows, memory=_field("total"), meminfo=_field("MemTotal_bytes")),
        _either(rows, memory=_field("available"), meminfo=_field("MemAvailable_bytes")),
    )


def _either(rows: Gathered, **values: Callable[[MixedRows], Floats]) -> Floats:
    """Return what is computed of one of the sections of each host, of shape (h,).

    Of a host that has several, the first known value counts.
    """
    found = np.full(rows.hosts, nan)
    for section, compute in values.items():
        if section in rows:
            value = _by_host(rows[section], compute(rows[section]))
            found = np.where(np.isnan(found), value, found)
    return found


def _field(name: str) -> Callable[[MixedRows], Floats]:
    return lambda rows: rows.last(name)


def _memory_usage(rows: Gathered) -> Floats:
    """Return the share of each host's memory that is in use, of shape (h,)."""
    return _either(
        rows,
        memory=lambda record: derive.used_ratio(record, "total", "available"),
        meminfo=lambda record: derive.used_ratio(record, "MemTotal_bytes", "MemAvailable_bytes"),
    )


def _swap(rows: Gathered) -> tuple[Floats, Floats]:
    """Return the total and the used swap space of each host in bytes, both of shape (h,)."""
    return (
        _either(rows, swap=_field("total"), meminfo=_field("SwapTotal_bytes")),
        _either(
            rows,
            swap=_field("used"),
            meminfo=lambda record: derive.used(record, "SwapTotal_bytes", "SwapFree_bytes"),
        ),
    )


def _traffic(networks: MixedRows, counter: str) -> Floats:
    """Return the rate over the links of each host, of shape (h,)."""
    values = derive.per_second(networks, counter)
    known = networks.cached(_is_counted) & ~np.isnan(values)
    count = networks.hosts
    of = networks.host_of[known]
    sums = np.bincount(of, values[known], count)
    return np.where(np.bincount(of, minlength=count), sums, nan)


def _is_counted(networks: Rows) -> NDArray[np.bool_]:
    """Return whether an interface counts for its host, so that no traffic is counted twice.

    These are the host's own links. Where there is none, as in a container whose only interface is
    the end of a tunnel, they are all but the loopback.
    """
    assert isinstance(networks, MixedRows)
    own = networks.where_first(is_own_link)
    links = np.bincount(networks.host_of[own], minlength=networks.hosts)
    alone = (links == 0)[networks.host_of]
    return own | (alone & ~networks.is_text(_LOOPBACK)) if alone.any() else own


def _fullest(filesystems: MixedRows) -> list[FullestFilesystem | None]:
    found: list[FullestFilesystem | None] = [None] * filesystems.hosts
    rows = zip(
        filesystems.host_of.tolist(),
        filesystems.cached(attention.filled).tolist(),
        filesystems.texts("mountpoint"),
        filesystems.last("readonly").tolist(),
        strict=True,
    )
    for host, ratio, path, readonly in rows:
        fullest = found[host]
        if isfinite(ratio) and readonly != 1 and (not fullest or ratio > fullest.used_ratio):
            found[host] = FullestFilesystem(path, ratio)
    return found


def _cores(cpu: MixedRows) -> Sequence[Sequence[Any]]:
    names, usage = cpu.texts("cpu"), _known(derive.cpu_usage(cpu))
    order = sorted(range(len(names)), key=lambda row: numeric(names[row]))
    return [names[row] for row in order], [usage[row] for row in order]


def _filesystems(rows: MixedRows) -> Sequence[Sequence[Any]]:
    readonly = [None if flag is None else bool(flag) for flag in _known(rows.last("readonly"))]
    return (
        *map(rows.texts, ("mountpoint", "device", "fstype")),
        _known(rows.last("size")),
        _known(derive.used(rows, "size", "free")),
        _known(rows.last("available")),
        _known(derive.filled_ratio(rows, "size", "free", "available")),
        readonly,
    )


def _disks(rows: MixedRows) -> Sequence[Sequence[Any]]:
    counters = ("read_bytes", "written_bytes")
    return rows.texts("device"), *(_known(derive.per_second(rows, name)) for name in counters)


def _networks(rows: MixedRows) -> Sequence[Sequence[Any]]:
    counters = (
        ("receive_bytes",),
        ("transmit_bytes",),
        ("receive_errors", "receive_drops"),
        ("transmit_errors", "transmit_drops"),
    )
    found = (_known(derive.per_second(rows, *names)) for names in counters)
    return rows.texts("device"), *found


def _containers(rows: MixedRows, disks: MixedRows) -> Sequence[Sequence[Any]]:
    ids = rows.texts("id")
    limits = _known(rows.last("memory_limit"))
    return (
        ids,
        *map(rows.texts, ("name", "runtime")),
        _known(derive.per_second(rows, "cpu_usage")),
        _known(derive.share(rows, "cfs_throttled_periods", "cfs_periods")),
        _known(rows.last("memory_working_set")),
        [limit or None for limit in limits],  # 0 is no limit
        *(
            [*map(_sums(disks, derive.per_second(disks, name)).get, ids)]
            for name in ("read_bytes", "written_bytes")
        ),
        _known(rows.last("threads")),
    )


def _sums(disks: MixedRows, values: Floats) -> dict[str, float]:
    """Return the sum of the known values of the disks of each container."""
    found: dict[str, float] = {}
    for container, value in zip(disks.texts("id"), values.tolist(), strict=True):
        if isfinite(value):
            found[container] = found.get(container, 0.0) + value
    return found


def _gauges(slots: Sequence[Slot]) -> Iterator[tuple[str, float]]:
    """Yield the open families that are gauges without labels, and the value of each."""
    for slot in slots:
        for section, start in zip(slot.sections, slot.arrangement.starts, strict=True):
            if section.type == "gauge" and section.columns == section.families:
                if section.labels:
                    continue
                values = cells_of(section, slot.numbers, start)[:, 0].tolist()
                pairs = zip(section.families, values, strict=True)
                yield from ((name, value) for name, value in pairs if isfinite(value))
