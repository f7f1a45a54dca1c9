"""Collectors for systems other than Linux, by psutil."""

import os
import platform
import sys
import time
from heapq import nlargest
from operator import itemgetter
from typing import Any

import psutil
from pombo_wire.columns import SECTIONS
from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.sources import NoDataError, Sources, Usage
from pombo_agent.collecting.tables import Row, record, table
from pombo_agent.collectors import clock, diskstats, filesystem, netdev, top_processes
from pombo_agent.collectors.filesystem import Mount

# For each column of the wire: the name in psutil, and the divisor to the unit of the wire.
_DISK_COLUMNS = {
    "reads": ("read_count", 1),
    "writes": ("write_count", 1),
    "read_bytes": ("read_bytes", 1),
    "written_bytes": ("write_bytes", 1),
    "read_seconds": ("read_time", 1000),
    "write_seconds": ("write_time", 1000),
    "reads_merged": ("read_merged_count", 1),
    "writes_merged": ("write_merged_count", 1),
    "io_seconds": ("busy_time", 1000),
}

_NETWORK_COLUMNS = {
    "receive_bytes": ("bytes_recv", 1),
    "receive_packets": ("packets_recv", 1),
    "receive_errors": ("errin", 1),
    "receive_drops": ("dropin", 1),
    "transmit_bytes": ("bytes_sent", 1),
    "transmit_packets": ("packets_sent", 1),
    "transmit_errors": ("errout", 1),
    "transmit_drops": ("dropout", 1),
}

# The names of node_exporter on Darwin.
_DARWIN_MEMORY = ("total", "free", "active", "inactive", "wired")


def collect_stat(_sources: Sources) -> list[Section]:
    """Return the boot time and the uptime."""
    boot_time = psutil.boot_time()
    uptime = max(0.0, time.time() - boot_time)
    return record("system", {"boot_time": boot_time, "uptime": uptime})


def collect_loadavg(_sources: Sources) -> list[Section]:
    """Return the load averages, which Windows does not have."""
    if not hasattr(os, "getloadavg"):
        raise NoDataError("this system has no load average")
    load1, load5, load15 = os.getloadavg()
    return record("system", {"load1": load1, "load5": load5, "load15": load15})


def collect_time(_sources: Sources) -> list[Section]:
    """Return the time and the time zone."""
    return clock.local_time(time.time())


def collect_uname(_sources: Sources) -> list[Section]:
    """Return the ``uname`` section."""
    here = platform.uname()
    texts = {
        "sysname": here.system,
        "release": here.release,
        "version": here.version,
        "machine": here.machine,
        "nodename": here.node,
    }
    return record("uname", texts)


def collect_cpu(_sources: Sources) -> list[Section]:
    """Return the ``cpu`` section, with the modes that this system has."""
    modes = SECTIONS["cpu"].values
    cores = enumerate(psutil.cpu_times(percpu=True))
    return table(
        "cpu",
        (
            {"cpu": str(number), **{mode: getattr(times, mode, None) for mode in modes}}
            for number, times in cores
        ),
    )


def collect_memory(_sources: Sources) -> list[Section]:
    """Return the ``memory`` and ``swap`` sections."""
    now, swap = psutil.virtual_memory(), psutil.swap_memory()
    known = {field: getattr(now, field, None) for field in SECTIONS["memory"].values}
    known["used"] = now.total - now.available
    swapped: Row = {"total": swap.total, "used": swap.used, "free": swap.free}
    # On Windows psutil returns 0 for what is not counted.
    if sys.platform != "win32":
        swapped = {**swapped, "swapped_in": swap.sin, "swapped_out": swap.sout}
    found = record("memory", known) + record("swap", swapped)
    if sys.platform == "darwin":
        sizes = {f"{name}_bytes": getattr(now, name) for name in _DARWIN_MEMORY}
        sizes |= {"swap_total_bytes": swap.total, "swap_used_bytes": swap.used}
        names, values = tuple(sizes), tuple(sizes.values())
        found.append(Section("node_memory_*", {}, names, values, type="gauge"))
    return found


def collect_filesystems(sources: Sources) -> list[Section]:
    """Return the ``filesystems`` section."""
    mounts = [
        Mount(part.mountpoint, part.device, part.fstype, "ro" in part.opts.split(","))
        for part in psutil.disk_partitions(all=False)
    ]
    return filesystem.filesystems({mount: mount.mountpoint for mount in mounts}, sources)


def usage(path: str) -> Usage:
    """Return the usage of the filesystem at ``path``, on Windows too."""
    if hasattr(os, "statvfs"):
        return filesystem.usage(path)
    space = psutil.disk_usage(path)
    return {"size": space.total, "free": space.free, "available": space.free}


def collect_disks(sources: Sources) -> list[Section]:
    """Return the ``disks`` section."""
    # By default psutil hides that a counter has wrapped or was reset.
    disks = psutil.disk_io_counters(perdisk=True, nowrap=False)
    keeps = sources.flags.filter("device").keeps
    return table("disks", (_row(name, disks[name], _DISK_COLUMNS) for name in disks if keeps(name)))


def collect_networks(sources: Sources) -> list[Section]:
    """Return the ``networks`` section."""
    devices = psutil.net_io_counters(pernic=True, nowrap=False)
    keeps = sources.flags.filter("device").keeps
    return table(
        "networks",
        (_row(name, devices[name], _NETWORK_COLUMNS) for name in devices if keeps(name)),
    )


def collect_processes(sources: Sources) -> list[Section]:
    """Return the table of processes; all of them are read."""
    attributes = ["pid", "name", "username", "create_time", "cpu_times", "memory_info"]
    commands = sources.flags.switch("command-lines")
    if commands:
        attributes.append("cmdline")
    before, now = sources.kept.get("processes", {}), time.monotonic()
    since = now - sources.kept.get("at", now)
    seconds: dict[tuple[int, float], float] = {}
    rows: list[dict[str, Any]] = []
    for process in psutil.process_iter(attributes, ad_value=None):
        found = process.info
        key = found["pid"], found["create_time"]
        used = found["cpu_times"] and found["cpu_times"].user + found["cpu_times"].system
        if used is not None:
            seconds[key] = used
        cpu = None
        if since > 0 and used is not None:
            cpu = max(0.0, round((used - before.get(key, 0.0)) / since, 3))
        rows.append(
            {
                "pid": str(found["pid"]),
                "name": top_processes.printable(found["name"] or ""),
                "user": top_processes.printable(found["username"] or ""),
                "command": top_processes.printable(" ".join(found.get("cmdline") or ())),
                "start_time": found["create_time"] and found["create_time"] // 1,
                "cpu": cpu,
                "memory": found["memory_info"] and found["memory_info"].rss,
            }
        )
    sources.kept.update(processes=seconds, at=now)
    count = sources.flags.number("count")
    most = {
        row["pid"]: row
        for column in ("cpu", "memory")
        for row in nlargest(count, (row for row in rows if row[column]), key=itemgetter(column))
    }
    return table("processes", most.values())


def _row(device: str, counters: object, columns: dict[str, tuple[str, int]]) -> Row:
    row: dict[str, str | float | None] = {"device": device}
    for column, (name, divisor) in columns.items():
        value = getattr(counters, name, None)
        row[column] = value / divisor if value and divisor > 1 else value
    return row


COLLECTORS = [
    Collector("stat", collect_stat),
    Collector("loadavg", collect_loadavg),
    Collector("time", collect_time),
    Collector("uname", collect_uname),
    Collector("cpu", collect_cpu),
    Collector("meminfo", collect_memory),
    Collector("diskstats", collect_disks, flags=diskstats.FLAGS),
    Collector("netdev", collect_networks, flags=netdev.FLAGS),
    Collector("filesystem", collect_filesystems, flags=filesystem.FLAGS, waits=True),
    Collector("top-processes", collect_processes, enabled=False, flags=top_processes.FLAGS),
]
