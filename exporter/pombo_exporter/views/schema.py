"""Hosts and the exporter as typed structs, with units in the names of fields.

The API, the status page and ``top`` show these. An unknown value is None.
"""

from enum import StrEnum
from typing import Any

from msgspec import Struct

from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.severity import Reason, Severity
from pombo_exporter.stats import Cluster, ReceiveBuffer


class FullestFilesystem(Struct, frozen=True):
    """The writable filesystem with the least room, as a share of it."""

    mountpoint: str
    used_ratio: float


class BusiestProcess(Struct, frozen=True):
    """The process that uses most CPU time, as a share of one core."""

    name: str
    cpu_usage_ratio: float


class HostSummary(Struct, frozen=True):
    """A host in one line.

    ``severity`` is the worst of its ``reasons``, of which the most urgent is the first.
    ``duplicate_addresses`` are those of two agents that reported under its name in the last ten
    minutes, that of the agent that holds the name first. ``datagram_loss_ratio`` is of the last ten
    minutes. ``looks_like`` is the name of another host, where this one's looked like it when it was
    new, and empty otherwise. While the host is down, all values from ``cpu_usage_ratio`` on are
    those of its last report.
    """

    name: str
    severity: Severity
    reasons: list[Reason]
    state: State
    last_seen_timestamp_seconds: float
    last_seen_age_seconds: float
    address: str
    duplicate_addresses: list[str]
    agent_version: str
    labels: dict[str, str]
    interval_seconds: float
    datagrams_received: int
    datagrams_lost: int
    datagrams_skipped: int
    datagrams_duplicate: int
    datagrams_reordered: int
    datagram_loss_ratio: float
    conflicts: int
    looks_like: str
    clock_offset_seconds: float | None
    cpu_usage_ratio: float | None
    cpu_cores: int | None
    memory_total_bytes: float | None
    memory_available_bytes: float | None
    memory_used_ratio: float | None
    fullest_filesystem: FullestFilesystem | None
    busiest_process: BusiestProcess | None
    network_receive_bytes_per_second: float | None
    network_transmit_bytes_per_second: float | None
    uptime_seconds: float | None


class HostList(Struct, frozen=True):
    """Every host, in the order in which they were first seen."""

    hosts: list[HostSummary]


class Core(Struct, frozen=True):
    """A processor core."""

    cpu: str
    usage_ratio: float | None


class CpuModes(Struct, frozen=True):
    """What all cores together spent their time on between the last two reports, as shares of it.

    A mode that the host does not report is None.
    """

    user_ratio: float | None
    nice_ratio: float | None
    system_ratio: float | None
    idle_ratio: float | None
    iowait_ratio: float | None
    irq_ratio: float | None
    softirq_ratio: float | None
    steal_ratio: float | None


class MemoryParts(Struct, frozen=True):
    """The parts of the memory. The first four add up to all of it.

    ``cached_bytes`` has the page cache and what the kernel can reclaim of its own; of this,
    ``shared_bytes`` are shared between processes and cannot be reclaimed. ``used_bytes`` is the
    rest.
    """

    used_bytes: float | None
    buffers_bytes: float | None
    cached_bytes: float | None
    free_bytes: float | None
    shared_bytes: float | None


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


class Temperature(Struct, frozen=True):
    """What a sensor measures, in degrees Celsius, and from where on its maker warns.

    ``chip_name`` and ``label`` are what they are called, and may be empty. Of a thermal zone of the
    platform, ``chip`` is its type and ``sensor`` its number.
    """

    chip: str
    chip_name: str
    sensor: str
    label: str
    celsius: float | None
    max_celsius: float | None
    critical_celsius: float | None


class Fan(Struct, frozen=True):
    """The speed of a fan; its texts are as those of a temperature."""

    chip: str
    chip_name: str
    sensor: str
    label: str
    revolutions_per_minute: float | None


class Pressure(Struct, frozen=True):
    """Shares of the time in which some tasks waited for a resource, or all were stalled by it."""

    cpu_waiting_ratio: float | None
    io_waiting_ratio: float | None
    io_stalled_ratio: float | None
    memory_waiting_ratio: float | None
    memory_stalled_ratio: float | None


class UnitCount(Struct, frozen=True):
    """How many units of systemd are in a state."""

    state: str
    count: float


class Services(Struct, frozen=True):
    """The units of systemd: how many there are by state, and the names of those that failed."""

    units: list[UnitCount]
    failed: list[str]


class Container(Struct, frozen=True):
    """A container or service, by the path of its cgroup.

    ``memory_limit_bytes`` is None without a limit. ``throttled_ratio`` is the share of the periods
    of its CPU quota in which it was throttled, None without a quota.
    """

    id: str
    name: str
    runtime: str
    cpu_usage_cores: float | None
    throttled_ratio: float | None
    memory_working_set_bytes: float | None
    memory_limit_bytes: float | None
    read_bytes_per_second: float | None
    write_bytes_per_second: float | None
    threads: float | None


class Process(Struct, frozen=True):
    """A process. ``cpu_usage_ratio`` is the share of one core, and may be more than 1.

    ``command`` is the command line, empty unless the agent sends it.
    """

    pid: int
    name: str
    user: str
    command: str
    start_timestamp_seconds: float | None
    cpu_usage_ratio: float | None
    resident_memory_bytes: float | None


class Sample(Struct, frozen=True):
    """A value of a family; ``labels`` are without ``instance``."""

    labels: dict[str, str]
    value: float


class SampleFamily(Struct, frozen=True):
    """A metric family of one host, as ``/metrics`` has it."""

    name: str
    help: str
    type: str
    samples: list[Sample]


class HostFamilies(Struct, frozen=True):
    """Every family that a host measures, without those about the host itself."""

    families: list[SampleFamily]


class HostDetail(HostSummary, frozen=True):
    """All fields of one host. Its families are an answer of their own.

    ``gauges`` are its gauges without labels under names of its own. The processes are those that
    its agent reports: the ones that use most CPU time, and most memory. ``extra`` is what else its
    agent reports besides sections; None without any. ``cpu_modes``, ``memory_parts``, ``pressure``
    and ``services`` are None where the host does not report them.
    """

    system: str
    release: str
    machine: str
    load1: float | None
    load5: float | None
    load15: float | None
    swap_total_bytes: float | None
    swap_used_bytes: float | None
    cpu_modes: CpuModes | None
    cores: list[Core]
    memory_parts: MemoryParts | None
    filesystems: list[Filesystem]
    disks: list[Disk]
    networks: list[Network]
    temperatures: list[Temperature]
    fans: list[Fan]
    pressure: Pressure | None
    services: Services | None
    containers: list[Container]
    gauges: dict[str, float]
    processes_by_cpu: list[Process]
    processes_by_memory: list[Process]
    extra: dict[str, Any] | None


class HostStates(Struct, frozen=True):
    """How many hosts there are of each state."""

    live: int
    late: int
    down: int


class EventKind(StrEnum):
    """What happened to hosts."""

    NEW = "new"  # reported for the first time
    DOWN = "down"
    BACK = "back"  # reported again after it was down
    STOPPED = "stopped"  # the agent said bye
    RESTARTED = "restarted"  # the agent was, and the host was not
    REBOOTED = "rebooted"
    DUPLICATE = "duplicate"  # another agent reports under the same name
    FORGOTTEN = "forgotten"
    REMOVED = "removed"  # to make room for another host


class Event(Struct, frozen=True):
    """Something that happened to one host, or to several within ten seconds.

    ``hosts`` are the names of the first of them, at most five, and ``count`` is how often it
    happened. The times are when the exporter noticed the first and the last time. An event that
    happens again within ten seconds keeps its ``number``.
    """

    number: int
    kind: EventKind
    first_timestamp_seconds: float
    last_timestamp_seconds: float
    count: int
    hosts: list[str]


class EventList(Struct, frozen=True):
    """What happened to hosts, the newest first.

    At most ``capacity`` events are kept, in memory. ``dropped`` is how many older ones were dropped
    to make room for them.
    """

    events: list[Event]
    capacity: int
    dropped: int


class FleetTotals(Struct, frozen=True):
    """Totals of the hosts that are not down.

    ``cpu_busy_cores`` is how many of ``cpu_cores`` are busy, and ``memory_used_bytes`` what is used
    of ``memory_total_bytes``, of the hosts of which both are known. The network has what the hosts'
    own links receive and transmit. ``datagram_loss_ratio`` is the mean of the hosts' loss in the
    last ten minutes, None without a host. ``datagrams_per_second`` is over the last half minute,
    whatever became of them, and None just after the start.
    """

    cpu_cores: int
    cpu_busy_cores: float
    memory_total_bytes: float
    memory_used_bytes: float
    network_receive_bytes_per_second: float
    network_transmit_bytes_per_second: float
    datagram_loss_ratio: float | None
    datagrams_per_second: float | None


class Limit(Struct, frozen=True):
    """A limit and the most that is used of it.

    ``host`` is the host that uses the most, of a limit for each host.
    """

    name: str
    limit: int
    used: int | None
    used_ratio: float | None
    host: str | None


class RefusalSummary(Struct, frozen=True):
    """Datagrams refused for one reason, from one address, and the last of them."""

    reason: str
    address: str
    count: int
    last_timestamp_seconds: float
    last_age_seconds: float
    detail: str
    datagram_start: str


class ExporterStatus(Struct, frozen=True):
    """The exporter itself; ``recent_refusals`` come newest first.

    ``last_datagram_timestamp_seconds`` is when the last datagram arrived over UDP or HTTP, whatever
    became of it, and None before the first one. ``refusal_remedies`` are those of the reasons for
    which datagrams were refused. ``cluster`` is what ``--cluster.name`` says, and None without it.
    """

    version: str
    python_version: str
    started_timestamp_seconds: float
    uptime_seconds: float
    hosts: HostStates
    totals: FleetTotals
    limits: list[Limit]
    forget_after_seconds: float
    udp_listen_address: str
    datagrams_received: int
    last_datagram_timestamp_seconds: float | None
    datagrams_refused: dict[str, int]
    refusal_remedies: dict[str, str]
    recent_refusals: list[RefusalSummary]
    receive_buffer: ReceiveBuffer
    kernel_drops: int
    cluster: Cluster | None
