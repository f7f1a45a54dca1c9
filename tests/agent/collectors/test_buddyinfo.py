"""The collector ``buddyinfo``."""

from pombo_agent.collecting.reading import File
from pombo_agent.collectors import buddyinfo

BUDDYINFO = b"""\
Node 0, zone      DMA      1      x      3
Node 1, zone   Normal  44810
Zone 0, node   Normal      1
Node 0,
"""


def test_blocks_are_counted_by_their_size() -> None:
    file = File(BUDDYINFO)
    assert buddyinfo.parse_buddyinfo(file) == [
        (b"0", b"DMA", "0", 1),
        (b"0", b"DMA", "1", None),
        (b"0", b"DMA", "2", 3),
        (b"1", b"Normal", "0", 44810),
    ]
    assert file.skips.count == 3
