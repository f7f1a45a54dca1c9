"""Rates and ratios from two reports: NaN where they are not known, never a wrong number."""

from itertools import product
from math import isnan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from pombo_exporter.hosts.host import Host
from pombo_exporter.metrics.derive import (
    cpu_average_usage,
    cpu_usage,
    filled_ratio,
    per_second,
    used,
)
from pombo_exporter.metrics.rows import Floats, Rows, gather
from pombo_wire import SECTIONS, Cpu, Disks, Filesystems, Networks, Report, Table
from support.builders import ADDRESS, SESSION, Exporter

Pair = tuple[Table, Table | None]


def gathered(*hosts: tuple[Pair, ...], seconds: float = 5.0) -> Rows:
    """Return the rows of hosts, of tables in datagrams of their own, each with the one before."""
    exporter = Exporter()
    kind = type(hosts[0][0][0])
    name = next(name for name, each in SECTIONS.items() if each is kind)
    for number, pairs in enumerate(hosts):
        for moment, part in product((0, 1), range(len(pairs))):
            table = pairs[part][1 - moment]
            if table is not None:
                seq = moment * len(pairs) + part
                header = Report(
                    f"host-{number}", session=SESSION, seq=seq, part=part, parts=len(pairs)
                )
                fields: dict[str, Any] = {"monotonic": 1 + moment * seconds, name: table}
                exporter.take(replace(header, **fields))
    return gather([*exporter.roster.listed()], [name], exporter.now)[name]


def rows(*pairs: Pair, seconds: float = 5.0) -> Rows:
    """Return the rows of one host."""
    return gathered(pairs, seconds=seconds)


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
    both = Disks(("sda",), read_bytes=(10.0,), written_bytes=(10.0,))
    more = Disks(("sda",), read_bytes=(20.0,), written_bytes=(30.0,))
    less = Disks(("sdb",), read_bytes=(20.0,))
    before = replace(less, read_bytes=(5.0,))
    known = gathered(((more, both),), ((both, None),), ((less, before),))
    assert as_list(per_second(known, "read_bytes", "written_bytes")) == [6, None, 3]
    assert as_list(per_second(known, "written_bytes")) == [4, None, None]
    assert as_list(known.last("written_bytes")) == [30, 10, None]
    assert known.host_of.tolist() == [0, 1, 2]


def test_first_report_has_no_rate() -> None:
    assert as_list(per_second(block(read(1), None), "read_bytes")) == [None]
    assert as_list(cpu_usage(block(cores(idle=(1,)), None))) == [None]
    assert as_list(cpu_average_usage(block(cores(idle=(1,)), None))) == [None]


def test_rate_is_the_increase_per_second() -> None:
    assert as_list(per_second(block(read(150, 7), read(100, 7)), "read_bytes")) == [10, 0]


def test_counter_that_fell_has_no_rate_and_the_others_keep_theirs() -> None:
    assert as_list(per_second(block(read(99, 200), read(100, 100)), "read_bytes")) == [None, 20]


def test_rate_of_a_sum_takes_the_columns_that_both_reports_have() -> None:
    device = ("lo",)
    before = Networks(device, receive_errors=(10.0,), receive_drops=(10.0,), receive_bytes=(0.0,))
    now = Networks(device, receive_errors=(15.0,), receive_drops=(30.0,))
    both = block(now, before)
    assert as_list(per_second(both, "receive_errors", "receive_drops")) == [5]
    assert as_list(per_second(both, "receive_errors", "receive_bytes")) == [1]
    assert as_list(per_second(both, "receive_bytes", "transmit_bytes")) == [None]


def test_sum_has_no_rate_if_one_of_its_counters_fell() -> None:
    devices = ("sda", "sdb")
    before = Disks(devices, read_bytes=(10.0, 10.0), written_bytes=(10.0, 10.0))
    now = Disks(devices, read_bytes=(15.0, 15.0), written_bytes=(9.0, 15.0))
    assert as_list(per_second(block(now, before), "read_bytes", "written_bytes")) == [None, 2]
    assert as_list(per_second(block(now, before), "written_bytes", "read_bytes")) == [None, 2]


def test_space_in_use_is_the_size_less_what_is_free() -> None:
    mounts = Filesystems(("/",), ("x",), ("ext4",), size=(10.0,), free=(4.0,))
    assert as_list(used(block(mounts, None), "size", "free")) == [6]
    assert as_list(used(block(replace(mounts, free=None), None), "size", "free")) == [None]
    assert as_list(used(block(replace(mounts, size=None), None), "size", "free")) == [None]


def test_space_in_use_is_0_where_more_is_free_than_there_is() -> None:
    mounts = Filesystems(("/",), ("x",), ("fuse",), size=(10.0,), free=(60.0,), available=(100.0,))
    assert as_list(used(block(mounts, None), "size", "free")) == [0]
    assert as_list(filled_ratio(block(mounts, None), "size", "free", "available")) == [0]


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


def test_average_is_over_all_parts_of_a_divided_table() -> None:
    parts = []
    for number, busy in enumerate((1.0, 2.0, 3.0)):
        now = replace(cores(user=(busy,), idle=(4.0 - busy,)), cpu=(str(number),))
        parts.append((now, replace(now, user=(0.0,), idle=(0.0,))))
    assert as_list(cpu_average_usage(rows(*parts))) == [0.5]
    nothing = gather([Host("pi", ADDRESS)], ["cpu"], 0.0)["cpu"]
    assert as_list(cpu_average_usage(nothing)) == [None]


SECONDS = st.floats(0, allow_infinity=False)
ROWS = st.tuples(SECONDS, SECONDS)
REPORTS = st.builds(cores, user=ROWS, system=ROWS, idle=ROWS, iowait=ROWS)


@given(REPORTS, REPORTS)
def test_ratio_of_any_two_reports_is_from_zero_to_one(before: Cpu, now: Cpu) -> None:
    both = block(now, before)
    for ratio in as_list(np.append(cpu_usage(both), cpu_average_usage(both))):
        assert ratio is None or 0 <= ratio <= 1
