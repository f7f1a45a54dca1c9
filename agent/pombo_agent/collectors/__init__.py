"""The collectors, one subject in one file, and the table of their names."""

import sys
from collections.abc import Callable

from pombo_wire.section import Section

from pombo_agent.collectors import (
    arp,
    clock,
    conntrack,
    cpu,
    diskstats,
    filesystem,
    hwmon,
    identity,
    meminfo,
    netclass,
    netdev,
    netstat,
    pressure,
    sockstat,
    softnet,
    system,
    thermal_zone,
)
from pombo_agent.collectors.sources import Filter, NoDataError, Sources, Usage

Collector = Callable[[Sources], list[Section]]

#: The collectors by the NAME of ``--collector.NAME``, which is node_exporter's name where it has
#: one. The order is that of the report.
COLLECTORS: dict[str, Collector] = {
    "stat": system.collect_stat,
    "loadavg": system.collect_loadavg,
    "filefd": system.collect_filefd,
    "entropy": system.collect_entropy,
    "selinux": system.collect_selinux,
    "time": clock.collect_time,
    "timex": clock.collect_timex,
    "uname": identity.collect_uname,
    "os": identity.collect_os,
    "dmi": identity.collect_dmi,
    "cpu": cpu.collect,
    "meminfo": meminfo.collect,
    "vmstat": meminfo.collect_vmstat,
    "pressure": pressure.collect,
    "diskstats": diskstats.collect,
    "netdev": netdev.collect,
    "netclass": netclass.collect,
    "arp": arp.collect,
    "conntrack": conntrack.collect,
    "netstat": netstat.collect,
    "sockstat": sockstat.collect_sockstat,
    "softnet": softnet.collect,
    "udp_queues": sockstat.collect_udp_queues,
    "hwmon": hwmon.collect,
    "thermal_zone": thermal_zone.collect,
    "filesystem": filesystem.collect,  # last, since it may delay those after it
}

#: Returns the sizes of the filesystem at a mount point; may never return.
usage: Callable[[str], Usage] = filesystem.usage

if sys.platform != "linux":
    # Not imported on Linux, where psutil would take a tenth of the agent's memory and is not used.
    from pombo_agent.collectors import psutil_fallback

    COLLECTORS = psutil_fallback.COLLECTORS
    usage = psutil_fallback.usage

__all__ = ["COLLECTORS", "Collector", "Filter", "NoDataError", "Sources", "usage"]
