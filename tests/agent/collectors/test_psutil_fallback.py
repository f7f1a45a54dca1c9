"""The collectors of other systems, which psutil serves, on this one."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import psutil_fallback
from pombo_agent.options import COLLECTORS
from pombo_wire.section import Section

ColumnOf = Callable[[list[Section], str, str], dict[str, Any]]

FALLBACK = {collector.name: collector for collector in psutil_fallback.COLLECTORS}


def test_names_are_among_those_of_linux() -> None:
    assert FALLBACK.keys() <= COLLECTORS.keys()


@pytest.mark.parametrize("name", ["diskstats", "netdev"])
def test_counters_on_linux_are_those_of_psutil(
    name: str, this_machine: Sources, column_of: ColumnOf
) -> None:
    before = FALLBACK[name].collect(this_machine)
    parts = COLLECTORS[name].collect(this_machine)
    after = FALLBACK[name].collect(this_machine)
    (section,) = after
    assert len(section.values) >= 8
    for column in section.values:
        least, found, most = (
            column_of(each, section.name, column) for each in (before, parts, after)
        )
        assert found.keys() == least.keys() == most.keys()
        for device, value in found.items():  # seconds may be rounded otherwise
            assert least[device] - 1e-6 <= value <= most[device] + 1e-6, column


def test_psutil_is_not_imported_on_linux() -> None:
    program = "import sys, pombo_agent.start; print('psutil' in sys.modules)"
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"False\n"
