"""Boot time, load, processes, softirqs, open files, entropy, SELinux."""

import os.path

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import switch
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import families, family, record

# The lines of /proc/stat whose first number is used, and their fields; see proc_stat(5).
_STAT = {
    b"btime": "boot_time",
    b"ctxt": "context_switches",
    b"processes": "forks",
    b"intr": "interrupts",
    b"procs_running": "processes_running",
    b"procs_blocked": "processes_blocked",
}

# The softirqs in the order of their numbers in /proc/stat, which follow the sum.
_VECTORS = (
    *("hi", "timer", "net_tx", "net_rx", "block"),
    *("block_iopoll", "tasklet", "sched", "hrtimer", "rcu"),
)

# The modes of SELinux, as /etc/selinux/config names them; any other is that of the disabled one.
_SELINUX_MODES = {b"enforcing": 1, b"permissive": 0}
_SELINUX_DISABLED = -1
_SELINUX = {
    "config_mode": "Configured SELinux enforcement mode",
    "current_mode": "Current SELinux enforcement mode",
}


def collect_stat(sources: Sources) -> list[Section]:
    """Return counts since boot, the boot time and the uptime, and perhaps softirqs."""
    file = sources.proc("stat")
    counts = parse_stat(file)
    uptime = sources.optional(f"{sources.procfs}/uptime")
    found = record("system", {**counts, "uptime": _first(uptime) if uptime else None})
    if sources.flags.switch("softirq"):
        rows = parse_softirqs(file).items()
        text = "Number of softirq calls."
        found += family("node_softirqs_total", "counter", text, ("vector",), rows)
    return found


def collect_loadavg(sources: Sources) -> list[Section]:
    """Return the load averages."""
    return record("system", parse_loadavg(sources.proc("loadavg")))


def collect_filefd(sources: Sources) -> list[Section]:
    """Return the number of open file handles and its limit."""
    file = sources.proc("sys/fs/file-nr")
    allocated, _free, maximum, *_ = [*file.numbers(file.data.split()), None, None, None]
    return record("system", {"file_handles": allocated, "file_handles_max": maximum})


def collect_entropy(sources: Sources) -> list[Section]:
    """Return the available entropy and the size of the pool, in bits."""
    files = {"entropy_available": "entropy_avail", "entropy_pool": "poolsize"}
    return record("system", sources.values(f"{sources.procfs}/sys/kernel/random", files))


def collect_selinux(sources: Sources) -> list[Section]:
    """Return 1 if SELinux is enabled, which is when its filesystem exists, and then its modes."""
    enforce = f"{sources.sysfs}/fs/selinux/enforce"
    if not os.path.lexists(enforce):
        return record("system", {"selinux_enabled": 0})
    config = sources.optional(f"{sources.rootfs}/etc/selinux/config")
    modes = {
        "config_mode": parse_selinux_config(config) if config else _SELINUX_DISABLED,
        "current_mode": sources.value(enforce),
    }
    return [
        *record("system", {"selinux_enabled": 1}),
        *families("node_selinux_*", "gauge", _SELINUX, (), [modes]),
    ]


def parse_stat(file: File) -> dict[str, float | None]:
    """Return the numbers of the host in ``/proc/stat``, by field of the wire."""
    found: dict[str, float | None] = {}
    for line in file.lines():
        # In the line intr, the sum is followed by thousands of numbers, one per interrupt.
        name, number, *_ = [*line.split(None, 2), b""]
        if name in _STAT:
            found[_STAT[name]] = file.number(number)
    return found


def parse_softirqs(file: File) -> dict[str, float | None]:
    """Return the counts of softirqs in ``/proc/stat`` by vector."""
    for line in file.lines():
        name, *counts = line.split()
        if name == b"softirq":
            return dict(zip(_VECTORS, file.numbers(counts[1 : len(_VECTORS) + 1]), strict=False))
    return {}


def parse_selinux_config(file: File) -> int:
    """Return the mode in ``/etc/selinux/config``: 1 enforcing, 0 permissive, -1 disabled."""
    mode = _SELINUX_DISABLED
    for line in file.lines():
        name, equals, value = line.strip().partition(b"=")
        if equals and name.strip() == b"SELINUX":
            mode = _SELINUX_MODES.get(value.strip().strip(b'"'), _SELINUX_DISABLED)
    return mode


def parse_loadavg(file: File) -> dict[str, float | None]:
    """Return the three averages in ``/proc/loadavg``, by field of the wire."""
    averages = file.numbers(file.data.split()[:3])
    return dict(zip(("load1", "load5", "load15"), averages, strict=False))


def _first(file: File) -> float | None:
    """Return the first number in a file."""
    return file.number(b"".join(file.data.split()[:1]))


STAT_FLAGS = (switch("softirq", "Export softirq calls per vector."),)
COLLECTORS = [
    Collector("stat", collect_stat, flags=STAT_FLAGS),
    Collector("loadavg", collect_loadavg),
    Collector("filefd", collect_filefd),
    Collector("entropy", collect_entropy),
    Collector("selinux", collect_selinux),
]
