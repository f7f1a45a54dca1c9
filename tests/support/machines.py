"""Files of a large machine, as the kernel shows them below ``/proc`` and ``/sys``."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random

#: The properties of an interface in ``/sys/class/net`` besides its address.
_INTERFACE = {
    "addr_assign_type": "0",
    "broadcast": "ff:ff:ff:ff:ff:ff",
    "carrier": "1",
    "carrier_changes": "2",
    "carrier_down_count": "1",
    "carrier_up_count": "1",
    "dev_id": "0x0",
    "dormant": "0",
    "duplex": "full",
    "flags": "0x1003",
    "ifalias": "",
    "link_mode": "0",
    "mtu": "1500",
    "name_assign_type": "4",
    "netdev_group": "0",
    "operstate": "up",
    "speed": "25000",
    "tx_queue_len": "1000",
    "type": "1",
}


@dataclass(frozen=True)
class Machine:
    """How much of each a machine has; a third of the cgroups are services."""

    cores: int
    filesystems: int
    interfaces: int
    cgroups: int

    @property
    def core_names(self) -> list[str]:
        """The numbers of the cores."""
        return [*map(str, range(self.cores))]

    @property
    def mount_points(self) -> list[str]:
        """The mount points of the filesystems."""
        return [f"/srv/data {number:03}" for number in range(self.filesystems)]

    @property
    def interface_names(self) -> list[str]:
        """The names of the interfaces, of which most belong to containers."""
        own = min(4, self.interfaces)
        more = (f"veth{_id(number)[:7]}" for number in range(self.interfaces - own))
        return [*(f"eth{number}" for number in range(own)), *more]

    @property
    def cgroup_ids(self) -> list[str]:
        """The paths of the containers and services."""
        return [_cgroup(number) for number in range(self.cgroups)]

    def write(self, folder: Path, seed: int = 5) -> list[str]:
        """Write the files below a folder; return the flags of an agent that reads them.

        A mount point is a folder below ``root``, whose size is that of the test's own filesystem.
        """
        random = Random(seed)
        _write(folder, self._proc(random))
        _write(folder / "sys", self._sys(random))
        for path in self.mount_points:
            (folder / f"root{path}").mkdir(parents=True)
        paths = {"procfs": "proc", "sysfs": "sys", "rootfs": "root"}
        return [f"--path.{name}={folder}/{below}" for name, below in paths.items()]

    def _proc(self, random: Random) -> Iterator[tuple[str, str]]:
        counts = [[random.randrange(10**9) for _ in range(10)] for _ in range(self.cores)]
        lines = [f"cpu{core} {' '.join(map(str, of))}" for core, of in enumerate(counts)]
        total = "cpu  " + " ".join(map(str, map(sum, zip(*counts, strict=True))))
        rest = ["intr 9876543210 1 2", "ctxt 8765432109", "btime 1790000000", "processes 7654321"]
        end = ["procs_running 17", "procs_blocked 2", ""]
        yield "proc/stat", "\n".join([total, *lines, *rest, *end])
        yield "proc/uptime", "1234567.89 98765432.10\n"
        yield "proc/loadavg", "12.34 23.45 34.56 17/4321 99999\n"
        yield "proc/meminfo", "MemTotal: 1056000000 kB\nMemAvailable: 700000000 kB\n"
        softnet = (f"{random.randrange(2**32):08x} {'00000000 ' * 8}" for _ in range(self.cores))
        per_core = (f"{line}00000000 00000000 00000000 {n:08x}" for n, line in enumerate(softnet))
        yield "proc/net/softnet_stat", "\n".join([*per_core, ""])
        mounts = (
            f"{100 + number} 1 254:{number} / {path.replace(' ', chr(92) + '040')} "
            f"rw,relatime shared:{number} - ext4 /dev/mapper/vg-data{number:03} rw\n"
            for number, path in enumerate(self.mount_points)
        )
        yield "proc/1/mountinfo", "".join(mounts)
        heads = "Inter-|   Receive | Transmit\n face |bytes packets|bytes packets\n"
        interfaces = (
            f"{name:>8}: {' '.join(str(random.randrange(10**13)) for _ in range(16))}\n"
            for name in self.interface_names
        )
        yield "proc/1/net/dev", heads + "".join(interfaces)

    def _sys(self, random: Random) -> Iterator[tuple[str, str]]:
        for number, name in enumerate(self.interface_names):
            address = ":".join(f"{random.randrange(256):02x}" for _ in range(6))
            own = {"address": address, "ifindex": str(number + 1), "iflink": str(number + 1)}
            for file, text in (_INTERFACE | own).items():
                yield f"class/net/{name}/{file}", f"{text}\n"
        yield "fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n"
        for path in self.cgroup_ids:
            for file, text in _cgroup_files(random, limited=random.random() < 0.5).items():
                yield f"fs/cgroup{path}/{file}", text


def _id(number: int) -> str:
    """Return the id of a container: 64 hexadecimal digits that look random."""
    return sha256(str(number).encode()).hexdigest()


def _cgroup(number: int) -> str:
    kind, own = number % 3, _id(number)
    if kind == 0:
        return f"/system.slice/worker-{number}.service"
    if kind == 1:
        return f"/system.slice/docker-{own}.scope"
    pod = f"{own[:8]}_{own[8:12]}_{own[12:16]}_{own[16:20]}_{own[20:32]}"
    pods = "/kubepods.slice/kubepods-burstable.slice"
    return f"{pods}/kubepods-burstable-pod{pod}.slice/cri-containerd-{own}.scope"


def _cgroup_files(random: Random, *, limited: bool) -> Mapping[str, str]:
    """Return what a cgroup of version 2 has; ``limited`` ones have limits of CPU and memory."""

    def count(most: float) -> int:
        return int(random.random() ** 3 * most) + 1  # few have much

    usage, memory, periods = count(1e12), count(2**34), count(1e7) if limited else 0
    throttled = periods // 10
    pressure = {
        f"{name}.pressure": "".join(
            f"{kind} avg10=0.00 avg60=0.10 avg300=0.20 total={count(1e9)}\n"
            for kind in ("some", "full")
        )
        for name in ("cpu", "io", "memory")
    }
    return {
        "cpu.stat": f"usage_usec {usage}\nuser_usec {usage * 3 // 4}\nsystem_usec {usage // 4}\n"
        f"nr_periods {periods}\nnr_throttled {throttled}\nthrottled_usec {throttled * 1234}\n",
        "cpu.max": f"{count(8) * 50_000 if limited else 'max'} 100000\n",
        "memory.current": f"{memory // 4096 * 4096}\n",
        "memory.stat": f"anon {memory // 2}\nfile {memory // 3}\nkernel {memory // 99}\n"
        + "".join(f"other_{number} {count(1e9)}\n" for number in range(40))
        + f"inactive_file {memory // 5}\npgfault {count(1e9)}\npgmajfault {count(1e5)}\n",
        "memory.swap.current": "0\n",
        "memory.events": f"low 0\nhigh 0\nmax 0\noom 0\noom_kill {int(limited)}\n",
        "memory.max": f"{2**34 if limited else 'max'}\n",
        "pids.current": f"{count(200)}\n",
        "pids.max": f"{'4915' if limited else 'max'}\n",
        "io.stat": f"259:0 rbytes={count(1e11)} wbytes={count(1e11)} rios={count(1e7)} "
        f"wios={count(1e7)} dbytes=0 dios=0\n",
        "cgroup.procs": "".join(f"{count(1e6)}\n" for _ in range(count(40))),
        **pressure,
    }


def _write(folder: Path, files: Iterator[tuple[str, str]]) -> None:
    for name, text in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
