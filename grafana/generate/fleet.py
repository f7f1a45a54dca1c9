"""The *Fleet* dashboard: all hosts, what is wrong with which, and the exporter's own health."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.generate import variables
from grafana.generate.layout import About, Rows, assemble
from grafana.generate.panels import (
    STATES,
    Column,
    Face,
    Look,
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
            description="All hosts that report to Pombo, and the exporter that holds them.",
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
        "Hosts whose reports arrive in time.",
        "short",
        Query(f"sum({_UP}) - sum({_LATE})", "live"),
    ),
    number(
        "Late",
        "Hosts silent for two of their intervals, but not yet for three.",
        "short",
        Query(f"sum({_LATE})", "late"),
        Face(limits(orange=1)),
    ),
    number(
        "Down",
        "Hosts silent for three of their intervals or more, and not yet forgotten.",
        "short",
        Query(f"count({_UP}) - sum({_UP})", "down"),
        Face(limits(red=1)),
    ),
    number(
        "Datagrams missing",
        "Share of the datagrams that hosts numbered and that have not arrived, of late.",
        "percentunit",
        counted(f"sum({rate(_LOST)}) / sum({LOSS.sent})", "missing"),
        Face(limits(0.001, 0.01)),
    ),
    number(
        "Clocks off",
        "Hosts whose clock differs from the exporter's by more than a second.",
        "short",
        Query(f"sum(abs({_OFFSET}) > bool 1)", "clocks off"),
        Face(limits(orange=1)),
    ),
    number(
        "Names in conflict",
        "Names under which more than one agent reported within the time range.",
        "short",
        Query(f"sum(({increase(_CONFLICTS)}) > bool 0)", "conflicts"),
        Face(limits(red=1)),
    ),
    graph(
        "Hosts by state",
        "How many hosts are live, late and down.",
        "short",
        [
            Query(f"sum({_UP}) - sum({_LATE})", "live"),
            Query(f"sum({_LATE})", "late"),
            Query(f"count({_UP}) - sum({_UP})", "down"),
        ],
        Look(stacked=True),
    ),
    values(
        "Late or down",
        "Hosts that do not report as they should, and for how long they have been silent.",
        {"instance": "Host"},
        [
            Column("Silent for", f"({SILENCE}) and ({STATE}) > 0", "s"),
            Column("State", f"({STATE}) > 0", "none", mappings=STATES),
        ],
    ),
    values(
        "All hosts",
        "Each host on one line; a click on its name opens it. Sort and filter by the headings.",
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
            Column("Missing", LOSS.share, "percentunit", limits(0.001, 0.01)),
            Column("Clock offset", _OFFSET, "s", band(1)),
            Column("Uptime", of_host("host_uptime_seconds"), "s"),
        ],
        width=24,
    ),
]

_TOP = [
    graph(
        "CPU",
        "The hosts with the busiest processors on average over the time range.",
        "percentunit",
        [Query(top(CPU), "{{instance}}")],
        Look(thresholds=_RATIO, high=1, links_to_host=True),
    ),
    graph(
        "Memory",
        "The hosts with the least memory to be had, on average over the time range.",
        "percentunit",
        [Query(top(MEMORY), "{{instance}}")],
        Look(thresholds=_RATIO, high=1, links_to_host=True),
    ),
    values(
        "Fullest filesystems",
        "Share in use of what users other than root can fill.",
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
        "Filesystems that will be full first",
        "When nothing is available any more, at the pace of the time range shown. Filesystems "
        "that do not fill, or not within a year, are left out.",
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
        "The devices with the most bytes read and written, on average over the time range. "
        "Stacked devices (RAID, LVM, encryption) each count what passes through them.",
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
        Look(links_to_host=True),
    ),
    graph(
        "Network throughput",
        "The interfaces with the most bytes received and sent, on average over the time range.",
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
        Look(links_to_host=True),
    ),
    graph(
        "Lost packets",
        "The interfaces with the most packets lost to errors and drops, both ways, on average "
        "over the time range.",
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
        Look(thresholds=limits(orange=1), links_to_host=True),
    ),
    graph(
        "Clock offset",
        "The clocks furthest from the exporter's. The road of the report is in it: what a "
        "datagram takes to arrive makes a clock look late by as much.",
        "s",
        [Query(top(_OFFSET, f"abs({_OFFSET})"), "{{instance}}")],
        Look(thresholds=band(1), low=None, links_to_host=True),
    ),
]

_LOSS_PANELS = [
    number(
        "Lost on the network",
        "Datagrams over the time range that hosts numbered and that neither arrived nor were "
        "dropped by the kernel of the exporter's machine.",
        "short",
        Query(f"clamp_min(sum({increase(_LOST)}) - sum({increase(_KERNEL_DROPS)}), 0)", "network"),
        Face(limits(orange=1), width=8),
    ),
    number(
        "Lost in the kernel's buffer",
        "Datagrams over the time range that arrived while the exporter's receive buffer was "
        "full; a larger --udp.receive-buffer helps.",
        "short",
        Query(f"sum({increase(_KERNEL_DROPS)})", "kernel buffer"),
        Face(limits(orange=1), width=8),
    ),
    number(
        "Refused",
        "Datagrams over the time range that arrived and were refused, for whatever reason.",
        "short",
        Query(f"sum({increase(_REFUSED)})", "refused"),
        Face(limits(orange=1), width=8),
    ),
    graph(
        "Datagrams lost, by place",
        "Missing: numbered by a host and not arrived, wherever they were lost; counted once "
        "they can no longer be merely late. Those dropped by the kernel and those refused are "
        "shown beside it.",
        "suffix:/s",
        [
            counted(f"sum({rate(_LOST)})", "missing"),
            counted(f"sum({rate(_KERNEL_DROPS)})", "dropped by the kernel"),
            counted(f"sum({rate(_REFUSED)})", "refused"),
        ],
    ),
    graph(
        "Refused, by reason",
        "Datagrams that the exporter did not take; its log shows an excerpt of one a minute.",
        "suffix:/s",
        [counted(f"sum by (reason) ({rate(_REFUSED)})", "{{reason}}")],
    ),
    graph(
        "Share missing, by host",
        "The hosts that miss the greatest share of their datagrams over the time range.",
        "percentunit",
        [counted(top(LOSS.share), "{{instance}}")],
        Look(thresholds=limits(0.01, 0.05), links_to_host=True),
    ),
    graph(
        "Duplicates, disorder and conflicts",
        "Datagrams that arrived twice, behind a later one, or of a second agent under a name "
        "that is taken.",
        "suffix:/s",
        [
            counted(f"sum({rate(of_host('pombo_host_datagrams_duplicate_total'))})", "duplicate"),
            counted(f"sum({rate(of_host('pombo_host_datagrams_reordered_total'))})", "reordered"),
            counted(f"sum({rate(_CONFLICTS)})", "in conflict"),
        ],
    ),
    values(
        "Second agents of a name",
        "Hosts under whose name a second agent reported within the time range: give each agent "
        "a --name of its own.",
        {"instance": "Host"},
        [Column("Set aside", f"topk($top, {increase(_CONFLICTS)} > 0)", "short", limits(red=1))],
    ),
    graph(
        "Datagrams received",
        "Datagrams that reached each exporter.",
        "suffix:/s",
        [counted(rate(of_exporter("pombo_exporter_datagrams_received_total")), "{{instance}}")],
    ),
]

_DURATION = "pombo_exporter_scrape_duration_seconds"

_EXPORTER = [
    values(
        "Exporters",
        "Each exporter: whether Prometheus reaches it, what it holds and how near its limits "
        "it is.",
        {"instance": "Exporter"},
        [
            Column("Reached", of_exporter("up"), "bool_yes_no", floors(1, 1)),
            Column(
                "Hosts",
                f"sum by (instance) ({of_exporter('pombo_exporter_hosts')})",
                "short",
            ),
            Column(
                "Of its limit of hosts",
                f"sum by (instance) ({of_exporter('pombo_exporter_hosts')}) / on (instance) "
                f"max by (instance) ({_HOST_LIMIT})",
                "percentunit",
                _RATIO,
            ),
            Column("Samples a scrape", of_exporter("scrape_samples_scraped"), "short"),
            Column(
                "Limit of series a host",
                of_exporter("pombo_exporter_limits", 'limit="series_per_host"'),
                "short",
            ),
            Column(
                "Receive buffer",
                _BUFFER_GRANTED,
                "bytes",
            ),
            Column(
                "Of what was asked for",
                f"max by (instance) ({_BUFFER_GRANTED})"
                f" / on (instance) max by (instance) ({_BUFFER_WANTED})",
                "percentunit",
                floors(1, 0.5),
            ),
            Column(
                "File descriptors in use",
                f"{of_exporter('process_open_fds')} / {of_exporter('process_max_fds')}",
                "percentunit",
                _RATIO,
            ),
            Column("Up for", f"time() - {of_exporter('process_start_time_seconds')}", "s"),
        ],
        width=24,
    ),
    graph(
        "Scrape duration",
        "Mean time that the exporter took to write its page, and what Prometheus measured of "
        "the latest scrape.",
        "s",
        [
            counted(
                f"{rate(of_exporter(f'{_DURATION}_sum'))} / "
                f"({rate(of_exporter(f'{_DURATION}_count'))} > 0)",
                "{{instance}} by its own account",
            ),
            Query(of_exporter("scrape_duration_seconds"), "{{instance}} seen by Prometheus"),
        ],
        Look(thresholds=limits(2, 5), width=8),
    ),
    graph(
        "Exporter's CPU",
        "Share of one core that each exporter uses.",
        "percentunit",
        [counted(rate(of_exporter("process_cpu_seconds_total")), "{{instance}}")],
        Look(thresholds=_RATIO, width=8),
    ),
    graph(
        "Exporter's memory",
        "Resident memory of each exporter.",
        "bytes",
        [Query(of_exporter("process_resident_memory_bytes"), "{{instance}}")],
        Look(width=8),
    ),
]

_ROWS: Rows = {
    "Hosts": _HOSTS,
    "On top": _TOP,
    "Datagrams and where they are lost": _LOSS_PANELS,
    "Exporter": _EXPORTER,
}
