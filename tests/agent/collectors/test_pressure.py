"""The collector ``pressure``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import pressure
from pombo_wire.section import Section

WriteFiles = Callable[[Path, dict[str, str]], Path]


PRESSURE = """\
some avg10=26.59 avg60=19.76 avg300=7.57 total=40294000
full avg10=0.00 avg60=0.00 avg300=0.00 total=250000
"""


def test_microseconds_become_seconds_and_full_of_cpu_is_ignored(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    sources = this_machine._replace(procfs=tmp_path)
    with pytest.raises(NoDataError):
        pressure.collect(sources)
    write_files(tmp_path, {"pressure/cpu": PRESSURE, "pressure/io": PRESSURE})
    names = ("cpu_waiting", "io_waiting", "io_stalled")
    assert pressure.collect(sources) == [Section("pressure", {}, names, [40.294, 40.294, 0.25])]
    assert sources.skips.count == 0
