"""Hosts for the pictures: what machines of some kinds report, with values that go up and down.

They send real datagrams, as an agent does. Their counters grow by what their gauges say.
"""

import math
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, cycle
from random import Random
from typing import Final

from pombo_wire import (
    Collectors,
    Containers,
    Cpu,
    Disks,
    Fans,
    Filesystems,
    Info,
    Interfaces,
    Memory,
    Networks,
    OperatingSystem,
    Part,
    Pressure,
    SensorChips,
    Swap,
    System,
    Temperatures,
    Timex,
)
from pombo_wire.reports import sections_of
from pombo_wire.section import Section
from pombo_wire.splitting import Form, Splitter

from support.senders import failed_service

KIB, MIB, GIB, TIB = (1024**power for power in (1, 2, 3, 4))
DAY = 86_400.0  # seconds
AGENT = "pombo-agent 2.0"

#: CPU cores, bytes of memory, and the mount points with their sizes in GiB and how full they are.
Mounts = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Kind:
    """What machines of one kind have in common.

    ``busy`` and ``memory_used`` are the usual shares. ``traffic`` and ``reads`` and ``writes`` are
    in bytes per second. ``processes`` have their share of a core and of the memory.
    """

    cores: int
    memory: float  # bytes
    mounts: Mounts
    busy: float
    memory_used: float
    traffic: tuple[float, float] = (40 * KIB, 60 * KIB)
    reads: float = 20 * KIB
    writes: float = 120 * KIB
    interface: str = "ens3"
    disk: str = "vda"
    sensors: Mapping[str, float] = field(default_factory=dict)  # degrees Celsius
    services: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    runtime: str = "systemd"
    processes: Mapping[str, tuple[str, float, float]] = field(default_factory=dict)
    system: str = "Debian GNU/Linux 12 (bookworm)"
    machine: str = "x86_64"
    steal: float = 0.0


SMALL: Final[dict[str, tuple[float, float]]] = {"/": (40, 0.34)}

KINDS: Final[Mapping[str, Kind]] = {
    "web": Kind(
        4,
        8 * GIB,
        SMALL | {"/var/log": (20, 0.42)},
        0.31,
        0.46,
        (2.4 * MIB, 9.1 * MIB),
        services={"nginx.service": (0.6, 0.05), "php8.2-fpm.service": (0.5, 0.22)},
        processes={
            "nginx: worker process": ("www-data", 0.4, 0.02),
            "php-fpm: pool www": ("www-data", 0.45, 0.06),
            "systemd-journald": ("root", 0.02, 0.01),
        },
        steal=0.01,
    ),
    "database": Kind(
        16,
        64 * GIB,
        {"/": (60, 0.27), "/var/lib/postgresql": (1800, 0.68), "/srv/wal": (200, 0.21)},
        0.22,
        0.71,
        (6.2 * MIB, 14.8 * MIB),
        reads=31 * MIB,
        writes=18 * MIB,
        interface="eno1",
        disk="nvme0n1",
        sensors={"coretemp": 54, "nvme": 43},
        services={"postgresql@16-main.service": (3.1, 0.52), "pgbouncer.service": (0.12, 0.01)},
        processes={
            "postgres: checkpointer": ("postgres", 0.35, 0.21),
            "postgres: app orders 10.20.4.17": ("postgres", 0.9, 0.18),
            "postgres: walwriter": ("postgres", 0.12, 0.02),
        },
    ),
    "cache": Kind(
        4,
        32 * GIB,
        SMALL,
        0.12,
        0.66,
        (11 * MIB, 23 * MIB),
        services={"redis-server.service": (0.42, 0.6)},
        processes={"redis-server 0.0.0.0:6379": ("redis", 0.41, 0.6)},
    ),
    "mail": Kind(
        4,
        8 * GIB,
        {"/": (40, 0.31), "/var/vmail": (500, 0.58)},
        0.08,
        0.52,
        (300 * KIB, 410 * KIB),
        services={"postfix.service": (0.04, 0.02), "dovecot.service": (0.06, 0.06)},
        processes={
            "rspamd: normal": ("_rspamd", 0.11, 0.05),
            "dovecot/imap": ("vmail", 0.03, 0.02),
        },
    ),
    "kubernetes": Kind(
        32,
        128 * GIB,
        {"/": (100, 0.38), "/var/lib/containerd": (400, 0.47)},
        0.44,
        0.62,
        (42 * MIB, 38 * MIB),
        reads=4 * MIB,
        writes=22 * MIB,
        interface="bond0",
        disk="nvme0n1",
        sensors={"coretemp": 61, "nvme": 48},
        runtime="containerd",
        services={
            "checkout-api": (4.2, 0.08),
            "search-indexer": (3.3, 0.12),
            "ingress-nginx": (1.1, 0.02),
            "prometheus": (0.6, 0.06),
            "coredns": (0.05, 0.005),
        },
        processes={
            "java -jar checkout.jar": ("10001", 4.1, 0.07),
            "search-indexer": ("10001", 3.2, 0.11),
            "kubelet": ("root", 0.35, 0.01),
        },
        system="Ubuntu 24.04.1 LTS",
    ),
    "build": Kind(
        16,
        32 * GIB,
        {"/": (120, 0.52), "/var/lib/docker": (300, 0.74)},
        0.63,
        0.41,
        (8 * MIB, 2 * MIB),
        reads=12 * MIB,
        writes=64 * MIB,
        interface="eno1",
        disk="nvme0n1",
        sensors={"coretemp": 67, "nvme": 51},
        runtime="docker",
        services={"runner-3-build": (6.1, 0.18), "runner-1-test": (2.8, 0.12)},
        processes={"cc1plus": ("gitlab-runner", 0.99, 0.03), "rustc": ("gitlab-runner", 3.2, 0.06)},
    ),
    "hypervisor": Kind(
        48,
        256 * GIB,
        {"/": (94, 0.22), "/var/lib/vz": (3600, 0.61)},
        0.18,
        0.74,
        (18 * MIB, 16 * MIB),
        reads=9 * MIB,
        writes=14 * MIB,
        interface="enp65s0f0",
        disk="nvme0n1",
        sensors={"k10temp": 58, "nvme": 46, "ipmi": 31},
        processes={"kvm -id 104 -name db-03": ("root", 2.1, 0.25), "pvestatd": ("root", 0.1, 0.0)},
    ),
    "storage": Kind(
        8,
        32 * GIB,
        {"/": (30, 0.41), "/srv/media": (18 * 1024, 0.79), "/srv/backup": (12 * 1024, 0.66)},
        0.06,
        0.58,
        (5 * MIB, 31 * MIB),
        reads=28 * MIB,
        writes=6 * MIB,
        interface="enp2s0",
        disk="sda",
        sensors={"coretemp": 47, "drivetemp": 39},
        processes={"smbd": ("root", 0.2, 0.01), "nfsd": ("root", 0.15, 0.0)},
    ),
    "edge": Kind(
        4,
        4 * GIB,
        {"/": (29, 0.48), "/boot/firmware": (0.5, 0.15)},
        0.07,
        0.38,
        (38 * KIB, 21 * KIB),
        reads=0,
        writes=9 * KIB,
        interface="eth0",
        disk="mmcblk0",
        sensors={"cpu_thermal": 51},
        processes={"node-red": ("pi", 0.11, 0.06), "mosquitto": ("mosquitto", 0.02, 0.01)},
        system="Debian GNU/Linux 12 (bookworm)",
        machine="aarch64",
    ),
}


class Wave:
    """A value that wanders about a usual one, in waves of some minutes and with noise."""

    def __init__(
        self, dice: Random, usual: float, swing: float = 0.35, spread: float = 0.3
    ) -> None:
        self.usual = usual * dice.uniform(1 - spread, 1 + spread)
        self._dice, self._swing = dice, swing
        self._period = dice.uniform(90, 420)  # seconds
        self._phase = dice.uniform(0, 2 * math.pi)
        self._noise = self._burst = 0.0

    def at(self, now: float) -> float:
        """Return the value of a moment; moments only go forward."""
        self._noise += self._dice.gauss(0, 0.25) - 0.4 * self._noise
        self._burst *= 0.6
        if self._dice.random() < 0.015:
            self._burst = self._dice.uniform(0.5, 1.5)
        turn = math.sin(2 * math.pi * now / self._period + self._phase)
        return max(0.0, self.usual * (1 + self._swing * (turn + self._noise + self._burst)))


@dataclass
class Faults:
    """What is wrong with a host; nothing by default. Shares are of what is full."""

    full: tuple[str, float] | None = None  # a mount point, and how full it is
    inodes: tuple[str, float] | None = None
    memory: float | None = None
    busy: float | None = None
    loss: float = 0.0  # share of the datagrams that are not sent
    clock: float = 0.0  # seconds ahead
    temperature: float | None = None  # share of the critical one
    failed_service: str = ""
    failed_collector: str = ""
    device_error: str = ""
    swap: float = 0.0


class Machine:
    """A host of some kind, and its counters."""

    def __init__(
        self, name: str, kind: Kind, labels: Mapping[str, str], faults: Faults | None = None
    ) -> None:
        self.name, self._kind, self._labels = name, kind, dict(labels)
        self._faults = faults or Faults()
        self._dice = dice = Random(name)
        self._busy = Wave(dice, kind.busy, 0.3)
        self._memory = Wave(dice, kind.memory_used, 0.02, 0.13)
        self._in, self._out = (Wave(dice, each) for each in kind.traffic)
        self._read, self._write = Wave(dice, kind.reads, 0.8), Wave(dice, kind.writes, 0.6)
        self._heat = Wave(dice, 1.0, 0.03, 0.05)
        self._fill = {path: dice.uniform(-0.09, 0.07) for path in kind.mounts}
        self._uptime = dice.uniform(0.3, 240) * DAY
        self._booted = round(time.time() - self._uptime)
        self._session = time.time_ns()
        self._splitter = Splitter(Form.PACKED)
        self._sequence = count(0)
        self._last: float | None = None
        self._core_share = [dice.uniform(0.5, 1.5) for _ in range(kind.cores)]
        self._cpu = {mode: [0.0] * kind.cores for mode in _MODES}
        self._totals: dict[str, float] = {}
        self._pids = [str(dice.randrange(400, 90_000)) for _ in kind.processes]

    @property
    def is_faulty(self) -> bool:
        """Whether something is wrong with it."""
        return self._faults != Faults()

    @property
    def loss(self) -> float:
        """The share of its datagrams that the network is to lose."""
        return self._faults.loss

    def datagrams(self, now: float, interval: float) -> Sequence[bytes]:
        """Return the datagrams of its next report; ``now`` is monotonic, both in seconds."""
        header = {
            "host": self.name,
            "session": self._session,
            "seq": next(self._sequence),
            "time": time.time() + self._faults.clock,
            "monotonic": now,
            "interval": interval,
        }
        passed = 60.0 if self._last is None else now - self._last
        self._last = now
        sections = [*sections_of(self._parts(now, passed)), self._processes()]
        found, omitted = self._splitter.datagrams(header, sections)
        assert not omitted, omitted
        for _ in found[1:]:
            next(self._sequence)
        return found

    def _grown(self, name: str, rate: float, passed: float) -> float:
        self._totals[name] = self._totals.get(name, rate * self._uptime) + rate * passed
        return self._totals[name]

    def _parts(self, now: float, passed: float) -> Iterator[Part]:
        kind, faults = self._kind, self._faults
        busy = min(0.985, faults.busy or self._busy.at(now))
        yield "labels", self._labels
        yield "info", Info(AGENT, "Linux", "6.1.0-28-amd64", kind.machine)
        yield "os", OperatingSystem(id="linux", pretty_name=kind.system)
        load = busy * kind.cores * 1.1
        yield (
            "system",
            System(
                boot_time=self._booted,
                uptime=time.time() - self._booted,
                load1=load,
                load5=0.95 * load,
                load15=0.9 * load,
                context_switches=self._grown("switches", 4000 * kind.cores * busy, passed),
                processes_running=max(1.0, round(load)),
                processes_blocked=0.0,
            ),
        )
        yield "cpu", self._cores(busy, passed)
        yield from self._memories(now)
        yield "filesystems", self._filesystems()
        yield from self._devices(now, passed)
        waiting = 0.25 * max(0.0, busy - 0.3)
        yield (
            "pressure",
            Pressure(
                cpu_waiting=self._grown("cpu_waiting", waiting, passed),
                io_waiting=self._grown("io_waiting", 0.02, passed),
                io_stalled=self._grown("io_stalled", 0.01, passed),
                memory_waiting=self._grown("memory_waiting", 0.3 if faults.memory else 0, passed),
                memory_stalled=self._grown("memory_stalled", 0.1 if faults.memory else 0, passed),
            ),
        )
        yield "timex", Timex(offset=2e-5, sync_status=0.0 if faults.clock else 1.0, maxerror=0.01)
        yield from self._sensors(now, busy)
        if kind.services:
            yield "containers", self._services(busy, passed)
        if faults.failed_service:
            yield failed_service(faults.failed_service)
        names = ("cpu", "diskstats", "filesystem", "hwmon", "meminfo", "netdev", "systemd")
        yield (
            "collectors",
            Collectors(
                names,
                seconds=tuple(self._dice.uniform(2e-4, 2e-3) for _ in names),
                success=tuple(float(each != faults.failed_collector) for each in names),
            ),
        )

    def _cores(self, busy: float, passed: float) -> Cpu:
        kind = self._kind
        shares = {"user": 0.66, "system": 0.22, "iowait": 0.08, "softirq": 0.04}
        mean = sum(self._core_share) / kind.cores
        for core, share in enumerate(self._core_share):
            used = min(1.0, busy * share / mean * self._dice.uniform(0.85, 1.15))
            for mode, part in shares.items():
                self._cpu[mode][core] += used * part * (1 - kind.steal) * passed
            self._cpu["steal"][core] += used * kind.steal * passed
            self._cpu["idle"][core] += (1 - used) * passed
        names = tuple(map(str, range(kind.cores)))
        return Cpu(names, **{mode: tuple(values) for mode, values in self._cpu.items()})

    def _memories(self, now: float) -> Iterator[Part]:
        total, dice = self._kind.memory, self._dice
        used = self._faults.memory or min(0.87, self._memory.at(now))
        available = total * (1 - used)
        cached = min(0.8 * available, 0.3 * total)
        yield (
            "memory",
            Memory(
                total=total,
                available=available,
                used=total * used,
                free=available - cached,
                buffers=0.04 * cached,
                cached=0.96 * cached,
                shared=0.01 * total,
                slab=0.02 * total,
                active=0.6 * total * used,
                inactive=0.25 * total * used,
            ),
        )
        swap = min(8.0 * GIB, total / 4)
        swapped = swap * (self._faults.swap or dice.uniform(0.010, 0.011))
        yield "swap", Swap(total=swap, used=swapped, free=swap - swapped)

    def _filesystems(self) -> Filesystems:
        kind, faults = self._kind, self._faults
        paths = tuple(kind.mounts)
        sizes = tuple(kind.mounts[path][0] * GIB for path in paths)

        def share(path: str, fault: tuple[str, float] | None, usual: float) -> float:
            return fault[1] if fault and fault[0] == path else usual

        used = [
            share(path, faults.full, min(0.86, kind.mounts[path][1] + self._fill[path]))
            for path in paths
        ]
        free = tuple(size * (1 - part) for size, part in zip(sizes, used, strict=True))
        files = tuple(size / (16 * KIB) for size in sizes)
        nodes = [share(path, faults.inodes, 0.06) for path in paths]
        errors = [path == faults.device_error for path in paths]

        def known(values: Sequence[float]) -> tuple[float | None, ...]:
            pairs = zip(values, errors, strict=True)
            return tuple(None if error else value for value, error in pairs)

        part = f"{kind.disk}p" if kind.disk[-1].isdigit() else kind.disk
        return Filesystems(
            paths,
            tuple(f"/dev/{part}{number}" for number in range(1, 1 + len(paths))),
            tuple("xfs" if path.startswith("/var/lib") else "ext4" for path in paths),
            size=known(sizes),
            free=known(free),
            available=known(free),
            files=known(files),
            files_free=known([n * (1 - part) for n, part in zip(files, nodes, strict=True)]),
            readonly=known([0.0] * len(paths)),
            device_error=tuple(map(float, errors)),
        )

    def _devices(self, now: float, passed: float) -> Iterator[Part]:
        kind, grown = self._kind, self._grown
        read, write = self._read.at(now), self._write.at(now)
        received, sent = self._in.at(now), self._out.at(now)
        operations = (read / (64 * KIB), write / (16 * KIB))
        yield (
            "disks",
            Disks(
                (kind.disk,),
                read_bytes=(grown("read", read, passed),),
                written_bytes=(grown("written", write, passed),),
                reads=(grown("reads", operations[0], passed),),
                writes=(grown("writes", operations[1], passed),),
                read_seconds=(grown("read_seconds", operations[0] * 4e-4, passed),),
                write_seconds=(grown("write_seconds", operations[1] * 9e-4, passed),),
                io_seconds=(grown("io_seconds", min(0.9, sum(operations) * 5e-4), passed),),
                io_weighted_seconds=(grown("weighted", sum(operations) * 8e-4, passed),),
                io_now=(0.0,),
            ),
        )
        devices = ("lo", kind.interface)

        def both(name: str, rate: float) -> tuple[float, float]:
            own, other = grown(f"{name} lo", 3 * KIB, passed), grown(name, rate, passed)
            return own, other

        yield (
            "networks",
            Networks(
                devices,
                receive_bytes=both("in", received),
                transmit_bytes=both("out", sent),
                receive_errors=(0.0, 0.0),
                receive_drops=(0.0, 0.0),
                transmit_errors=(0.0, 0.0),
                transmit_drops=(0.0, 0.0),
                receive_packets=both("in packets", received / 900),
                transmit_packets=both("out packets", sent / 900),
            ),
        )
        speed = 1.25e9 if kind.cores > 8 else 1.25e8
        yield (
            "interfaces",
            Interfaces(devices, up=(1.0, 1.0), carrier=(1.0, 1.0), speed=(None, speed)),
        )

    def _sensors(self, now: float, busy: float) -> Iterator[Part]:
        sensors, critical = self._kind.sensors, 95.0
        if not sensors:
            return
        degrees = [usual * self._heat.at(now) + 12 * (busy - 0.3) for usual in sensors.values()]
        if self._faults.temperature:
            degrees[0] = critical * self._faults.temperature + self._dice.uniform(-0.3, 0.3)
        chips = tuple(f"platform_{name}_0" for name in sensors)
        first = ("temp1",) * len(chips)
        yield (
            "temperatures",
            Temperatures(
                chips,
                first,
                celsius=tuple(round(each, 1) for each in degrees),
                max=(85.0,) * len(chips),
                crit=(critical,) * len(chips),
            ),
        )
        yield "sensor_chips", SensorChips(chips, tuple(sensors))
        if self._kind.cores > 8:
            speed = (round(2400 + 60 * degrees[0]),) * 2
            yield "fans", Fans(chips[:1] * 2, ("fan1", "fan2"), rpm=speed)

    def _services(self, busy: float, passed: float) -> Containers:
        kind = self._kind
        names = tuple(kind.services)
        limits = kind.runtime != "systemd"
        slice_ = "system.slice" if not limits else f"kubepods.slice/{kind.runtime}"
        scale = busy / kind.busy
        rates = [cores * scale for cores, _ in kind.services.values()]
        memory = tuple(kind.memory * share for _, share in kind.services.values())
        cpu = (self._grown(f"cgroup {n}", r, passed) for n, r in zip(names, rates, strict=True))
        return Containers(
            tuple(f"/{slice_}/{name}" for name in names),
            names,
            (kind.runtime,) * len(names),
            cpu_usage=tuple(cpu),
            memory_usage=memory,
            memory_working_set=memory,
            memory_limit=tuple(2 * each for each in memory) if limits else None,
            oom_kills=(0.0,) * len(names),
            processes=tuple(float(2 + 3 * number) for number in range(len(names))),
            threads=tuple(float(8 + 21 * number) for number in range(len(names))),
        )

    def _processes(self) -> Section:
        of = self._kind.processes
        names = tuple(of)
        labels = {
            "pid": tuple(self._pids),
            "name": tuple(name.split(" ")[0].removesuffix(":") for name in names),
            "user": tuple(user for user, _, _ in of.values()),
            "command": names,
        }
        jitter = self._dice.uniform(0.8, 1.2)
        columns: Mapping[str, list[float]] = {
            "start_time": [self._booted + 60.0] * len(names),
            "cpu": [cpu * jitter for _, cpu, _ in of.values()],
            "memory": [self._kind.memory * share for _, _, share in of.values()],
        }
        cells = [cell for column in columns.values() for cell in column]
        return Section("processes", labels, tuple(columns), cells)


_MODES: Final = ("user", "system", "idle", "iowait", "softirq", "steal")


class Player:
    """Sends the reports of machines to an exporter, each at its own moment of the interval."""

    def __init__(self, machines: Sequence[Machine], port: int, interval: float) -> None:
        self._machines, self._interval = machines, interval
        self._dice = Random(port)
        self._silent: set[str] = set()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def silence(self, *names: str) -> None:
        """Send no more reports of some machines."""
        self._silent.update(names)

    def close(self) -> None:
        """Send no more."""
        self._stopped.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        step = self._interval / max(1, len(self._machines))
        due = time.monotonic()
        for machine in cycle(self._machines):
            if self._stopped.wait(max(0.0, due - time.monotonic())):
                return
            due += step
            if machine.name in self._silent:
                continue
            for datagram in machine.datagrams(time.monotonic(), self._interval):
                if self._dice.random() >= machine.loss:
                    with suppress(ConnectionRefusedError):  # the exporter has ended
                        self._socket.send(datagram)
