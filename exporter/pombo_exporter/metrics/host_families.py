"""The table of the families of a host: each one's name, help, type and sources.

The exposition, the API, the limits, ``docs/metrics.md`` and the tests follow from it.
The families that node_exporter has, too, are in ``node_families``.
"""

from pombo_exporter.hosts.host import State
from pombo_exporter.metrics import derive
from pombo_exporter.metrics.family import (
    Aggregate,
    Family,
    FamilyTable,
    HostField,
    OpenFamily,
    PerRow,
    counter,
    field,
    gauge,
    rate,
)
from pombo_exporter.metrics.node_families import NODE_FAMILIES, OPEN_NODE_FAMILIES

HOST_FAMILIES: tuple[Family, ...] = (
    gauge(
        "pombo_host_up",
        "Whether the host reports: 1 when live or late, 0 when down.",
        HostField(lambda host, now: int(host.state_at(now) is not State.DOWN)),
    ),
    gauge(
        "pombo_host_late",
        "Whether the host has been silent for two intervals, but not yet for three.",
        HostField(lambda host, now: int(host.state_at(now) is State.LATE)),
    ),
    gauge(
        "pombo_host_info",
        "What the host runs, and the labels that its owner gave it; always 1.",
        HostField(lambda *_: 1, info=True),
    ),
    gauge(
        "pombo_host_last_report_timestamp_seconds",
        "When the host was last heard, on the exporter's clock.",
        HostField(lambda host, _: host.last_seen_wall),
    ),
    gauge(
        "pombo_host_clock_offset_seconds",
        "The host's clock less the exporter's, when the last report arrived.",
        HostField(lambda host, _: host.clock_offset),
    ),
    gauge(
        "pombo_host_interval_seconds",
        "The time between two reports, as the host says it.",
        HostField(lambda host, _: host.interval),
    ),
    counter(
        "pombo_host_datagrams_received_total",
        "Datagrams of the host that arrived, duplicates included.",
        HostField(lambda host, _: host.sequence.received),
    ),
    counter(
        "pombo_host_datagrams_lost_total",
        "Datagrams that the host numbered and that have not arrived within the window.",
        HostField(
            lambda host, _: float(host.sequence.lost)
        ),  # a leap of the numbers may exceed 64 bits
    ),
    counter(
        "pombo_host_datagrams_duplicate_total",
        "Datagrams that arrived once more.",
        HostField(lambda host, _: host.sequence.duplicate),
    ),
    counter(
        "pombo_host_datagrams_reordered_total",
        "Datagrams that arrived behind a later one.",
        HostField(lambda host, _: host.sequence.reordered),
    ),
    counter(
        "pombo_host_conflicts_total",
        "Datagrams set aside because a second agent reports under the same name.",
        HostField(lambda host, _: host.conflicts),
    ),
    gauge(
        "host_cpu_usage_ratio",
        "Share of its time that the core was busy, between the last two reports.",
        PerRow("cpu", derive.CPU_MODES, derive.cpu_usage),
    ),
    gauge(
        "host_cpu_average_usage_ratio",
        "Share of all cores' time that they were busy, between the last two reports.",
        Aggregate("cpu", derive.cpu_average_usage),
    ),
    gauge("host_memory_total_bytes", "Physical memory.", field("memory", "total")),
    gauge(
        "host_memory_used_bytes",
        "Memory in use: total less available.",
        field("memory", "used"),
    ),
    gauge("host_memory_free_bytes", "Memory that nothing uses.", field("memory", "free")),
    gauge(
        "host_memory_available_bytes",
        "Memory that programs can have without swapping.",
        field("memory", "available"),
    ),
    gauge("host_swap_total_bytes", "Swap space.", field("swap", "total")),
    gauge("host_swap_used_bytes", "Swap space in use.", field("swap", "used")),
    gauge("host_swap_free_bytes", "Swap space not in use.", field("swap", "free")),
    gauge("host_filesystem_size_bytes", "Size of the filesystem.", field("filesystems", "size")),
    gauge(
        "host_filesystem_used_bytes",
        "Space in use: size less free.",
        PerRow("filesystems", ("size", "free"), derive.difference),
    ),
    gauge(
        "host_filesystem_free_bytes",
        "Space not in use, root's reserve included.",
        field("filesystems", "free"),
    ),
    gauge(
        "host_filesystem_available_bytes",
        "Space that users other than root can have.",
        field("filesystems", "available"),
    ),
    gauge("host_filesystem_files", "Inodes in all.", field("filesystems", "files")),
    gauge("host_filesystem_files_free", "Inodes free.", field("filesystems", "files_free")),
    gauge(
        "host_filesystem_readonly",
        "Whether the filesystem is mounted read-only.",
        field("filesystems", "readonly"),
    ),
    gauge(
        "host_disk_read_bytes_per_second",
        "Bytes read, between the last two reports.",
        rate("disks", "read_bytes"),
    ),
    gauge(
        "host_disk_write_bytes_per_second",
        "Bytes written, between the last two reports.",
        rate("disks", "written_bytes"),
    ),
    gauge(
        "host_network_receive_bytes_per_second",
        "Bytes received, between the last two reports.",
        rate("networks", "receive_bytes"),
    ),
    gauge(
        "host_network_transmit_bytes_per_second",
        "Bytes sent, between the last two reports.",
        rate("networks", "transmit_bytes"),
    ),
    gauge(
        "host_network_receive_lost_packets_per_second",
        "Packets not received for errors or drops, between the last two reports.",
        rate("networks", "receive_errors", "receive_drops"),
    ),
    gauge(
        "host_network_transmit_lost_packets_per_second",
        "Packets not sent for errors or drops, between the last two reports.",
        rate("networks", "transmit_errors", "transmit_drops"),
    ),
    gauge("host_load1", "Load average over 1 minute.", field("system", "load1")),
    gauge("host_load5", "Load average over 5 minutes.", field("system", "load5")),
    gauge("host_load15", "Load average over 15 minutes.", field("system", "load15")),
    gauge("host_uptime_seconds", "Time since the host booted.", field("system", "uptime")),
    gauge(
        "host_boot_time_seconds",
        "When the host booted, in Unix time.",
        field("system", "boot_time"),
    ),
)


#: Gauges that hosts send under names of their own choice.
GAUGES = OpenFamily("gauges", "", "Free-form gauge, as hosts send it.")


def family_table(*, node: bool) -> FamilyTable:
    """Return all families, with or without node_exporter's."""
    if not node:
        return FamilyTable(HOST_FAMILIES, (GAUGES,))
    return FamilyTable(HOST_FAMILIES + NODE_FAMILIES, (GAUGES, *OPEN_NODE_FAMILIES))
