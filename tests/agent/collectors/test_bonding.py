"""The collector ``bonding``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import bonding
from pombo_wire.section import Section

WriteFiles = Callable[[Path, dict[str, str]], Path]
ColumnOf = Callable[[list[Section], str, str], dict[str, float | None]]

FAMILIES = "node_bonding_*"


def test_slave_without_a_status_costs_the_count_of_active_ones_alone(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles, column_of: ColumnOf
) -> None:
    files = {
        "bonding_masters": "bond0 bond1 bond2\n",
        "bond0/bonding/slaves": "eth0 eth1\n",
        "bond0/lower_eth0/bonding_slave/mii_status": "up\n",
        "bond1/bonding/slaves": "\n",
    }
    write_files(tmp_path / "class/net", files)
    sections = bonding.collect(this_machine._replace(sysfs=tmp_path))
    assert column_of(sections, FAMILIES, "slaves") == {"bond0": 2, "bond1": 0, "bond2": None}
    assert column_of(sections, FAMILIES, "active") == {"bond0": None, "bond1": 0, "bond2": None}


def test_host_without_bonding_interfaces_has_no_data(this_machine: Sources, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        bonding.collect(this_machine._replace(sysfs=tmp_path))
