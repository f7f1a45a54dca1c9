"""The table of what a host's page holds: each family's name, help, kind and source.

``docs/metrics.md`` is generated from it, and the page, the limits and the tests follow it.
The families that node_exporter has too stand in ``vocabulary``.
"""

from pombo_exporter.hosts.host import State
from pombo_exporter.metrics import derive
from pombo_exporter.metrics.family import (
    Catalogue,
    Family,
    OfHost,
    Open,
    Rows,
    Summary,
    column,
    counter,
    gauge,
    rate,
)
from pombo_exporter.metrics.node_families import NODE_FAMILIES, NODE_MAPS

HOST_FAMILIES: tuple[Family, ...] = (
    gauge(
        "pombo_host_up",
        "Whether the host reports: 1 when live or late, 0 when down.",
        OfHost(lambda host, now: int(host.state_at(now) is not State.DOWN)),
    ),
    gauge(
        "pombo_host_late",
        "Whether the host has been silent for two intervals, but not yet for three.",
        OfHost(lambda host, now: int(host.state_at(now) is State.LATE)),
    ),
    gauge(
        "pombo_host_info",
        "What the host runs, and the labels that its owner gave it; always 1.",
        OfHost(lambda *_: 1, info=True),
    ),
    gauge(
        "pombo_host_last_report_timestamp_seconds",
        "When the host was last heard, on the exporter's clock.",
        OfHost(lambda host, _: host.last_seen_wall),
    ),
    gauge(
        "pombo_host_clock_offset_seconds",
        "The host's clock less the exporter's, when the last report arrived.",
        OfHost(lambda host, _: host.clock_offset),
    ),
    gauge(
        "pombo_host_interval_seconds",
        "The time between two reports, as the host says it.",
        OfHost(lambda host, _: host.interval),
    ),
    counter(
        "pombo_host_datagrams_received_total",
        "Datagrams of the host that arrived, duplicates included.",
        OfHost(lambda host, _: host.ledger.received),
    ),
    counter(
        "pombo_host_datagrams_lost_total",
        "Datagrams that the host numbered and that have not arrived within the window.",
        OfHost(lambda host, _: float(host.ledger.lost)),  # a leap is as long as it likes
    ),
    counter(
        "pombo_host_datagrams_duplicate_total",
        "Datagrams that arrived once more.",
        OfHost(lambda host, _: host.ledger.duplicate),
    ),
    counter(
        "pombo_host_datagrams_reordered_total",
        "Datagrams that arrived behind a later one.",
        OfHost(lambda host, _: host.ledger.reordered),
    ),
    counter(
        "pombo_host_conflicts_total",
        "Datagrams set aside because a second agent reports under the same name.",
        OfHost(lambda host, _: host.conflicts),
    ),
    gauge(
        "host_cpu_usage_ratio",
        "Share of its time that the core was busy, between the last two reports.",
        Rows("cpu", derive.CPU_MODES, derive.cpu_usage),
    ),
    gauge(
        "host_cpu_average_usage_ratio",
        "Share of all cores' time that they were busy, between the last two reports.",
        Summary("cpu", derive.cpu_average_usage),
    ),
    gauge("host_memory_total_bytes", "Physical memory.", column("memory", "total")),
    gauge(
        "host_memory_used_bytes",
        "Memory in use: total less available.",
        column("memory", "used"),
    ),
    gauge("host_memory_free_bytes", "Memory that nothing uses.", column("memory", "free")),
    gauge(
        "host_memory_available_bytes",
        "Memory that programs can have without swapping.",
        column("memory", "available"),
    ),
    gauge("host_swap_total_bytes", "Swap space.", column("swap", "total")),
    gauge("host_swap_used_bytes", "Swap space in use.", column("swap", "used")),
    gauge("host_swap_free_bytes", "Swap space not in use.", column("swap", "free")),
    gauge("host_filesystem_size_bytes", "Size of the filesystem.", column("filesystems", "size")),
    gauge(
        "host_filesystem_used_bytes",
        "Space in use: size less free.",
        Rows("filesystems", ("size", "free"), derive.difference),
    ),
    gauge(
        "host_filesystem_free_bytes",
        "Space not in use, root's reserve included.",
        column("filesystems", "free"),
    ),
    gauge(
        "host_filesystem_available_bytes",
        "Space that users other than root can have.",
        column("filesystems", "available"),
    ),
    gauge("host_filesystem_files", "Inodes in all.", column("filesystems", "files")),
    gauge("host_filesystem_files_free", "Inodes free.", column("filesystems", "files_free")),
    gauge(
        "host_filesystem_readonly",
        "Whether the filesystem is mounted read-only.",
        column("filesystems", "readonly"),
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
    gauge("host_load1", "Load average over 1 minute.", column("system", "load1")),
    gauge("host_load5", "Load average over 5 minutes.", column("system", "load5")),
    gauge("host_load15", "Load average over 15 minutes.", column("system", "load15")),
    gauge("host_uptime_seconds", "Time since the host booted.", column("system", "uptime")),
    gauge(
        "host_boot_time_seconds",
        "When the host booted, in Unix time.",
        column("system", "boot_time"),
    ),
)


#: What hosts send under names of their own choice.
GAUGES = Open("gauges", "", "Free-form gauge, as hosts send it.")


def catalogue(*, node: bool) -> Catalogue:
    """Return all families, with or without node_exporter's."""
    if not node:
        return Catalogue(HOST_FAMILIES, (GAUGES,))
    return Catalogue(HOST_FAMILIES + NODE_FAMILIES, (GAUGES, *NODE_MAPS))
