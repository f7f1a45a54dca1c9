"""The *Host* dashboard: one host, from its CPU to the delivery of its reports."""

from grafana_foundation_sdk.models.common import BigValueTextMode
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.generate import host_kernel, host_services, variables
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
    labels_of,
    limits,
    number,
    states,
    values,
)
from grafana.generate.queries import (
    CPU,
    FILESYSTEM,
    INODES,
    LOSS,
    MEMORY,
    SILENCE,
    STATE,
    TIME_TO_FULL,
    disk,
    network,
    rate,
    rates,
)
from grafana.generate.variables import of_host

_RATIO = limits(0.8, 0.95)
_CORES = f"count by (instance, job) ({of_host('host_cpu_usage_ratio')})"
_INFO = of_host("pombo_host_info")
_BUSY = of_host("node_cpu_seconds_total", 'mode!="idle"')
_OFFSET = of_host("pombo_host_clock_offset_seconds")
_NOTHING = "no data"


def dashboard() -> Dashboard:
    """Return the dashboard."""
    return assemble(
        About(
            uid="pombo-host",
            title="Pombo / Host",
            description="One host that reports to Pombo.",
            others={"Fleet": "pombo-fleet", "Exporter": "pombo-exporter"},
        ),
        variables=[
            variables.datasource(),
            variables.job(),
            variables.label(),
            variables.value(),
            variables.instance(),
            variables.metric(),
            variables.top(),
        ],
        rows=_ROWS,
    )


_OVERVIEW = [
    number(
        "State",
        "Live, late (no report for two intervals) or down (no report for three).",
        "none",
        Query(STATE, "state"),
        NumberStyle(limits(1, 2), mappings=STATES, no_value="forgotten", width=3),
    ),
    number(
        "Since last report",
        "Time since the last report arrived.",
        "s",
        Query(SILENCE, "since last report"),
        NumberStyle(no_value=_NOTHING, width=3),
    ),
    number(
        "Uptime",
        "Time since the host booted.",
        "s",
        Query(of_host("host_uptime_seconds"), "uptime"),
        NumberStyle(no_value=_NOTHING, width=3),
    ),
    number(
        "CPU",
        "CPU usage, averaged over all cores.",
        "percentunit",
        Query(CPU, "busy"),
        NumberStyle(_RATIO, no_value=_NOTHING, width=3),
    ),
    number(
        "Load per core",
        "Load average over 5 minutes, divided by the number of cores.",
        "short",
        Query(f"{of_host('host_load5')} / on (instance, job) {_CORES}", "load"),
        NumberStyle(limits(1, 2), no_value=_NOTHING, width=3),
    ),
    number(
        "Memory",
        "Share of memory that is not available to programs without swapping.",
        "percentunit",
        Query(MEMORY, "used"),
        NumberStyle(_RATIO, no_value=_NOTHING, width=3),
    ),
    number(
        "Fullest filesystem",
        "Highest used share of a filesystem, as df shows it: without the space reserved for root.",
        "percentunit",
        Query(f"topk(1, {FILESYSTEM})", "{{mountpoint}}"),
        NumberStyle(_RATIO, no_value=_NOTHING, text=BigValueTextMode.VALUE_AND_NAME, width=3),
    ),
    number(
        "Agent",
        "Version of the agent.",
        "none",
        Query(_INFO, "{{agent}}"),
        NumberStyle(no_value=_NOTHING, text=BigValueTextMode.NAME, width=3),
    ),
    labels_of(
        "About",
        "What the host reports about itself, and the labels given by its owner.",
        _INFO,
        {
            "instance": "Host",
            "system": "System",
            "release": "Release",
            "machine": "Machine",
            "agent": "Agent",
            "job": "Job",
        },
        24,
    ).height(4),
    alerts(
        "Alerts that fire in Prometheus for this host, and for how long.",
        'job=~"$job",instance=~"$instance"',
        24,
    ).height(5),
]

_CPU = [
    graph(
        "CPU by core",
        "CPU usage of each core, and the average of all cores.",
        "percentunit",
        [
            Query(CPU, "average"),
            Query(of_host("host_cpu_usage_ratio"), "core {{cpu}}"),
        ],
        GraphStyle(thresholds=_RATIO, high=1, width=8),
    ),
    graph(
        "CPU by mode",
        "Share of the time of all cores in each mode. The rest is idle.",
        "percentunit",
        [
            counted(
                f"sum by (mode) ({rate(_BUSY)}) / on () group_left () sum({_CORES})",
                "{{mode}}",
            )
        ],
        GraphStyle(stacked=True, high=1, width=8),
    ),
    graph(
        "Load",
        "Load average over 1, 5 and 15 minutes. Above the number of cores, tasks wait.",
        "short",
        [
            Query(of_host("host_load1"), "1 minute"),
            Query(of_host("host_load5"), "5 minutes"),
            Query(of_host("host_load15"), "15 minutes"),
            Query(_CORES, "cores"),
        ],
        GraphStyle(width=8),
    ),
]

_TOTAL, _USED, _FREE = (of_host(f"host_memory_{part}_bytes") for part in ("total", "used", "free"))

_MEMORY = [
    graph(
        "Memory usage",
        "Physical memory by use.",
        "bytes",
        [
            Query(_USED, "in use"),
            Query(f"clamp_min({_TOTAL} - {_USED} - {_FREE}, 0)", "buffers and cache"),
            Query(_FREE, "free"),
        ],
        GraphStyle(stacked=True, width=8),
    ),
    graph(
        "Available memory",
        "Share of memory that is available to programs without swapping.",
        "percentunit",
        [Query(f"{of_host('host_memory_available_bytes')} / {_TOTAL}", "available")],
        GraphStyle(thresholds=floors(0.2, 0.05), high=1, width=8),
    ),
    graph(
        "Swap",
        "Swap space in total and in use.",
        "bytes",
        [
            Query(of_host("host_swap_used_bytes"), "in use"),
            Query(of_host("host_swap_total_bytes"), "total"),
        ],
        GraphStyle(width=8),
    ),
]

_FILESYSTEMS = [
    values(
        "Filesystems",
        "Full in: time until no space is available, extrapolated from the time range. Empty if "
        "the filesystem does not fill up, or takes more than a year.",
        {"mountpoint": "Mounted on", "device": "Device", "fstype": "Type"},
        [
            Column("Used", FILESYSTEM, "percentunit", _RATIO),
            Column("Available", of_host("host_filesystem_available_bytes"), "bytes"),
            Column("Size", of_host("host_filesystem_size_bytes"), "bytes"),
            Column("Full in", TIME_TO_FULL, "s", floors(604800, 86400)),
            Column("Inodes used", INODES, "percentunit", _RATIO),
            Column("Read-only", of_host("host_filesystem_readonly"), "bool_yes_no"),
        ],
        width=24,
    ),
    graph(
        "Inode usage",
        "Used share of the inodes of each filesystem that has a fixed number of them.",
        "percentunit",
        [Query(INODES, "{{mountpoint}}")],
        GraphStyle(thresholds=_RATIO, high=1, width=12),
    ),
    graph(
        "Filesystem usage",
        "Used share of each filesystem, as df shows it: without the space reserved for root.",
        "percentunit",
        [Query(FILESYSTEM, "{{mountpoint}}")],
        GraphStyle(thresholds=_RATIO, high=1, width=12),
    ),
]


def _disk(counter: str) -> str:
    return rate(disk(counter))


def _network(counter: str) -> str:
    return rate(network(counter))


_DISKS = [
    graph(
        "Disk throughput",
        "Bytes that each device reads and writes.",
        "binBps",
        [
            counted(_disk("read_bytes"), "{{device}} read"),
            counted(_disk("written_bytes"), "{{device}} written"),
        ],
    ),
    graph(
        "Disk utilization",
        "Share of time in which a device had requests in progress. A device that serves requests "
        "in parallel can do more even at 100 %.",
        "percentunit",
        [counted(_disk("io_time_seconds"), "{{device}}")],
        GraphStyle(thresholds=_RATIO, high=1),
    ),
    graph(
        "Disk operations",
        "Reads and writes that each device completed.",
        "iops",
        [
            counted(_disk("reads_completed"), "{{device}} reads"),
            counted(_disk("writes_completed"), "{{device}} writes"),
        ],
    ),
    graph(
        "Disk latency",
        "Mean time from a request to its completion. Empty without requests.",
        "s",
        [
            counted(
                f"({_disk('read_time_seconds')} + {_disk('write_time_seconds')})"
                f" / (({_disk('reads_completed')} + {_disk('writes_completed')}) > 0)",
                "{{device}}",
            )
        ],
        GraphStyle(thresholds=limits(0.05, 0.5)),
    ),
]

_NETWORK = [
    graph(
        "Network throughput",
        "Bytes that each interface receives and sends.",
        "binBps",
        [
            counted(_network("receive_bytes"), "{{device}} received"),
            counted(_network("transmit_bytes"), "{{device}} sent"),
        ],
    ),
    graph(
        "Packets",
        "Packets that each interface receives and sends.",
        "pps",
        [
            counted(_network("receive_packets"), "{{device}} received"),
            counted(_network("transmit_packets"), "{{device}} sent"),
        ],
    ),
    graph(
        "Lost packets",
        "Errors and drops of each interface, received and sent.",
        "pps",
        [
            counted(rates(network("receive_errs"), network("receive_drop")), "{{device}} received"),
            counted(rates(network("transmit_errs"), network("transmit_drop")), "{{device}} sent"),
        ],
        GraphStyle(thresholds=limits(orange=1)),
    ),
    graph(
        "Errors and drops",
        "Lost packets of each interface by cause, received and sent together.",
        "pps",
        [
            counted(
                f"{_network('receive_errs')} + {_network('transmit_errs')}", "{{device}} errors"
            ),
            counted(
                f"{_network('receive_drop')} + {_network('transmit_drop')}", "{{device}} drops"
            ),
        ],
        GraphStyle(thresholds=limits(orange=1)),
    ),
]


def _datagrams(kind: str) -> str:
    return rate(of_host(f"pombo_host_datagrams_{kind}_total"))


_REPORTS = [
    states("State over time", "When the host was live, late or down.", Query(STATE, "state"), 12),
    graph(
        "Clock offset",
        "The host's clock minus the exporter's. Includes network delay, which makes the host's "
        "clock appear to be slow.",
        "s",
        [Query(_OFFSET, "offset")],
        GraphStyle(thresholds=band(1), low=None),
    ),
    graph(
        "Datagrams",
        "The host's datagrams by outcome. Lost ones are counted when their sequence numbers leave "
        "the window.",
        "suffix:/s",
        [
            counted(_datagrams("received"), "received"),
            counted(_datagrams("lost"), "lost"),
            counted(_datagrams("duplicate"), "duplicate"),
            counted(_datagrams("reordered"), "reordered"),
            counted(rate(of_host("pombo_host_conflicts_total")), "in conflict"),
        ],
    ),
    graph(
        "Share lost",
        "Share of the host's datagrams that did not arrive.",
        "percentunit",
        [counted(LOSS.share, "lost")],
        GraphStyle(thresholds=limits(0.01, 0.05)),
    ),
]

_ROWS: Rows = {
    "Overview": _OVERVIEW,
    "CPU and load": _CPU,
    "Memory and swap": _MEMORY,
    "Filesystems": _FILESYSTEMS,
    "Disks": _DISKS,
    "Network": _NETWORK,
    "TCP, connections and files": host_kernel.CONNECTIONS,
    "Temperatures and pressure": host_kernel.CONDITION,
    "Services and containers": host_services.CGROUPS,
    "Own metrics": host_services.OWN,
    "Reports": _REPORTS,
}
