"""Write the preset dictionary of packed datagrams, or the text of which one is made.

Usage: ``python docs/generate/dictionary.py text > docs/generate/dictionaries/NUMBER.txt``
and ``python docs/generate/dictionary.py NUMBER > wire/pombo_wire/dictionaries/NUMBER.bin``

The text has the words of today's schema and typical layouts. A released dictionary never changes,
so a text is written once, for the next number; it does not follow the schema.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from pombo_wire.columns import MAPS, ORDER, SECTIONS
from pombo_wire.section import Section

TEXTS = Path(__file__).parent / "dictionaries"

_CORES = tuple(map(str, range(8)))
_DISKS = ("vda", "vdb")
_NETWORKS = ("lo", "eth0", "docker0", "veth0")
_INTERFACES = tuple(sorted(_NETWORKS))
_NOTHING = ("",) * 4

#: The texts of the rows of a virtual machine with two cores, by section and column.
_ROWS: dict[str, dict[str, tuple[str, ...]]] = {
    "info": {
        "agent": ("pombo-agent 0.1.0",),
        "system": ("Linux",),
        "release": ("6.1.0-18-amd64",),
        "machine": ("x86_64",),
    },
    "cpu": {"cpu": _CORES},
    "disks": {"device": _DISKS},
    "networks": {"device": _NETWORKS},
    "filesystems": {
        "mountpoint": ("/", "/boot/efi"),
        "device": ("/dev/vda1", "/dev/vda15"),
        "fstype": ("ext4", "vfat"),
    },
    "disk_info": {
        "device": _DISKS,
        "major": ("254", "254"),
        "minor": ("0", "16"),
        **dict.fromkeys(("model", "path", "revision", "serial", "wwn"), ("", "")),
    },
    "network_info": {
        "device": _INTERFACES,
        "address": (
            "02:42:ac:11:00:01",
            "52:54:00:12:34:56",
            "00:00:00:00:00:00",
            "00:16:3e:5e:6c:00",
        ),
        "broadcast": (*("ff:ff:ff:ff:ff:ff",) * 2, "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"),
        "duplex": ("unknown", "unknown", "", "full"),
        "ifalias": _NOTHING,
        "operstate": ("down", "up", "unknown", "up"),
    },
    "interfaces": {"device": _INTERFACES},
    "arp": {"device": ("eth0",)},
    "softnet": {"cpu": _CORES[:2]},
    "udp_queues": {"queue": ("tx", "rx", "tx", "rx"), "ip": ("v4", "v4", "v6", "v6")},
    "time_zone": {"time_zone": ("UTC",)},
    "clock_sources": {
        "device": ("0", "0", "0"),
        "clocksource": ("kvm-clock", "tsc", "acpi_pm"),
    },
    "collectors": {
        "collector": (
            *("arp", "bcache", "bonding", "btrfs", "conntrack", "containers", "cpu", "cpufreq"),
            *("diskstats", "dmi", "dmmultipath", "edac", "entropy", "fibrechannel", "filefd"),
            *("hwmon", "infiniband", "ipvs", "kernel_hung", "loadavg", "mdadm", "meminfo"),
            *("netclass", "netdev", "netstat", "nfs", "nfsd", "nvme", "os", "powersupplyclass"),
            *("pressure", "rapl", "schedstat", "selinux", "sockstat", "softnet", "stat"),
            *("tapestats", "thermal_zone", "time", "timex", "top-processes", "udp_queues"),
            *("uname", "vmstat", "watchdog", "xfs", "zfs", "filesystem", "textfile"),
        ),
    },
    "containers": {
        "id": ("/system.slice/cron.service",),
        "name": ("cron.service",),
        "runtime": ("systemd",),
    },
    "container_disks": {
        "id": ("/system.slice/docker-.scope",),
        "device": ("/dev/vda",),
        "name": ("",),
        "runtime": ("docker",),
    },
    "build": {
        "version": ("0.1.0",),
        "pythonversion": ("3.11.2",),
        "os": ("linux",),
        "arch": ("x86_64",),
    },
    "uname": {
        "sysname": ("Linux",),
        "release": ("6.1.0-18-amd64",),
        "version": ("#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)",),
        "machine": ("x86_64",),
        "nodename": ("",),
        "domainname": ("(none)",),
    },
    "os": {
        "id": ("debian",),
        "name": ("Debian GNU/Linux",),
        "pretty_name": ("Debian GNU/Linux 12 (bookworm)",),
        "version": ("12 (bookworm)",),
        "version_codename": ("bookworm",),
        "version_id": ("12",),
    },
    "dmi": {
        "bios_vendor": ("SeaBIOS",),
        "chassis_vendor": ("QEMU",),
        "product_name": ("Standard PC (Q35 + ICH9, 2009)",),
        "system_vendor": ("QEMU",),
    },
}

#: Open families of many machines, with their labels.
_OPEN = (
    Section(
        "node_filesystem_mount_info",
        {
            "device": ("/dev/vda1", "/dev/vda15"),
            "major": ("254", "254"),
            "minor": ("1", "15"),
            "mountpoint": ("/", "/boot/efi"),
        },
        (),
        (),
        type="gauge",
        help="Filesystem mount information.",
    ),
    Section(
        "node_kernel_hung_tasks_total",
        {},
        (),
        (),
        type="counter",
        help="Total number of tasks that have been detected as hung since the system booted.",
    ),
    Section(
        "node_os_version",
        {"id": ("debian",), "id_like": ("",), "name": ("Debian GNU/Linux",)},
        (),
        (),
        type="gauge",
        help="Metric containing the major.minor part of the OS version.",
    ),
)

#: The names that Linux gives to values.
_NAMES: dict[str, str] = {
    "meminfo": """
        MemTotal_bytes MemFree_bytes MemAvailable_bytes Buffers_bytes Cached_bytes SwapCached_bytes
        Active_bytes Inactive_bytes Active_anon_bytes Inactive_anon_bytes Active_file_bytes
        Inactive_file_bytes Unevictable_bytes Mlocked_bytes SwapTotal_bytes SwapFree_bytes
        Zswap_bytes Zswapped_bytes Dirty_bytes Writeback_bytes AnonPages_bytes Mapped_bytes
        Shmem_bytes KReclaimable_bytes Slab_bytes SReclaimable_bytes SUnreclaim_bytes
        KernelStack_bytes PageTables_bytes SecPageTables_bytes NFS_Unstable_bytes Bounce_bytes
        WritebackTmp_bytes CommitLimit_bytes Committed_AS_bytes VmallocTotal_bytes
        VmallocUsed_bytes VmallocChunk_bytes Percpu_bytes HardwareCorrupted_bytes
        AnonHugePages_bytes ShmemHugePages_bytes ShmemPmdMapped_bytes FileHugePages_bytes
        FilePmdMapped_bytes CmaTotal_bytes CmaFree_bytes Unaccepted_bytes Balloon_bytes
        HugePages_Total HugePages_Free HugePages_Rsvd HugePages_Surp Hugepagesize_bytes
        Hugetlb_bytes DirectMap4k_bytes DirectMap2M_bytes DirectMap1G_bytes
    """,
    "vmstat": "pgpgin pgpgout pswpin pswpout pgfault pgmajfault oom_kill",
    "netstat": """
        Ip_Forwarding Icmp_InMsgs Icmp_InErrors Icmp_OutMsgs Tcp_ActiveOpens Tcp_PassiveOpens
        Tcp_CurrEstab Tcp_InSegs Tcp_OutSegs Tcp_RetransSegs Tcp_InErrs Tcp_OutRsts Udp_InDatagrams
        Udp_NoPorts Udp_InErrors Udp_OutDatagrams Udp_RcvbufErrors Udp_SndbufErrors
        UdpLite_InErrors TcpExt_SyncookiesSent TcpExt_SyncookiesRecv TcpExt_SyncookiesFailed
        TcpExt_ListenOverflows TcpExt_ListenDrops TcpExt_TCPTimeouts TcpExt_TCPOFOQueue
        TcpExt_TCPSynRetrans TcpExt_TCPRcvQDrop IpExt_InOctets IpExt_OutOctets Ip6_InOctets
        Ip6_OutOctets Icmp6_InMsgs Icmp6_InErrors Icmp6_OutMsgs Udp6_InDatagrams Udp6_NoPorts
        Udp6_InErrors Udp6_OutDatagrams Udp6_RcvbufErrors Udp6_SndbufErrors UdpLite6_InErrors
    """,
    "sockstat": """
        sockets_used TCP_inuse TCP_orphan TCP_tw TCP_alloc TCP_mem TCP_mem_bytes UDP_inuse UDP_mem
        UDP_mem_bytes UDPLITE_inuse RAW_inuse FRAG_inuse FRAG_memory TCP6_inuse UDP6_inuse
        UDPLITE6_inuse RAW6_inuse FRAG6_inuse FRAG6_memory
    """,
    "conntrack": """
        entries entries_limit stat_found stat_invalid stat_ignore stat_insert stat_insert_failed
        stat_drop stat_early_drop stat_search_restart
    """,
}

#: Texts that other machines have.
_OTHERS = (
    '"type":"counter","help":"',
    '"*":{"type":"gauge","values":["',
    '"labels":{"',
    '"],"absent":[',
    '["/","/boot","/home","/run","/run/lock","/srv","/tmp","/var","/var/log"]',
    '["/dev/sda1","/dev/sda2","/dev/nvme0n1p1","/dev/nvme0n1p2","/dev/mapper/vg0-root","tmpfs"]',
    '["xfs","btrfs","ext4","zfs","nfs4","tmpfs","tmpfs"]',
    '["sda","sdb","nvme0n1","nvme1n1","dm-0","dm-1","md0","sr0","mmcblk0","zram0"]',
    '["br-","docker0","enp0s3","ens3","eth0","eth1","lo","tailscale0","veth","virbr0","wg0","wlan0"]',
    '["8","8","259","252","253","9","11"],"minor":["0","16","1","2"]',
    '["tsc","hpet","acpi_pm"]["hyperv_clocksource_tsc_page"]["xen"]["arch_sys_counter"]',
    '"Ubuntu"],"pretty_name":["Ubuntu 24.04 LTS"],"version":["24.04 LTS (Noble Numbat)"]',
    '{"processes":{"pid":["1"],"name":["systemd","kworker/","python3"],"user":["root"],',
    '"command":[""],"start_time":[17],"cpu":[0.0],"memory":[10]}}',
    # Services, as many systems have them.
    "apache2containerd.docker.exim4fail2ban.getty@tty1.smartmontools.user@1000.NetworkManager.",
    "apparmor.chrony.cron.dbus.nginx.polkit.postgresql@15-main.postfix.qemu-guest-agent.rsyslog.",
    r"ssh.system-getty.slice/system-serial\\x2dgetty.slice/serial-getty@ttyS0.systemd-journald.",
    "systemd-logind.systemd-networkd.systemd-resolved.systemd-timesyncd.systemd-udevd.",
    'unattended-upgrades.service","/user.slice/user-1000.slice/',
    '"aarch64""armv7l""Intel""AMD""Dell Inc.""Google""Amazon EC2""Hetzner""VMware, Inc."',
)

_NUMBERS = (
    "[0,0,0,0,0,0,0,0,1,1,1,1,1,1,0,1,1,1,1,1,0.0001,0.0002,35184372087808,2097152,65536,1500,"
)

_HEADER = (
    '{"host":"","session":18,"seq":,"time":18,"monotonic":1,"interval":5.0,"part":1,"parts":2,'
    '"plan":1}'
    '{"host":"","session":17,"seq":1,"time":17,"monotonic":1,"interval":5.0,"parts":1}'
)


def _members() -> Iterator[str]:
    for name in ORDER:
        if name in MAPS:
            yield Section(name, {}, tuple(_NAMES[name].split()), ()).layout
        elif name in SECTIONS:
            columns = SECTIONS[name]
            rows = _ROWS.get(name, {})
            empty = ("",) * len(next(iter(rows.values()), " "))
            labels = {label: rows.get(label, empty) for label in columns.labels}
            yield Section(name, labels, columns.values, ()).layout


def text() -> str:
    """Return the text of a dictionary: what a datagram begins with comes last."""
    seldom = (
        *("memory", "swap", "temperatures", "fans", "thermal_zones", "cooling_devices"),
        *("sensor_chips", "sensor_labels", "dmi", "containers", "container_disks", "textfiles"),
    )
    members = [*_members(), *(section.layout for section in _OPEN)]
    often = [each for each in members if not each.startswith(tuple(f'"{n}":' for n in seldom))]
    rest = [each for each in members if each not in often]
    joined = [f"{each}," for each in (*rest, *often)]
    return "\n".join([*_OTHERS, *joined, _NUMBERS, _HEADER, ""])


def dictionary(number: str) -> bytes:
    """Return the dictionary that is made of the text of this number: its lines, joined."""
    lines = (TEXTS / f"{number}.txt").read_text(encoding="utf-8").splitlines()
    return "".join(lines).encode() + b"\n{"


if __name__ == "__main__":
    [what] = sys.argv[1:]
    sys.stdout.buffer.write(text().encode() if what == "text" else dictionary(what))
