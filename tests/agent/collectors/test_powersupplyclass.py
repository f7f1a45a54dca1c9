"""The collector ``powersupplyclass``."""

from pathlib import Path

import pytest
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import powersupplyclass
from pombo_agent.options import COLLECTORS
from support.fixtures import arguments_in


def test_flag_has_another_prefix_than_the_collector(tmp_path: Path) -> None:
    (own,) = COLLECTORS["powersupplyclass"].flags
    assert COLLECTORS["powersupplyclass"].parameter(own) == "collector.powersupply.ignored-supplies"
    assert arguments_in("powersupplyclass", tmp_path) == [
        "--collector.powersupply.ignored-supplies=^hidpp_"
    ]


def test_host_without_power_supplies_has_no_data(this_machine: Sources, tmp_path: Path) -> None:
    with pytest.raises(NoDataError):
        powersupplyclass.collect(this_machine._replace(sysfs=tmp_path))
