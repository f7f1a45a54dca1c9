"""Services and containers of a host, as its cgroups count them.

The captured machine has none, so their values are made: those of Debian's services as they are on
idle virtual machines, in the columns that the agent reports.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bench.fleets.reports import Row, Sections, Trend

_PAGE = 4096
_REPORTS_PER_HOUR = 720
_BOOT = 1_795_699_000  # Unix seconds


class Service(NamedTuple):
    """A service: milliseconds of CPU in an hour, kilobytes of memory, and processes and threads.

    ``writes`` is whether it moves bytes while the agent runs.
    """

    name: str
    cpu: int
    memory: int
    processes: int = 1
    threads: int = 1
    writes: bool = False
    parent: str = "/system.slice"


_GETTY = "/system.slice/system-getty.slice"
_SERIAL = "/system.slice/system-serial\\x2dgetty.slice"

#: The services of a virtual machine with Debian.
VM = (
    Service("apparmor", 0, 196, processes=0, threads=0),
    Service("chrony", 1_310, 3_412, 2, 2),
    Service("cron", 420, 1_964),
    Service("dbus", 510, 2_704),
    Service("exim4", 160, 7_832),
    Service("getty@tty1", 0, 468, parent=_GETTY),
    Service("ifup@eth0", 0, 3_204, processes=0, threads=0),
    Service("nginx", 6_230, 18_764, 3, 3, writes=True),
    Service("polkit", 80, 5_328, threads=3),
    Service("pombo-agent", 5_940, 17_916),
    Service("qemu-guest-agent", 2_870, 2_316, threads=2),
    Service("rsyslog", 1_220, 7_148, threads=4, writes=True),
    Service("serial-getty@ttyS0", 0, 472, parent=_SERIAL),
    Service("ssh", 160, 6_040),
    Service("systemd-journald", 4_180, 38_872, writes=True),
    Service("systemd-logind", 290, 2_856),
    Service("systemd-resolved", 920, 6_252),
    Service("systemd-udevd", 630, 9_704),
    Service("unattended-upgrades", 40, 21_684, threads=2),
    Service("user@1000", 30, 9_112, 2, 2, parent="/user.slice/user-1000.slice"),
)

_MORE = (
    Service("NetworkManager", 3_240, 12_428, threads=3),
    Service("atd", 0, 612),
    Service("fail2ban", 8_940, 29_652, threads=5, writes=True),
    Service("irqbalance", 2_160, 1_456, threads=2),
    Service("lvm2-monitor", 20, 2_112, processes=0, threads=0),
    Service("mdmonitor", 30, 1_204),
    Service("nfs-idmapd", 0, 904),
    Service("postgresql@15-main", 91_270, 211_344, 9, 9, writes=True),
    Service("rpcbind", 110, 1_788),
    Service("smartmontools", 230, 3_140, writes=True),
    Service("systemd-networkd", 740, 3_788),
)

#: The services of a server.
SERVER = (*VM, *_MORE)

#: The services of a host with Docker.
DOCKER = (
    *VM,
    Service("containerd", 41_150, 54_208, threads=11, writes=True),
    Service("docker", 63_480, 98_416, threads=17, writes=True),
)


class _Use(NamedTuple):
    """What a cgroup uses; ``cpu`` is in milliseconds an hour, and ``memory`` in kilobytes."""

    texts: tuple[str, str, str]
    cpu: int
    memory: int
    processes: int
    threads: int
    number: int
    device: str  # that bytes are moved on, if any
    quota: bool = False
    limit: int = 0


def put_services(
    host: Sections,
    services: Iterable[Service],
    age: float,
    device: str,
    containers: Sequence[str] = (),
) -> None:
    """Add services and containers, the latter by their ids, to a host that is up for some seconds.

    Containers come first, as the agent sorts them; ``device`` has their data.
    """
    uses = [_container(number, own, device) for number, own in enumerate(containers)]
    uses += sorted(_service(n, each, device) for n, each in enumerate(services))
    host["containers"] = [
        Row(each.texts, _values(each, age, of_containers=bool(containers))) for each in uses
    ]
    disks = [
        Row((each.texts[0], each.device, *each.texts[1:]), _moved(each, age))
        for each in uses
        if each.device
    ]
    if disks:
        host["container_disks"] = disks


def _service(number: int, its: Service, device: str) -> _Use:
    name = f"{its.name}.service"
    texts = f"{its.parent}/{name}", name, "systemd"
    moves = device if its.writes else ""
    return _Use(texts, its.cpu, its.memory, its.processes, its.threads, number, moves)


def _container(number: int, own: str, device: str) -> _Use:
    texts = f"/system.slice/docker-{own}.scope", own[:12], "docker"
    return _Use(
        texts,
        cpu=(number * 37 % 23 + 1) * 9_137,
        memory=(number * 29 % 31 + 2) * 13_708,
        processes=number % 5 + 1,
        threads=number * 7 % 29 + 1,
        number=number + 100,
        device=device,
        quota=number % 3 == 0,
        limit=0 if number % 2 else 2**30,
    )


def _values(its: _Use, age: float, *, of_containers: bool) -> dict[str, Trend]:
    """Return the values of a cgroup; counters that grow less in a report do not change."""
    hours, odd = age / 3600, its.number * 7919 % 1000  # so that no two are alike
    start = int(its.cpu * hours) + odd % 97 + 9
    user = 40 + odd % 40  # per cent
    anonymous, cached = 35 + odd % 20, 25 + odd % 17  # per cent of its memory
    moves = 40 if its.device else 0  # pages by which its memory changes
    cfs = Trend(round(age * 10), growth=48.0)
    found = {
        "cpu_usage": _counter(start, its.cpu, decimals=3),
        "cpu_user": _counter(start * user // 100, its.cpu * user // 100, decimals=3),
        "cpu_system": _counter(start * (100 - user) // 100, its.cpu * user // 200, decimals=3),
        "memory_usage": _memory(its.memory, 100, moves),
        "memory_working_set": _memory(its.memory, 100 - odd % 30, moves),
        "memory_rss": _memory(its.memory, anonymous, 0),
        "memory_cache": _memory(its.memory, cached, moves),
        "page_faults": _counter(start * (odd % 7 + 1) // 10 + odd, its.cpu // 10),
        "major_page_faults": Trend(odd % 9 * 11),
        "oom_kills": Trend(0),
        "processes": Trend(its.processes),
        "threads": Trend(its.threads),
        "threads_max": Trend(4_581 if its.number < 100 else 0),
        "cpu_waiting": _counter(start // 30, its.cpu // 30, decimals=3),
        "cpu_stalled": _counter(start // 30, its.cpu // 30, decimals=3),
        "io_waiting": Trend(odd % 83, 3),
        "io_stalled": Trend(odd % 83, 3),
        "start_time": Trend(_BOOT + its.number % 8),
    }
    if of_containers:
        found["memory_limit"] = Trend(its.limit)
    if its.quota:
        found |= {
            "cfs_periods": cfs,
            "cfs_throttled_periods": _counter(start // 500, its.cpu // 50),
            "cfs_throttled": _counter(start // 50, its.cpu // 50, decimals=3),
            "cpu_quota": Trend(150_000),
            "cpu_period": Trend(100_000),
        }
    return found


def _moved(its: _Use, age: float) -> dict[str, Trend]:
    """Return what a cgroup reads and writes."""
    reads, writes = int(its.memory / 28), int(age / 9) + its.number
    return {
        "read_bytes": Trend(reads * 7 * _PAGE),
        "written_bytes": Trend(writes * 2 * _PAGE, growth=2.0 * _PAGE),
        "reads": Trend(reads),
        "writes": Trend(writes, growth=2.0),
    }


def _counter(start: int, per_hour: int, decimals: int = 0) -> Trend:
    """Return a counter, of which less than 2 units in a report are nothing."""
    growth = per_hour / _REPORTS_PER_HOUR
    return Trend(start, decimals, growth if growth >= 2 else 0.0)


def _memory(kilobytes: int, percent: int, pages: int) -> Trend:
    return Trend(kilobytes * 1024 * percent // 100 // _PAGE * _PAGE, spread=pages * _PAGE)
