"""Boot time, load, processes, open files, entropy, SELinux."""

from pombo_wire import Part, System

from pombo_agent.collectors.sources import Sources, parse_int, read_optional, read_text

# The lines of /proc/stat whose first number is used, and their fields; see proc_stat(5).
_STAT = {
    "btime": "boot_time",
    "ctxt": "context_switches",
    "processes": "forks",
    "intr": "interrupts",
    "procs_running": "processes_running",
    "procs_blocked": "processes_blocked",
}


def collect_stat(sources: Sources) -> list[Part]:
    """Return counts since boot, the boot time and the uptime."""
    uptime = float(read_text(sources.procfs / "uptime").split()[0])
    counts = parse_stat(read_text(sources.procfs / "stat"))
    return [("system", System(uptime=uptime, **counts))]


def collect_loadavg(sources: Sources) -> list[Part]:
    """Return the load averages."""
    return [("system", System(**parse_loadavg(read_text(sources.procfs / "loadavg"))))]


def collect_filefd(sources: Sources) -> list[Part]:
    """Return the number of open file handles and its limit."""
    allocated, _free, maximum = map(int, read_text(sources.procfs / "sys/fs/file-nr").split())
    return [("system", System(file_handles=allocated, file_handles_max=maximum))]


def collect_entropy(sources: Sources) -> list[Part]:
    """Return the available entropy and the size of the pool, in bits."""
    pool = sources.procfs / "sys/kernel/random"
    available = int(read_text(pool / "entropy_avail"))
    size = parse_int(read_optional(pool / "poolsize"))
    return [("system", System(entropy_available=available, entropy_pool=size))]


def collect_selinux(sources: Sources) -> list[Part]:
    """Return 1 if SELinux is enabled, which is when its filesystem exists."""
    enabled = (sources.sysfs / "fs/selinux/enforce").exists()
    return [("system", System(selinux_enabled=int(enabled)))]


def parse_stat(text: str) -> dict[str, int]:
    """Return the numbers of the host in ``/proc/stat``, by field of the wire."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        if name in _STAT:
            # In the line intr, the sum is followed by thousands of numbers, one per interrupt.
            found[_STAT[name]] = int(rest.split(" ", 1)[0])
    return found


def parse_loadavg(text: str) -> dict[str, float]:
    """Return the three averages in ``/proc/loadavg``, by field of the wire."""
    load1, load5, load15, *_ = text.split()
    return {"load1": float(load1), "load5": float(load5), "load15": float(load15)}
