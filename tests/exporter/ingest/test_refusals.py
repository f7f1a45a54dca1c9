"""What was refused lately is kept within bounds, the newest first."""

from pombo_exporter.ingest.refusals import RefusalLog


def note(refusals: RefusalLog, reason: str, address: str, wall: float) -> None:
    refusals.add(reason, f"{reason} at {wall}", address, b"datagram", wall)


def test_newest_comes_first_and_repeated_ones_are_one_entry() -> None:
    refusals = RefusalLog()
    for wall, (reason, address) in enumerate(
        [("a", "1"), ("b", "1"), ("a", "2"), ("a", "1"), ("a", "1")]
    ):
        note(refusals, reason, address, float(wall))
    found = [(r.reason, r.address, r.count, r.wall) for r in refusals.newest_first()]
    assert found == [("a", "1", 3, 4.0), ("a", "2", 1, 2.0), ("b", "1", 1, 1.0)]
    assert refusals.newest_first()[0].detail == "a at 4.0"


def test_flood_from_one_address_pushes_nobody_else_out() -> None:
    refusals = RefusalLog(max_entries=3)
    note(refusals, "host_limit", "1", 0.0)
    for wall in range(1000):
        note(refusals, "not_json", "2", float(wall))
    assert [r.address for r in refusals.newest_first()] == ["2", "1"]


def test_no_more_than_the_most_are_kept_and_the_oldest_go() -> None:
    refusals = RefusalLog(max_entries=3)
    for wall in range(10):
        note(refusals, "not_json", str(wall), float(wall))
    assert [r.address for r in refusals.newest_first()] == ["9", "8", "7"]


def test_only_the_beginning_of_a_datagram_is_kept() -> None:
    refusals = RefusalLog()
    refusals.add("too_large", "", "1", b"x" * 1201, 0.0)
    assert refusals.newest_first()[0].start == b"x" * 120
