"""The collector ``diskstats``."""

from collections.abc import Callable
from pathlib import Path

from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import diskstats
from pombo_wire.section import Section

WriteFiles = Callable[[Path, dict[str, str]], Path]

DISKSTATS = """\
   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
 259       0 nvme0n1 28494 8417 1886754 6401 4592 14624 1417800 2463 1 3992 9170 3310 50 74184 284 493 20
   8      17 sdb1 8 16 24 32
   8      16 sdb 100 1 2000 30 400 5 6000 70 0 800 9000
"""  # noqa: E501  # as the kernel writes it


UDEV = """\
S:disk/by-id/ata-CT500_2117E5
E:ID_MODEL=CT500MX500SSD1
E:ID_SERIAL=CT500MX500SSD1_2117E5
E:ID_SERIAL_SHORT=2117E5
E:ID_REVISION=M3CR033
E:ID_PATH=pci-0000:00:17.0-ata-1
G:systemd
"""


def test_sectors_become_bytes_and_milliseconds_seconds() -> None:
    row = next(
        row
        for row in diskstats.parse_diskstats(File(DISKSTATS.encode()))
        if row["device"] == "nvme0n1"
    )
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
        "discard_seconds": 284 * 0.001,  # not 0.284, as in node_exporter
        "flushes": 493,
        "flush_seconds": 0.02,
    }


def test_discards_and_flushes_that_an_old_kernel_does_not_count_are_absent() -> None:
    row = next(
        row for row in diskstats.parse_diskstats(File(DISKSTATS.encode())) if row["device"] == "sdb"
    )
    assert row["io_weighted_seconds"] == 9.0
    assert not {"discards", "flushes"} & row.keys()


def test_lines_of_every_kernel_are_read_except_partitions_before_2_6_25() -> None:
    assert [row["device"] for row in diskstats.parse_diskstats(File(DISKSTATS.encode()))] == [
        "loop0",
        "nvme0n1",
        "sdb",
    ]


def test_disk_is_described_by_udev_with_its_short_serial_number() -> None:
    assert diskstats.disk_info(diskstats.parse_udev(File(UDEV.encode()))) == {
        "model": b"CT500MX500SSD1",
        "path": b"pci-0000:00:17.0-ata-1",
        "revision": b"M3CR033",
        "serial": b"2117E5",
        "wwn": b"",
    }
    assert set(diskstats.disk_info({}).values()) == {b""}


def test_property_without_a_value_is_none() -> None:
    file = File(b"E:ID_ATA\nE:ID_FS_TYPE=\nE:A=b=c\nW:ID_MODEL=x\n")
    assert diskstats.parse_udev(file) == {b"ID_FS_TYPE": b"", b"A": b"b=c"}


def families_of(sources: Sources) -> dict[str, Section]:
    return {section.name: section for section in diskstats.collect(sources)}


def test_device_mapper_has_its_names_and_the_devices_below(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    files = {
        "diskstats": "254 0 dm-0 1 2 3 4 5 6 7 8 9 10 11\n8 1 sda1 1 2 3 4 5 6 7 8 9 10 11\n",
        "udev/b254:0": "E:DM_NAME=vg-root\nE:DM_VG_NAME=vg\n",
        "block/dm-0/slaves/sda2": "",
        "block/dm-0/slaves/sdb1": "",
        "block/sda1/slaves/x": "",
    }
    folder = write_files(tmp_path, files)
    found = families_of(this_machine._replace(procfs=folder, sysfs=folder, udev=folder / "udev"))
    assert found["node_disk_device_mapper_info"].labels == {
        "device": ("dm-0",),
        "name": ("vg-root",),
        "uuid": ("",),
        "vg_name": ("vg",),
        "lv_name": ("",),
        "lv_layer": ("",),
    }
    below = found["node_disk_device_mapper_backing_device_info"]
    assert below.labels == {"device": ("dm-0", "dm-0"), "backing_device": ("sda2", "sdb1")}
    assert below.cells == (1, 1)


def test_only_ata_disks_have_ata_families_and_a_bad_value_costs_itself(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    counts = "1 2 3 4 5 6 7 8 9 10 11\n"
    files = {
        "diskstats": f"8 0 sda {counts}8 16 sdb {counts}8 32 sdc {counts}",
        "udev/b8:0": "E:ID_ATA=1\nE:ID_ATA_WRITE_CACHE=1\nE:ID_ATA_ROTATION_RATE_RPM=fast\n",
        "udev/b8:16": "E:ID_ATA_WRITE_CACHE=1\n",
    }
    folder = write_files(tmp_path, files)
    found = families_of(this_machine._replace(procfs=folder, udev=folder / "udev"))
    assert found["node_disk_ata_*"] == Section(
        "node_disk_ata_*",
        {"device": ("sda",)},
        ("write_cache",),
        [1],
        type="gauge",
        help=("ATA disk has a write cache.",),
    )
    assert this_machine.skips.count == 1
    assert "node_disk_filesystem_info" not in found
