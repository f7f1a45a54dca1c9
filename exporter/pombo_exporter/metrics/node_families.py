"""node_exporter's families: its names, labels, types and units, from the same sources.

Dashboards and rules written for node_exporter work on them unchanged. Names and meanings
are those of node_exporter 1.8 (https://github.com/prometheus/node_exporter).
"""

from pombo_exporter.metrics import derive
from pombo_exporter.metrics.family import (
    Family,
    MetricType,
    OpenFamily,
    PerRow,
    counter,
    field,
    gauge,
)


def _counters(section: str, prefix: str, *rows: tuple[str, str, str]) -> tuple[Family, ...]:
    """Return a counter for each row of family name, field and help."""
    return tuple(counter(prefix + name, text, field(section, key)) for name, key, text in rows)


def _gauges(section: str, prefix: str, *rows: tuple[str, str, str]) -> tuple[Family, ...]:
    """Return a gauge for each row of family name, field and help."""
    return tuple(gauge(prefix + name, text, field(section, key)) for name, key, text in rows)


def _info(name: str, section: str, text: str) -> Family:
    """Return a family whose information is in its labels, the texts of a section."""
    return gauge(name, text, PerRow(section, (), derive.one))


_CPU = (
    counter(
        "node_cpu_seconds_total",
        "Seconds that the core spent in the mode.",
        *(field("cpu", mode, ("mode", mode)) for mode in derive.CPU_MODES),
    ),
    counter(
        "node_cpu_guest_seconds_total",
        "Seconds that the core spent running guests, by the mode that they count under.",
        field("cpu", "guest", ("mode", "user")),
        field("cpu", "guest_nice", ("mode", "nice")),
    ),
)

_SYSTEM = (
    *_gauges(
        "system",
        "node_",
        ("boot_time_seconds", "boot_time", "When the host booted, in Unix time."),
        ("time_seconds", "time", "The host's clock at its last report, in Unix time."),
        ("load1", "load1", "Load average over 1 minute."),
        ("load5", "load5", "Load average over 5 minutes."),
        ("load15", "load15", "Load average over 15 minutes."),
        ("procs_running", "processes_running", "Processes in runnable state."),
        ("procs_blocked", "processes_blocked", "Processes that wait for I/O."),
        ("filefd_allocated", "file_handles", "File handles in use."),
        ("filefd_maximum", "file_handles_max", "File handles that the kernel allows."),
        ("entropy_available_bits", "entropy_available", "Entropy that is available."),
        ("entropy_pool_size_bits", "entropy_pool", "Entropy that the pool can hold."),
        ("selinux_enabled", "selinux_enabled", "Whether SELinux is enabled."),
    ),
    *_counters(
        "system",
        "node_",
        ("context_switches_total", "context_switches", "Context switches since boot."),
        ("forks_total", "forks", "Processes made since boot."),
        ("intr_total", "interrupts", "Interrupts serviced since boot."),
    ),
)

_FILESYSTEMS = _gauges(
    "filesystems",
    "node_filesystem_",
    ("size_bytes", "size", "Size of the filesystem."),
    ("free_bytes", "free", "Space not in use, root's reserve included."),
    ("avail_bytes", "available", "Space that users other than root can have."),
    ("files", "files", "Inodes in all."),
    ("files_free", "files_free", "Inodes free."),
    ("readonly", "readonly", "Whether the filesystem is mounted read-only."),
    ("device_error", "device_error", "Whether asking for the filesystem's sizes failed."),
)

_DISKS = (
    *_counters(
        "disks",
        "node_disk_",
        ("reads_completed_total", "reads", "Reads completed."),
        ("reads_merged_total", "reads_merged", "Reads merged into others."),
        ("read_bytes_total", "read_bytes", "Bytes read."),
        ("read_time_seconds_total", "read_seconds", "Time that reads took, added up."),
        ("writes_completed_total", "writes", "Writes completed."),
        ("writes_merged_total", "writes_merged", "Writes merged into others."),
        ("written_bytes_total", "written_bytes", "Bytes written."),
        ("write_time_seconds_total", "write_seconds", "Time that writes took, added up."),
        ("io_time_seconds_total", "io_seconds", "Time with I/O under way."),
        (
            "io_time_weighted_seconds_total",
            "io_weighted_seconds",
            "Time with I/O under way, times how many requests there were.",
        ),
        ("discards_completed_total", "discards", "Discards completed."),
        ("discards_merged_total", "discards_merged", "Discards merged into others."),
        ("discarded_sectors_total", "discarded_sectors", "Sectors discarded."),
        ("discard_time_seconds_total", "discard_seconds", "Time that discards took."),
        ("flush_requests_total", "flushes", "Flush requests completed."),
        ("flush_requests_time_seconds_total", "flush_seconds", "Time that flushes took."),
    ),
    *_gauges("disks", "node_disk_", ("io_now", "io_now", "Requests under way.")),
    _info("node_disk_info", "disk_info", "What the block device is; always 1."),
)

_NETWORKS = _counters(
    "networks",
    "node_network_",
    ("receive_bytes_total", "receive_bytes", "Bytes received."),
    ("receive_packets_total", "receive_packets", "Packets received."),
    ("receive_errs_total", "receive_errors", "Packets received with errors."),
    ("receive_drop_total", "receive_drops", "Packets received and dropped."),
    ("receive_fifo_total", "receive_fifo", "Packets lost to a full receive buffer."),
    ("receive_frame_total", "receive_frame", "Packets received with framing errors."),
    ("receive_compressed_total", "receive_compressed", "Compressed packets received."),
    ("receive_multicast_total", "receive_multicast", "Multicast packets received."),
    ("receive_nohandler_total", "receive_nohandler", "Packets received that nobody took."),
    ("transmit_bytes_total", "transmit_bytes", "Bytes sent."),
    ("transmit_packets_total", "transmit_packets", "Packets sent."),
    ("transmit_errs_total", "transmit_errors", "Packets not sent for errors."),
    ("transmit_drop_total", "transmit_drops", "Packets dropped instead of sent."),
    ("transmit_fifo_total", "transmit_fifo", "Packets lost to a full send buffer."),
    ("transmit_colls_total", "transmit_collisions", "Collisions while sending."),
    ("transmit_carrier_total", "transmit_carrier", "Packets not sent for loss of carrier."),
    ("transmit_compressed_total", "transmit_compressed", "Compressed packets sent."),
)

_INTERFACES = (
    _info("node_network_info", "network_info", "What the interface is; always 1."),
    *_gauges(
        "interfaces",
        "node_network_",
        ("up", "up", "Whether the interface's operational state is up."),
        ("carrier", "carrier", "Whether the interface has a carrier."),
        ("mtu_bytes", "mtu", "Largest packet that the interface takes."),
        ("speed_bytes", "speed", "Speed of the link, bytes per second."),
        ("transmit_queue_length", "transmit_queue_length", "Packets the send queue can hold."),
        ("flags", "flags", "Interface flags, as a number."),
        ("dormant", "dormant", "Whether the interface waits for an event to be up."),
        ("address_assign_type", "address_assign_type", "How the address was assigned."),
        ("device_id", "device_id", "Device number of the interface."),
        ("iface_id", "iface_id", "Index of the interface."),
        ("iface_link", "iface_link", "Index of the interface that this one is bound to."),
        ("iface_link_mode", "iface_link_mode", "Link mode of the interface."),
        ("name_assign_type", "name_assign_type", "How the name was assigned."),
        ("net_dev_group", "net_dev_group", "Group of the interface."),
        ("protocol_type", "protocol_type", "Protocol of the interface, as a number."),
    ),
    *_counters(
        "interfaces",
        "node_network_",
        ("carrier_changes_total", "carrier_changes", "Changes of the carrier."),
        ("carrier_up_changes_total", "carrier_up_changes", "Times the carrier came."),
        ("carrier_down_changes_total", "carrier_down_changes", "Times the carrier went."),
    ),
)

_KERNEL_NETWORK = (
    *_gauges("arp", "node_arp_", ("entries", "entries", "Entries in the ARP table.")),
    *_gauges("udp_queues", "node_udp_", ("queues", "bytes", "Bytes in the queues of UDP.")),
    *_counters(
        "softnet",
        "node_softnet_",
        ("processed_total", "processed", "Packets processed."),
        ("dropped_total", "dropped", "Packets dropped."),
        ("times_squeezed_total", "times_squeezed", "Times that work was left for lack of time."),
        ("cpu_collision_total", "cpu_collision", "Collisions over a device's lock."),
        ("received_rps_total", "received_rps", "Times that packet steering woke the core."),
        ("flow_limit_count_total", "flow_limit", "Times that the flow limit was reached."),
    ),
    *_gauges(
        "softnet",
        "node_softnet_",
        ("backlog_len", "backlog_len", "Packets in the backlog."),
    ),
)

_PRESSURE = _counters(
    "pressure",
    "node_pressure_",
    ("cpu_waiting_seconds_total", "cpu_waiting", "Time that tasks waited for a core."),
    ("io_waiting_seconds_total", "io_waiting", "Time that tasks waited for I/O."),
    ("io_stalled_seconds_total", "io_stalled", "Time that no task ran, for I/O."),
    ("memory_waiting_seconds_total", "memory_waiting", "Time that tasks waited for memory."),
    ("memory_stalled_seconds_total", "memory_stalled", "Time that no task ran, for memory."),
)

_CLOCK = (
    *_gauges(
        "timex",
        "node_timex_",
        ("offset_seconds", "offset", "Clock offset that is being corrected."),
        ("frequency_adjustment_ratio", "frequency_ratio", "Factor on the clock's frequency."),
        ("maxerror_seconds", "maxerror", "Largest error of the clock."),
        ("estimated_error_seconds", "estimated_error", "Estimated error of the clock."),
        ("status", "status", "Status bits of the clock."),
        ("sync_status", "sync_status", "Whether the clock is synchronised."),
        ("loop_time_constant", "loop_time_constant", "Time constant of the phase-locked loop."),
        ("tick_seconds", "tick", "Time between clock ticks."),
        ("tai_offset_seconds", "tai_offset", "International atomic time less UTC."),
        ("pps_frequency_hertz", "pps_frequency", "Frequency offset by the pulse a second."),
        ("pps_jitter_seconds", "pps_jitter", "Jitter of the pulse a second."),
        ("pps_shift_seconds", "pps_shift", "Length of the pulse's calibration interval."),
        ("pps_stability_hertz", "pps_stability", "Stability of the pulse's frequency."),
    ),
    *_counters(
        "timex",
        "node_timex_",
        ("pps_jitter_total", "pps_jitter_exceeded", "Times that jitter was over its limit."),
        ("pps_calibration_total", "pps_calibrations", "Calibration intervals of the pulse."),
        ("pps_error_total", "pps_errors", "Calibration errors of the pulse."),
        (
            "pps_stability_exceeded_total",
            "pps_stability_exceeded",
            "Times that stability was over its limit.",
        ),
    ),
    *_gauges(
        "time_zone",
        "node_time_zone_",
        ("offset_seconds", "offset", "The time zone's offset east of UTC."),
    ),
    _info(
        "node_time_clocksource_available_info",
        "clock_sources",
        "Clock sources that the kernel could use; always 1.",
    ),
    gauge(
        "node_time_clocksource_current_info",
        "The clock source in use; always 1.",
        PerRow("clock_sources", ("current",), derive.present),
    ),
)

_SENSORS = (
    *_gauges(
        "temperatures",
        "node_hwmon_temp_",
        ("celsius", "celsius", "Temperature."),
        ("max_celsius", "max", "Temperature that is high."),
        ("crit_celsius", "crit", "Temperature that is critical."),
    ),
    *_gauges("fans", "node_hwmon_fan_", ("rpm", "rpm", "Speed, revolutions per minute.")),
    _info("node_hwmon_chip_names", "sensor_chips", "What the chip calls itself; always 1."),
    _info("node_hwmon_sensor_label", "sensor_labels", "What the chip calls the sensor; always 1."),
    *_gauges(
        "cooling_devices",
        "node_cooling_device_",
        ("cur_state", "current_state", "How much the device cools, in steps."),
        ("max_state", "max_state", "How much the device can cool, in steps."),
    ),
    *_gauges("thermal_zones", "node_thermal_zone_", ("temp", "celsius", "Temperature, Celsius.")),
)

_AGENT = _gauges(
    "collectors",
    "node_scrape_collector_",
    ("duration_seconds", "seconds", "Time that the agent's collector took."),
    ("success", "success", "Whether the agent's collector succeeded."),
)

_TEXTS = (
    _info("node_uname_info", "uname", "What uname says of the host; always 1."),
    _info("node_os_info", "os", "What os-release says of the host; always 1."),
    _info("node_dmi_info", "dmi", "What the firmware says of the machine; always 1."),
)

NODE_FAMILIES: tuple[Family, ...] = (
    *_CPU,
    *_SYSTEM,
    *_FILESYSTEMS,
    *_DISKS,
    *_NETWORKS,
    *_INTERFACES,
    *_KERNEL_NETWORK,
    *_PRESSURE,
    *_CLOCK,
    *_SENSORS,
    *_AGENT,
    *_TEXTS,
)

OPEN_NODE_FAMILIES: tuple[OpenFamily, ...] = (
    OpenFamily("meminfo", "node_memory_", "The line {} of meminfo."),
    OpenFamily("vmstat", "node_vmstat_", "The line {} of vmstat.", MetricType.UNTYPED),
    OpenFamily(
        "netstat", "node_netstat_", "The field {} of snmp, snmp6 and netstat.", MetricType.UNTYPED
    ),
    OpenFamily("sockstat", "node_sockstat_", "The field {} of sockstat."),
    OpenFamily("conntrack", "node_nf_conntrack_", "The field {} of connection tracking."),
)

#: Families that node_exporter has with its default collectors and Pombo has not, and why.
UNSUPPORTED = {
    "node_exporter_build_info": "Says which node_exporter this is; see `pombo_host_info`.",
    "node_os_version": "The label `version_id` of `node_os_info` has it, also where it is text.",
    "node_textfile_scrape_error": "No text files are read; send `gauges` instead.",
}
