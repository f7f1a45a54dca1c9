"""Hosts of several shapes, made of the sections of a captured host.

The names, addresses and serial numbers of a host have tokens in them, which ``identity`` replaces
for each host; so the hosts of one shape share what is prepared for a report.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pombo_wire import Dmi

from bench.fleets import services
from bench.fleets.reports import CAPTURE, Row, Sections, Trend, is_gauge, read, sections
from bench.fleets.services import Service, put_services

#: What stands for the host's number, for 24 bits of its MAC addresses, and for random ids.
NUMBER, MAC, ID, SHORT_ID = "$$$$$", "@@:@@:@@", "~~~~~~~~", "^^^^^"

_YEAR = 365.25 * 86_400  # seconds
_RELEASE, _VERSION = "6.1.0-18-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)"
_GIGABIT = 125_000_000  # bytes per second


def identity(number: int) -> dict[str, str]:
    """Return the text of each token for the host of this number; no two hosts have the same."""
    mac = (number * 0x9E3779 + 1) % 2**24  # odd factors: every number gives another text
    long, short = (number * 0x9E3779B1 + 7) % 2**32, (number * 0x9E379 + 3) % 2**20
    return {
        NUMBER: f"{number:05}",
        MAC: f"{mac >> 16:02x}:{mac >> 8 & 255:02x}:{mac & 255:02x}",
        ID: f"{long:08x}",
        SHORT_ID: f"{short:05x}",
    }


@dataclass(frozen=True)
class Host:
    """A host of one shape, with tokens in its name and in its texts."""

    name: str
    sections: Sections


@dataclass(frozen=True)
class Disk:
    """A block device; ``hardware`` is its model, path, revision, serial number and WWN."""

    device: str
    major: str = "254"
    minor: str = "0"
    hardware: tuple[str, str, str, str, str] = ("", "", "", "", "")


@dataclass(frozen=True)
class Mount:
    """A mounted filesystem."""

    mountpoint: str
    device: str
    fstype: str = "ext4"


@dataclass(frozen=True)
class Interface:
    """A network interface besides ``lo``; ``speed`` is in bytes per second."""

    device: str
    address: str
    speed: int = 10 * _GIGABIT
    duplex: str = "full"


@dataclass(frozen=True)
class Hardware:
    """What a host has; ``memory`` and ``age`` are relative to those of the captured host."""

    cores: int
    memory: float
    age: float
    disks: Sequence[Disk]
    mounts: Sequence[Mount]
    interfaces: Sequence[Interface]
    bare_metal: bool = False


@cache
def captured() -> Sections:
    """Return the sections of the captured host."""
    return sections(read(CAPTURE))


def small_vm() -> Host:
    """Return the captured virtual machine, with texts of its own."""
    host = dict(captured())
    host["network_info"] = [_with_own_address(row) for row in host["network_info"]]
    return _named("vm-$$$$$.example.net", {**host, **_busy(host)})


def debian_vm() -> Host:
    """Return the captured virtual machine with the services of Debian."""
    host = dict(captured())
    host["network_info"] = [_with_own_address(row) for row in host["network_info"]]
    put_services(host, services.VM, _uptime(), "/dev/vda")
    return _named("vm-$$$$$.example.net", {**host, **_busy(host)})


def busy_vm() -> Host:
    """Return the captured machine with 8 cores, busy, and up for a year."""
    base = captured()
    base = {**base, **_busy(base)}
    host = {
        section: [_aged(section, row, _YEAR / _uptime()) for row in base[section]]
        for section in base
    }
    _put_cores(host, 8)
    host["network_info"] = [_with_own_address(row) for row in host["network_info"]]
    return _named("vm-$$$$$.example.net", host)


def device() -> Host:
    """Return a small device that sends 20 of the captured host's values, and no text of its own."""
    base = captured()
    base = {**base, **_busy(base)}
    core, filesystem = base["cpu"][0], _busiest(base["filesystems"])
    [interface] = [row for row in base["networks"] if row.texts == ("eth0",)]
    counters = ("bytes", "errors", "packets")
    host = {
        "info": base["info"],
        "system": [_only(base["system"][0], "boot_time", "uptime", "load1", "load5", "load15")],
        "cpu": [_only(core, "user", "system", "idle", "iowait")],
        "filesystems": [_only(filesystem, "size", "free", "available")],
        "networks": [
            _only(interface, *(f"{way}_{each}" for each in counters for way in _WAYS)),
        ],
        "meminfo": [_only(base["meminfo"][0], "MemTotal_bytes", "MemAvailable_bytes")],
    }
    return Host("gw-$$$$$.example.net", host)


_WAYS = ("receive", "transmit")


def _only(row: Row, *columns: str) -> Row:
    """Return a row with these columns alone."""
    return Row(row.texts, {column: row.trends[column] for column in columns})


def server() -> Host:
    """Return a server of 8 cores that has been up for a year."""
    disks = [_nvme(n) for n in range(2)] + [_sata("sda", 0), _sata("sdb", 16), _mapped(0)]
    hardware = Hardware(
        cores=8,
        memory=2.7,  # 64 GiB
        age=_YEAR / _uptime(),
        disks=disks,
        mounts=[
            Mount("/", "/dev/nvme0n1p2"),
            Mount("/boot", "/dev/nvme0n1p3"),
            Mount("/boot/efi", "/dev/nvme0n1p1", "vfat"),
            Mount("/home", "/dev/nvme1n1p1"),
            Mount("/srv/data", "/dev/mapper/data", "xfs"),
            *_TMPFS,
        ],
        interfaces=[
            _ethernet("eno1", 1),
            _ethernet("eno2", 2),
            _ethernet("bond0", 1),
            _ethernet("bond0.120", 1),
            _ethernet("bond0.340", 1),
        ],
        bare_metal=True,
    )
    return _with("db-$$$$$.example.net", hardware, services.SERVER)


def docker_host() -> Host:
    """Return a host of 24 containers, on 3 bridges."""
    hardware = Hardware(
        cores=8,
        memory=1.35,  # 32 GiB
        age=30 * 86_400 / _uptime(),
        disks=[Disk("vda", "254", "0"), Disk("vdb", "254", "16")],
        mounts=[
            Mount("/", "/dev/vda1"),
            Mount("/srv", "/dev/vdb"),
            *_TMPFS,
            *(Mount(_shm(n), "shm", "tmpfs") for n in range(24)),
        ],
        interfaces=[
            Interface("eth0", "52:54:00:@@:@@:@@"),
            Interface("docker0", "02:42:00:@@:@@:@@"),
            *(Interface(f"br-{n:04x}~~~~~~~~", f"02:42:{n:02x}:@@:@@:@@") for n in (1, 2)),
            *(
                Interface(f"veth{n:02x}^^^^^", f"{n:02x}:5e:42:@@:@@:@@")
                for n in range(0x12, 0x42, 2)
            ),
        ],
    )
    ids = [_container_id(n) for n in range(24)]
    return _with("docker-$$$$$.example.net", hardware, services.DOCKER, ids)


def large_server() -> Host:
    """Return a server of 64 cores with 26 disks and 30 mounts."""
    letters = "abcdefghijklmnopqrstuvwx"
    hardware = Hardware(
        cores=64,
        memory=21.7,  # 512 GiB
        age=90 * 86_400 / _uptime(),
        disks=[
            _nvme(0),
            _nvme(1),
            *(_sata(f"sd{letter}", 16 * n) for n, letter in enumerate(letters)),
        ],
        mounts=[
            Mount("/", "/dev/nvme0n1p2"),
            Mount("/boot", "/dev/nvme0n1p3"),
            Mount("/boot/efi", "/dev/nvme0n1p1", "vfat"),
            *_TMPFS,
            *(
                Mount(f"/srv/data/{n:02}", f"/dev/sd{letter}1", "xfs")
                for n, letter in enumerate(letters)
            ),
        ],
        interfaces=[
            *(_ethernet(f"ens{n}f{port}np{port}", 2 * n + port) for n in (1, 2) for port in (0, 1)),
            _ethernet("bond0", 2),
            _ethernet("eno1", 9),
        ],
        bare_metal=True,
    )
    return _with("hv-$$$$$.example.net", hardware, services.SERVER)


#: The shapes of the fleet ``few``, each with its share of every 20 hosts.
SHAPES: Mapping[str, tuple[int, Callable[[], Host]]] = {
    "debian_vm": (10, debian_vm),
    "server": (6, server),
    "docker_host": (3, docker_host),
    "large_server": (1, large_server),
}

#: Shapes of other hosts. The fleet ``alike`` has small virtual machines only.
OTHERS: Mapping[str, Callable[[], Host]] = {
    "small_vm": small_vm,
    "busy_vm": busy_vm,
    "device": device,
}


def unlike(number: int) -> Host:
    """Return a host whose size and names are as those of no host with another number."""
    pick = random.Random(number)  # noqa: S311 - not for secrets
    made = [_some_disk(pick, n) for n in range(pick.randint(1, 6))]
    disks = {disk.device: disk for disk in made}
    names = list(disks)
    mounts = [Mount("/", f"/dev/{names[0]}")]
    for n in range(pick.randint(0, 29)):
        volume = f"{n:02x}{pick.randrange(16**6):06x}"
        mounts.append(
            Mount(_shm(pick.randrange(2**16)), "shm", "tmpfs")
            if pick.random() < 0.5
            else Mount(
                f"/srv/{volume}-~~~~~~~~", f"/dev/mapper/{volume}", pick.choice(("ext4", "xfs"))
            )
        )
    interfaces = [
        Interface(f"veth{n:02x}^^^^^", f"{n:02x}:{pick.randrange(256):02x}:42:@@:@@:@@")
        for n in pick.sample(range(2, 256, 4), pick.randint(0, 19))
    ]
    hardware = Hardware(
        cores=pick.randint(2, 64),
        memory=pick.uniform(0.1, 20),
        age=pick.uniform(1, _YEAR / _uptime()),
        disks=list(disks.values()),
        mounts=list({mount.mountpoint: mount for mount in mounts}.values()),
        interfaces=interfaces,
        bare_metal=pick.random() < 0.5,
    )
    its = pick.sample(services.SERVER, pick.randint(8, len(services.SERVER)))
    return _with(f"{pick.choice(_ROLES)}-$$$$$.example.net", hardware, its)


_ROLES = ("api", "build", "cache", "db", "mail", "proxy", "queue", "web")

_TMPFS = (
    Mount("/run", "tmpfs", "tmpfs"),
    Mount("/run/lock", "tmpfs", "tmpfs"),
    Mount("/run/user/1000", "tmpfs", "tmpfs"),
)


def _some_disk(pick: random.Random, number: int) -> Disk:
    letters = "".join(pick.choices("abcdefghijklmnopqrstuvwxyz", k=2))
    return pick.choice([_nvme(number), _sata(f"sd{letters}", number), _mapped(pick.randrange(256))])


def _shm(number: int) -> str:
    """Return where Docker mounts the shared memory of a container, by a 64-digit id.

    Docker's data is in /srv/docker: in /var/lib/docker the agent excludes it, as it excludes
    overlay filesystems everywhere.
    """
    return f"/srv/docker/containers/{_container_id(number)}/mounts/shm"


def _container_id(number: int) -> str:
    digits = f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}"
    return f"{digits * 3}{ID}{digits[:8]}"


def _nvme(number: int) -> Disk:
    hardware = ("Example NVMe 1.92TB", f"pci-0000:0{number + 1}:00.0-nvme-1", "1.2.0")
    return Disk(
        f"nvme{number}n1", "259", str(number), (*hardware, f"S{number}X~~~~~~~~", "eui.~~~~~~~~")
    )


def _sata(device: str, minor: int) -> Disk:
    hardware = ("Example SSD 3.84TB", f"pci-0000:00:17.0-ata-{minor // 16 + 1}.0", "A101")
    wwn = f"0x5000{minor:04x}~~~~~~~~"
    return Disk(device, "8", str(minor), (*hardware, f"{device.upper()}~~~~~~~~", wwn))


def _mapped(number: int) -> Disk:
    return Disk(f"dm-{number}", "253", str(number))


def _ethernet(device: str, number: int) -> Interface:
    return Interface(device, f"3c:ec:{number:02x}:@@:@@:@@")


def _uptime() -> float:
    return captured()["system"][0].trends["uptime"].first


def _busiest(rows: Iterable[Row]) -> Row:
    """Return the row in which most values change."""
    return max(rows, key=lambda row: sum(trend.changes for trend in row.trends.values()))


def _busy(host: Sections) -> Sections:
    """Return the sections in which idle rows of the captured host are busy.

    Its network interface was idle; here it changes as ``lo`` does. Its cores were never idle;
    here each is idle for half of the time that it spent in user mode.
    """
    lo = _busiest(host["networks"])
    networks = [_moved(row, lo) if row.texts == ("eth0",) else row for row in host["networks"]]
    cores = [_half_idle(row) for row in host["cpu"]]
    return {"networks": networks, "cpu": cores}


def _moved(row: Row, busy: Row) -> Row:
    """Return the row with the changes of a busy one, from its own start."""
    trends = {
        name: trend._replace(growth=busy.trends[name].growth, spread=busy.trends[name].spread)
        for name, trend in row.trends.items()
    }
    return Row(row.texts, trends)


def _half_idle(row: Row) -> Row:
    user, idle = row.trends["user"], row.trends["idle"]
    half = max(2.0, user.growth / 2)
    return row.given(user=user._replace(growth=half), idle=idle._replace(growth=half))


def _named(name: str, host: Sections) -> Host:
    """Return the host with this name, and with Debian's texts for its kernel."""
    info, uname = host["info"][0], host["uname"][0]
    agent, system, _, machine = info.texts
    sysname, domain = uname.texts[0], uname.texts[-1]
    texts = (sysname, _RELEASE, _VERSION, machine, name.partition(".")[0], domain)
    named = {
        "info": [info.named(agent, system, _RELEASE, machine)],
        "uname": [uname.named(*texts)],
    }
    return Host(name, {**host, **named})


def _with_own_address(row: Row) -> Row:
    device, address, *rest = row.texts
    if not address.startswith("02:"):  # that of lo
        return row
    return row.named(device, f"02:{address[-2:]}:00:@@:@@:@@", *rest)


def _with(
    name: str, hardware: Hardware, its: Iterable[Service], containers: Sequence[str] = ()
) -> Host:
    """Return a host that has this hardware, each part as busy as the captured one.

    ``its`` are its services; ``containers`` are ids.
    """
    base = captured()
    base = {**base, **_busy(base)}
    host = {
        section: [
            _sized(section, _aged(section, row, hardware.age), hardware.memory) for row in rows
        ]
        for section, rows in base.items()
    }
    _put_cores(host, hardware.cores)
    disk, filesystem = _busiest(host["disks"]), _busiest(host["filesystems"])
    host["disks"] = [disk.named(each.device) for each in hardware.disks]
    host["disk_info"] = [
        Row((each.device, each.major, each.minor, *each.hardware), {}) for each in hardware.disks
    ]
    host["filesystems"] = [
        filesystem.named(each.mountpoint, each.device, each.fstype) for each in hardware.mounts
    ]
    _put_interfaces(host, hardware.interfaces)
    if hardware.bare_metal:
        _put_machine(host, hardware)
    disk_of_data = f"/dev/{hardware.disks[-1].device}"
    put_services(host, its, hardware.age * _uptime(), disk_of_data, containers)
    return _named(name, host)


def _put_cores(host: Sections, cores: int) -> None:
    for section in ("cpu", "softnet"):
        found = host[section]
        host[section] = [found[n % len(found)].named(str(n)) for n in range(cores)]


def _put_interfaces(host: Sections, interfaces: Sequence[Interface]) -> None:
    """Replace the interfaces of a host but ``lo``."""
    lo = [row for row in host["networks"] if row.texts == ("lo",)]
    busy, ethernet = _busiest(host["networks"]), _by_name(host["interfaces"], "eth0")
    host["networks"] = [*lo, *(busy.named(each.device) for each in interfaces)]
    host["interfaces"] = [
        *(
            ethernet.named(each.device).given(
                speed=Trend(each.speed), iface_id=Trend(number), iface_link=Trend(number)
            )
            for number, each in enumerate(interfaces, 2)
        ),
        _by_name(host["interfaces"], "lo"),
    ]
    broadcast = "ff:ff:ff:ff:ff:ff"
    host["network_info"] = [
        *(
            Row((each.device, each.address, broadcast, each.duplex, "", "up"), {})
            for each in interfaces
        ),
        _by_name(host["network_info"], "lo"),
    ]
    bridged = [each for each in interfaces if not each.device.startswith("veth")]
    entries = host["arp"][0].trends
    host["arp"] = [Row((each.device,), entries) for each in bridged]
    if not bridged:
        del host["arp"]


def _by_name(rows: Iterable[Row], name: str) -> Row:
    return next(row for row in rows if row.texts[0] == name)


def _put_machine(host: Sections, hardware: Hardware) -> None:
    """Add what a virtual machine lacks: DMI and the temperatures of cores and disks."""
    dmi = dict.fromkeys(Dmi.__struct_fields__, "Example")
    dmi |= {"bios_date": "01/02/2024", "bios_version": "2.4.1", "product_name": "Example Server R1"}
    host["dmi"] = [Row(tuple(dmi.values()), {})]
    cores = [
        ("platform_coretemp_0", f"temp{n}", f"Core {n - 2}")
        for n in range(2, hardware.cores // 2 + 2)
    ]
    disks = [
        (f"nvme_nvme{n}", "temp1", "Composite")
        for n, disk in enumerate(hardware.disks)
        if disk.device.startswith("nvme")
    ]
    degrees = {"celsius": Trend(41, spread=8), "max": Trend(82), "crit": Trend(100)}
    sensors = [("platform_coretemp_0", "temp1", "Package id 0"), *cores, *disks]
    host["temperatures"] = [Row(sensor[:2], degrees) for sensor in sensors]
    chips = dict.fromkeys(chip for chip, _, _ in sensors)
    host["sensor_chips"] = [Row((chip, chip.split("_")[-2]), {}) for chip in chips]
    host["sensor_labels"] = [Row(sensor, {}) for sensor in sensors]
    host["collectors"] = [
        row.given(success=Trend(1)) if row.texts[0] in {"dmi", "hwmon"} else row
        for row in host["collectors"]
    ]


#: Sizes that are the same whatever memory a host has.
_CONSTANT = {"Hugepagesize_bytes", "VmallocTotal_bytes"}


def _sized(section: str, row: Row, factor: float) -> Row:
    """Return a row of a host with other memory."""
    if section != "meminfo":
        return row
    return Row(
        row.texts,
        {
            name: trend if name in _CONSTANT else trend.times(factor)
            for name, trend in row.trends.items()
        },
    )


def _aged(section: str, row: Row, factor: float) -> Row:
    """Return a row with the counters of an older host."""
    if section == "meminfo":
        return row
    return Row(
        row.texts,
        {
            name: trend if name == "time" or is_gauge(section, name) else trend.times(factor)
            for name, trend in row.trends.items()
        },
    )
