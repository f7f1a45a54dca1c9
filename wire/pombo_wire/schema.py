"""The report: its fields, their types and their bounds.

A section is a *record* (single values), a *table* (columns of equal length, of which the first
identify the rows) or a *map* (values by name). Every value is a JSON number, read as a float64,
as in Prometheus. Counts are cumulative, as in the kernel; sizes are in bytes, times in seconds.
"""

from functools import cache
from typing import Annotated, ClassVar, Literal, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct
from msgspec.structs import astuple

from pombo_wire.limits import MAX_PARTS, MAX_PROCESSES
from pombo_wire.reasons import DecodeError, Reason

#: The interval that the exporter assumes where a report has no ``interval``, in seconds.
DEFAULT_INTERVAL_SECONDS = 60.0

#: The most rows of a table, and the most entries of a map, in one datagram.
MAX_ROWS = 1024

#: Names that ``labels`` must not have: the exporter, the scrape or ``info`` sets these labels.
RESERVED_LABELS = frozenset(
    {"agent", "instance", "job", "le", "machine", "quantile", "release", "system"}
)

Number = Annotated[float, Meta(ge=0)]
Text = Annotated[str, Meta(max_length=255)]
Name = Annotated[str, Meta(min_length=1, max_length=255)]
LabelName = Annotated[str, Meta(pattern=r"^[a-zA-Z][a-zA-Z0-9_]{0,63}\Z")]
MetricName = Annotated[str, Meta(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,199}\Z")]
Integer = Annotated[int, Meta(ge=0, le=2**63 - 1)]

Value = Number | None
TextColumn = Annotated[tuple[Text, ...], Meta(min_length=1, max_length=MAX_ROWS)]
Map = Annotated[
    dict[Annotated[str, Meta(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_]{0,63}\Z")], Number],
    Meta(max_length=MAX_ROWS),
]
Signed = float | None
SignedColumn = Annotated[tuple[float | None, ...], Meta(min_length=1, max_length=MAX_ROWS)] | None
Column = Annotated[tuple[Value, ...], Meta(min_length=1, max_length=MAX_ROWS)] | None


class Record(Struct, frozen=True, gc=False, omit_defaults=True):
    """A section of single values; ``None`` where the host lacks one.

    The first ``label_columns`` fields are texts, which the exporter exposes as labels.
    """

    label_columns: ClassVar[int] = 0


class Table(Struct, frozen=True, gc=False, omit_defaults=True):
    """A section of columns of equal length, one element per row.

    The first ``label_columns`` are texts, the others values. The first ``key_columns`` of the
    texts identify a row; the other texts describe it.

    Raises:
        DecodeError: when columns differ in length, or two rows have the same keys.
    """

    key_columns: ClassVar[int] = 1
    label_columns: ClassVar[int] = 1

    def __post_init__(self) -> None:
        """Check the lengths of the columns and the keys of the rows."""
        columns = astuple(self)
        keys = columns[0]
        rows = len(keys)
        for column in columns:
            if column is not None and len(column) != rows:
                detail = f"columns differ in length: give each {rows} values or leave it out"
                raise DecodeError(Reason.UNEQUAL_COLUMNS, detail)
        if self.key_columns > 1:
            keys = zip(*columns[: self.key_columns], strict=True)
        if len({*keys}) != rows:
            detail = f"a row is named twice: send each {self.__struct_fields__[0]} once"
            raise DecodeError(Reason.REPEATED_ROW, detail)


class Info(Record, frozen=True):
    """Versions of the agent and of the operating system."""

    label_columns: ClassVar[int] = 4

    agent: Text = ""
    system: Text = ""
    release: Text = ""
    machine: Text = ""


class System(Record, frozen=True):
    """The host as a whole.

    ``boot_time`` and ``time`` are in Unix seconds, ``uptime`` in seconds, entropy in bits.
    ``context_switches``, ``forks`` and ``interrupts`` are counted since boot.
    """

    boot_time: Value = None
    uptime: Value = None
    time: Value = None
    load1: Value = None
    load5: Value = None
    load15: Value = None
    context_switches: Value = None
    forks: Value = None
    interrupts: Value = None
    processes_running: Value = None
    processes_blocked: Value = None
    file_handles: Value = None
    file_handles_max: Value = None
    entropy_available: Value = None
    entropy_pool: Value = None
    selinux_enabled: Value = None


class Cpu(Table, frozen=True):
    """Seconds that each core has spent in each mode since boot.

    ``user`` includes ``guest``, and ``nice`` includes ``guest_nice``, as in Linux.
    """

    cpu: TextColumn
    user: Column = None
    nice: Column = None
    system: Column = None
    idle: Column = None
    iowait: Column = None
    irq: Column = None
    softirq: Column = None
    steal: Column = None
    guest: Column = None
    guest_nice: Column = None


class Memory(Record, frozen=True):
    """Physical memory in bytes."""

    total: Value = None
    available: Value = None
    used: Value = None
    free: Value = None
    buffers: Value = None
    cached: Value = None
    shared: Value = None
    slab: Value = None
    active: Value = None
    inactive: Value = None


class Swap(Record, frozen=True):
    """Swap space in bytes; ``swapped_in`` and ``swapped_out`` are cumulative."""

    total: Value = None
    used: Value = None
    free: Value = None
    swapped_in: Value = None
    swapped_out: Value = None


class Filesystems(Table, frozen=True):
    """Mounted filesystems: bytes and inodes.

    ``readonly`` is 0 or 1, and so is ``device_error``: whether asking for the sizes failed.
    """

    key_columns: ClassVar[int] = 3
    label_columns: ClassVar[int] = 3

    mountpoint: TextColumn
    device: TextColumn
    fstype: TextColumn
    size: Column = None
    free: Column = None
    available: Column = None
    files: Column = None
    files_free: Column = None
    readonly: Column = None
    device_error: Column = None


class Disks(Table, frozen=True):
    """Block devices: cumulative operations, bytes and seconds.

    The columns of which rates are derived come first; so do those of ``Networks``.
    """

    device: TextColumn
    read_bytes: Column = None
    written_bytes: Column = None
    reads: Column = None
    writes: Column = None
    read_seconds: Column = None
    write_seconds: Column = None
    reads_merged: Column = None
    writes_merged: Column = None
    io_seconds: Column = None
    io_weighted_seconds: Column = None
    io_now: Column = None
    discards: Column = None
    discards_merged: Column = None
    discarded_sectors: Column = None
    discard_seconds: Column = None
    flushes: Column = None
    flush_seconds: Column = None


class Networks(Table, frozen=True):
    """Network interfaces: cumulative bytes and packets, received and transmitted."""

    device: TextColumn
    receive_bytes: Column = None
    transmit_bytes: Column = None
    receive_errors: Column = None
    receive_drops: Column = None
    transmit_errors: Column = None
    transmit_drops: Column = None
    receive_packets: Column = None
    receive_fifo: Column = None
    receive_frame: Column = None
    receive_compressed: Column = None
    receive_multicast: Column = None
    receive_nohandler: Column = None
    transmit_packets: Column = None
    transmit_fifo: Column = None
    transmit_collisions: Column = None
    transmit_carrier: Column = None
    transmit_compressed: Column = None


class Containers(Table, frozen=True):
    """Containers and services by their cgroup: CPU, memory, tasks and stalled time.

    ``id`` is the path of the cgroup. Totals are cumulative, in seconds or counts; memory is in
    bytes. The columns of which rates are derived come first; so do those of ``ContainerDisks``.
    """

    label_columns: ClassVar[int] = 3

    id: TextColumn
    name: TextColumn
    runtime: TextColumn
    cpu_usage: Column = None
    cfs_periods: Column = None
    cfs_throttled_periods: Column = None
    cfs_throttled: Column = None
    cpu_user: Column = None
    cpu_system: Column = None
    cpu_quota: Column = None
    cpu_period: Column = None
    memory_usage: Column = None
    memory_working_set: Column = None
    memory_rss: Column = None
    memory_cache: Column = None
    memory_swap: Column = None
    memory_limit: Column = None
    page_faults: Column = None
    major_page_faults: Column = None
    oom_kills: Column = None
    processes: Column = None
    threads: Column = None
    threads_max: Column = None
    cpu_waiting: Column = None
    cpu_stalled: Column = None
    memory_waiting: Column = None
    memory_stalled: Column = None
    io_waiting: Column = None
    io_stalled: Column = None
    start_time: Column = None


class ContainerDisks(Table, frozen=True):
    """Bytes and requests of containers and services by block device, cumulative."""

    key_columns: ClassVar[int] = 2
    label_columns: ClassVar[int] = 4

    id: TextColumn
    device: TextColumn
    name: TextColumn
    runtime: TextColumn
    read_bytes: Column = None
    written_bytes: Column = None
    reads: Column = None
    writes: Column = None


class DiskInfo(Table, frozen=True):
    """Properties of block devices."""

    label_columns: ClassVar[int] = 8

    device: TextColumn
    major: TextColumn
    minor: TextColumn
    model: TextColumn
    path: TextColumn
    revision: TextColumn
    serial: TextColumn
    wwn: TextColumn


class NetworkInfo(Table, frozen=True):
    """Properties of network interfaces."""

    label_columns: ClassVar[int] = 6

    device: TextColumn
    address: TextColumn
    broadcast: TextColumn
    duplex: TextColumn
    ifalias: TextColumn
    operstate: TextColumn


class Interfaces(Table, frozen=True):
    """Network interfaces as in ``/sys/class/net``; ``speed`` is in bytes per second."""

    device: TextColumn
    up: Column = None
    carrier: Column = None
    carrier_changes: Column = None
    carrier_up_changes: Column = None
    carrier_down_changes: Column = None
    mtu: Column = None
    speed: SignedColumn = None
    transmit_queue_length: Column = None
    flags: Column = None
    dormant: Column = None
    address_assign_type: Column = None
    device_id: Column = None
    iface_id: Column = None
    iface_link: Column = None
    iface_link_mode: Column = None
    name_assign_type: Column = None
    net_dev_group: Column = None
    protocol_type: Column = None


class Arp(Table, frozen=True):
    """Entries of the ARP table by interface."""

    device: TextColumn
    entries: Column = None


class Softnet(Table, frozen=True):
    """Packets that the network softirq of each core has handled, cumulative."""

    cpu: TextColumn
    processed: Column = None
    dropped: Column = None
    times_squeezed: Column = None
    cpu_collision: Column = None
    received_rps: Column = None
    flow_limit: Column = None
    backlog_len: Column = None


class UdpQueues(Table, frozen=True):
    """Bytes in the queues of UDP sockets; ``queue`` is ``rx`` or ``tx``, ``ip`` v4 or v6."""

    key_columns: ClassVar[int] = 2
    label_columns: ClassVar[int] = 2

    queue: TextColumn
    ip: TextColumn
    bytes: Column = None


class Pressure(Record, frozen=True):
    """Seconds in which some tasks waited for a resource, or all were stalled, cumulative."""

    cpu_waiting: Value = None
    io_waiting: Value = None
    io_stalled: Value = None
    memory_waiting: Value = None
    memory_stalled: Value = None


class Timex(Record, frozen=True):
    """State of the kernel's clock discipline from ``adjtimex(2)``, in base units."""

    offset: Signed = None
    frequency_ratio: Signed = None
    maxerror: Value = None
    estimated_error: Value = None
    status: Value = None
    sync_status: Value = None
    loop_time_constant: Signed = None
    tick: Signed = None
    tai_offset: Signed = None
    pps_frequency: Signed = None
    pps_jitter: Signed = None
    pps_shift: Signed = None
    pps_stability: Signed = None
    pps_jitter_exceeded: Value = None
    pps_calibrations: Value = None
    pps_errors: Value = None
    pps_stability_exceeded: Value = None


class TimeZone(Record, frozen=True):
    """Time zone of the host; ``offset`` is in seconds east of UTC."""

    label_columns: ClassVar[int] = 1

    time_zone: Text = ""
    offset: Signed = None


class ClockSources(Table, frozen=True):
    """Clock sources that the kernel knows; ``current`` is 1 for the one in use."""

    key_columns: ClassVar[int] = 2
    label_columns: ClassVar[int] = 2

    device: TextColumn
    clocksource: TextColumn
    current: Column = None


class Temperatures(Table, frozen=True):
    """Temperature sensors of the hardware monitor, in degrees Celsius."""

    key_columns: ClassVar[int] = 2
    label_columns: ClassVar[int] = 2

    chip: TextColumn
    sensor: TextColumn
    celsius: SignedColumn = None
    max: SignedColumn = None
    crit: SignedColumn = None


class Fans(Table, frozen=True):
    """Fans of the hardware monitor, in revolutions per minute."""

    key_columns: ClassVar[int] = 2
    label_columns: ClassVar[int] = 2

    chip: TextColumn
    sensor: TextColumn
    rpm: Column = None


class ThermalZones(Table, frozen=True):
    """Thermal zones of the platform, in degrees Celsius."""

    key_columns: ClassVar[int] = 2
    label_columns: ClassVar[int] = 2

    zone: TextColumn
    type: TextColumn
    celsius: SignedColumn = None


class CoolingDevices(Table, frozen=True):
    """Cooling devices; a state is a step from 0 to ``max_state``, or -1 where it is idle."""

    key_columns: ClassVar[int] = 2
    label_columns: ClassVar[int] = 2

    name: TextColumn
    type: TextColumn
    current_state: SignedColumn = None
    max_state: SignedColumn = None


class SensorChips(Table, frozen=True):
    """Names of the chips of the hardware monitor."""

    label_columns: ClassVar[int] = 2

    chip: TextColumn
    chip_name: TextColumn


class SensorLabels(Table, frozen=True):
    """Labels of the sensors of the hardware monitor."""

    key_columns: ClassVar[int] = 2
    label_columns: ClassVar[int] = 3

    chip: TextColumn
    sensor: TextColumn
    label: TextColumn


class Collectors(Table, frozen=True):
    """Collectors of the agent: duration in seconds, and ``success``, which is 0 or 1.

    ``skipped`` counts the values, lines, rows and files that were faulty, since the agent started.
    """

    collector: TextColumn
    seconds: Column = None
    success: Column = None
    skipped: Column = None


class Textfile(Record, frozen=True):
    """Text files with metrics; ``scrape_error`` is 1 where one could not be read, else 0."""

    scrape_error: Value = None


class Textfiles(Table, frozen=True):
    """Text files with metrics that were read; ``mtime`` is in Unix seconds."""

    file: TextColumn
    mtime: SignedColumn = None


class Process(Record, frozen=True):
    """The agent's own process: seconds of CPU, bytes of memory, file descriptors.

    ``start_time`` is in Unix seconds.
    """

    cpu_seconds: Value = None
    resident_bytes: Value = None
    virtual_bytes: Value = None
    virtual_bytes_max: Value = None
    start_time: Value = None
    open_fds: Value = None
    max_fds: Value = None


class Build(Record, frozen=True):
    """How the agent was built: its version and revision, and what it runs on."""

    label_columns: ClassVar[int] = 5

    version: Text = ""
    revision: Text = ""
    pythonversion: Text = ""
    os: Text = ""
    arch: Text = ""


class Uname(Record, frozen=True):
    """Names of the host and its kernel from ``uname(2)``."""

    label_columns: ClassVar[int] = 6

    sysname: Text = ""
    release: Text = ""
    version: Text = ""
    machine: Text = ""
    nodename: Text = ""
    domainname: Text = ""


class OperatingSystem(Record, frozen=True):
    """Operating system, from os-release(5)."""

    label_columns: ClassVar[int] = 12

    build_id: Text = ""
    id: Text = ""
    id_like: Text = ""
    image_id: Text = ""
    image_version: Text = ""
    name: Text = ""
    pretty_name: Text = ""
    variant: Text = ""
    variant_id: Text = ""
    version: Text = ""
    version_codename: Text = ""
    version_id: Text = ""


class Dmi(Record, frozen=True):
    """Machine and firmware, from DMI."""

    label_columns: ClassVar[int] = 20

    bios_date: Text = ""
    bios_release: Text = ""
    bios_vendor: Text = ""
    bios_version: Text = ""
    board_asset_tag: Text = ""
    board_name: Text = ""
    board_serial: Text = ""
    board_vendor: Text = ""
    board_version: Text = ""
    chassis_asset_tag: Text = ""
    chassis_serial: Text = ""
    chassis_vendor: Text = ""
    chassis_version: Text = ""
    product_family: Text = ""
    product_name: Text = ""
    product_serial: Text = ""
    product_sku: Text = ""
    product_uuid: Text = ""
    product_version: Text = ""
    system_vendor: Text = ""


_PROCESSES = Meta(min_length=1, max_length=MAX_PROCESSES)
_Pid = Annotated[str, Meta(pattern=r"^[0-9]{1,10}\Z")]
_ProcessTexts = Annotated[tuple[Text, ...], _PROCESSES]
_ProcessValues = Annotated[tuple[Value, ...], _PROCESSES] | None


class Processes(Table, frozen=True):
    """The processes that use most CPU time, and those that use most memory.

    ``start_time`` is in Unix seconds, ``memory`` is resident, in bytes. ``cpu`` is the share of one
    core since the report before.
    """

    label_columns: ClassVar[int] = 4

    pid: Annotated[tuple[_Pid, ...], _PROCESSES]
    name: _ProcessTexts
    user: _ProcessTexts | None = None
    command: _ProcessTexts | None = None
    start_time: _ProcessValues = None
    cpu: _ProcessValues = None
    memory: _ProcessValues = None


class Extra(Struct, frozen=True, gc=False, omit_defaults=True):
    """Tables whose texts change with every report. They are stored and shown, and never exposed."""

    processes: Processes | None = None


class OpenFamily(Struct, frozen=True, gc=False, omit_defaults=True):
    """A family, or several with the same rows, under names that the sender chooses.

    ``labels`` are columns of texts, one text a row; without labels there is one row. ``values`` has
    the value of each row. Where the name contains ``*``, which each key of ``columns`` replaces,
    ``columns`` has the values of each row by that key, and ``help`` one text for each key.

    A histogram is three families of this type: ``NAME_bucket`` with the label ``le``, ``NAME_sum``
    and ``NAME_count``. A summary is ``NAME`` with the label ``quantile``, and the other two.
    """

    type: Literal["gauge", "counter", "untyped", "histogram", "summary"]
    help: str | tuple[str, ...] = ""
    labels: dict[LabelName, TextColumn] = {}
    values: tuple[float | None, ...] = ()
    columns: dict[str, tuple[float | None, ...]] = {}


class Header(Struct, frozen=True, gc=False, omit_defaults=True):
    """Who sends a datagram, and when. Only ``host`` is required.

    A datagram with ``parts`` is number ``part`` of the ``parts`` datagrams of a report, which was
    split by the plan of the number ``plan``.
    """

    host: Name
    session: Integer | None = None
    seq: Integer | None = None
    time: Number | None = None
    monotonic: Number | None = None
    interval: Annotated[float, Meta(ge=0.1, le=3600)] | None = None
    bye: bool = False
    part: Annotated[int, Meta(ge=0, lt=MAX_PARTS)] = 0
    parts: Annotated[int, Meta(ge=1, le=MAX_PARTS)] | None = None
    plan: Integer = 0


class Report(Header, frozen=True):
    """What a datagram says in the plain form; ``docs/wire.md`` explains each field."""

    labels: Annotated[dict[LabelName, Text], Meta(max_length=32)] | None = None
    gauges: dict[MetricName, float] | None = None
    families: dict[str, OpenFamily] | None = None
    info: Info | None = None
    cpu: Cpu | None = None
    disks: Disks | None = None
    networks: Networks | None = None
    system: System | None = None
    memory: Memory | None = None
    swap: Swap | None = None
    filesystems: Filesystems | None = None
    disk_info: DiskInfo | None = None
    network_info: NetworkInfo | None = None
    interfaces: Interfaces | None = None
    arp: Arp | None = None
    softnet: Softnet | None = None
    udp_queues: UdpQueues | None = None
    pressure: Pressure | None = None
    timex: Timex | None = None
    time_zone: TimeZone | None = None
    clock_sources: ClockSources | None = None
    temperatures: Temperatures | None = None
    fans: Fans | None = None
    thermal_zones: ThermalZones | None = None
    cooling_devices: CoolingDevices | None = None
    sensor_chips: SensorChips | None = None
    sensor_labels: SensorLabels | None = None
    containers: Containers | None = None
    container_disks: ContainerDisks | None = None
    collectors: Collectors | None = None
    textfile: Textfile | None = None
    textfiles: Textfiles | None = None
    process: Process | None = None
    build: Build | None = None
    uname: Uname | None = None
    os: OperatingSystem | None = None
    dmi: Dmi | None = None
    meminfo: Map | None = None
    vmstat: Map | None = None
    netstat: Map | None = None
    sockstat: Map | None = None
    conntrack: Map | None = None


def _sections(report: type[Struct]) -> dict[str, type[Record] | type[Table]]:
    found = {}
    for name, hint in get_type_hints(report).items():
        for kind in get_args(hint):
            # On Python 3.10, a generic such as tuple[str, ...] is an instance of type.
            if get_origin(kind) is None and issubclass(kind, Record | Table):
                found[name] = kind
    return found


#: The type of each record and table by its field of ``Report``, in the order of the schema.
SECTIONS = _sections(Report)

#: The type of each table of ``Extra`` by its field.
EXTRA = _sections(Extra)

#: The fields of ``Report`` that are maps.
MAPS = tuple(
    name
    for name, hint in get_type_hints(Report).items()
    if any(get_origin(kind) is dict for kind in get_args(hint))
    and name not in {"labels", "families"}
)


@cache
def unsigned_columns(section: str) -> frozenset[str]:
    """Return the columns of a record or table whose values are never negative."""
    if section not in SECTIONS:
        return frozenset()
    kind = SECTIONS[section]
    hints = get_type_hints(kind, include_extras=True)
    names = kind.__struct_fields__[kind.label_columns :]
    return frozenset(name for name in names if hints[name] not in (Signed, SignedColumn))
