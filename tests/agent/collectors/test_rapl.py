"""The collector ``rapl``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.flags import Flags
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import rapl
from pombo_wire.section import Section

WriteFiles = Callable[[Path, dict[str, str]], Path]


def test_flag_moves_the_zone_into_a_label(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    files = {
        "intel-rapl/enabled": "1\n",
        "intel-rapl:0/name": "package-1-die-0\n",
        "intel-rapl:0/energy_uj": "7000001\n",
        "intel-rapl:1/name": "package-4\n",
        "intel-rapl:1/energy_uj": "2500000\n",
    }
    folder = write_files(tmp_path / "class/powercap", files)
    flags = Flags({"enable-zone-label": True})
    assert rapl.collect(this_machine._replace(sysfs=f"{tmp_path}/", flags=flags)) == [
        Section(
            "node_rapl_joules_total",
            {
                "index": ("0", "4"),
                "path": (f"{folder}/intel-rapl:0", f"{folder}/intel-rapl:1"),
                "rapl_zone": ("package-1-die-0", "package"),
            },
            (),
            (7.000001, 2.5),
            type="counter",
            help="Current RAPL value in joules",
        )
    ]


def test_counters_that_only_root_may_read_are_no_data(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    with pytest.raises(NoDataError):
        rapl.collect(this_machine._replace(sysfs=tmp_path))
    write_files(tmp_path / "class/powercap", {"intel-rapl:0/name": "package-0\n"})
    with pytest.raises(NoDataError):
        rapl.collect(this_machine._replace(sysfs=tmp_path))
