"""The collector ``hwmon``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collectors import NoDataError, Sources, hwmon
from pombo_wire import Fans, SensorChips, SensorLabels, Temperatures

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
        (
            "temperatures",
            Temperatures((name,), ("temp1",), celsius=(48.5,), max=(80.0,), crit=(100.0,)),
        ),
        ("temperatures", Temperatures((name,), ("temp2",), celsius=(-5.0,))),
        ("fans", Fans((name,), ("fan1",), rpm=(1200.0,))),
        ("sensor_chips", SensorChips((name,), ("coretemp",))),
        ("sensor_labels", SensorLabels((name,), ("temp1",), ("Package id 0",))),
    ]


def test_chip_without_a_device_has_the_name_in_its_file_or_its_number() -> None:
    nowhere = Path("/sys/devices/virtual/thermal/hwmon0/device")
    assert hwmon.chip_name(nowhere, "acpitz\n", "hwmon0") == "acpitz"
    assert hwmon.chip_name(nowhere, None, "hwmon0") == "hwmon0"
