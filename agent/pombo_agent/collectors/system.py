"""The host as a whole: its boot, load, processes, files, entropy."""

from pombo_wire import Part, System

from pombo_agent.collectors.sources import Sources, read_optional, read_text, whole

# The lines of /proc/stat that are single numbers, or begin with their sum; see proc(5).
_STAT = {
    "btime": "boot_time",
    "ctxt": "context_switches",
    "processes": "forks",
    "intr": "interrupts",
    "procs_running": "processes_running",
    "procs_blocked": "processes_blocked",
}


def collect_stat(sources: Sources) -> list[Part]:
    """Return what is counted since boot, and when that was."""
    uptime = float(read_text(sources.procfs / "uptime").split()[0])
    counts = parse_stat(read_text(sources.procfs / "stat"))
    return [("system", System(uptime=uptime, **counts))]


def collect_loadavg(sources: Sources) -> list[Part]:
    """Return the load averages."""
    return [("system", System(**parse_loadavg(read_text(sources.procfs / "loadavg"))))]


def collect_filefd(sources: Sources) -> list[Part]:
    """Return how many files are open, and how many may be."""
    allocated, _free, maximum = map(int, read_text(sources.procfs / "sys/fs/file-nr").split())
    return [("system", System(file_handles=allocated, file_handles_max=maximum))]


def collect_entropy(sources: Sources) -> list[Part]:
    """Return the entropy that there is, and that the pool can hold."""
    pool = sources.procfs / "sys/kernel/random"
    available = int(read_text(pool / "entropy_avail"))
    size = whole(read_optional(pool / "poolsize"))
    return [("system", System(entropy_available=available, entropy_pool=size))]


def collect_selinux(sources: Sources) -> list[Part]:
    """Return whether SELinux is enabled: then its filesystem is there."""
    enabled = (sources.sysfs / "fs/selinux/enforce").exists()
    return [("system", System(selinux_enabled=int(enabled)))]


def parse_stat(text: str) -> dict[str, int]:
    """Return what ``/proc/stat`` says of the host, named as the wire's fields."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        if name in _STAT:
            # The line of the interrupts goes on with thousands of numbers, one for each.
            found[_STAT[name]] = int(rest.split(" ", 1)[0])
    return found


def parse_loadavg(text: str) -> dict[str, float]:
    """Return the three averages of ``/proc/loadavg``, named as the wire's fields."""
    load1, load5, load15, *_ = text.split()
    return {"load1": float(load1), "load5": float(load5), "load15": float(load15)}
