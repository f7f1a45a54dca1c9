"""The *Fleet* dashboard: all hosts, or those with some label, and their problems."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.generate import variables
from grafana.generate.layout import About, Rows, assemble
from grafana.generate.panels import (
    STATES,
    Column,
    GraphStyle,
    NumberStyle,
    Query,
    alerts,
    band,
    counted,
    floors,
    graph,
    limits,
    mean,
    number,
    top,
    values,
)
from grafana.generate.queries import (
    CPU,
    DISK_BYTES,
    FAILED_UNITS,
    FILESYSTEM,
    INODES,
    LOSS,
    LOST_PACKETS,
    MEMORY,
    NETWORK_BYTES,
    SILENCE,
    STATE,
    TIME_TO_FULL,
    increase,
    mean_rates,
    rate,
    rates,
)
from grafana.generate.variables import chosen, chosen_at_end, of_host

_UP, _LATE = chosen(of_host("pombo_host_up")), chosen(of_host("pombo_host_late"))
_OFFSET = of_host("pombo_host_clock_offset_seconds")
_LOST = of_host("pombo_host_datagrams_lost_total")
_CONFLICTS = of_host("pombo_host_conflicts_total")
_RATIO = limits(0.8, 0.95)


def _top(expr: str, rank: str | None = None) -> str:
    return top(expr, chosen_at_end(rank or mean(expr)))


def _top_rates(*counters: str) -> str:
    return _top(rates(*counters), mean_rates(*counters))


def _fullest(share: str) -> str:
    return f"max by (instance, job) ({share})"


def dashboard() -> Dashboard:
    """Return the dashboard."""
    return assemble(
        About(
            uid="pombo-fleet",
            title="Pombo / Fleet",
            description="All hosts that report to Pombo, and what needs attention.",
            others={"Host": "pombo-host", "Exporter": "pombo-exporter"},
        ),
        variables=[
            variables.datasource(),
            variables.job(),
            variables.label(),
            variables.value(),
            variables.instances(),
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
        counted(f"sum({chosen(rate(_LOST))}) / sum({chosen(LOSS.sent)})", "lost"),
        NumberStyle(limits(0.001, 0.01)),
    ),
    number(
        "Clock offset over 1 s",
        "Hosts whose clock differs from the exporter's by more than a second.",
        "short",
        Query(f"sum(abs({chosen(_OFFSET)}) > bool 1)", "hosts"),
        NumberStyle(limits(orange=1)),
    ),
    number(
        "Name conflicts",
        "Host names under which more than one agent reported within the time range.",
        "short",
        Query(f"sum(({chosen(increase(_CONFLICTS))}) > bool 0)", "conflicts"),
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
            Column("Since last report", chosen(f"({SILENCE}) and ({STATE}) > 0"), "s"),
            Column("State", chosen(f"({STATE}) > 0"), "none", mappings=STATES),
        ],
    ),
    alerts(
        "Alerts that fire in Prometheus for these hosts and for the exporters, and for how long.",
        'job=~"$job",instance=~"$instance"',
        24,
    ),
    values(
        "All hosts",
        "One row per host. Click a name to open the host. Click a heading to sort or filter.",
        {"instance": "Host"},
        [
            Column("State", chosen(STATE), "none", mappings=STATES),
            Column("CPU", chosen(CPU), "percentunit", _RATIO),
            Column(
                "Load per core",
                chosen(
                    f"{of_host('host_load1')} / on (instance, job) "
                    f"count by (instance, job) ({of_host('host_cpu_usage_ratio')})"
                ),
                "short",
                limits(1, 2),
            ),
            Column("Memory", chosen(MEMORY), "percentunit", _RATIO),
            Column("Fullest filesystem", chosen(_fullest(FILESYSTEM)), "percentunit", _RATIO),
            Column("Fullest inodes", chosen(_fullest(INODES)), "percentunit", _RATIO),
            Column("Lost", chosen(LOSS.share), "percentunit", limits(0.001, 0.01)),
            Column("Clock offset", chosen(_OFFSET), "s", band(1)),
            Column("Uptime", chosen(of_host("host_uptime_seconds")), "s"),
        ],
        width=24,
    ),
]

_TOP = [
    graph(
        "CPU",
        "Hosts with the highest CPU usage, averaged over the time range.",
        "percentunit",
        [Query(_top(CPU), "{{instance}}")],
        GraphStyle(thresholds=_RATIO, high=1, links_to_host=True),
    ),
    graph(
        "Memory",
        "Hosts with the smallest share of available memory, averaged over the time range.",
        "percentunit",
        [Query(_top(MEMORY), "{{instance}}")],
        GraphStyle(thresholds=_RATIO, high=1, links_to_host=True),
    ),
    values(
        "Fullest filesystems",
        "Used share of each filesystem, as df shows it: without the space reserved for root.",
        {"instance": "Host", "mountpoint": "Mounted on"},
        [
            Column("Used", f"topk($top, {chosen(FILESYSTEM)})", "percentunit", _RATIO),
            Column(
                "Available",
                f"{of_host('host_filesystem_available_bytes')} "
                f"and topk($top, {chosen(FILESYSTEM)})",
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
                f"bottomk($top, {chosen(TIME_TO_FULL)})",
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
        [counted(_top_rates(*DISK_BYTES), "{{instance}} {{device}}")],
        GraphStyle(links_to_host=True),
    ),
    graph(
        "Network throughput",
        "Interfaces with the most bytes received and sent, averaged over the time range.",
        "binBps",
        [counted(_top_rates(*NETWORK_BYTES), "{{instance}} {{device}}")],
        GraphStyle(links_to_host=True),
    ),
    graph(
        "Lost packets",
        "Interfaces with the most errors and drops, received and sent, averaged over the time "
        "range.",
        "pps",
        [counted(_top_rates(*LOST_PACKETS), "{{instance}} {{device}}")],
        GraphStyle(thresholds=limits(orange=1), links_to_host=True),
    ),
    graph(
        "Clock offset",
        "Hosts whose clock differs most from the exporter's, averaged over the time range. "
        "Includes network delay, which makes a clock appear to be slow.",
        "s",
        [Query(_top(_OFFSET, mean(f"abs({_OFFSET})")), "{{instance}}")],
        GraphStyle(thresholds=band(1), low=None, links_to_host=True),
    ),
    graph(
        "Temperature",
        "Hosts with the highest temperature of any sensor, averaged over the time range.",
        "celsius",
        [
            Query(
                _top(f"max by (instance, job) ({of_host('node_hwmon_temp_celsius')})"),
                "{{instance}}",
            )
        ],
        GraphStyle(thresholds=limits(70, 90), low=None, links_to_host=True),
    ),
    graph(
        "Waiting for disks",
        "Hosts in which tasks waited longest for I/O, averaged over the time range: pressure stall "
        "information of the kernel.",
        "percentunit",
        [
            counted(
                _top_rates(of_host("node_pressure_io_waiting_seconds_total")),
                "{{instance}}",
            )
        ],
        GraphStyle(thresholds=limits(0.1, 0.4), links_to_host=True),
    ),
    graph(
        "Share of datagrams lost",
        "Hosts with the highest share of lost datagrams, averaged over the time range.",
        "percentunit",
        [counted(_top(LOSS.share), "{{instance}}")],
        GraphStyle(thresholds=limits(0.01, 0.05), links_to_host=True),
    ),
    values(
        "Failed services",
        "Units of systemd that have failed. Needs the agent's --collector.systemd.",
        {"instance": "Host", "name": "Unit"},
        [Column("Failed", f"{chosen(FAILED_UNITS)}", "bool_yes_no", limits(red=1))],
    ),
]

_ROWS: Rows = {
    "Hosts": _HOSTS,
    "Top hosts": _TOP,
}
