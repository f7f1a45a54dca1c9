"""What the kernel writes, read as pure text."""

import re
from pathlib import Path

import pytest
from pombo_agent.collectors import cpu, diskstats, filesystem, meminfo, netdev, system
from pombo_agent.options import FILTERS
from pombo_wire import Memory, Swap

STAT = """\
cpu  4408 0 2095 459605 285 0 54 99 7 3
cpu0 1352 0 830 230928 90 0 10 49 7 3
cpu3 3056 0 1265 228676 195 0 43 50 0 0
intr 161034 0 0
ctxt 291018
btime 1795490033
processes 2911
"""

OLD_STAT = """\
cpu  100 200 300 400
cpu0 100 200 300 400
"""


def test_offline_core_is_absent_and_the_others_keep_their_numbers() -> None:
    rows = cpu.parse_stat(STAT, 100)
    assert [row["cpu"] for row in rows] == ["0", "3"]


def test_ticks_become_seconds_in_every_mode() -> None:
    assert cpu.parse_stat(STAT, 100)[0] == {
        "cpu": "0",
        "user": 13.52,
        "nice": 0.0,
        "system": 8.3,
        "idle": 2309.28,
        "iowait": 0.9,
        "irq": 0.0,
        "softirq": 0.1,
        "steal": 0.49,
        "guest": 0.07,
        "guest_nice": 0.03,
    }


def test_mode_that_an_old_kernel_lacks_is_absent() -> None:
    (row,) = cpu.parse_stat(OLD_STAT, 1000)
    assert row == {"cpu": "0", "user": 0.1, "nice": 0.2, "system": 0.3, "idle": 0.4}


def test_mode_that_a_newer_kernel_adds_is_passed_over() -> None:
    (row,) = cpu.parse_stat("cpu0 1 2 3 4 5 6 7 8 9 10 11 12\n", 1)
    assert row["guest_nice"] == 10
    assert len(row) == 11


def test_boot_time_is_read_where_it_stands() -> None:
    assert system.parse_stat(STAT)["boot_time"] == 1795490033
    assert system.parse_stat(OLD_STAT) == {}


def test_load_is_the_first_three_numbers() -> None:
    loads = system.parse_loadavg("0.20 1.18 12.05 1/80 11206\n")
    assert loads == {"load1": 0.2, "load5": 1.18, "load15": 12.05}


MEMINFO = """\
MemTotal:       16384000 kB
MemFree:         8192000 kB
MemAvailable:   12288000 kB
Buffers:             804 kB
Cached:            36692 kB
SwapCached:            0 kB
Active:            11276 kB
Inactive:          22900 kB
SwapTotal:       2097152 kB
SwapFree:        1048576 kB
Shmem:              8872 kB
Slab:              84204 kB
SReclaimable:      62192 kB
HugePages_Total:      16
Hugepagesize:       2048 kB
"""


def test_kilobytes_become_bytes_and_counts_stay() -> None:
    sizes = meminfo.parse_meminfo(MEMINFO)
    assert sizes["MemTotal"] == 16384000 * 1024
    assert sizes["HugePages_Total"] == 16


def test_memory_is_what_the_kernel_says_and_used_is_what_is_not_available() -> None:
    sizes = meminfo.parse_meminfo(MEMINFO)
    (_, found), _ = meminfo.sections(sizes, {}, 4096)
    kb = 1024
    assert found == Memory(
        total=16384000 * kb,
        available=12288000 * kb,
        used=4096000 * kb,
        free=8192000 * kb,
        buffers=804 * kb,
        cached=36692 * kb,
        shared=8872 * kb,
        slab=84204 * kb,
        active=11276 * kb,
        inactive=22900 * kb,
    )


def test_memory_that_an_old_kernel_does_not_tell_is_unknown_and_not_zero() -> None:
    sizes = meminfo.parse_meminfo("MemTotal: 1000 kB\nMemFree: 400 kB\n")
    (_, found), (_, swap) = meminfo.sections(sizes, {}, 4096)
    assert found == Memory(total=1024000, free=409600)
    assert swap == Swap()


def test_swap_traffic_is_counted_in_pages_of_this_machine() -> None:
    events = meminfo.parse_vmstat("nr_free_pages 10\npswpin 3\npswpout 5\n")
    _, (_, swap) = meminfo.sections(meminfo.parse_meminfo(MEMINFO), events, 65536)
    assert swap == Swap(
        total=2097152 * 1024,
        used=1048576 * 1024,
        free=1048576 * 1024,
        swapped_in=3 * 65536,
        swapped_out=5 * 65536,
    )


DISKSTATS = """\
   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
 259       0 nvme0n1 28494 8417 1886754 6401 4592 14624 1417800 2463 1 3992 9170 3310 50 74184 284 493 20
   8      17 sdb1 8 16 24 32
   8      16 sdb 100 1 2000 30 400 5 6000 70 0 800 9000
"""  # noqa: E501  # as the kernel writes it


def test_sectors_become_bytes_and_milliseconds_seconds() -> None:
    row = next(row for row in diskstats.parse_diskstats(DISKSTATS) if row["device"] == "nvme0n1")
    assert row == {
        "device": "nvme0n1",
        "major": "259",
        "minor": "0",
        "reads": 28494,
        "writes": 4592,
        "read_bytes": 1886754 * 512,
        "written_bytes": 1417800 * 512,
        "read_seconds": 6.401,
        "write_seconds": 2.463,
        "reads_merged": 8417,
        "writes_merged": 14624,
        "io_now": 1,
        "io_seconds": 3.992,
        "io_weighted_seconds": 9.17,
        "discards": 3310,
        "discards_merged": 50,
        "discarded_sectors": 74184,
        "discard_seconds": 0.284,
        "flushes": 493,
        "flush_seconds": 0.02,
    }


def test_discards_and_flushes_that_an_old_kernel_does_not_count_are_absent() -> None:
    row = next(row for row in diskstats.parse_diskstats(DISKSTATS) if row["device"] == "sdb")
    assert row["io_weighted_seconds"] == 9.0
    assert not {"discards", "flushes"} & row.keys()


def test_disks_of_every_kernel_are_read_but_for_partitions_of_the_oldest() -> None:
    assert [row["device"] for row in diskstats.parse_diskstats(DISKSTATS)] == [
        "loop0",
        "nvme0n1",
        "sdb",
    ]


NET_DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
eth0:134427160 3462 1 2 3 4 5 6 240278 2636 7 8 9 10 11 12
"""  # noqa: E501  # as the kernel writes it


def test_interface_is_read_even_where_no_space_follows_its_name() -> None:
    rows = netdev.parse_net_dev(NET_DEV)
    assert list(rows) == ["lo", "eth0"]
    assert rows["eth0"] == {
        "device": "eth0",
        "receive_bytes": 134427160,
        "receive_packets": 3462,
        "receive_errors": 1,
        "receive_drops": 2,
        "receive_fifo": 3,
        "receive_frame": 4,
        "receive_compressed": 5,
        "receive_multicast": 6,
        "transmit_bytes": 240278,
        "transmit_packets": 2636,
        "transmit_errors": 7,
        "transmit_drops": 8,
        "transmit_fifo": 9,
        "transmit_collisions": 10,
        "transmit_carrier": 11,
        "transmit_compressed": 12,
    }


MOUNTS = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 8:1 / / rw,relatime shared:1 master:2 - ext4 /dev/sda1 rw,errors=remount-ro
31 27 8:17 / /mnt/My\040Disk\011\134x ro,nosuid shared:2 - ntfs /dev/sdb1 rw
32 27 8:18 / /broken rw - ext4 /dev/sdb2 ro
33 27 0:40 / /srv rw - autofs systemd-1 rw,fd=39
34 33 0:41 / /srv rw - nfs4 nas:/export rw,hard
"""

#: As a container sees them that has the host's root at /host, read-only.
CONTAINED = """601 501 0:50 / / ro,relatime - overlay overlay rw,lowerdir=/a:/b
602 601 0:51 / /proc rw,nosuid - proc proc rw
603 601 8:1 /var/lib/docker/containers/1/hosts /etc/hosts rw - ext4 /dev/sda1 rw
604 601 8:1 / /host ro,relatime - ext4 /dev/sda1 rw
605 604 8:2 / /host/data ro,relatime - xfs /dev/sda2 rw
606 604 7:1 / /host/image ro,relatime - ext4 /dev/loop1 ro
"""


def test_mounts_are_read_with_their_names_unescaped() -> None:
    assert filesystem.parse_mounts(MOUNTS, Path("/"))[1:4] == [
        filesystem.Mount("/", "/dev/sda1", "ext4", readonly=False),
        filesystem.Mount("/mnt/My Disk\t\\x", "/dev/sdb1", "ntfs", readonly=True),
        filesystem.Mount("/broken", "/dev/sdb2", "ext4", readonly=True),
    ]


def test_from_a_container_only_the_hosts_mounts_are_seen_and_as_the_host_has_them() -> None:
    assert filesystem.parse_mounts(CONTAINED, Path("/host"), own=True) == [
        filesystem.Mount("/", "/dev/sda1", "ext4", readonly=False),
        filesystem.Mount("/data", "/dev/sda2", "xfs", readonly=False),
        filesystem.Mount("/image", "/dev/loop1", "ext4", readonly=True),
    ]


def test_service_manager_that_makes_everything_read_only_for_the_agent_is_seen_through() -> None:
    own = "40 27 8:1 / / ro,nosuid - ext4 /dev/sda1 rw\n"
    (mount,) = filesystem.parse_mounts(own, Path("/"), own=True)
    assert not mount.readonly


def test_of_mounts_over_each_other_the_topmost_is_seen() -> None:
    seen = filesystem.topmost(filesystem.parse_mounts(MOUNTS, Path("/")))
    assert [mount.device for mount in seen if mount.mountpoint == "/srv"] == ["nas:/export"]


@pytest.mark.parametrize(
    ("mountpoint", "shown"),
    [
        ("/host", "/"),
        ("/host/", "/"),
        ("/host/data", "/data"),
        ("/hostile", "/hostile"),
        ("/data", "/data"),
        ("/", "/"),
    ],
)
def test_mount_point_is_shown_without_where_the_host_is_mounted(
    mountpoint: str, shown: str
) -> None:
    line = f"27 1 8:1 / {mountpoint} rw - ext4 /dev/sda1 rw\n"
    (mount,) = filesystem.parse_mounts(line, Path("/host"))
    assert mount.mountpoint == shown


@pytest.mark.parametrize(
    ("name", "kept", "left_out"),
    [
        (
            "filesystem.fs-types",
            "ext4 xfs btrfs tmpfs zfs nfs4 vfat ntfs fuse.sshfs cgroup3 ramfs",
            "proc sysfs cgroup cgroup2 overlay squashfs devtmpfs autofs nsfs erofs procfs",
        ),
        (
            "filesystem.mount-points",
            "/ /home /device /boot /run /var/lib/docker /mnt/dev /sysroot /processes",
            "/dev /dev/shm /proc /sys/fs/cgroup /var/lib/docker/overlay2/a /run/credentials/a",
        ),
        (
            "diskstats.device",
            "sda sdaa1 vda xvda nvme0n1 md0 dm-0 sr0 mmcblk0 mmcblk0p1 nbd0 zram0",
            "sda1 hdb2 vdc15 xvda1 nvme0n1p1 nvme10n2p13 loop0 ram15 fd0",
        ),
    ],
)
def test_what_is_no_device_is_left_out_unless_asked_for(
    name: str, kept: str, left_out: str
) -> None:
    pattern = FILTERS[name]
    assert pattern is not None
    exclude = re.compile(pattern)
    assert [found for found in kept.split() if exclude.search(found)] == []
    assert [found for found in left_out.split() if not exclude.search(found)] == []
