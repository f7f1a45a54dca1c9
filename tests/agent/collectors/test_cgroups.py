"""The collector ``cgroups``."""

from pombo_agent.collecting.reading import File
from pombo_agent.collectors import cgroups

CGROUPS = b"""\
#subsys_name\thierarchy\tnum_cgroups\tenabled
cpuset\t5\t47\t1
rdma\t0\t3\t0
misc\t0
"""


def test_controllers_have_the_number_of_their_groups() -> None:
    file = File(CGROUPS)
    assert cgroups.parse_cgroups(file) == [
        {"subsys_name": b"cpuset", "cgroups": 47, "enabled": 1},
        {"subsys_name": b"rdma", "cgroups": 3, "enabled": 0},
    ]
    assert file.skips.count == 1
