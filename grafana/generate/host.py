"""The *Host* dashboard: one host, from its processors to the way of its reports."""

from grafana_foundation_sdk.models.common import BigValueTextMode
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
    labels_of,
    limits,
    number,
    states,
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
    rate,
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
            other=("Fleet", "pombo-fleet"),
        ),
        variables=[variables.datasource(), variables.job(), variables.instance()],
        rows=_ROWS,
    )


_OVERVIEW = [
    number(
        "State",
        "Live, late (silent for two of its intervals) or down (for three or more).",
        "none",
        Query(STATE, "state"),
        Face(limits(1, 2), mappings=STATES, no_value="forgotten", width=3),
    ),
    number(
        "Silent for",
        "Time since its last report arrived.",
        "s",
        Query(SILENCE, "silent"),
        Face(no_value=_NOTHING, width=3),
    ),
    number(
        "Uptime",
        "Time since it booted.",
        "s",
        Query(of_host("host_uptime_seconds"), "uptime"),
        Face(no_value=_NOTHING, width=3),
    ),
    number(
        "CPU",
        "Share of all cores' time that they are busy.",
        "percentunit",
        Query(CPU, "busy"),
        Face(_RATIO, no_value=_NOTHING, width=3),
    ),
    number(
        "Load per core",
        "Load average over five minutes, for each core.",
        "short",
        Query(f"{of_host('host_load5')} / on (instance, job) {_CORES}", "load"),
        Face(limits(1, 2), no_value=_NOTHING, width=3),
    ),
    number(
        "Memory",
        "Share that programs can no longer have without swapping.",
        "percentunit",
        Query(MEMORY, "used"),
        Face(_RATIO, no_value=_NOTHING, width=3),
    ),
    number(
        "Fullest filesystem",
        "Share in use of what users other than root can fill, where it is greatest.",
        "percentunit",
        Query(f"topk(1, {FILESYSTEM})", "{{mountpoint}}"),
        Face(_RATIO, no_value=_NOTHING, text=BigValueTextMode.VALUE_AND_NAME, width=3),
    ),
    number(
        "Agent",
        "Version of the agent that runs there.",
        "none",
        Query(_INFO, "{{agent}}"),
        Face(no_value=_NOTHING, text=BigValueTextMode.NAME, width=3),
    ),
    labels_of(
        "About",
        "What the host says of itself, and the labels that its owner gave it.",
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
]

_CPU = [
    graph(
        "CPU by core",
        "Share of its time that each core is busy, and the average of all.",
        "percentunit",
        [
            Query(CPU, "average"),
            Query(of_host("host_cpu_usage_ratio"), "core {{cpu}}"),
        ],
        Look(thresholds=_RATIO, high=1, width=8),
    ),
    graph(
        "CPU by mode",
        "What the cores' time goes to; the rest is idle.",
        "percentunit",
        [
            counted(
                f"sum by (mode) ({rate(_BUSY)}) / on () group_left () sum({_CORES})",
                "{{mode}}",
            )
        ],
        Look(stacked=True, high=1, width=8),
    ),
    graph(
        "Load",
        "Tasks that run or wait to run, on average over 1, 5 and 15 minutes; above the number "
        "of cores they queue.",
        "short",
        [
            Query(of_host("host_load1"), "1 minute"),
            Query(of_host("host_load5"), "5 minutes"),
            Query(of_host("host_load15"), "15 minutes"),
            Query(_CORES, "cores"),
        ],
        Look(width=8),
    ),
]

_TOTAL, _USED, _FREE = (of_host(f"host_memory_{part}_bytes") for part in ("total", "used", "free"))

_MEMORY = [
    graph(
        "Memory by use",
        "What physical memory holds.",
        "bytes",
        [
            Query(_USED, "in use"),
            Query(f"clamp_min({_TOTAL} - {_USED} - {_FREE}, 0)", "buffers and cache"),
            Query(_FREE, "free"),
        ],
        Look(stacked=True, width=8),
    ),
    graph(
        "Memory to be had",
        "Share of memory that programs can still have without swapping.",
        "percentunit",
        [Query(f"{of_host('host_memory_available_bytes')} / {_TOTAL}", "available")],
        Look(thresholds=floors(0.2, 0.05), high=1, width=8),
    ),
    graph(
        "Swap",
        "Swap space, and what of it is in use.",
        "bytes",
        [
            Query(of_host("host_swap_used_bytes"), "in use"),
            Query(of_host("host_swap_total_bytes"), "in all"),
        ],
        Look(width=8),
    ),
]

_FILES, _FILES_FREE = of_host("host_filesystem_files"), of_host("host_filesystem_files_free")

_FILESYSTEMS = [
    values(
        "Filesystems",
        "Full in: when nothing is available any more, at the pace of the time range shown; "
        "empty where it does not fill, or not within a year.",
        {"mountpoint": "Mounted on", "device": "Device", "fstype": "Type"},
        [
            Column("Used", FILESYSTEM, "percentunit", _RATIO),
            Column("Available", of_host("host_filesystem_available_bytes"), "bytes"),
            Column("Size", of_host("host_filesystem_size_bytes"), "bytes"),
            Column("Full in", TIME_TO_FULL, "s", floors(604800, 86400)),
            Column("Inodes used", f"1 - {_FILES_FREE} / ({_FILES} > 0)", "percentunit", _RATIO),
            Column("Read-only", of_host("host_filesystem_readonly"), "bool_yes_no"),
        ],
        width=14,
    ),
    graph(
        "Filesystems in use",
        "Share in use of what users other than root can fill.",
        "percentunit",
        [Query(FILESYSTEM, "{{mountpoint}}")],
        Look(thresholds=_RATIO, high=1, width=10),
    ),
]


def _disk(counter: str) -> str:
    return rate(of_host(f"node_disk_{counter}_total"))


def _network(counter: str) -> str:
    return rate(of_host(f"node_network_{counter}_total"))


_DISKS = [
    graph(
        "Disk throughput",
        "Bytes that each device reads and writes.",
        "binBps",
        [
            Query(of_host("host_disk_read_bytes_per_second"), "{{device}} read"),
            Query(of_host("host_disk_write_bytes_per_second"), "{{device}} written"),
        ],
    ),
    graph(
        "Disk busy",
        "Share of time in which a device had anything to do. A device that does several things "
        "at once can do more even at 100 %.",
        "percentunit",
        [counted(_disk("io_time_seconds"), "{{device}}")],
        Look(thresholds=_RATIO, high=1),
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
        "Time for a disk operation",
        "Mean time from a request to its completion, where there are any.",
        "s",
        [
            counted(
                f"({_disk('read_time_seconds')} + {_disk('write_time_seconds')})"
                f" / (({_disk('reads_completed')} + {_disk('writes_completed')}) > 0)",
                "{{device}}",
            )
        ],
        Look(thresholds=limits(0.05, 0.5)),
    ),
]

_NETWORK = [
    graph(
        "Network throughput",
        "Bytes that each interface receives and sends.",
        "binBps",
        [
            Query(of_host("host_network_receive_bytes_per_second"), "{{device}} received"),
            Query(of_host("host_network_transmit_bytes_per_second"), "{{device}} sent"),
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
        "Packets lost to errors and drops, by interface.",
        "pps",
        [
            Query(of_host("host_network_receive_lost_packets_per_second"), "{{device}} received"),
            Query(of_host("host_network_transmit_lost_packets_per_second"), "{{device}} sent"),
        ],
        Look(thresholds=limits(orange=1)),
    ),
    graph(
        "Errors and drops",
        "What the lost packets were lost to, both ways, by interface.",
        "pps",
        [
            counted(
                f"{_network('receive_errs')} + {_network('transmit_errs')}", "{{device}} errors"
            ),
            counted(
                f"{_network('receive_drop')} + {_network('transmit_drop')}", "{{device}} drops"
            ),
        ],
        Look(thresholds=limits(orange=1)),
    ),
]


def _datagrams(kind: str) -> str:
    return rate(of_host(f"pombo_host_datagrams_{kind}_total"))


_REPORTS = [
    states("State over time", "When the host was live, late and down.", Query(STATE, "state"), 12),
    graph(
        "Clock offset",
        "Its clock less the exporter's; the road of the report makes it look late by as much.",
        "s",
        [Query(_OFFSET, "offset")],
        Look(thresholds=band(1), low=None),
    ),
    graph(
        "Datagrams",
        "What became of the datagrams that the host sent; missing ones are counted once they "
        "can no longer be merely late.",
        "suffix:/s",
        [
            counted(_datagrams("received"), "received"),
            counted(_datagrams("lost"), "missing"),
            counted(_datagrams("duplicate"), "duplicate"),
            counted(_datagrams("reordered"), "reordered"),
            counted(rate(of_host("pombo_host_conflicts_total")), "of another agent of its name"),
        ],
    ),
    graph(
        "Share missing",
        "Share of the datagrams that the host sent and that did not arrive.",
        "percentunit",
        [counted(LOSS.share, "missing")],
        Look(thresholds=limits(0.01, 0.05)),
    ),
]

_ROWS: Rows = {
    "Overview": _OVERVIEW,
    "CPU and load": _CPU,
    "Memory and swap": _MEMORY,
    "Filesystems": _FILESYSTEMS,
    "Disks": _DISKS,
    "Network": _NETWORK,
    "Reports": _REPORTS,
}
