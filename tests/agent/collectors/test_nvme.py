"""The collector ``nvme``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import nvme
from pombo_wire.section import Section

WriteFiles = Callable[[Path, dict[str, str]], Path]


def test_namespaces_of_controllers(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    sources = this_machine._replace(sysfs=tmp_path)
    with pytest.raises(NoDataError):
        nvme.collect(sources)
    files = {
        "serial": "S7KHNJ0X312045P     \n",
        "nvme0c0n1/size": "1000\n",
        "nvme0c0n1/nuse": "250\n",
        "nvme0c0n1/queue/logical_block_size": "4096\n",
        "nvme0c0n1/ana_state": "optimized\n",
        "nvme0c0n12/size": "N/A\n",
        "nvme0c0n12/queue/logical_block_size": "512\n",
        "hwmon1/name": "nvme\n",
    }
    write_files(tmp_path / "class/nvme/nvme0", files)
    (tmp_path / "class/nvme/nvme0/model").mkdir()
    info, states, sizes = nvme.collect(sources)
    labels = {
        "device": ("nvme0",),
        "firmware_revision": ("",),
        "model": ("",),
        "serial": ("S7KHNJ0X312045P",),
        "state": ("",),
    }
    text = "Non-numeric data from /sys/class/nvme/<device>, value is always 1."
    assert info == Section("node_nvme_info", labels, (), (1,), type="gauge", help=text)
    of_namespaces = {"device": ("nvme0", "nvme0"), "nsid": ("1", "12")}
    assert states == Section(
        "node_nvme_namespace_info",
        {**of_namespaces, "ana_state": ("optimized", "unknown")},
        (),
        (1, 1),
        type="gauge",
        help="Information about NVMe namespaces. Value is always 1",
    )
    computed = "Computed as namespace_size * namespace_logical_block_size"
    block = "queue/logical_block_size"
    where = "Available in /sys/class/nvme/<device>/<namespace>"
    assert sizes == Section(
        "node_nvme_namespace_*_bytes",
        of_namespaces,
        ("capacity", "size", "used", "logical_block_size"),
        [4096000, None, 4096000, None, 1024000, None, 4096, 512],
        type="gauge",
        help=(
            f"Capacity of the NVMe namespace in bytes. {computed}",
            f"Size of the NVMe namespace in bytes. {where}/size",
            f"Used space of the NVMe namespace in bytes. {where}/nuse",
            f"Logical block size of the NVMe namespace in bytes. Usually 4Kb. {where}/{block}",
        ),
    )
    assert sources.skips.count == 2  # the model, and a size
