"""The collector ``bcachefs``."""

from pathlib import Path

import pytest
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import bcachefs
from support.fixtures import copy_fixture
from support.open_families import samples

UUID = "3d6bc1a0-58a1-4f5e-b2f7-90c1e5a7d842"

SAMPLES: dict[str, dict[tuple[str, ...], float]] = {
    "info": {(): 1},
    "btree_cache_size_bytes": {(): 512 * 2**20},
    "compression_compressed_bytes": {("lz4",): 12.5 * 2**30, ("zstd",): 1.25 * 2**20},
    "compression_uncompressed_bytes": {("lz4",): 30 * 2**30, ("zstd",): 2.5 * 2**20},
    "errors_total": {("btree_node_read_err",): 6, ("checksum_err",): 8},
    "btree_node_read_total": {(): 81234},
    "io_write_total": {(): 1.5 * 2**20},
    "btree_writes_total": {("initial",): 20177, ("cache_reclaim",): 632},
    "btree_write_average_size_bytes": {("initial",): 108 * 2**10, ("cache_reclaim",): 11776},
    "device_info": {("0", "ssd.ssd1", "rw"): 1, ("1", "hdd.hdd1", "ro"): 1},
    "device_bucket_size_bytes": {("0",): 2**20, ("1",): 2**18},
    "device_buckets": {("0",): 524288, ("1",): 262144},
    "device_durability": {("0",): 2, ("1",): 1},
    "device_io_done_bytes_total": {
        ("0", "read", "sb"): 4071424,
        ("0", "read", "journal"): 16384,
        ("0", "write", "sb"): 29360128,
        ("0", "write", "user"): 7712358400,
    },
    "device_io_errors_total": {("0", "read"): 163, ("0", "write"): 9},
}
HELPS = {
    "info": "Filesystem information.",
    "btree_cache_size_bytes": "Btree cache memory usage in bytes.",
    "compression_compressed_bytes": "Compressed size by algorithm.",
    "compression_uncompressed_bytes": "Uncompressed size by algorithm.",
    "errors_total": "Error count by error type.",
    "btree_writes_total": "Number of btree writes by type.",
    "btree_write_average_size_bytes": "Average btree write size by type.",
    "device_info": "Device information.",
    "device_bucket_size_bytes": "Bucket size in bytes.",
    "device_buckets": "Total number of buckets.",
    "device_durability": "Device durability setting.",
    "device_io_done_bytes_total": "IO bytes by operation type and data type.",
    "device_io_errors_total": "IO errors by error type.",
}
LABELS = {
    "compression_compressed_bytes": ["algorithm"],
    "compression_uncompressed_bytes": ["algorithm"],
    "errors_total": ["error_type"],
    "btree_writes_total": ["type"],
    "btree_write_average_size_bytes": ["type"],
    "device_info": ["device", "label", "state"],
    "device_bucket_size_bytes": ["device"],
    "device_buckets": ["device"],
    "device_durability": ["device"],
    "device_io_done_bytes_total": ["device", "operation", "data_type"],
    "device_io_errors_total": ["device", "type"],
}


def test_host_without_bcachefs_has_no_data(this_machine: Sources, tmp_path: Path) -> None:
    with pytest.raises(NoDataError):
        bcachefs.collect(this_machine._replace(sysfs=tmp_path))


def test_families_and_values(this_machine: Sources, tmp_path: Path) -> None:
    copy_fixture("bcachefs", tmp_path / "host")
    counters, *sections = bcachefs.collect(this_machine._replace(sysfs=tmp_path / "host/sys"))
    assert samples([counters, *sections]) == {
        f"node_bcachefs_{name}": {(UUID, *key): value for key, value in found.items()}
        for name, found in SAMPLES.items()
    }
    assert (counters.type, [*counters.labels]) == ("counter", ["uuid"])
    assert counters.help == (
        "Bcachefs counter btree_node_read since filesystem creation.",
        "Bcachefs counter io-write since filesystem creation.",
    )
    found = {section.name.removeprefix("node_bcachefs_"): section for section in sections}
    assert {name: section.help for name, section in found.items()} == HELPS
    for name, section in found.items():
        assert section.type == ("counter" if name.endswith("_total") else "gauge")
        assert [*section.labels] == ["uuid", *LABELS.get(name, [])]


@pytest.mark.parametrize(
    ("text", "value"), [(b"17\n", 17), (b" 1.5k", 1536), (b"2E", 2**61), (b"0.7", 0), (b"x", None)]
)
def test_size(text: bytes, value: float | None) -> None:
    assert bcachefs.size(File(b""), text) == value


def test_table_without_titles_has_its_first_line() -> None:
    assert [*bcachefs.parse_table(File(b"lz4 1k 2k\nzstd: 3 4\n"))] == [
        ("lz4", 1024, 2048),
        ("zstd", 3, 4),
    ]
