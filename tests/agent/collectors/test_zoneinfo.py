"""The collector ``zoneinfo``."""

from pombo_agent.collecting.reading import File
from pombo_agent.collectors import zoneinfo

ZONEINFO = b"""\
  stray 4
Node 0, zone      DMA
  per-node stats
      nr_inactive_anon 27310
  pages free     3840
        min      33
        protection: (0, 1907)
      nr_free_pages 3839
  pagesets
    cpu: 0
              high:  378
Node 10, zone  Movable
        high     49
        protection: (7)
"""


def test_zone_has_its_own_lines_and_the_first_those_of_its_node() -> None:
    assert zoneinfo.parse_zoneinfo(File(ZONEINFO)) == [
        {
            "node": b"0",
            "zone": b"DMA",
            "nr_inactive_anon_pages": 27310,
            "min_pages": 33,
            "protection_0": 0,
            "protection_1": 1907,
            "nr_free_pages": 3839,
        },
        {"node": b"10", "zone": b"Movable", "high_pages": 49, "protection_0": 7},
    ]


def test_lines_of_a_zone_whose_name_is_unreadable_belong_to_no_other() -> None:
    file = File(ZONEINFO.replace(b"Node 10", b"Node x"))
    (row,) = zoneinfo.parse_zoneinfo(file)
    assert row["protection_0"] == 0
    assert file.skips.count == 1
