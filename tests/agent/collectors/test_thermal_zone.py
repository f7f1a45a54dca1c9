"""The collector ``thermal_zone``."""

from collections.abc import Callable
from pathlib import Path

from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import thermal_zone
from pombo_wire.section import Section

WriteFiles = Callable[[Path, dict[str, str]], Path]


def test_temperatures_are_in_degrees_and_an_unreadable_zone_is_absent(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    files = {
        "thermal_zone0/type": "x86_pkg_temp\n",
        "thermal_zone0/temp": "47250\n",
        "thermal_zone1/type": "iwlwifi_1\n",
        "cooling_device3/type": "Processor\n",
        "cooling_device3/cur_state": "2\n",
        "cooling_device3/max_state": "10\n",
        "cooling_device20/type": "intel_powerclamp\n",
        "cooling_device20/cur_state": "-1\n",
        "cooling_device20/max_state": "50\n",
        "thermal_zone2/temp": "N/A\n",
    }
    write_files(tmp_path / "class/thermal", files)
    assert thermal_zone.collect(this_machine._replace(sysfs=tmp_path)) == [
        Section(
            "thermal_zones", {"zone": ("0",), "type": ("x86_pkg_temp",)}, ("celsius",), [47.25]
        ),
        Section(
            "cooling_devices",
            {"name": ("3", "20"), "type": ("Processor", "intel_powerclamp")},
            ("current_state", "max_state"),
            [2, -1, 10, 50],
        ),
    ]
