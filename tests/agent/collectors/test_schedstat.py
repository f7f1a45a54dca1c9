"""The collector ``schedstat``."""

from pombo_agent.collecting.reading import File
from pombo_agent.collectors.schedstat import parse_schedstat


def test_core_of_another_kernel_costs_its_line_alone() -> None:
    file = File(b"version 17\ncpu0 1 2 3\ncpu1 0 0 0 0 0 0 5 6 7\ncpux 0 0 0 0 0 0 1 1 1\n")
    assert parse_schedstat(file) == [
        {"cpu": b"1", "running_seconds": 5e-9, "waiting_seconds": 6e-9, "timeslices": 7}
    ]
    assert file.skips.count == 2
