"""The collector ``dmmultipath``."""

from pathlib import Path

import pytest
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import dmmultipath
from pombo_wire.section import Section
from support.fixtures import copy_fixture

A, B = "mpath-360014059a7c41d2e8b34f0c1", "mpath-360014058e2b90f71d64ac5a3"


def test_host_without_block_devices_has_no_data(this_machine: Sources, tmp_path: Path) -> None:
    sources = this_machine._replace(sysfs=tmp_path)
    with pytest.raises(NoDataError):
        dmmultipath.collect(sources)
    (tmp_path / "block/sda").mkdir(parents=True)
    assert dmmultipath.collect(sources) == []


def test_devices_and_their_paths(this_machine: Sources, tmp_path: Path) -> None:
    copy_fixture("dmmultipath", tmp_path / "host")
    labels = {"device": ("mpatha", "mpathb"), "sysfs_name": ("dm-2", "dm-3")}
    assert dmmultipath.collect(this_machine._replace(sysfs=tmp_path / "host/sys")) == [
        Section(
            "node_dmmultipath_device_info",
            {**labels, "uuid": (A, B)},
            (),
            (1, 1),
            type="gauge",
            help="Non-numeric information about a DM-multipath device.",
        ),
        Section(
            "node_dmmultipath_device_*",
            labels,
            ("active", "size_bytes", "paths", "paths_active", "paths_failed"),
            [1, 0, 107374182400, 214748364800, 2, 2, 1, 1, 1, 1],
            type="gauge",
            help=(
                "Whether the multipath device-mapper device is active (1) or suspended (0).",
                "Size of the multipath device in bytes, read from /sys/block/<dm>/size.",
                "Number of paths for a multipath device.",
                (
                    "Number of paths in active state (SCSI running or NVMe live) for a "
                    "multipath device."
                ),
                "Number of paths not in active state for a multipath device.",
            ),
        ),
        Section(
            "node_dmmultipath_path_state",
            {
                "device": ("mpatha", "mpatha", "mpathb", "mpathb"),
                "path": ("sda", "sdb", "nvme1n1", "sdc"),
                "state": ("running", "offline", "live", "blocked"),
            },
            (),
            (1, 1, 1, 1),
            type="gauge",
            help="Reports the underlying device state for a multipath path, as read from "
            "/sys/block/<dev>/device/state.",
        ),
    ]
