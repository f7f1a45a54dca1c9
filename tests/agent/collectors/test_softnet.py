"""The collector ``softnet``."""

from pombo_agent.collecting.reading import File
from pombo_agent.collectors import softnet

SOFTNET = """\
000047ae 00000001 00000002 00000000 00000000 00000000 00000000 00000000 00000003 00000004 00000005 00000006 00000000
00017837 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 0000000a
"""  # noqa: E501  # as the kernel writes it


def test_columns_are_hexadecimal_and_the_last_names_the_core() -> None:
    first, second = softnet.parse_softnet_stat(File(SOFTNET.encode()))
    assert first == {
        "cpu": "0",
        "processed": 0x47AE,
        "dropped": 1,
        "times_squeezed": 2,
        "cpu_collision": 3,
        "received_rps": 4,
        "flow_limit": 5,
        "backlog_len": 6,
    }
    assert second["cpu"] == "10"


def test_old_kernel_has_fewer_columns_and_cores_are_numbered_by_line() -> None:
    file = File(b"00000001 00000002 00000003\n00000004 00000005 00000006\n")
    row = softnet.parse_softnet_stat(file)[1]
    known = {name: value for name, value in row.items() if value is not None}
    assert known == {"cpu": "1", "processed": 4, "dropped": 5, "times_squeezed": 6}
