"""What is held, as people and programs want it: typed, named in words, with units in the names.

The API, the page and ``top`` all show these. Everything derived comes from ``rates``, so that
they agree with the page of metrics. A value that is not known is None.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from msgspec import Struct
from msgspec.structs import astuple
from pombo_wire import MAX_DATAGRAM_BYTES, Record

from pombo_exporter import rates
from pombo_exporter.blocks import Block
from pombo_exporter.catalogue import Catalogue, OfHost, Rows, Source, Summary
from pombo_exporter.columns import Column, Columns
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

    Some tens at once are cheaper than one by one; a hundred take about a millisecond.
    """
    held = _gather(hosts, now, _SUMMARISED)
    cpu = rates.cpu_average_usage(held["cpu"])
    memory, system = held["memory"], held["system"]
    total, available = _single(memory, "total"), _single(memory, "available")
    used = _firsts(memory, rates.used_ratio(memory, "total", "available"))
    uptime = _single(system, "uptime")
    fullest = _fullest(held["filesystems"])
    received = _traffic(held["networks"], "receive_bytes")
    sent = _traffic(held["networks"], "transmit_bytes")
    return [
        HostSummary(
            name=host.name,
            state=host.state_at(now),
            last_seen_timestamp_seconds=host.last_seen_wall,
            last_seen_age_seconds=max(0.0, now - host.last_seen),
            address=str(host.address[0]),
            agent_version=host.info.agent,
            labels=host.labels,
            interval_seconds=host.interval,
            datagrams_received=host.ledger.received,
            datagrams_lost=min(host.ledger.lost, _MOST),
            datagrams_duplicate=host.ledger.duplicate,
            datagrams_reordered=host.ledger.reordered,
            conflicts=host.conflicts,
            clock_offset_seconds=host.clock_offset,
            cpu_usage_ratio=cpu[at],
            memory_total_bytes=total[at],
            memory_available_bytes=available[at],
            memory_used_ratio=used[at],
            fullest_filesystem=fullest[at],
            network_receive_bytes_per_second=received[at],
            network_transmit_bytes_per_second=sent[at],
            uptime_seconds=uptime[at],
        )
        for at, host in enumerate(hosts)
    ]


def detail(host: Host, catalogue: Catalogue, now: float) -> HostDetail:
    """Return all of a host."""
    [summary] = summaries([host], now)
    held = _gather([host], now, tuple({*host.sections, *_DETAILED}))
    system, swap = held["system"], held["swap"]
    return HostDetail(
        **{name: getattr(summary, name) for name in summary.__struct_fields__},
        system=host.info.system,
        release=host.info.release,
        machine=host.info.machine,
        load1=_single(system, "load1")[0],
        load5=_single(system, "load5")[0],
        load15=_single(system, "load15")[0],
        swap_total_bytes=_single(swap, "total")[0],
        swap_used_bytes=_single(swap, "used")[0],
        cores=_cores(held["cpu"]),
        filesystems=_filesystems(held["filesystems"]),
        disks=_disks(held["disks"]),
        networks=_networks(held["networks"]),
        gauges=dict(_named_values(held["gauges"])),
        families=[*_families(held, catalogue)],
    )


_SUMMARISED = ("cpu", "memory", "system", "filesystems", "networks")
_DETAILED = (*_SUMMARISED, "swap", "disks", "gauges")


def _gather(hosts: Sequence[Host], now: float, names: Sequence[str]) -> dict[str, Columns]:
    """Return these sections of the hosts; one that is down, or lacks a section, has no rows."""
    held = {name: Columns() for name in names}
    for host in hosts:
        down = host.state_at(now) is State.DOWN
        for name, columns in held.items():
            blocks = () if down else host.sections.get(name, {}).values()
            columns.add(host.label_text, [block for block in blocks if block.expires > now])
    return held


def _by_host(rows: Columns, values: Sequence[Any]) -> Iterator[list[Any]]:
    """Yield each host's share of what was made of its rows."""
    each = iter(values)
    for _, count in rows.hosts:
        yield [*islice(each, count)]


def _firsts(rows: Columns, values: Column) -> Column:
    """Return each host's only value of a section of single values, if there is one."""
    return [next(iter(own), None) for own in _by_host(rows, values)]


def _single(rows: Columns, name: str) -> Column:
    return _firsts(rows, rows.now(name))


def _traffic(networks: Columns, counter: str) -> Column:
    """Return, host by host, the rate over all interfaces but the loopback."""
    rows = zip(_texts(networks, "device"), rates.per_second(networks, counter), strict=True)
    known = [
        [rate for device, rate in own if device != _LOOPBACK and rate is not None]
        for own in _by_host(networks, [*rows])
    ]
    return [sum(own) if own else None for own in known]


def _fullest(filesystems: Columns) -> list[FullestFilesystem | None]:
    rows = zip(
        rates.filled_ratio(filesystems, "size", "free", "available"),
        _texts(filesystems, "mountpoint"),
        filesystems.now("readonly"),
        strict=True,
    )
    found: list[FullestFilesystem | None] = []
    for own in _by_host(filesystems, [*rows]):
        writable = [row for row in own if row[0] is not None and not row[2]]
        ratio, path, _ = max(writable, default=(0.0, "", None))
        found.append(FullestFilesystem(path, ratio) if writable else None)
    return found


def _texts(rows: Columns, name: str) -> list[str]:
    """Return one of the texts that name each row."""
    return [text for block in rows.blocks for text in getattr(block.current, name)]


def _cores(cpu: Columns) -> list[Core]:
    return [*map(Core, _texts(cpu, "cpu"), rates.cpu_usage(cpu))]


def _filesystems(rows: Columns) -> list[Filesystem]:
    readonly = [None if flag is None else bool(flag) for flag in rows.now("readonly")]
    return [
        *map(
            Filesystem,
            *(_texts(rows, name) for name in ("mountpoint", "device", "fstype")),
            rows.now("size"),
            rates.difference(rows, "size", "free"),
            rows.now("available"),
            rates.filled_ratio(rows, "size", "free", "available"),
            readonly,
        )
    ]


def _disks(rows: Columns) -> list[Disk]:
    counters = ("read_bytes", "written_bytes")
    return [*map(Disk, _texts(rows, "device"), *(rates.per_second(rows, c) for c in counters))]


def _networks(rows: Columns) -> list[Network]:
    counters = (
        ("receive_bytes",),
        ("transmit_bytes",),
        ("receive_errors", "receive_drops"),
        ("transmit_errors", "transmit_drops"),
    )
    found = (rates.per_second(rows, *names) for names in counters)
    return [*map(Network, _texts(rows, "device"), *found)]


def _named_values(rows: Columns) -> Iterator[tuple[str, float]]:
    for block in rows.blocks:
        yield from zip(block.current.name, block.current.value, strict=True)


def _families(held: Mapping[str, Columns], catalogue: Catalogue) -> Iterator[FamilyView]:
    """Yield what a host measures; what the exporter knows of it has fields of its own."""
    for family in catalogue.families:
        samples = [sample for source in family.sources for sample in _samples(source, held)]
        if samples:
            yield FamilyView(family.name, family.help, family.kind, samples)
    for found in catalogue.maps:
        for name, value in _named_values(held.get(found.section, Columns())):
            text = found.help.format(name)
            yield FamilyView(found.prefix + name, text, found.kind, [Sample({}, value)])


def _samples(source: Source, held: Mapping[str, Columns]) -> Iterator[Sample]:
    if isinstance(source, OfHost) or source.section not in held:
        return
    rows = held[source.section]
    values: Column
    labels: list[dict[str, str]]
    match source:
        case Summary(_, derive):
            values, labels = derive(rows), [{}]
        case Rows(_, names, derive, label):
            values = derive(rows, *names) if derive else rows.now(names[0])
            own = dict([label]) if label else {}
            labels = [own | row for block in rows.blocks for row in _labels(block)]
    for texts, value in zip(labels, values, strict=True):
        if value is not None:
            yield Sample(texts, value)


def _labels(block: Block) -> Iterator[dict[str, str]]:
    """Yield the labels of each of a block's rows."""
    section = block.current
    names = section.__struct_fields__[: section.label_columns]
    texts = astuple(section)[: section.label_columns]
    rows = [texts] if isinstance(section, Record) else zip(*texts, strict=True)
    for row in rows:
        yield dict(zip(names, row, strict=True))


# --- the exporter ---


def host_states(hosts: Sequence[Host], now: float) -> HostStates:
    """Return how many of these hosts are in each state."""
    states = Counter(str(host.state_at(now)) for host in hosts)
    return HostStates(**{state: states[state] for state in State})


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
