"""The collector ``pcidevice``, which node_exporter 1.5 does not have."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.reading import Skips
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import pcidevice
from pombo_wire.section import Section
from support.fixtures import copy_fixture
from support.open_families import samples

WriteFiles = Callable[[Path, dict[str, str]], Path]

PLACES = {
    "segment": ("0000", "0000"),
    "bus": ("00", "01"),
    "device": ("02", "00"),
    "function": ("1", "0"),
}
COLUMNS: dict[str, tuple[list[float | None], str]] = {
    "max_link_transfers_per_second": (
        [8e9, 16e9],
        "Value of maximum link's transfers per second (T/s)",
    ),
    "max_link_width": ([8, 4], "Value of maximum link's width (number of lanes)"),
    "current_link_transfers_per_second": (
        [2.5e9, 5e9],
        "Value of current link's transfers per second (T/s)",
    ),
    "current_link_width": ([4, 2], "Value of current link's width (number of lanes)"),
    "d3cold_allowed": ([1, 1], "Whether the PCIe device supports D3cold power state (0/1)."),
    "sriov_drivers_autoprobe": (
        [0, 1],
        "Whether SR-IOV drivers autoprobe is enabled for the device (0/1).",
    ),
    "sriov_numvfs": ([0, 5], "Number of Virtual Functions (VFs) currently enabled for SR-IOV."),
    "sriov_totalvfs": (
        [0, 16],
        "Total number of Virtual Functions (VFs) supported by the device.",
    ),
    "sriov_vf_total_msix": ([0, 9], "Total number of MSI-X vectors for Virtual Functions."),
    "numa_node": (
        [None, 1],
        "NUMA node number for the PCI device. -1 indicates unknown or not available.",
    ),
}
STATES = ("D0", "D1", "D2", "D3hot", "D3cold", "unknown", "error")
TEXTS = {
    "parent_segment": ("*", "0000"),
    "parent_bus": ("*", "00"),
    "parent_device": ("*", "02"),
    "parent_function": ("*", "1"),
    "class_id": ("0x060400", "0x010802"),
    "vendor_id": ("0x1022", "0xc0a9"),
    "device_id": ("0x1634", "0x540a"),
    "subsystem_vendor_id": ("0x17aa", "0xc0a9"),
    "subsystem_device_id": ("0x5095", "0x5021"),
    "revision": ("0x03", "0x01"),
}
INFO = "Non-numeric data from /sys/bus/pci/devices/<location>, value is always 1."


@pytest.fixture
def host(this_machine: Sources, tmp_path: Path) -> Sources:
    folder = tmp_path / "host"
    copy_fixture("pcidevice", folder)
    return this_machine._replace(sysfs=folder / "sys")


def test_families_are_those_of_node_exporter(host: Sources) -> None:
    *numbers, states, info = pcidevice.collect(host)
    places = [*zip(*PLACES.values(), strict=True)]
    assert samples(numbers) == {
        f"node_pcidevice_{name}": {
            place: cell for place, cell in zip(places, cells, strict=True) if cell is not None
        }
        for name, (cells, _) in COLUMNS.items()
    }
    assert [(each.type, each.help) for each in numbers] == [
        ("gauge", text) for _, text in COLUMNS.values()
    ]
    assert states == Section(
        "node_pcidevice_power_state",
        {
            **{
                name: tuple(text for text in texts for _ in STATES)
                for name, texts in PLACES.items()
            },
            "state": STATES * 2,
        },
        (),
        (1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0),
        type="gauge",
        help="PCIe device power state, one of: D0, D1, D2, D3hot, D3cold, unknown or error.",
    )
    labels = {**PLACES, **TEXTS}
    assert info == Section("node_pcidevice_info", labels, (), (1, 1), type="gauge", help=INFO)


def test_link_of_unknown_speed_or_none_has_what_node_exporter_reports(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    device = write_files(
        tmp_path / "devices/pci0000:00/0000:00:1f.0",
        {"current_link_speed": "Unknown\n", "max_link_speed": "8.0 GT/s\n", "numa_node": "-1\n"},
    )
    (tmp_path / "bus/pci/devices").mkdir(parents=True)
    (tmp_path / "bus/pci/devices/0000:00:1f.0").symlink_to(device)
    sources = this_machine._replace(sysfs=tmp_path, skips=Skips())
    *numbers, info = pcidevice.collect(sources)
    found = {name: {*cells.values()} for name, cells in samples(numbers).items()}
    assert found == {
        "node_pcidevice_max_link_width": {-1},
        "node_pcidevice_current_link_transfers_per_second": {-1},
        "node_pcidevice_current_link_width": {-1},
        "node_pcidevice_d3cold_allowed": {0},
        "node_pcidevice_sriov_drivers_autoprobe": {0},
        "node_pcidevice_sriov_numvfs": {0},
        "node_pcidevice_sriov_totalvfs": {0},
        "node_pcidevice_sriov_vf_total_msix": {0},
    }
    assert info.labels["parent_bus"] == ("*",)
    assert sources.skips.count == 1


def test_host_without_pci_has_no_data(this_machine: Sources, tmp_path: Path) -> None:
    with pytest.raises(NoDataError):
        pcidevice.collect(this_machine._replace(sysfs=tmp_path))
