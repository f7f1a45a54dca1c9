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


def test_stalls_of_irqs_have_a_family_of_their_own(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    text = "full avg10=0.00 avg60=0.00 avg300=0.00 total=1730000\n"
    sources = this_machine._replace(procfs=write_files(tmp_path, {"pressure/irq": text}))
    (found,) = pressure.collect(sources)
    assert (found.name, found.type) == ("node_pressure_irq_stalled_seconds_total", "counter")
    assert found.help == (
        "Total time in seconds no process could make progress due to IRQ congestion"
    )
    assert found.cells == (1.73,)
