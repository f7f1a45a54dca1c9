"""The *Fleet* dashboard: all hosts, their problems, and the exporters."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.generate import variables
from grafana.generate.layout import About, Rows, assemble
from grafana.generate.panels import (
    STATES,
    Column,
    GraphStyle,
    NumberStyle,
    Query,
    band,
    counted,
    floors,
    graph,
    limits,
    number,
    top,
    values,
)
from grafana.generate.queries import (
    CPU,
    FILESYSTEM,
    LOSS,
    MEMORY,
    SILENCE,
    STATE,
    TIME_TO_FULL,
    increase,
    rate,
)
from grafana.generate.variables import of_exporter, of_host

_UP, _LATE = of_host("pombo_host_up"), of_host("pombo_host_late")
_OFFSET = of_host("pombo_host_clock_offset_seconds")
_LOST = of_host("pombo_host_datagrams_lost_total")
_CONFLICTS = of_host("pombo_host_conflicts_total")
_KERNEL_DROPS = of_exporter("pombo_exporter_kernel_drops_total")
_REFUSED = of_exporter("pombo_exporter_datagrams_refused_total")
_HOST_LIMIT = of_exporter("pombo_exporter_limits", 'limit="hosts"')
_BUFFER_GRANTED = of_exporter("pombo_exporter_receive_buffer_bytes", 'kind="granted"')
_BUFFER_WANTED = of_exporter("pombo_exporter_receive_buffer_bytes", 'kind="wanted"')
_RATIO = limits(0.8, 0.95)


def dashboard() -> Dashboard:
    """Return the dashboard."""
    return assemble(
        About(
            uid="pombo-fleet",
            title="Pombo / Fleet",
            description="All hosts that report to Pombo, and the exporters that they report to.",
            other=("Host", "pombo-host"),
        ),
        variables=[
            variables.datasource(),
            variables.job(),
            variables.instances(),
            variables.exporters(),
            variables.top(),
        ],
        rows=_ROWS,
    )


_HOSTS = [
    number(
        "Live",
        "Hosts whose reports arrive on time.",
        "short",
        Query(f"sum({_UP}) - sum({_LATE})", "live"),
    ),
    number(
        "Late",
        "Hosts from which no report has arrived for two intervals, but not yet for three.",
        "short",
        Query(f"sum({_LATE})", "late"),
        NumberStyle(limits(orange=1)),
    ),
    number(
        "Down",
        "Hosts from which no report has arrived for three intervals, until they are forgotten.",
        "short",
        Query(f"count({_UP}) - sum({_UP})", "down"),
        NumberStyle(limits(red=1)),
    ),
    number(
        "Datagrams lost",
        "Share of the datagrams that hosts sent and that did not arrive.",
        "percentunit",
        counted(f"sum({rate(_LOST)}) / sum({LOSS.sent})", "lost"),
        NumberStyle(limits(0.001, 0.01)),
    ),
    number(
        "Clock offset over 1 s",
        "Hosts whose clock differs from the exporter's by more than a second.",
        "short",
        Query(f"sum(abs({_OFFSET}) > bool 1)", "hosts"),
        NumberStyle(limits(orange=1)),
    ),
    number(
        "Name conflicts",
        "Host names under which more than one agent reported within the time range.",
        "short",
        Query(f"sum(({increase(_CONFLICTS)}) > bool 0)", "conflicts"),
        NumberStyle(limits(red=1)),
    ),
    graph(
        "Hosts by state",
        "Number of hosts that are live, late and down.",
        "short",
        [
            Query(f"sum({_UP}) - sum({_LATE})", "live"),
            Query(f"sum({_LATE})", "late"),
            Query(f"count({_UP}) - sum({_UP})", "down"),
        ],
        GraphStyle(stacked=True),
    ),
    values(
        "Late or down",
        "Hosts that are late or down, and the time since their last report.",
        {"instance": "Host"},
        [
            Column("Since last report", f"({SILENCE}) and ({STATE}) > 0", "s"),
            Column("State", f"({STATE}) > 0", "none", mappings=STATES),
        ],
    ),
    values(
        "All hosts",
        "One row per host. Click a name to open the host. Click a heading to sort or filter.",
        {"instance": "Host"},
        [
            Column("State", STATE, "none", mappings=STATES),
            Column("CPU", CPU, "percentunit", _RATIO),
            Column(
                "Load per core",
                f"{of_host('host_load1')} / on (instance, job) "
                f"count by (instance, job) ({of_host('host_cpu_usage_ratio')})",
                "short",
                limits(1, 2),
            ),
            Column("Memory", MEMORY, "percentunit", _RATIO),
            Column(
                "Fullest filesystem",
                f"max by (instance, job) ({FILESYSTEM})",
                "percentunit",
                _RATIO,
            ),
            Column("Lost", LOSS.share, "percentunit", limits(0.001, 0.01)),
            Column("Clock offset", _OFFSET, "s", band(1)),
            Column("Uptime", of_host("host_uptime_seconds"), "s"),
        ],
        width=24,
    ),
]

_TOP = [
    graph(
        "CPU",
        "Hosts with the highest CPU usage, averaged over the time range.",
        "percentunit",
        [Query(top(CPU), "{{instance}}")],
        GraphStyle(thresholds=_RATIO, high=1, links_to_host=True),
    ),
    graph(
        "Memory",
        "Hosts with the smallest share of available memory, averaged over the time range.",
        "percentunit",
        [Query(top(MEMORY), "{{instance}}")],
        GraphStyle(thresholds=_RATIO, high=1, links_to_host=True),
    ),
    values(
        "Fullest filesystems",
        "Used share of each filesystem, as df shows it: without the space reserved for root.",
        {"instance": "Host", "mountpoint": "Mounted on"},
        [
            Column("Used", f"topk($top, {FILESYSTEM})", "percentunit", _RATIO),
            Column(
                "Available",
                f"{of_host('host_filesystem_available_bytes')} and topk($top, {FILESYSTEM})",
                "bytes",
            ),
        ],
    ),
    values(
        "Filesystems that fill up first",
        "Time until no space is available, extrapolated from the time range. Filesystems that do "
        "not fill up, or take more than a year, are left out.",
        {"instance": "Host", "mountpoint": "Mounted on"},
        [
            Column(
                "Full in",
                f"bottomk($top, {TIME_TO_FULL})",
                "s",
                floors(604800, 86400),
                smallest_first=True,
            )
        ],
    ),
    graph(
        "Disk throughput",
        "Devices with the most bytes read and written, averaged over the time range. Stacked "
        "devices (RAID, LVM, encryption) each count the bytes that pass through them.",
        "binBps",
        [
            Query(
                top(
                    f"{of_host('host_disk_read_bytes_per_second')} + "
                    f"{of_host('host_disk_write_bytes_per_second')}"
                ),
                "{{instance}} {{device}}",
            )
        ],
        GraphStyle(links_to_host=True),
    ),
    graph(
        "Network throughput",
        "Interfaces with the most bytes received and sent, averaged over the time range.",
        "binBps",
        [
            Query(
                top(
                    f"{of_host('host_network_receive_bytes_per_second')} + "
                    f"{of_host('host_network_transmit_bytes_per_second')}"
                ),
                "{{instance}} {{device}}",
            )
        ],
        GraphStyle(links_to_host=True),
    ),
    graph(
        "Lost packets",
        "Interfaces with the most errors and drops, received and sent, averaged over the time "
        "range.",
        "pps",
        [
            Query(
                top(
                    f"{of_host('host_network_receive_lost_packets_per_second')} + "
                    f"{of_host('host_network_transmit_lost_packets_per_second')}"
                ),
                "{{instance}} {{device}}",
            )
        ],
        GraphStyle(thresholds=limits(orange=1), links_to_host=True),
    ),
    graph(
        "Clock offset",
        "Hosts whose clock differs most from the exporter's, averaged over the time range. "
        "Includes network delay, which makes a clock appear to be slow.",
        "s",
        [Query(top(_OFFSET, f"abs({_OFFSET})"), "{{instance}}")],
        GraphStyle(thresholds=band(1), low=None, links_to_host=True),
    ),
]

_LOSS_PANELS = [
    number(
        "Lost on the network",
        "Datagrams lost within the time range, minus those that the kernel of the exporter's "
        "machine dropped.",
        "short",
        Query(f"clamp_min(sum({increase(_LOST)}) - sum({increase(_KERNEL_DROPS)}), 0)", "network"),
        NumberStyle(limits(orange=1), width=8),
    ),
    number(
        "Dropped by the kernel",
        "Datagrams dropped within the time range because the exporter's receive buffer was full. "
        "A larger --udp.receive-buffer helps.",
        "short",
        Query(f"sum({increase(_KERNEL_DROPS)})", "kernel buffer"),
        NumberStyle(limits(orange=1), width=8),
    ),
    number(
        "Refused",
        "Datagrams refused within the time range, for any reason.",
        "short",
        Query(f"sum({increase(_REFUSED)})", "refused"),
        NumberStyle(limits(orange=1), width=8),
    ),
    graph(
        "Lost, dropped and refused",
        "Lost: sequence numbers that did not arrive, counted when they leave the window. This "
        "can include datagrams that the kernel dropped or the exporter refused.",
        "suffix:/s",
        [
            counted(f"sum({rate(_LOST)})", "lost"),
            counted(f"sum({rate(_KERNEL_DROPS)})", "dropped by the kernel"),
            counted(f"sum({rate(_REFUSED)})", "refused"),
        ],
    ),
    graph(
        "Refused by reason",
        "Datagrams that the exporter refused. Its log shows one per minute and reason.",
        "suffix:/s",
        [counted(f"sum by (reason) ({rate(_REFUSED)})", "{{reason}}")],
    ),
    graph(
        "Share lost by host",
        "Hosts with the highest share of lost datagrams, averaged over the time range.",
        "percentunit",
        [counted(top(LOSS.share), "{{instance}}")],
        GraphStyle(thresholds=limits(0.01, 0.05), links_to_host=True),
    ),
    graph(
        "Duplicate, reordered and conflicting",
        "Datagrams that arrived twice, arrived after a later one, or came from a second agent "
        "with the same host name.",
        "suffix:/s",
        [
            counted(f"sum({rate(of_host('pombo_host_datagrams_duplicate_total'))})", "duplicate"),
            counted(f"sum({rate(of_host('pombo_host_datagrams_reordered_total'))})", "reordered"),
            counted(f"sum({rate(_CONFLICTS)})", "in conflict"),
        ],
    ),
    values(
        "Hosts with name conflicts",
        "Hosts under whose name a second agent reported within the time range. Give each agent "
        "its own --name.",
        {"instance": "Host"},
        [Column("Conflicts", f"topk($top, {increase(_CONFLICTS)} > 0)", "short", limits(red=1))],
    ),
    graph(
        "Datagrams received",
        "Datagrams that each exporter received.",
        "suffix:/s",
        [counted(rate(of_exporter("pombo_exporter_datagrams_received_total")), "{{instance}}")],
    ),
]

_DURATION = "pombo_exporter_scrape_duration_seconds"

_EXPORTER = [
    values(
        "Exporters",
        "Each exporter: whether Prometheus can scrape it, its hosts and its limits.",
        {"instance": "Exporter"},
        [
            Column("Up", of_exporter("up"), "bool_yes_no", floors(1, 1)),
            Column(
                "Hosts",
                f"sum by (instance) ({of_exporter('pombo_exporter_hosts')})",
                "short",
            ),
            Column(
                "Host limit used",
                f"sum by (instance) ({of_exporter('pombo_exporter_hosts')}) / on (instance) "
                f"max by (instance) ({_HOST_LIMIT})",
                "percentunit",
                _RATIO,
            ),
            Column("Samples per scrape", of_exporter("scrape_samples_scraped"), "short"),
            Column(
                "Series limit per host",
                of_exporter("pombo_exporter_limits", 'limit="series_per_host"'),
                "short",
            ),
            Column(
                "Receive buffer",
                _BUFFER_GRANTED,
                "bytes",
            ),
            Column(
                "Buffer granted",
                f"max by (instance) ({_BUFFER_GRANTED})"
                f" / on (instance) max by (instance) ({_BUFFER_WANTED})",
                "percentunit",
                floors(1, 0.5),
            ),
            Column(
                "File descriptors used",
                f"{of_exporter('process_open_fds')} / {of_exporter('process_max_fds')}",
                "percentunit",
                _RATIO,
            ),
            Column("Uptime", f"time() - {of_exporter('process_start_time_seconds')}", "s"),
        ],
        width=24,
    ),
    graph(
        "Scrape duration",
        "Mean time that the exporter took to answer, and the duration of the last scrape as "
        "Prometheus measured it.",
        "s",
        [
            counted(
                f"{rate(of_exporter(f'{_DURATION}_sum'))} / "
                f"({rate(of_exporter(f'{_DURATION}_count'))} > 0)",
                "{{instance}} (exporter)",
            ),
            Query(of_exporter("scrape_duration_seconds"), "{{instance}} (Prometheus)"),
        ],
        GraphStyle(thresholds=limits(2, 5), width=8),
    ),
    graph(
        "Exporter CPU",
        "CPU usage of each exporter, as a share of one core.",
        "percentunit",
        [counted(rate(of_exporter("process_cpu_seconds_total")), "{{instance}}")],
        GraphStyle(thresholds=_RATIO, width=8),
    ),
    graph(
        "Exporter memory",
        "Resident memory of each exporter.",
        "bytes",
        [Query(of_exporter("process_resident_memory_bytes"), "{{instance}}")],
        GraphStyle(width=8),
    ),
]

_ROWS: Rows = {
    "Hosts": _HOSTS,
    "Top hosts": _TOP,
    "Datagrams": _LOSS_PANELS,
    "Exporter": _EXPORTER,
}
