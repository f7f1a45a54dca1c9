"""The table of the families of a host: each one's name, help, type and sources.

The exposition, the API, the limits, ``docs/metrics.md`` and the tests follow from it.
The families that node_exporter has, too, are in ``node_families``, those of cAdvisor in
``container_families``.
"""

from collections.abc import Collection
from typing import Final

from pombo_wire import Pressure

from pombo_exporter.hosts.host import State
from pombo_exporter.metrics import derive
from pombo_exporter.metrics.container_families import CONTAINER_FAMILIES, CONTAINER_RATES
from pombo_exporter.metrics.family import (
    Aggregate,
    Family,
    FamilyTable,
    HostField,
    PerRow,
    counter,
    field,
    gauge,
    rate,
)
from pombo_exporter.metrics.node_families import NODE_FAMILIES, NODE_MAPS

#: The agent's own process. The names, types and HELP texts are those of prometheus_client, whose
#: samples of the exporter's process stand in the same families.
PROCESS_FAMILIES: tuple[Family, ...] = (
    counter(
        "process_cpu_seconds_total",
        "Total user and system CPU time spent in seconds.",
        field("process", "cpu_seconds"),
    ),
    gauge(
        "process_resident_memory_bytes",
        "Resident memory size in bytes.",
        field("process", "resident_bytes"),
    ),
    gauge(
        "process_virtual_memory_bytes",
        "Virtual memory size in bytes.",
        field("process", "virtual_bytes"),
    ),
    gauge(
        "process_virtual_memory_max_bytes",
        "Maximum amount of virtual memory available in bytes.",
        field("process", "virtual_bytes_max"),
    ),
    gauge(
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        field("process", "start_time"),
    ),
    gauge("process_open_fds", "Number of open file descriptors.", field("process", "open_fds")),
    gauge(
        "process_max_fds", "Maximum number of open file descriptors.", field("process", "max_fds")
    ),
)

HOST_FAMILIES: tuple[Family, ...] = (
    gauge(
        "pombo_host_up",
        "Whether the host is up: 1 when live or late, 0 when down.",
        HostField(lambda host, now: int(host.state_at(now) is not State.DOWN)),
    ),
    gauge(
        "pombo_host_late",
        "Whether the host is late: no report for two intervals, but not down yet.",
        HostField(lambda host, now: int(host.state_at(now) is State.LATE)),
    ),
    gauge(
        "pombo_host_agent",
        "Whether the host has an agent: 0 if only programs without a session report for it.",
        HostField(lambda host, _: int(host.session is not None)),
    ),
    gauge(
        "pombo_host_info",
        "Software of the host, and the labels given by its owner; always 1.",
        HostField(lambda *_: 1, info=True),
    ),
    gauge(
        "pombo_host_last_report_timestamp_seconds",
        "Unix time of the host's last report, by the exporter's clock.",
        HostField(lambda host, _: host.last_seen_wall),
    ),
    gauge(
        "pombo_host_clock_offset_seconds",
        "The host's clock minus the exporter's at the last report. Includes network delay.",
        HostField(lambda host, _: host.clock_offset),
    ),
    gauge(
        "pombo_host_interval_seconds",
        "Time between two reports, as stated by the agent.",
        HostField(lambda host, _: host.interval),
    ),
    gauge(
        "pombo_host_series",
        "Series of the host's report at most, which --limit.series-per-host limits.",
        HostField(lambda host, _: host.series),
    ),
    counter(
        "pombo_host_datagrams_received_total",
        "Datagrams received from the host, including duplicates.",
        HostField(lambda host, _: host.sequence.received),
    ),
    counter(
        "pombo_host_datagrams_lost_total",
        "Datagrams lost: sequence numbers that left the window without arriving.",
        HostField(lambda host, _: float(host.sequence.lost)),  # may exceed 64 bits
    ),
    counter(
        "pombo_host_datagrams_skipped_total",
        "Skipped sequence numbers that the host cannot have used; not counted as lost.",
        HostField(lambda host, _: float(host.sequence.skipped)),  # may exceed 64 bits
    ),
    counter(
        "pombo_host_datagrams_duplicate_total",
        "Datagrams received more than once.",
        HostField(lambda host, _: host.sequence.duplicate),
    ),
    counter(
        "pombo_host_datagrams_reordered_total",
        "Datagrams that arrived after a later one.",
        HostField(lambda host, _: host.sequence.reordered),
    ),
    counter(
        "pombo_host_collector_skipped_items_total",
        "Faulty values, lines, rows and files that a collector of the agent has skipped.",
        field("collectors", "skipped"),
    ),
    counter(
        "pombo_host_conflicts_total",
        "Datagrams refused because another agent reports under the same name.",
        HostField(lambda host, _: host.conflicts),
    ),
    gauge(
        "pombo_agent_build_info",
        "Version of the agent, and the system it runs on; always 1.",
        PerRow("build", (), derive.one),
    ),
    *PROCESS_FAMILIES,
    gauge(
        "host_cpu_usage_ratio",
        "CPU usage of the core between the last two reports, from 0 to 1.",
        PerRow("cpu", derive.CPU_MODES, derive.cpu_usage),
    ),
    gauge(
        "host_cpu_average_usage_ratio",
        "CPU usage of all cores between the last two reports, from 0 to 1.",
        Aggregate("cpu", derive.CPU_MODES, derive.cpu_average_usage),
    ),
    gauge(
        "host_memory_total_bytes",
        "Total physical memory.",
        field("memory", "total"),
        field("meminfo", "MemTotal_bytes"),
    ),
    gauge(
        "host_memory_used_bytes",
        "Used memory: total minus available.",
        field("memory", "used"),
        PerRow("meminfo", ("MemTotal_bytes", "MemAvailable_bytes"), derive.used),
    ),
    gauge(
        "host_memory_free_bytes",
        "Unused memory.",
        field("memory", "free"),
        field("meminfo", "MemFree_bytes"),
    ),
    gauge(
        "host_memory_available_bytes",
        "Memory available to programs without swapping.",
        field("memory", "available"),
        field("meminfo", "MemAvailable_bytes"),
    ),
    gauge(
        "host_swap_total_bytes",
        "Total swap space.",
        field("swap", "total"),
        field("meminfo", "SwapTotal_bytes"),
    ),
    gauge(
        "host_swap_used_bytes",
        "Used swap space.",
        field("swap", "used"),
        PerRow("meminfo", ("SwapTotal_bytes", "SwapFree_bytes"), derive.used),
    ),
    gauge(
        "host_swap_free_bytes",
        "Free swap space.",
        field("swap", "free"),
        field("meminfo", "SwapFree_bytes"),
    ),
    gauge("host_filesystem_size_bytes", "Size of the filesystem.", field("filesystems", "size")),
    gauge(
        "host_filesystem_used_bytes",
        "Used space: size minus free.",
        PerRow("filesystems", ("size", "free"), derive.used),
    ),
    gauge(
        "host_filesystem_free_bytes",
        "Free space, including the space reserved for root.",
        field("filesystems", "free"),
    ),
    gauge(
        "host_filesystem_available_bytes",
        "Space available to users other than root.",
        field("filesystems", "available"),
    ),
    gauge("host_filesystem_files", "Total inodes.", field("filesystems", "files")),
    gauge("host_filesystem_files_free", "Free inodes.", field("filesystems", "files_free")),
    gauge(
        "host_filesystem_readonly",
        "Whether the filesystem is mounted read-only.",
        field("filesystems", "readonly"),
    ),
    gauge(
        "host_disk_read_bytes_per_second",
        "Bytes read per second, between the last two reports.",
        rate("disks", "read_bytes"),
    ),
    gauge(
        "host_disk_write_bytes_per_second",
        "Bytes written per second, between the last two reports.",
        rate("disks", "written_bytes"),
    ),
    gauge(
        "host_network_receive_bytes_per_second",
        "Bytes received per second, between the last two reports.",
        rate("networks", "receive_bytes"),
    ),
    gauge(
        "host_network_transmit_bytes_per_second",
        "Bytes sent per second, between the last two reports.",
        rate("networks", "transmit_bytes"),
    ),
    gauge(
        "host_network_receive_lost_packets_per_second",
        "Receive errors and drops per second, between the last two reports.",
        rate("networks", "receive_errors", "receive_drops"),
    ),
    gauge(
        "host_network_transmit_lost_packets_per_second",
        "Transmit errors and drops per second, between the last two reports.",
        rate("networks", "transmit_errors", "transmit_drops"),
    ),
    gauge("host_load1", "Load average over 1 minute.", field("system", "load1")),
    gauge("host_load5", "Load average over 5 minutes.", field("system", "load5")),
    gauge("host_load15", "Load average over 15 minutes.", field("system", "load15")),
    gauge("host_uptime_seconds", "Time since the host booted.", field("system", "uptime")),
    gauge(
        "host_boot_time_seconds",
        "Unix time of the host's boot.",
        field("system", "boot_time"),
    ),
)


#: The two vocabularies for what hosts measure. Names of the families of each begin with its own.
VOCABULARIES: Final = ("host", "node")

_OF_NONE = tuple(each for each in HOST_FAMILIES if not each.name.startswith("host_"))

#: Shares of time in which tasks waited: the page of a host and ``top`` show them.
_PRESSURE = tuple(rate("pressure", field) for field in Pressure.__struct_fields__)

_VIEWED = CONTAINER_RATES + _PRESSURE

#: What the status page derives, also where no family shows it.
_RATES = tuple(source for each in HOST_FAMILIES for source in each.row_sources)


def family_table(vocabularies: Collection[str] = VOCABULARIES) -> FamilyTable:
    """Return the families of these vocabularies, and those of none.

    Without ``node``, open families with such names are left out, too. None begins with ``host_``.
    """
    if "node" not in vocabularies:
        families = HOST_FAMILIES + CONTAINER_FAMILIES
        return FamilyTable(families, (), hidden="node_", viewed=_VIEWED)
    if "host" not in vocabularies:
        families = _OF_NONE + CONTAINER_FAMILIES + NODE_FAMILIES
        return FamilyTable(families, NODE_MAPS, viewed=_VIEWED + _RATES)
    families = HOST_FAMILIES + CONTAINER_FAMILIES + NODE_FAMILIES
    return FamilyTable(families, NODE_MAPS, viewed=_VIEWED)
