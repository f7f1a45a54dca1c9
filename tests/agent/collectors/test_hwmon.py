"""The collector ``hwmon``."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.flags import Filter, Flags
from pombo_agent.collecting.reading import Skips
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import hwmon
from pombo_wire.section import Section

WriteFiles = Callable[[Path, dict[str, str]], Path]


def test_chip_is_named_for_its_bus_and_device(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    sources = this_machine._replace(sysfs=tmp_path)
    with pytest.raises(NoDataError):
        hwmon.collect(sources)
    chip = write_files(
        tmp_path / "devices/platform/coretemp.0",
        {
            "hwmon/hwmon1/name": "coretemp\n",
            "hwmon/hwmon1/temp1_input": "48500\n",
            "hwmon/hwmon1/temp1_max": "80000\n",
            "hwmon/hwmon1/temp1_crit": "100000\n",
            "hwmon/hwmon1/temp1_label": "Package id 0\n",
            "hwmon/hwmon1/temp2_input": "-5000\n",
            "hwmon/hwmon1/fan1_input": "1200\n",
            "hwmon/hwmon1/uevent": "",
        },
    )
    (chip / "hwmon/hwmon1/device").symlink_to(chip)
    (tmp_path / "class/hwmon").mkdir(parents=True)
    (tmp_path / "class/hwmon/hwmon1").symlink_to(chip / "hwmon/hwmon1")
    name = "platform_coretemp_0"
    assert hwmon.collect(sources) == [
        Section(
            "temperatures",
            {"chip": (name, name), "sensor": ("temp1", "temp2")},
            ("celsius", "max", "crit"),
            [48.5, -5.0, 80.0, None, 100.0, None],
        ),
        Section("fans", {"chip": (name,), "sensor": ("fan1",)}, ("rpm",), [1200.0]),
        Section("sensor_chips", {"chip": (name,), "chip_name": ("coretemp",)}, (), []),
        Section(
            "sensor_labels",
            {"chip": (name,), "sensor": ("temp1",), "label": ("Package id 0",)},
            (),
            [],
        ),
    ]


@pytest.fixture
def chips(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> Callable[..., dict[str, dict[str, float | None]]]:
    """Return a function that takes chips, and returns the columns of their sensors by chip."""

    def collect(*found: tuple[str | None, dict[str, str]]) -> dict[str, dict[str, float | None]]:
        (tmp_path / "class/hwmon").mkdir(parents=True)
        for number, (device, files) in enumerate(found):
            own = tmp_path / "devices" / (device or "virtual") / f"hwmon/hwmon{number}"
            write_files(own, files)
            if device:
                (own / "device").symlink_to(tmp_path / "devices" / device)
            (tmp_path / f"class/hwmon/hwmon{number}").symlink_to(own)
        sections = hwmon.collect(this_machine._replace(sysfs=tmp_path))
        rows: dict[str, dict[str, float | None]] = {}
        for section in sections:
            for column, cells in section.columns.items():
                texts = zip(section.labels["chip"], section.labels["sensor"], strict=True)
                for (chip, sensor), cell in zip(texts, cells, strict=True):
                    if cell is not None:
                        rows.setdefault(chip, {})[f"{sensor} {column}"] = cell
        return rows

    return collect


Chips = Callable[..., dict[str, dict[str, float | None]]]


def test_chip_without_a_device_has_the_name_in_its_file_or_its_number(chips: Chips) -> None:
    temperature = {"temp1_input": "1000\n"}
    found = chips((None, {"name": "acpitz\n", **temperature}), (None, temperature))
    assert [*found] == ["acpitz", "hwmon1"]


def test_chips_of_one_device_have_different_names(chips: Chips) -> None:
    device, fan = "platform/asus-nb-wmi", {"fan1_input": "1200\n"}
    found = chips(
        (device, {"name": "asus\n", **fan}),
        (device, {"name": "asus_custom\n", **fan}),
        ("pci0/0000:03:00.0", {"name": "same\n", **fan}),
        ("pci0/0000:03:00.0", {"name": "same\n", **fan}),
        ("pci0/0000:04:00.0", {"name": "same\n", **fan}),
        ("pci0/0000:05:00.0", fan),
        ("pci0/0000:05:00.0", {"name": "named\n", **fan}),
    )
    assert [*found] == [
        "platform_asus_nb_wmi_asus",
        "platform_asus_nb_wmi_asus_custom",
        "pci0_0000:03:00_0_hwmon2",
        "pci0_0000:03:00_0_hwmon3",
        "pci0_0000:04:00_0",
        "pci0_0000:05:00_0_hwmon5",
        "pci0_0000:05:00_0_named",
    ]


def test_sensor_that_cannot_be_read_costs_itself_alone(chips: Chips) -> None:
    files = {"fan1_input": "", "fan2_input": "900\n", "temp1_input": "4\n", "temp1_max": "N/A\n"}
    found = chips(("platform/a", files), ("platform/b", {"fan1_input": "7\n"}))
    assert found["platform_a"] == {"fan2 rpm": 900, "temp1 celsius": 0.004}
    assert found["platform_b"] == {"fan1 rpm": 7}


def test_frequency_of_a_graphics_card_is_named_for_its_label(chips: Chips) -> None:
    files = {"freq1_input": "1725000000\n", "freq1_label": "sclk\n", "freq2_input": "96000000\n"}
    assert chips(("pci0/0000:03:00.0", files)) == {"pci0_0000:03:00_0": {"sclk freq_mhz": 1725}}


def test_sensor_with_a_plain_file_and_an_input_has_two_families(chips: Chips) -> None:
    files = {"temp1": "41000\n", "temp1_input": "42000\n", "temp99999999999999999999": "1\n"}
    expected = {"temp1 celsius": 41, "temp1 input_celsius": 42}
    assert chips(("platform/a", files)) == {"platform_a": expected}


def test_files_that_can_only_be_written_are_not_read(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    chip = write_files(tmp_path / "class/hwmon/hwmon0", {"power/control": "auto\n", "name": "a\n"})
    (chip / "temp1_reset_history").mkdir()
    sources = this_machine._replace(sysfs=tmp_path, skips=Skips())
    assert [section.name for section in hwmon.collect(sources)] == ["sensor_chips"]
    assert sources.skips.count == 0


def test_flags_select_chips_and_sensors(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    files = {
        "hwmon0/name": "a\n",
        "hwmon0/temp1_input": "1000\n",
        "hwmon0/temp2_input": "2000\n",
        "hwmon1/name": "b\n",
        "hwmon1/temp1_input": "3000\n",
    }
    write_files(tmp_path / "class/hwmon", files)
    filters = {
        "chip": Filter(include=re.compile("^a$")),
        "sensor": Filter(exclude=re.compile("^a;temp2$")),
    }
    found = hwmon.collect(this_machine._replace(sysfs=tmp_path, flags=Flags(filters)))
    assert found == [
        Section("temperatures", {"chip": ("a",), "sensor": ("temp1",)}, ("celsius",), [1]),
        Section("sensor_chips", {"chip": ("a",), "chip_name": ("a",)}, (), []),
    ]
