"""The collector ``diskstats``."""

from pombo_agent.collecting.reading import File
from pombo_agent.collectors import diskstats

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
        "discard_seconds": 0.284,
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


def test_disk_is_described_by_udev_with_the_serial_number_on_its_label() -> None:
    assert diskstats.parse_udev(File(UDEV.encode())) == {
        "model": "CT500MX500SSD1",
        "path": "pci-0000:00:17.0-ata-1",
        "revision": "M3CR033",
        "serial": "2117E5",
        "wwn": "",
    }
    assert diskstats.parse_udev(File(b"E:ID_SERIAL=virtio-1\n"))["serial"] == "virtio-1"
    assert set(diskstats.parse_udev(File(b"")).values()) == {""}
