"""Rows of the *Host* dashboard about programs: services, containers, metrics of their own."""

from typing import Final

from grafana_foundation_sdk.builders.timeseries import Panel

from grafana.generate.panels import (
    Column,
    GraphStyle,
    Query,
    counted,
    graph,
    limits,
    mean,
    top,
    values,
)
from grafana.generate.queries import FAILED_UNITS, increase, mean_rates, rates
from grafana.generate.variables import of_host

_SERVICES, _CONTAINERS = 'runtime="systemd"', 'runtime!="systemd"'


def _top_rates(*counters: str) -> str:
    return top(rates(*counters), mean_rates(*counters))


def _top(gauge: str) -> str:
    return top(gauge, mean(gauge))


def _cpu(what: str, matcher: str) -> Panel:
    return graph(
        f"CPU of {what}",
        f"Cores that the {what} with the most CPU time use, over the time range.",
        "short",
        [counted(_top_rates(of_host("container_cpu_usage_seconds_total", matcher)), "{{name}}")],
    )


def _memory(what: str, matcher: str) -> Panel:
    return graph(
        f"Memory of {what}",
        f"Working set of the {what} with the most memory, over the time range: what the kernel "
        "could not easily reclaim.",
        "bytes",
        [Query(_top(of_host("container_memory_working_set_bytes", matcher)), "{{name}}")],
    )


CGROUPS: Final = [
    _cpu("services", _SERVICES),
    _cpu("containers", _CONTAINERS),
    _memory("services", _SERVICES),
    _memory("containers", _CONTAINERS),
    graph(
        "Disks of services and containers",
        "Bytes read and written by the services and containers with the most, over the time range.",
        "binBps",
        [
            counted(
                _top_rates(
                    of_host("container_fs_reads_bytes_total"),
                    of_host("container_fs_writes_bytes_total"),
                ),
                "{{name}} {{device}}",
            )
        ],
        GraphStyle(width=8),
    ),
    values(
        "Killed for lack of memory",
        "Services and containers of which the kernel killed processes within the time range.",
        {"name": "Name", "runtime": "Runtime"},
        [
            Column(
                "Killed",
                f"{increase(of_host('container_oom_events_total'))} > 0",
                "short",
                limits(red=1),
            )
        ],
        width=8,
    ),
    values(
        "Failed services",
        "Units of systemd that have failed. Needs the agent's --collector.systemd.",
        {"name": "Unit"},
        [Column("Failed", FAILED_UNITS, "bool_yes_no", limits(red=1))],
        width=8,
    ),
]

OWN: Final = [
    graph(
        "Own metrics",
        "What scripts and the textfile collector of this host measure, as it is: counters only "
        "grow.",
        "short",
        [Query(of_host("", '__name__=~"$metric"'), "__auto")],
        GraphStyle(low=None, width=24),
    ),
]
