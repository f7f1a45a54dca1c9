"""What is stored of each row: the last value and the one before, however the rows arrive."""

from math import nan
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pombo_exporter.hosts.blocks import Blocks, escape, pack, unpack
from pombo_wire import DiskInfo, Disks, Filesystems, Report, Table, TimeZone
from support.builders import SESSION, Agent, Exporter, disks, restarted


class Row(NamedTuple):
    """A stored row: the last value, the one before, and the seconds from that one to the last."""

    value: float
    before: float | None = None
    elapsed: float = 0.0


def column(kind: type[Table], name: str, packed: bytes, rows: int) -> list[float]:
    """Return one column of packed rows."""
    place = kind.__struct_fields__.index(name) - kind.label_columns
    found: list[float] = unpack(packed, rows)[place].tolist()
    return found


def blocks(exporter: Exporter) -> Blocks:
    return exporter.host().sections["disks"]


def rows(exporter: Exporter) -> dict[str, Row]:
    """Return the stored row of each disk; none may be stored twice."""
    found: dict[str, Row] = {}
    for key, block in blocks(exporter).items():
        assert (key,) == block.texts
        reads = column(Disks, "read_bytes", block.last, len(key))
        before = block.before and column(Disks, "read_bytes", block.before, len(key))
        for index, device in enumerate(key):
            assert device not in found
            assert block.labels[index] == f'instance="pi",device="{escape(device)}"}} '.encode()
            found[device] = Row(reads[index], before[index] if before else None, block.elapsed)
    return found


def numbered(seq: int, table: Disks) -> Report:
    """Return the datagram with a sequence number; the agent's clock advances a second for each."""
    return Report("pi", session=SESSION, seq=seq, monotonic=100.0 + seq, interval=5.0, disks=table)


def after(*reports: Report) -> Exporter:
    """Return an exporter that has taken these reports."""
    exporter = Exporter()
    for report in reports:
        exporter.take(report)
    return exporter


def test_same_rows_keep_the_previous_report() -> None:
    exporter = after(numbered(0, disks(sda=1, sdb=2)), numbered(1, disks(sda=10, sdb=20)))
    assert rows(exporter) == {"sda": Row(10, 1, 1), "sdb": Row(20, 2, 1)}
    assert len(blocks(exporter)) == 1


def test_time_between_two_reports_is_the_agents_own() -> None:
    agent = Agent()
    agent.send(disks=disks(sda=1))
    agent.exporter.wait(7)
    agent.clock_offset = -2.5
    agent.send(disks=disks(sda=2))
    assert rows(agent.exporter) == {"sda": Row(2, 1, 4.5)}


def test_agents_clock_that_went_back_leaves_no_previous_report() -> None:
    agent = Agent(clock_offset=1000)
    agent.send(disks=disks(sda=1))
    agent.exporter.wait(5)
    agent.clock_offset = 0
    agent.send(disks=disks(sda=2))
    assert rows(agent.exporter) == {"sda": Row(2)}


def test_report_without_the_agents_clock_has_no_previous_report() -> None:
    timeless = [Report("pi", session=SESSION, seq=n, disks=disks(sda=n)) for n in range(3)]
    assert rows(after(*timeless[:2])) == {"sda": Row(1)}
    assert rows(after(timeless[0], numbered(1, disks(sda=1)))) == {"sda": Row(1)}
    assert rows(after(numbered(0, disks(sda=0)), timeless[1])) == {"sda": Row(1)}


def test_late_datagram_never_overwrites_newer_values() -> None:
    exporter = after(*(numbered(seq, disks(sda=seq)) for seq in (0, 2, 1)))
    assert rows(exporter) == {"sda": Row(2, 0, 2)}


def test_late_datagram_with_other_rows_never_overwrites_newer_values() -> None:
    whole = numbered(1, disks(sda=10, sdb=20))
    exporter = after(numbered(0, disks(sda=1)), numbered(2, disks(sda=30)), whole)
    assert rows(exporter) == {"sda": Row(30, 1, 2), "sdb": Row(20)}


def test_very_late_copy_changes_nothing() -> None:
    first = numbered(0, disks(sda=1))
    others = [Report("pi", session=SESSION, seq=seq, monotonic=100.0 + seq) for seq in range(2, 80)]
    exporter = after(first, numbered(1, disks(sda=2)), *others, numbered(1, disks(sda=2)), first)
    assert rows(exporter) == {"sda": Row(2, 1, 1)}


def test_new_session_has_no_previous_report() -> None:
    agent = Agent()
    agent.run(10, disks=disks(sda=100, sdb=1))
    restarted(agent).send(disks=disks(sda=3))
    assert rows(agent.exporter) == {"sda": Row(3)}


def test_reports_without_a_session_have_no_previous_report() -> None:
    plain = [Report("pi", disks=disks(sda=n), monotonic=float(n)) for n in range(2)]
    assert rows(after(*plain)) == {"sda": Row(1)}


def test_new_device_leaves_the_others_their_previous_report() -> None:
    exporter = after(numbered(0, disks(sda=1)), numbered(1, disks(sda=2, sdb=5)))
    assert rows(exporter) == {"sda": Row(2, 1, 1), "sdb": Row(5)}
    exporter.take(numbered(2, disks(sda=3, sdb=6)))
    assert rows(exporter) == {"sda": Row(3, 2, 1), "sdb": Row(6, 5, 1)}
    assert len(blocks(exporter)) == 1


def test_device_that_is_no_longer_reported_keeps_its_last_value_until_it_expires() -> None:
    agent = Agent()
    agent.send(disks=disks(sda=1, sdb=1))
    agent.exporter.wait(5)
    agent.send(disks=disks(sda=2))
    assert rows(agent.exporter) == {"sda": Row(2, 1, 5), "sdb": Row(1)}
    agent.run(5, disks=disks(sda=3))
    agent.exporter.wait(4.9)
    assert rows(agent.exporter) == {"sda": Row(3, 2, 5), "sdb": Row(1)}
    agent.exporter.wait(0.1)
    assert rows(agent.exporter) == {"sda": Row(3, 2, 5)}


def test_table_that_is_split_differently_keeps_the_previous_report_of_each_row() -> None:
    exporter = after(
        numbered(0, disks(a=1, b=2)), numbered(1, disks(c=3)), numbered(2, disks(a=10))
    )
    exporter.take(numbered(3, disks(b=20, c=30)))
    assert rows(exporter) == {"a": Row(10, 1, 2), "b": Row(20, 2, 3), "c": Row(30, 3, 2)}


def test_rows_in_another_order_are_the_same_rows() -> None:
    exporter = after(numbered(0, disks(a=1, b=2)), numbered(1, disks(b=20, a=10)))
    assert rows(exporter) == {"a": Row(10, 1, 1), "b": Row(20, 2, 1)}


def test_new_column_is_not_in_the_previous_report() -> None:
    more = Disks(("sda",), read_bytes=(2.0,), reads=(7.0,))
    exporter = after(numbered(0, disks(sda=1)), numbered(1, more))
    (block,) = blocks(exporter).values()
    assert (block.last, block.before) == (pack(more), pack(disks(sda=1)))


def test_rows_joined_from_blocks_with_different_columns_keep_their_values() -> None:
    with_reads = Disks(("a",), read_bytes=(1.0,), reads=(7.0,))
    exporter = after(numbered(0, with_reads), numbered(1, disks(b=2)))
    both = Disks(("a", "b"), read_bytes=(10.0, 20.0), reads=(70.0, 80.0))
    exporter.take(numbered(1, disks(b=3)))
    exporter.take(numbered(2, both))
    parts = {
        block.texts[0]: column(Disks, "reads", block.before, 1)
        for block in blocks(exporter).values()
        if block.before
    }
    assert parts == {("a",): [7.0], ("b",): [pytest.approx(nan, nan_ok=True)]}
    exporter.take(numbered(3, both))
    (block,) = blocks(exporter).values()
    assert block.last == block.before == pack(both)


def test_row_is_identified_by_all_its_keys() -> None:
    first = Filesystems(("/a", "/b"), ("x", "y"), ("ext4", "ext4"), size=(1.0, 2.0))
    moved = Filesystems(("/a", "/b"), ("x", "z"), ("ext4", "ext4"), size=(1.0, 3.0))
    agent = Agent()
    for table in (first, moved):
        agent.exporter.wait(5)
        agent.send(filesystems=table)
    sizes = {
        (mountpoint, device): size
        for block in agent.exporter.host().sections["filesystems"].values()
        for mountpoint, device, size in zip(
            *block.texts[:2],
            column(Filesystems, "size", block.last, len(block.labels)),
            strict=True,
        )
    }
    assert sizes == {("/a", "x"): 1, ("/b", "y"): 2, ("/b", "z"): 3}


def disk_info(serial: str) -> DiskInfo:
    return DiskInfo(("sda",), *[(serial,)] * 7)


def test_new_labels_of_a_row_replace_the_old_ones() -> None:
    exporter = Exporter(extra_sections=("disk_info",))
    for seq, serial in enumerate("xyz"):
        exporter.take(Report("pi", session=SESSION, seq=seq, disk_info=disk_info(serial)))
    exporter.take(Report("pi", session=SESSION, seq=5, disk_info=disk_info("new")))
    exporter.take(Report("pi", session=SESSION, seq=4, disk_info=disk_info("old")))
    (block,) = exporter.host().sections["disk_info"].values()
    assert dict(zip(DiskInfo.__struct_fields__, block.texts, strict=True))["serial"] == ("new",)


def test_new_labels_of_a_record_replace_the_old_ones_unless_they_are_late() -> None:
    exporter = Exporter(extra_sections=("time_zone",))
    for seq, zone in ((0, "CET"), (2, "CEST"), (1, "late")):
        exporter.take(Report("pi", session=SESSION, seq=seq, time_zone=TimeZone(zone)))
    (block,) = exporter.host().sections["time_zone"].values()
    assert block.texts == (("CEST",),)


DEVICES = [*"abcdef", 'q"', "b\\", "n\n"]


@st.composite
def any_arrivals(draw: st.DrawFn) -> list[Report]:
    """Return datagrams with any rows in any order, some lost, some reordered."""
    tables = draw(
        st.lists(st.lists(st.sampled_from(DEVICES), min_size=1, unique=True), max_size=30)
    )
    reports = []
    for seq, table in enumerate(tables):
        values = tuple(1000.0 * seq + row for row in range(len(table)))
        reports.append(numbered(seq, Disks(tuple(table), read_bytes=values)))
    delays = draw(st.lists(st.integers(0, 8), min_size=len(reports), max_size=len(reports)))
    late = sorted(range(len(reports)), key=lambda seq: seq + delays[seq])
    lost = draw(st.sets(st.integers(0, 30), max_size=5))
    return [reports[seq] for seq in late if seq not in lost]


def model(reports: list[Report]) -> dict[str, Row]:
    """Return the rows that must be stored, from all reports so far."""
    newest: dict[str, int] = {}
    found: dict[str, Row] = {}
    for report in reports:
        assert report.seq is not None
        assert report.disks is not None
        assert report.disks.read_bytes is not None
        for device, value in zip(report.disks.device, report.disks.read_bytes, strict=True):
            if device not in newest:
                found[device] = Row(value)
            elif report.seq > newest[device]:
                seconds = float(report.seq - newest[device])
                found[device] = Row(value, found[device].value, seconds)
            newest[device] = max(report.seq, newest.get(device, -1))
    return found


@given(any_arrivals())
def test_each_row_is_stored_once_and_independently_of_the_others(
    reports: list[Report],
) -> None:
    exporter = Exporter()
    for count, report in enumerate(reports, 1):
        exporter.take(report)
        assert rows(exporter) == model(reports[:count])


@given(any_arrivals())
def test_rows_that_arrive_together_twice_become_one_block(reports: list[Report]) -> None:
    exporter = after(*reports)
    everything = Disks(tuple(DEVICES), read_bytes=(1.0,) * len(DEVICES))
    for seq in (100, 101):
        exporter.take(numbered(seq, everything))
    assert len(blocks(exporter)) == 1
    assert rows(exporter) == {device: Row(1, 1, 1) for device in DEVICES}
