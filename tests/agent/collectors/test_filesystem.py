"""The collector ``filesystem``."""

import errno
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources, Usages
from pombo_agent.collectors import filesystem
from pombo_agent.options import COLLECTORS
from pombo_wire.section import Section

ColumnOf = Callable[[list[Section], str, str], dict[str, Any]]


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
    assert filesystem.parse_mounts(File(MOUNTS.encode()), Path("/"))[1:4] == [
        filesystem.Mount("/", "/dev/sda1", "ext4", readonly=False, number="8:1"),
        filesystem.Mount("/mnt/My Disk\t\\x", "/dev/sdb1", "ntfs", readonly=True, number="8:17"),
        filesystem.Mount("/broken", "/dev/sdb2", "ext4", readonly=True, number="8:18"),
    ]


def test_in_a_container_only_mounts_of_the_host_are_read_with_their_own_flags() -> None:
    assert filesystem.parse_mounts(File(CONTAINER_MOUNTS.encode()), Path("/host"), own=True) == [
        filesystem.Mount("/", "/dev/sda1", "ext4", readonly=False, number="8:1"),
        filesystem.Mount("/data", "/dev/sda2", "xfs", readonly=False, number="8:2"),
        filesystem.Mount("/image", "/dev/loop1", "ext4", readonly=True, number="7:1"),
    ]


def test_mount_that_is_read_only_for_the_agent_alone_is_writable() -> None:
    own = "40 27 8:1 / / ro,nosuid - ext4 /dev/sda1 rw\n"
    (mount,) = filesystem.parse_mounts(File(own.encode()), Path("/"), own=True)
    assert not mount.readonly


def test_of_mounts_at_one_point_the_topmost_is_read() -> None:
    visible = filesystem.topmost(filesystem.parse_mounts(File(MOUNTS.encode()), Path("/")))
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
    (mount,) = filesystem.parse_mounts(File(line.encode()), Path("/host"))
    assert mount.mountpoint == shown


DRVFS = rb"""27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
99 1 0:99 / /Docker/host rw shared:7 master:2 propagate_from:3 unbindable - 9p drvfs rw,path=C:\Program Files\Docker - x;msize=262144
100 1 0:100 / /no/options ro - tmpfs tmpfs
101 1 0:101 / /caf\303\251\777 rw - ext4 /dev/sd\040b ro
"""  # noqa: E501  # as the kernel writes it


def test_options_with_spaces_and_optional_fields_are_read() -> None:
    file = File(DRVFS)
    assert filesystem.parse_mounts(file, Path("/")) == [
        filesystem.Mount("/", "/dev/sda1", "ext4", readonly=False, number="8:1"),
        filesystem.Mount("/Docker/host", "drvfs", "9p", readonly=False, number="0:99"),
        filesystem.Mount("/no/options", "tmpfs", "tmpfs", readonly=True, number="0:100"),
        filesystem.Mount(
            "/caf\N{LATIN SMALL LETTER E WITH ACUTE}\\777",
            "/dev/sd b",
            "ext4",
            readonly=True,
            number="0:101",
        ),
    ]
    assert file.skips.count == 0


def test_line_that_is_no_mount_costs_itself_alone() -> None:
    file = File(b"\n99 1 0:99 / /x rw\n27 1 8:1 / / rw - ext4 /dev/sda1 rw\n5 - ext4\n")
    (mount,) = filesystem.parse_mounts(file, Path("/"))
    assert mount.mountpoint == "/"
    assert file.skips.count == 2


def test_overfull_filesystem_has_nothing_available() -> None:
    assert filesystem.sizes(100, 2**64 - 3, 2**64 - 5, 4096, 10, 2**64 - 1) == {
        "size": 409600,
        "free": 0,
        "available": 0,
        "files": 10,
        "files_free": 0,
    }
    assert filesystem.sizes(100, 50, 101, 4096, 10, 20)["available"] is None
    assert filesystem.sizes(100, 50, 100, 4096, 10, 20)["available"] == 409600


def test_mount_without_sizes_is_a_row_with_an_error_and_local_ones_are_first(
    this_machine: Sources, tmp_path: Path, column_of: ColumnOf
) -> None:
    (tmp_path / "1").mkdir()
    text = (
        "27 1 0:1 / /nfs rw - nfs4 nas:/a rw\n"
        "28 1 8:1 / / ro - ext4 /dev/sda1 rw\n"
        "29 1 8:2 / /denied rw - ext4 /dev/sda2 rw\n"
        "30 1 8:3 / /data rw - xfs /dev/sda3 rw\n"
        "31 1 8:4 / /later rw - xfs /dev/sda4 rw\n"
    )
    (tmp_path / "1/mountinfo").write_text(text, encoding="ascii")
    called: list[str] = []

    def usages(paths: Iterable[str]) -> Usages:
        called.extend(paths)
        faults = {
            "/nfs": TimeoutError("statvfs has not returned"),
            "/denied": PermissionError(errno.EACCES, "Permission denied"),
        }
        return Usages({"/": {"size": 5}, "/data": {"size": 7}}, faults)

    sources = this_machine._replace(procfs=tmp_path, usages=usages)
    found = COLLECTORS["filesystem"].collect(sources)
    assert called == ["/", "/denied", "/data", "/later", "/nfs"]
    assert column_of(found, "filesystems", "size") == {
        "/nfs": None,
        "/": 5,
        "/denied": None,
        "/data": 7,
    }
    errors = {"/nfs": 1, "/": 0, "/denied": 1, "/data": 0}
    assert column_of(found, "filesystems", "device_error") == errors
    assert column_of(found, "filesystems", "readonly")["/"] == 1
    assert sources.skips.count == 2, "what is denied is no fault"
    assert [path for _, path in sources.skips.examples.values()] == ["/nfs", "/denied", "/later"]


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

    def usages(paths: Any) -> Usages:
        called.extend(paths)
        return Usages({path: {"size": 1} for path in called}, {})

    sources = this_machine._replace(procfs=procfs, rootfs=rootfs, usages=usages)
    assert list(column_of(COLLECTORS["filesystem"].collect(sources), "filesystems", "size")) == [
        "/",
        "/data",
    ]
    assert called == [str(rootfs), f"{rootfs}/data"]


def test_filesystems_are_those_of_df(this_machine: Sources, column_of: ColumnOf) -> None:
    columns = "target,fstype,size,itotal"
    command = ["df", "--all", "--block-size=1", f"--output={columns}"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    expected = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    parts = COLLECTORS["filesystem"].collect(this_machine)
    size, inodes = column_of(parts, "filesystems", "size"), column_of(parts, "filesystems", "files")
    assert size.keys() == expected.keys()
    assert "/" in size
    for mountpoint, (_fstype, total, itotal) in expected.items():
        assert size[mountpoint] == int(total.replace("-", "0")), mountpoint
        assert inodes[mountpoint] == int(itotal.replace("-", "0")), mountpoint


def test_mounts_that_respond_have_the_numbers_of_their_devices(
    this_machine: Sources, tmp_path: Path
) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1/mountinfo").write_text(MOUNTS, encoding="ascii")
    usages = Usages({"/": {"size": 1}, "/srv": {"size": 2}}, {"/broken": OSError(errno.EIO, "")})
    sources = this_machine._replace(procfs=tmp_path, usages=lambda _: usages)
    found = {section.name: section for section in filesystem.collect(sources)}
    info = found["node_filesystem_mount_info"]
    assert info.labels == {
        "device": ("/dev/sda1", "nas:/export"),
        "major": ("8", "0"),
        "minor": ("1", "41"),
        "mountpoint": ("/", "/srv"),
    }
    assert info.cells == (1, 1)


def test_mounts_are_read_where_there_is_no_mountinfo(this_machine: Sources, tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text(
        "/dev/sda1 / ext4 rw,errors=remount-ro 0 0\n/dev/sdb /a\\040b xfs ro,noatime 0 0\nbad\n",
        encoding="ascii",
    )
    usages = Usages({"/": {"size": 1}, "/a b": {"size": 2}}, {})
    sources = this_machine._replace(procfs=tmp_path, rootfs="/", usages=lambda _: usages)
    (found,) = filesystem.collect(sources)
    assert found.labels == {
        "mountpoint": ("/", "/a b"),
        "device": ("/dev/sda1", "/dev/sdb"),
        "fstype": ("ext4", "xfs"),
    }
    batched = [found.cells[at : at + 2] for at in (0, 2, 4)]
    assert dict(zip(found.values, batched, strict=True)) == {
        "size": [1, 2],
        "readonly": [0, 1],
        "device_error": [0, 0],
    }
