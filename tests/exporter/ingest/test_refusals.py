"""Recent refusals: bounded in number, the newest first."""

from pombo_exporter.ingest.refusals import RefusalLog


def add(refusals: RefusalLog, reason: str, address: str, wall: float) -> None:
    refusals.add(reason, f"{reason} at {wall}", address, b"datagram", wall)


def test_newest_is_first_and_equal_refusals_are_one_entry() -> None:
    refusals = RefusalLog()
    for wall, (reason, address) in enumerate(
        [("a", "1"), ("b", "1"), ("a", "2"), ("a", "1"), ("a", "1")]
    ):
        add(refusals, reason, address, float(wall))
    found = [(r.reason, r.address, r.count, r.wall) for r in refusals.newest_first()]
    assert found == [("a", "1", 3, 4.0), ("a", "2", 1, 2.0), ("b", "1", 1, 1.0)]
    assert refusals.newest_first()[0].detail == "a at 4.0"


def test_flood_from_one_address_does_not_displace_refusals_of_others() -> None:
    refusals = RefusalLog(max_entries=3)
    add(refusals, "host_limit", "1", 0.0)
    for wall in range(1000):
        add(refusals, "not_json", "2", float(wall))
    assert [r.address for r in refusals.newest_first()] == ["2", "1"]


def test_oldest_entries_are_dropped_beyond_the_limit() -> None:
    refusals = RefusalLog(max_entries=3)
    for wall in range(10):
        add(refusals, "not_json", str(wall), float(wall))
    assert [r.address for r in refusals.newest_first()] == ["9", "8", "7"]


def test_only_the_beginning_of_a_datagram_is_kept() -> None:
    refusals = RefusalLog()
    refusals.add("too_large", "", "1", b"x" * 1201, 0.0)
    assert refusals.newest_first()[0].start == b"x" * 120
