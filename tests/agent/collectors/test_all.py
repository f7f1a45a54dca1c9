"""All collectors on this machine."""

from collections.abc import Callable
from typing import Any

import pytest
from pombo_agent.collectors import COLLECTORS, Collector, psutil_fallback
from pombo_wire import Part, Report, decode, encode, split

Collected = Callable[[Collector], list[Part]]


@pytest.mark.parametrize("collectors", [COLLECTORS, psutil_fallback.COLLECTORS])
def test_every_section_of_this_machine_is_valid_on_the_wire(
    collectors: dict[str, Any], collected: Collected
) -> None:
    for collect in collectors.values():
        reports, left_out = split(Report("pi"), collected(collect))
        assert left_out == []
        for report in reports:
            assert decode(encode(report)) == report
