"""Rows of the *Host* dashboard from the kernel: connections, files, temperatures, pressure."""

from typing import Final

from grafana.generate.panels import (
    Column,
    GraphStyle,
    Query,
    counted,
    graph,
    limits,
    values,
)
from grafana.generate.queries import rate
from grafana.generate.variables import of_host


def _tcp(field: str) -> str:
    return rate(of_host(f"node_netstat_{field}"))


CONNECTIONS: Final = [
    graph(
        "TCP connections",
        "Established connections, sockets in use, and those that wait after closing.",
        "short",
        [
            Query(of_host("node_netstat_Tcp_CurrEstab"), "established"),
            Query(of_host("node_sockstat_TCP_inuse"), "in use"),
            Query(of_host("node_sockstat_TCP_tw"), "time-wait"),
        ],
        GraphStyle(width=8),
    ),
    graph(
        "TCP retransmissions",
        "Share of the sent segments that were sent again. Above some percent, a network loses "
        "packets.",
        "percentunit",
        [counted(f"{_tcp('Tcp_RetransSegs')} / ({_tcp('Tcp_OutSegs')} > 0)", "sent again")],
        GraphStyle(thresholds=limits(0.01, 0.05), width=8),
    ),
    graph(
        "Connections refused by a full queue",
        "Connections that a program did not accept in time, and that the kernel dropped.",
        "suffix:/s",
        [
            counted(_tcp("TcpExt_ListenOverflows"), "queue full"),
            counted(_tcp("TcpExt_ListenDrops"), "dropped"),
        ],
        GraphStyle(thresholds=limits(orange=1), width=8),
    ),
    graph(
        "Connection tracking",
        "Entries of the table of connections, and how many fit. Beyond it, packets are dropped.",
        "short",
        [
            Query(of_host("node_nf_conntrack_entries"), "entries"),
            Query(of_host("node_nf_conntrack_entries_limit"), "limit"),
        ],
        GraphStyle(width=8),
    ),
    graph(
        "Open files",
        "Files that all programs have open.",
        "short",
        [Query(of_host("node_filefd_allocated"), "open")],
        GraphStyle(width=8),
    ),
    graph(
        "Processes",
        "Processes that run or wait for a core, and those that wait for I/O.",
        "short",
        [
            Query(of_host("node_procs_running"), "running"),
            Query(of_host("node_procs_blocked"), "blocked"),
        ],
        GraphStyle(width=8),
    ),
]

_SENSOR = of_host("node_hwmon_temp_celsius")
_PRESSURE = ("cpu_waiting", "io_waiting", "io_stalled", "memory_waiting", "memory_stalled")

CONDITION: Final = [
    graph(
        "Temperatures",
        "Temperature of each sensor and thermal zone.",
        "celsius",
        [
            Query(_SENSOR, "{{chip}} {{sensor}}"),
            Query(of_host("node_thermal_zone_temp"), "{{type}} {{zone}}"),
        ],
        GraphStyle(low=None, width=8),
    ),
    values(
        "Temperatures and limits",
        "Each sensor, and the temperatures that its maker calls high and critical.",
        {"chip": "Chip", "sensor": "Sensor"},
        [
            Column("Now", _SENSOR, "celsius"),
            Column("High", of_host("node_hwmon_temp_max_celsius"), "celsius"),
            Column("Critical", of_host("node_hwmon_temp_crit_celsius"), "celsius"),
            Column(
                "Of critical",
                f"{_SENSOR} / ({of_host('node_hwmon_temp_crit_celsius')} > 0)",
                "percentunit",
                limits(0.9, 1),
            ),
        ],
        width=8,
    ),
    graph(
        "Pressure",
        "Share of time in which tasks waited for a core, for I/O or for memory: some tasks "
        "(waiting) or all of them (stalled). Pressure stall information of the kernel.",
        "percentunit",
        [
            counted(rate(of_host(f"node_pressure_{kind}_seconds_total")), kind.replace("_", " "))
            for kind in _PRESSURE
        ],
        GraphStyle(thresholds=limits(0.1, 0.4), high=1, width=8),
    ),
]
