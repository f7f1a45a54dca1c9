"""What is held, as people and programs want it: typed, named in words, with units in the names.

The API, the page and ``top`` all show these. Everything derived comes from ``rates``, so that
they agree with the page of metrics. A value that is not known is None.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, nan
from typing import Any

import numpy as np
from msgspec import Struct
from pombo_wire import MAX_DATAGRAM_BYTES

from pombo_exporter import rates
from pombo_exporter.catalogue import Catalogue, OfHost, Rows, Source, Summary
from pombo_exporter.columns import Column, Columns, gather
from pombo_exporter.host import Host, State
from pombo_exporter.refusals import Refused
from pombo_exporter.roster import Limits

_MOST = 2**63 - 1  # a leap in an agent's numbers is as long as it likes; JSON's integers are not

_LOOPBACK = "lo"


class FullestFilesystem(Struct, frozen=True):
    """The writable filesystem with the least room, as a share of it."""

    mountpoint: str
    used_ratio: float


class HostSummary(Struct, frozen=True):
    """A host in a line.

    A host that is down measures nothing: from ``cpu_usage_ratio`` on, all is unknown.
    """

    name: str
    state: State
    last_seen_timestamp_seconds: float
    last_seen_age_seconds: float
    address: str
    agent_version: str
    labels: dict[str, str]
    interval_seconds: float
    datagrams_received: int
    datagrams_lost: int
    datagrams_duplicate: int
    datagrams_reordered: int
    conflicts: int
    clock_offset_seconds: float | None
    cpu_usage_ratio: float | None
    memory_total_bytes: float | None
    memory_available_bytes: float | None
    memory_used_ratio: float | None
    fullest_filesystem: FullestFilesystem | None
    network_receive_bytes_per_second: float | None
    network_transmit_bytes_per_second: float | None
    uptime_seconds: float | None


class HostList(Struct, frozen=True):
    """Every host, in the order in which they were first heard."""

    hosts: list[HostSummary]


class Core(Struct, frozen=True):
    """A processor core."""

    cpu: str
    usage_ratio: float | None


class Filesystem(Struct, frozen=True):
    """A mounted filesystem; ``used_ratio`` is as df has it."""

    mountpoint: str
    device: str
    fstype: str
    size_bytes: float | None
    used_bytes: float | None
    available_bytes: float | None
    used_ratio: float | None
    readonly: bool | None


class Disk(Struct, frozen=True):
    """A block device."""

    device: str
    read_bytes_per_second: float | None
    write_bytes_per_second: float | None


class Network(Struct, frozen=True):
    """A network interface; lost packets are those with errors and those dropped."""

    device: str
    receive_bytes_per_second: float | None
    transmit_bytes_per_second: float | None
    receive_lost_packets_per_second: float | None
    transmit_lost_packets_per_second: float | None


class Sample(Struct, frozen=True):
    """A value of a family, with the labels that it has beside ``instance``."""

    labels: dict[str, str]
    value: float


class FamilyView(Struct, frozen=True):
    """A metric family of one host, as its page of metrics has it."""

    name: str
    help: str
    kind: str
    samples: list[Sample]


class HostDetail(HostSummary, frozen=True):
    """A host with all that it measures; ``families`` holds every family of its page."""

    system: str
    release: str
    machine: str
    load1: float | None
    load5: float | None
    load15: float | None
    swap_total_bytes: float | None
    swap_used_bytes: float | None
    cores: list[Core]
    filesystems: list[Filesystem]
    disks: list[Disk]
    networks: list[Network]
    gauges: dict[str, float]
    families: list[FamilyView]


class HostStates(Struct, frozen=True):
    """How many hosts there are of each state."""

    live: int
    late: int
    down: int


class Limit(Struct, frozen=True):
    """A bound and the most that there is of it; ``host`` is the one that has the most."""

    name: str
    limit: int
    used: int | None
    used_ratio: float | None
    host: str | None


class ReceiveBuffer(Struct, frozen=True):
    """The receive buffer of the UDP socket, as asked for and as the kernel grants it."""

    wanted_bytes: int
    granted_bytes: int


class Refusal(Struct, frozen=True):
    """Datagrams that were refused for one reason, from one address, and the last of them."""

    reason: str
    address: str
    count: int
    last_timestamp_seconds: float
    last_age_seconds: float
    detail: str
    datagram_start: str


class ExporterStatus(Struct, frozen=True):
    """The exporter itself; ``recent_refusals`` come newest first."""

    version: str
    python_version: str
    started_timestamp_seconds: float
    uptime_seconds: float
    hosts: HostStates
    limits: list[Limit]
    forget_after_seconds: float
    datagrams_received: int
    datagrams_refused: dict[str, int]
    recent_refusals: list[Refusal]
    receive_buffer: ReceiveBuffer
    kernel_drops: int


class Fullest(Struct):
    """The host with the most series, as far as they were counted."""

    series: int = 0
    host: str | None = None

    def add(self, host: Host, series: int) -> None:
        """Take one more host."""
        if series > self.series:
            self.series, self.host = series, host.name


# --- hosts ---


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
        _known(rates.cpu_average_usage(held["cpu"])),
        _single(memory, "total"),
        _single(memory, "available"),
        _by_host(memory, rates.used_ratio(memory, "total", "available")),
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
    values = rates.per_second(networks, counter)
    known = np.array(counted, dtype=bool) & ~np.isnan(values)
    count = len(networks.hosts)
    of = networks.host_of[known]
    sums = np.bincount(of, values[known], count)
    return _known(np.where(np.bincount(of, minlength=count), sums, nan))


def _fullest(filesystems: Columns) -> list[FullestFilesystem | None]:
    found: list[FullestFilesystem | None] = [None] * len(filesystems.hosts)
    rows = zip(
        filesystems.host_of.tolist(),
        rates.filled_ratio(filesystems, "size", "free", "available").tolist(),
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
    return [*map(Core, cpu.texts("cpu"), _known(rates.cpu_usage(cpu)))]


def _filesystems(rows: Columns) -> list[Filesystem]:
    readonly = [None if flag is None else bool(flag) for flag in _known(rows.now("readonly"))]
    return [
        *map(
            Filesystem,
            *map(rows.texts, ("mountpoint", "device", "fstype")),
            _known(rows.now("size")),
            _known(rates.difference(rows, "size", "free")),
            _known(rows.now("available")),
            _known(rates.filled_ratio(rows, "size", "free", "available")),
            readonly,
        )
    ]


def _disks(rows: Columns) -> list[Disk]:
    found = (_known(rates.per_second(rows, name)) for name in ("read_bytes", "written_bytes"))
    return [*map(Disk, rows.texts("device"), *found)]


def _networks(rows: Columns) -> list[Network]:
    counters = (
        ("receive_bytes",),
        ("transmit_bytes",),
        ("receive_errors", "receive_drops"),
        ("transmit_errors", "transmit_drops"),
    )
    found = (_known(rates.per_second(rows, *names)) for names in counters)
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
            own = dict([label]) if label else {}
            labels = [own | row for row in rows.named()]
    for texts, value in zip(labels, _known(values), strict=True):
        if value is not None:
            yield Sample(texts, value)


# --- the exporter ---


def host_states(states: Counter[State]) -> HostStates:
    """Return how many hosts are in each state."""
    return HostStates(**{str(state): states[state] for state in State})


def limits_in_use(limits: Limits, hosts: int, fullest: Fullest) -> list[Limit]:
    """Return the bounds; ``hosts`` counts those that said bye a moment ago as well."""
    return [
        Limit("hosts", limits.hosts, hosts, hosts / limits.hosts, None),
        Limit(
            "series_per_host",
            limits.series_per_host,
            fullest.series,
            fullest.series / limits.series_per_host,
            fullest.host,
        ),
        Limit("datagram_bytes", MAX_DATAGRAM_BYTES, None, None, None),
    ]


def refusal(refused: Refused, wall: float) -> Refusal:
    """Return what was refused; ``wall`` is the exporter's time of day."""
    return Refusal(
        reason=refused.reason,
        address=refused.address,
        count=refused.count,
        last_timestamp_seconds=refused.wall,
        last_age_seconds=max(0.0, wall - refused.wall),
        detail=refused.detail,
        datagram_start=repr(refused.start)[2:-1],
    )
