"""Rates and ratios from two reports: NaN where they are not known, never a wrong number."""

from math import inf, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple, replace
from pombo_exporter.hosts.blocks import Block, Stamp, pack
from pombo_exporter.hosts.host import Host
from pombo_exporter.metrics.derive import cpu_average_usage, cpu_usage, difference, per_second
from pombo_exporter.metrics.rows import Floats, Rows, gather
from pombo_wire import SECTIONS, Cpu, Disks, Filesystems, Table
from support.builders import ADDRESS


def rows(*reports: tuple[Table, Table | None], seconds: float = 5.0) -> Rows:
    """Return the rows of one host; each block has a last table and the one before, or None."""
    stamp = Stamp(None, 0, None)
    blocks = []
    for last, before in reports:
        texts = astuple(last)[: last.label_columns]
        labels = (b"",) * len(texts[0])
        packed, elapsed = (pack(before), seconds) if before else (None, 0.0)
        blocks.append(Block(texts, labels, pack(last), packed, elapsed, stamp, inf))
    kind = type(reports[0][0]) if reports else Cpu
    section = next(name for name, each in SECTIONS.items() if each is kind)
    host = Host("pi", ADDRESS, sections={section: dict(enumerate(blocks))})
    return gather([host], section, now=0.0)


def as_list(values: Floats) -> list[float | None]:
    """Return a column as a list, with None for NaN."""
    return [None if isnan(value) else value for value in values.tolist()]


def block(last: Table, before: Table | None) -> Rows:
    return rows((last, before))


def read(*totals: float) -> Disks:
    return Disks(tuple(map(str, range(len(totals)))), read_bytes=totals)


def cores(**modes: tuple[float, ...]) -> Cpu:
    (rows, *_) = map(len, modes.values())
    return Cpu(tuple(map(str, range(rows))), **modes)


def test_rows_with_different_columns_are_read_together() -> None:
    both = Disks(("sda",), reads=(10.0,), writes=(10.0,))
    more = Disks(("sda",), reads=(20.0,), writes=(30.0,))
    less = Disks(("sdb",), reads=(20.0,))
    known = rows((more, both), (both, None), (less, replace(less, reads=(5.0,))))
    assert as_list(per_second(known, "reads", "writes")) == [6, None, 3]
    assert as_list(per_second(known, "writes")) == [4, None, None]
    assert as_list(known.last("writes")) == [30, 10, None]


def test_first_report_has_no_rate() -> None:
    assert as_list(per_second(block(read(1), None), "read_bytes")) == [None]
    assert as_list(cpu_usage(block(cores(idle=(1,)), None))) == [None]
    assert as_list(cpu_average_usage(block(cores(idle=(1,)), None))) == [None]


def test_rate_is_the_increase_per_second() -> None:
    assert as_list(per_second(block(read(150, 7), read(100, 7)), "read_bytes")) == [10, 0]


def test_counter_that_fell_has_no_rate_and_the_others_keep_theirs() -> None:
    assert as_list(per_second(block(read(99, 200), read(100, 100)), "read_bytes")) == [None, 20]


def test_rate_of_a_sum_takes_the_columns_that_both_reports_have() -> None:
    device = ("sda",)
    before = Disks(device, reads=(10.0,), writes=(10.0,), read_bytes=(0.0,))
    now = Disks(device, reads=(15.0,), writes=(30.0,))
    assert as_list(per_second(block(now, before), "reads", "writes")) == [5]
    assert as_list(per_second(block(now, before), "reads", "read_bytes")) == [1]
    assert as_list(per_second(block(now, before), "read_bytes", "io_seconds")) == [None]


def test_sum_has_no_rate_if_one_of_its_counters_fell() -> None:
    before = Disks(("sda", "sdb"), reads=(10.0, 10.0), writes=(10.0, 10.0))
    now = Disks(("sda", "sdb"), reads=(15.0, 15.0), writes=(9.0, 15.0))
    assert as_list(per_second(block(now, before), "reads", "writes")) == [None, 2]
    assert as_list(per_second(block(now, before), "writes", "reads")) == [None, 2]


def test_space_in_use_is_the_size_less_what_is_free() -> None:
    mounts = Filesystems(("/",), ("x",), ("ext4",), size=(10.0,), free=(4.0,))
    assert as_list(difference(block(mounts, None), "size", "free")) == [6]
    assert as_list(difference(block(replace(mounts, free=None), None), "size", "free")) == [None]
    assert as_list(difference(block(replace(mounts, size=None), None), "size", "free")) == [None]


def test_core_is_busy_when_neither_idle_nor_awaiting_io() -> None:
    before = cores(user=(10.0, 0.0), system=(5.0, 0.0), idle=(80.0, 0.0), iowait=(5.0, 0.0))
    now = cores(user=(12.0, 0.0), system=(6.0, 0.0), idle=(86.0, 4.0), iowait=(6.0, 1.0))
    both = block(now, before)
    assert as_list(cpu_usage(both)) == pytest.approx([0.3, 0])
    assert as_list(cpu_average_usage(both)) == [pytest.approx(0.2)]


def test_guests_time_is_counted_once() -> None:
    before = cores(user=(0.0,), nice=(0.0,), idle=(0.0,), guest=(0.0,), guest_nice=(0.0,))
    now = cores(user=(2.0,), nice=(1.0,), idle=(1.0,), guest=(2.0,), guest_nice=(1.0,))
    assert as_list(cpu_usage(block(now, before))) == [0.75]


def test_mode_that_only_one_report_has_counts_in_neither() -> None:
    before = cores(user=(0.0,), idle=(0.0,))
    now = cores(user=(1.0,), idle=(3.0,), iowait=(1000.0,), steal=(1000.0,))
    assert as_list(cpu_usage(block(now, before))) == [0.25]


def test_core_without_idle_time_has_no_ratio() -> None:
    before, now = cores(user=(0.0,), iowait=(0.0,)), cores(user=(1.0,), iowait=(1.0,))
    assert as_list(cpu_usage(block(now, before))) == [None]
    assert as_list(cpu_average_usage(block(now, before))) == [None]


def test_iowait_may_fall_a_little() -> None:
    before = cores(user=(10.0,), idle=(10.0,), iowait=(10.0,))
    now = cores(user=(11.0,), idle=(14.0,), iowait=(9.9,))
    assert as_list(cpu_usage(block(now, before))) == pytest.approx([1 - 3.9 / 4.9])
    now = cores(user=(11.0,), idle=(10.0,), iowait=(9.9,))
    assert as_list(cpu_usage(block(now, before))) == [1]


def test_core_whose_counters_were_reset_has_no_ratio_and_is_not_in_the_average() -> None:
    before = cores(user=(100.0, 100.0), idle=(100.0, 100.0))
    now = cores(user=(0.0, 101.0), idle=(0.0, 103.0))
    assert as_list(cpu_usage(block(now, before))) == [None, 0.25]
    assert as_list(cpu_average_usage(block(now, before))) == [0.25]


def test_average_is_over_all_blocks() -> None:
    before = cores(user=(0.0,), idle=(0.0,))
    parts = [(cores(user=(busy,), idle=(4.0 - busy,)), before) for busy in (1.0, 2.0, 3.0)]
    assert as_list(cpu_average_usage(rows(*parts))) == [0.5]
    assert as_list(cpu_average_usage(rows())) == [None]


SECONDS = st.floats(0, allow_infinity=False)
ROWS = st.tuples(SECONDS, SECONDS)
REPORTS = st.builds(cores, user=ROWS, system=ROWS, idle=ROWS, iowait=ROWS)


@given(REPORTS, REPORTS)
def test_ratio_of_any_two_reports_is_from_zero_to_one(before: Cpu, now: Cpu) -> None:
    both = block(now, before)
    for ratio in as_list(np.append(cpu_usage(both), cpu_average_usage(both))):
        assert ratio is None or 0 <= ratio <= 1
