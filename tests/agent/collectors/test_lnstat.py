"""The collector ``lnstat``."""

from pathlib import Path

import pytest
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import lnstat


def test_core_keeps_its_number_where_the_line_of_another_is_odd() -> None:
    file = File(b"entries lookups hits\n1 2 3 4\n000000ff 10\n")
    assert lnstat.parse_stat(file) == [{}, {"entries": 255, "lookups": 16}]
    assert file.skips.count == 1


def test_kernel_without_statistics_has_no_data(this_machine: Sources, tmp_path: Path) -> None:
    with pytest.raises(NoDataError):
        lnstat.collect(this_machine._replace(procfs=tmp_path))
