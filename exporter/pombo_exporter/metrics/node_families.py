"""node_exporter's families: its names, labels, types, units and HELP texts.

Dashboards and rules written for node_exporter work on them unchanged. They are those of
node_exporter 1.8 (https://github.com/prometheus/node_exporter), with the HELP texts verbatim.
"""

from pombo_exporter.metrics import derive
from pombo_exporter.metrics.family import (
    Family,
    MapFamilies,
    MetricType,
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
        "Seconds the CPUs spent in each mode.",
        *(field("cpu", mode, ("mode", mode)) for mode in derive.CPU_MODES),
    ),
    counter(
        "node_cpu_guest_seconds_total",
        "Seconds the CPUs spent in guests (VMs) for each mode.",
        field("cpu", "guest", ("mode", "user")),
        field("cpu", "guest_nice", ("mode", "nice")),
    ),
)

_SYSTEM = (
    *_gauges(
        "system",
        "node_",
        ("boot_time_seconds", "boot_time", "Node boot time, in unixtime."),
        ("time_seconds", "time", "System time in seconds since epoch (1970)."),
        ("load1", "load1", "1m load average."),
        ("load5", "load5", "5m load average."),
        ("load15", "load15", "15m load average."),
        ("procs_running", "processes_running", "Number of processes in runnable state."),
        (
            "procs_blocked",
            "processes_blocked",
            "Number of processes blocked waiting for I/O to complete.",
        ),
        ("filefd_allocated", "file_handles", "File descriptor statistics: allocated."),
        ("filefd_maximum", "file_handles_max", "File descriptor statistics: maximum."),
        ("entropy_available_bits", "entropy_available", "Bits of available entropy."),
        ("entropy_pool_size_bits", "entropy_pool", "Bits of entropy pool."),
        ("selinux_enabled", "selinux_enabled", "SELinux is enabled, 1 is true, 0 is false"),
    ),
    *_counters(
        "system",
        "node_",
        ("context_switches_total", "context_switches", "Total number of context switches."),
        ("forks_total", "forks", "Total number of forks."),
        ("intr_total", "interrupts", "Total number of interrupts serviced."),
    ),
)

_FILESYSTEMS = _gauges(
    "filesystems",
    "node_filesystem_",
    ("size_bytes", "size", "Filesystem size in bytes."),
    ("free_bytes", "free", "Filesystem free space in bytes."),
    ("avail_bytes", "available", "Filesystem space available to non-root users in bytes."),
    ("files", "files", "Filesystem total file nodes."),
    ("files_free", "files_free", "Filesystem total free file nodes."),
    ("readonly", "readonly", "Filesystem read-only status."),
    (
        "device_error",
        "device_error",
        "Whether an error occurred while getting statistics for the given device.",
    ),
)

_DISKS = (
    *_counters(
        "disks",
        "node_disk_",
        ("reads_completed_total", "reads", "The total number of reads completed successfully."),
        ("reads_merged_total", "reads_merged", "The total number of reads merged."),
        ("read_bytes_total", "read_bytes", "The total number of bytes read successfully."),
        (
            "read_time_seconds_total",
            "read_seconds",
            "The total number of seconds spent by all reads.",
        ),
        ("writes_completed_total", "writes", "The total number of writes completed successfully."),
        ("writes_merged_total", "writes_merged", "The number of writes merged."),
        ("written_bytes_total", "written_bytes", "The total number of bytes written successfully."),
        (
            "write_time_seconds_total",
            "write_seconds",
            "This is the total number of seconds spent by all writes.",
        ),
        ("io_time_seconds_total", "io_seconds", "Total seconds spent doing I/Os."),
        (
            "io_time_weighted_seconds_total",
            "io_weighted_seconds",
            "The weighted # of seconds spent doing I/Os.",
        ),
        (
            "discards_completed_total",
            "discards",
            "The total number of discards completed successfully.",
        ),
        ("discards_merged_total", "discards_merged", "The total number of discards merged."),
        (
            "discarded_sectors_total",
            "discarded_sectors",
            "The total number of sectors discarded successfully.",
        ),
        (
            "discard_time_seconds_total",
            "discard_seconds",
            "This is the total number of seconds spent by all discards.",
        ),
        (
            "flush_requests_total",
            "flushes",
            "The total number of flush requests completed successfully",
        ),
        (
            "flush_requests_time_seconds_total",
            "flush_seconds",
            "This is the total number of seconds spent by all flush requests.",
        ),
    ),
    *_gauges(
        "disks", "node_disk_", ("io_now", "io_now", "The number of I/Os currently in progress.")
    ),
    _info("node_disk_info", "disk_info", "Info of /sys/block/<block_device>."),
)

_NETWORKS = _counters(
    "networks",
    "node_network_",
    ("receive_bytes_total", "receive_bytes", "Network device statistic receive_bytes."),
    ("receive_packets_total", "receive_packets", "Network device statistic receive_packets."),
    ("receive_errs_total", "receive_errors", "Network device statistic receive_errs."),
    ("receive_drop_total", "receive_drops", "Network device statistic receive_drop."),
    ("receive_fifo_total", "receive_fifo", "Network device statistic receive_fifo."),
    ("receive_frame_total", "receive_frame", "Network device statistic receive_frame."),
    (
        "receive_compressed_total",
        "receive_compressed",
        "Network device statistic receive_compressed.",
    ),
    ("receive_multicast_total", "receive_multicast", "Network device statistic receive_multicast."),
    ("receive_nohandler_total", "receive_nohandler", "Network device statistic receive_nohandler."),
    ("transmit_bytes_total", "transmit_bytes", "Network device statistic transmit_bytes."),
    ("transmit_packets_total", "transmit_packets", "Network device statistic transmit_packets."),
    ("transmit_errs_total", "transmit_errors", "Network device statistic transmit_errs."),
    ("transmit_drop_total", "transmit_drops", "Network device statistic transmit_drop."),
    ("transmit_fifo_total", "transmit_fifo", "Network device statistic transmit_fifo."),
    ("transmit_colls_total", "transmit_collisions", "Network device statistic transmit_colls."),
    ("transmit_carrier_total", "transmit_carrier", "Network device statistic transmit_carrier."),
    (
        "transmit_compressed_total",
        "transmit_compressed",
        "Network device statistic transmit_compressed.",
    ),
)

_INTERFACES = (
    _info(
        "node_network_info",
        "network_info",
        "Non-numeric data from /sys/class/net/<iface>, value is always 1.",
    ),
    *_gauges(
        "interfaces",
        "node_network_",
        ("up", "up", "Value is 1 if operstate is 'up', 0 otherwise."),
        ("carrier", "carrier", "Network device property: carrier"),
        ("mtu_bytes", "mtu", "Network device property: mtu_bytes"),
        ("speed_bytes", "speed", "Network device property: speed_bytes"),
        (
            "transmit_queue_length",
            "transmit_queue_length",
            "Network device property: transmit_queue_length",
        ),
        ("flags", "flags", "Network device property: flags"),
        ("dormant", "dormant", "Network device property: dormant"),
        (
            "address_assign_type",
            "address_assign_type",
            "Network device property: address_assign_type",
        ),
        ("device_id", "device_id", "Network device property: device_id"),
        ("iface_id", "iface_id", "Network device property: iface_id"),
        ("iface_link", "iface_link", "Network device property: iface_link"),
        ("iface_link_mode", "iface_link_mode", "Network device property: iface_link_mode"),
        ("name_assign_type", "name_assign_type", "Network device property: name_assign_type"),
        ("net_dev_group", "net_dev_group", "Network device property: net_dev_group"),
        ("protocol_type", "protocol_type", "Network device property: protocol_type"),
    ),
    *_counters(
        "interfaces",
        "node_network_",
        (
            "carrier_changes_total",
            "carrier_changes",
            "Network device property: carrier_changes_total",
        ),
        (
            "carrier_up_changes_total",
            "carrier_up_changes",
            "Network device property: carrier_up_changes_total",
        ),
        (
            "carrier_down_changes_total",
            "carrier_down_changes",
            "Network device property: carrier_down_changes_total",
        ),
    ),
)

_KERNEL_NETWORK = (
    *_gauges("arp", "node_arp_", ("entries", "entries", "ARP entries by device")),
    *_gauges(
        "udp_queues",
        "node_udp_",
        ("queues", "bytes", "Number of allocated memory in the kernel for UDP datagrams in bytes."),
    ),
    *_counters(
        "softnet",
        "node_softnet_",
        ("processed_total", "processed", "Number of processed packets"),
        ("dropped_total", "dropped", "Number of dropped packets"),
        (
            "times_squeezed_total",
            "times_squeezed",
            "Number of times processing packets ran out of quota",
        ),
        # node_exporter 1.5 does not have these yet.
        (
            "cpu_collision_total",
            "cpu_collision",
            "Number of collision occur while obtaining device lock while transmitting",
        ),
        ("received_rps_total", "received_rps", "Number of times cpu woken up received_rps"),
        ("flow_limit_count_total", "flow_limit", "Number of times flow limit has been reached"),
    ),
    *_gauges(
        "softnet",
        "node_softnet_",
        ("backlog_len", "backlog_len", "Softnet backlog status"),
    ),
)

_PRESSURE = _counters(
    "pressure",
    "node_pressure_",
    (
        "cpu_waiting_seconds_total",
        "cpu_waiting",
        "Total time in seconds that processes have waited for CPU time",
    ),
    (
        "io_waiting_seconds_total",
        "io_waiting",
        "Total time in seconds that processes have waited due to IO congestion",
    ),
    (
        "io_stalled_seconds_total",
        "io_stalled",
        "Total time in seconds no process could make progress due to IO congestion",
    ),
    (
        "memory_waiting_seconds_total",
        "memory_waiting",
        "Total time in seconds that processes have waited for memory",
    ),
    (
        "memory_stalled_seconds_total",
        "memory_stalled",
        "Total time in seconds no process could make progress due to memory congestion",
    ),
)

_CLOCK = (
    *_gauges(
        "timex",
        "node_timex_",
        ("offset_seconds", "offset", "Time offset in between local system and reference clock."),
        ("frequency_adjustment_ratio", "frequency_ratio", "Local clock frequency adjustment."),
        ("maxerror_seconds", "maxerror", "Maximum error in seconds."),
        ("estimated_error_seconds", "estimated_error", "Estimated error in seconds."),
        ("status", "status", "Value of the status array bits."),
        (
            "sync_status",
            "sync_status",
            "Is clock synchronized to a reliable server (1 = yes, 0 = no).",
        ),
        ("loop_time_constant", "loop_time_constant", "Phase-locked loop time constant."),
        ("tick_seconds", "tick", "Seconds between clock ticks."),
        ("tai_offset_seconds", "tai_offset", "International Atomic Time (TAI) offset."),
        ("pps_frequency_hertz", "pps_frequency", "Pulse per second frequency."),
        ("pps_jitter_seconds", "pps_jitter", "Pulse per second jitter."),
        ("pps_shift_seconds", "pps_shift", "Pulse per second interval duration."),
        (
            "pps_stability_hertz",
            "pps_stability",
            "Pulse per second stability, average of recent frequency changes.",
        ),
    ),
    *_counters(
        "timex",
        "node_timex_",
        (
            "pps_jitter_total",
            "pps_jitter_exceeded",
            "Pulse per second count of jitter limit exceeded events.",
        ),
        (
            "pps_calibration_total",
            "pps_calibrations",
            "Pulse per second count of calibration intervals.",
        ),
        ("pps_error_total", "pps_errors", "Pulse per second count of calibration errors."),
        (
            "pps_stability_exceeded_total",
            "pps_stability_exceeded",
            "Pulse per second count of stability limit exceeded events.",
        ),
    ),
    *_gauges(
        "time_zone",
        "node_time_zone_",
        ("offset_seconds", "offset", "System time zone offset in seconds."),
    ),
    _info(
        "node_time_clocksource_available_info",
        "clock_sources",
        "Available clocksources read from '/sys/devices/system/clocksource'.",
    ),
    gauge(
        "node_time_clocksource_current_info",
        "Current clocksource read from '/sys/devices/system/clocksource'.",
        PerRow("clock_sources", ("current",), derive.present),
    ),
)

_SENSORS = (
    *_gauges(
        "temperatures",
        "node_hwmon_temp_",
        ("celsius", "celsius", "Hardware monitor for temperature (input)"),
        ("max_celsius", "max", "Hardware monitor for temperature (max)"),
        ("crit_celsius", "crit", "Hardware monitor for temperature (crit)"),
    ),
    *_gauges(
        "fans",
        "node_hwmon_fan_",
        ("rpm", "rpm", "Hardware monitor for fan revolutions per minute (input)"),
    ),
    _info(
        "node_hwmon_chip_names", "sensor_chips", "Annotation metric for human-readable chip names"
    ),
    _info("node_hwmon_sensor_label", "sensor_labels", "Label for given chip and sensor"),
    *_gauges(
        "cooling_devices",
        "node_cooling_device_",
        ("cur_state", "current_state", "Current throttle state of the cooling device"),
        ("max_state", "max_state", "Maximum throttle state of the cooling device"),
    ),
    *_gauges(
        "thermal_zones", "node_thermal_zone_", ("temp", "celsius", "Zone temperature in Celsius")
    ),
)

_AGENT = _gauges(
    "collectors",
    "node_scrape_collector_",
    ("duration_seconds", "seconds", "node_exporter: Duration of a collector scrape."),
    ("success", "success", "node_exporter: Whether a collector succeeded."),
)

_TEXTFILES = (
    *_gauges(
        "textfile",
        "node_textfile_",
        (
            "scrape_error",
            "scrape_error",
            "1 if there was an error opening or reading a file, 0 otherwise",
        ),
    ),
    *_gauges(
        "textfiles",
        "node_textfile_",
        ("mtime_seconds", "mtime", "Unixtime mtime of textfiles successfully read."),
    ),
)

_TEXTS = (
    _info(
        "node_uname_info",
        "uname",
        "Labeled system information as provided by the uname system call.",
    ),
    _info(
        "node_os_info",
        "os",
        "A metric with a constant '1' value labeled by build_id, id, id_like, image_id, "
        "image_version, name, pretty_name, variant, variant_id, version, version_codename, "
        "version_id.",
    ),
    _info(
        "node_dmi_info",
        "dmi",
        "A metric with a constant '1' value labeled by bios_date, bios_release, bios_vendor, "
        "bios_version, board_asset_tag, board_name, board_serial, board_vendor, board_version, "
        "chassis_asset_tag, chassis_serial, chassis_vendor, chassis_version, product_family, "
        "product_name, product_serial, product_sku, product_uuid, product_version, "
        "system_vendor if provided by DMI.",
    ),
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
    *_TEXTFILES,
    *_TEXTS,
)

NODE_MAPS: tuple[MapFamilies, ...] = (
    MapFamilies("meminfo", "node_memory_", "Memory information field {0}."),
    MapFamilies(
        "vmstat", "node_vmstat_", "/proc/vmstat information field {0}.", MetricType.UNTYPED
    ),
    MapFamilies("netstat", "node_netstat_", "Statistic {1}{2}.", MetricType.UNTYPED),
    MapFamilies(
        "sockstat",
        "node_sockstat_",
        "Number of {1} sockets in state {2}.",
        helps={"sockets_used": "Number of IPv4 sockets in use."},
    ),
    MapFamilies(
        "conntrack",
        "node_nf_conntrack_",
        "Connection tracking statistic {0}.",
        helps={
            "entries": "Number of currently allocated flow entries for connection tracking.",
            "entries_limit": "Maximum size of connection tracking table.",
            "stat_drop": "Number of packets dropped due to conntrack failure.",
            "stat_early_drop": (
                "Number of dropped conntrack entries to make room for new ones, if maximum "
                "table size was reached."
            ),
            "stat_found": "Number of searched entries which were successful.",
            "stat_ignore": (
                "Number of packets seen which are already connected to a conntrack entry."
            ),
            "stat_insert": "Number of entries inserted into the list.",
            "stat_insert_failed": (
                "Number of entries for which list insertion was attempted but failed."
            ),
            "stat_invalid": "Number of packets seen which can not be tracked.",
            "stat_search_restart": (
                "Number of conntrack table lookups which had to be restarted due to hashtable "
                "resizes."
            ),
        },
    ),
)

#: What node_exporter shows with its default collectors and Pombo does not, and why.
UNSUPPORTED = {
    "node_exporter_build_info": (
        "It describes node_exporter itself; see `pombo_agent_build_info`."
    ),
}
