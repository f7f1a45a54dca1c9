"""The collector ``btrfs``."""

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import btrfs
from pombo_wire.section import Section
from support.open_families import samples

WriteFiles = Callable[[Path, dict[str, str]], Path]

UUID = "91f3a7c2-0b64-4a1d-9c58-7e20d3b6f415"


@pytest.fixture
def sources(this_machine: Sources, tmp_path: Path) -> Sources:
    return this_machine._replace(sysfs=tmp_path, procfs=tmp_path / "proc")


def test_commits_of_newer_kernels(
    sources: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    with pytest.raises(NoDataError):
        btrfs.collect(sources)
    text = "commits 104377\nlast_commit_ms 1250\nmax_commit_ms 2310\ntotal_commit_ms 9120485\n"
    files = {f"{UUID}/commit_stats": text, f"{UUID}/label": "\n", "features/raid56": "0\n"}
    write_files(tmp_path / "fs/btrfs", files)
    labels = {"uuid": (UUID,)}
    assert btrfs.collect(sources) == [
        Section(
            "node_btrfs_info",
            {"uuid": (UUID,), "label": ("",)},
            (),
            (1,),
            type="gauge",
            help="Filesystem information",
        ),
        Section(
            "node_btrfs_*_total",
            labels,
            ("commits", "commit_seconds"),
            [104377, 9120.485],
            type="counter",
            help=(
                "The total number of commits that have occurred.",
                "Sum of the duration of all commits, in seconds.",
            ),
        ),
        Section(
            "node_btrfs_*_seconds",
            labels,
            ("last_commit", "max_commit"),
            [1.25, 2.31],
            type="gauge",
            help=(
                "Duration of the most recent commit, in seconds.",
                "Duration of the slowest commit, in seconds.",
            ),
        ),
    ]


def test_ratios_of_modes(sources: Sources, tmp_path: Path, write_files: WriteFiles) -> None:
    modes = {"raid5": 4 / 3, "raid6": 2, "raid10": 2, "raid1c4": 0, "single": 1}
    files = {f"devices/sd{name}/size": "8\n" for name in "abcd"}
    files |= {f"allocation/data/{mode}/used_bytes": "7\n" for mode in modes}
    files |= {"allocation/data/flags": "1\n", "allocation/data/bytes_reserved": "N/A\n"}
    write_files(tmp_path / "fs/btrfs" / UUID, files)
    found = samples(btrfs.collect(sources))
    ratios = {(UUID, "data", mode): ratio for mode, ratio in modes.items()}
    assert found["node_btrfs_allocation_ratio"] == ratios
    assert found["node_btrfs_used_bytes"] == dict.fromkeys(ratios, 7)
    assert found["node_btrfs_device_size_bytes"][UUID, "sda"] == 4096
    assert "node_btrfs_reserved_bytes" not in found


def test_parity_of_too_few_devices_has_no_ratio(
    sources: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    files = {"devices/sda/size": "8\n", "allocation/data/raid5/used_bytes": "7\n"}
    write_files(tmp_path / "fs/btrfs" / UUID, files)
    found = samples(btrfs.collect(sources))
    assert found["node_btrfs_used_bytes"] == {(UUID, "data", "raid5"): 7}
    assert "node_btrfs_allocation_ratio" not in found


def answer(_directory: int, request: int, structure: bytearray) -> None:
    """Answer as the kernel does for a filesystem whose devices are 1 and 3."""
    if request == 0x8400941F:
        structure[:] = struct.pack("=QQ16s", 3, 2, bytes.fromhex(UUID.replace("-", ""))).ljust(1024)
        return
    (device,) = struct.unpack_from("=Q", structure)
    if device not in {1, 3}:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    if request == 0xD000941E:
        found = struct.pack("=Q16sQQ", device, bytes([device] * 16), 300 * device, 1000 * device)
        structure[:] = found.ljust(3072, b"\0") + f"/dev/sd{device}".encode().ljust(1024, b"\0")
    else:
        assert request == 0xC4089434
        assert struct.unpack_from("=QQQ", structure) == (device, 5, 0)
        values = [10 * device + at for at in range(5)]
        structure[:] = struct.pack("=8Q", device, 5, 0, *values).ljust(1032, b"\0")


def test_devices_of_a_mounted_filesystem_have_errors(
    sources: Sources, tmp_path: Path, write_files: WriteFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{UUID}/devices/sdz/size": "8\n", "1-2/devices/sdy/size": "8\n"}
    write_files(tmp_path / "fs/btrfs", files)
    write_files(
        tmp_path / "1",
        {"mounts": "/dev/sd1 /missing btrfs rw\n/dev/sd1 /my\\040data btrfs rw\nproc / proc rw\n"},
    )
    (tmp_path / "my data").mkdir()
    sources = sources._replace(procfs=tmp_path, rootfs=tmp_path)
    monkeypatch.setattr("fcntl.ioctl", answer)
    found = samples(btrfs.collect(sources))
    first = (UUID, "sd1", "01010101-0101-0101-0101-010101010101")
    second = (UUID, "sd3", "03030303-0303-0303-0303-030303030303")
    sizes = {first: 1000, second: 3000, ("1-2", "sdy", ""): 4096}
    assert found["node_btrfs_device_size_bytes"] == sizes
    assert found["node_btrfs_device_unused_bytes"] == {first: 700, second: 2100}
    kinds = ("write", "read", "flush", "corruption", "generation")
    assert found["node_btrfs_device_errors_total"] == {
        (*key, kind): 10 * number + at
        for number, key in ((1, first), (3, second))
        for at, kind in enumerate(kinds)
    }


def test_directory_of_another_filesystem_has_no_devices(
    sources: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    write_files(tmp_path, {f"fs/btrfs/{UUID}/devices/sdz/size": "8\n", "1/mounts": "a / btrfs\n"})
    found = samples(btrfs.collect(sources._replace(procfs=tmp_path, rootfs="/proc")))
    assert found["node_btrfs_device_size_bytes"] == {(UUID, "sdz"): 4096}
    assert sources.skips.count == 0
