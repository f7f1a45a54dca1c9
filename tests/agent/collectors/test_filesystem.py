"""The collector ``filesystem``."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pombo_agent.collectors import COLLECTORS, Sources, filesystem
from pombo_wire import Part

ColumnOf = Callable[[list[Part], str, str], dict[str, float]]


MOUNTS = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 8:1 / / rw,relatime shared:1 master:2 - ext4 /dev/sda1 rw,errors=remount-ro
31 27 8:17 / /mnt/My\040Disk\011\134x ro,nosuid shared:2 - ntfs /dev/sdb1 rw
32 27 8:18 / /broken rw - ext4 /dev/sdb2 ro
33 27 0:40 / /srv rw - autofs systemd-1 rw,fd=39
34 33 0:41 / /srv rw - nfs4 nas:/export rw,hard
"""


#: As a container sees them that has the host's root at /host, read-only.
CONTAINER_MOUNTS = """601 501 0:50 / / ro,relatime - overlay overlay rw,lowerdir=/a:/b
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


def test_in_a_container_only_mounts_of_the_host_are_read_with_their_own_flags() -> None:
    assert filesystem.parse_mounts(CONTAINER_MOUNTS, Path("/host"), own=True) == [
        filesystem.Mount("/", "/dev/sda1", "ext4", readonly=False),
        filesystem.Mount("/data", "/dev/sda2", "xfs", readonly=False),
        filesystem.Mount("/image", "/dev/loop1", "ext4", readonly=True),
    ]


def test_mount_that_is_read_only_for_the_agent_alone_is_writable() -> None:
    own = "40 27 8:1 / / ro,nosuid - ext4 /dev/sda1 rw\n"
    (mount,) = filesystem.parse_mounts(own, Path("/"), own=True)
    assert not mount.readonly


def test_of_mounts_at_one_point_the_topmost_is_read() -> None:
    visible = filesystem.topmost(filesystem.parse_mounts(MOUNTS, Path("/")))
    assert [mount.device for mount in visible if mount.mountpoint == "/srv"] == ["nas:/export"]


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
def test_prefix_of_the_hosts_root_is_removed_from_mount_points(mountpoint: str, shown: str) -> None:
    line = f"27 1 8:1 / {mountpoint} rw - ext4 /dev/sda1 rw\n"
    (mount,) = filesystem.parse_mounts(line, Path("/host"))
    assert mount.mountpoint == shown


def test_container_reads_the_mounts_below_its_proc_and_root_flags(
    this_machine: Sources, tmp_path: Path, column_of: ColumnOf
) -> None:
    procfs, rootfs = tmp_path / "proc", tmp_path / "root"
    (procfs / "1").mkdir(parents=True)
    (rootfs / "data").mkdir(parents=True)
    text = (
        "27 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "28 27 8:17 / /data ro - xfs /dev/sdb1 rw\n"
        f"29 27 8:33 / {rootfs}/data rw - xfs /dev/sdc1 rw\n"
    )
    (procfs / "1/mountinfo").write_text(text, encoding="ascii")
    called = []

    def usages(paths: Any) -> dict[str, dict[str, float | None]]:
        called.extend(paths)
        return {path: {"size": 1} for path in called}

    sources = this_machine._replace(procfs=procfs, rootfs=rootfs, usages=usages)
    assert list(column_of(COLLECTORS["filesystem"](sources), "filesystems", "size")) == [
        "/",
        "/data",
    ]
    assert called == [str(rootfs), f"{rootfs}/data"]


def test_filesystems_are_those_of_df(this_machine: Sources, column_of: ColumnOf) -> None:
    columns = "target,fstype,size,itotal"
    command = ["df", "--all", "--block-size=1", f"--output={columns}"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    expected = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    parts = COLLECTORS["filesystem"](this_machine)
    size, inodes = column_of(parts, "filesystems", "size"), column_of(parts, "filesystems", "files")
    assert size.keys() == expected.keys()
    assert "/" in size
    for mountpoint, (_fstype, total, itotal) in expected.items():
        assert size[mountpoint] == int(total.replace("-", "0")), mountpoint
        assert inodes[mountpoint] == int(itotal.replace("-", "0")), mountpoint
