"""Rates and ratios of rows, from their last report or their last two.

An unknown value is NaN: before the second report of a session, and for a row whose counter
decreased (a device was replaced, a 32-bit counter wrapped). Shapes are those of ``columns``.
"""

import numpy as np

from pombo_exporter.metrics.columns import Column, Columns

# guest and guest_nice are part of user and nice already.
CPU_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")

_IDLE = slice(3, 5)  # idle and iowait

#: The exposition drops infinite and NaN values; numpy's warnings about them say nothing new.
_quiet = np.errstate(over="ignore", invalid="ignore")


@_quiet
def per_second(rows: Columns, *names: str) -> Column:
    """Return the rate at which the sum of these fields increases, per second, of shape (n,).

    A field that a host lacks does not count.
    """
    increase = rows.delta(*names)
    increase[:, np.any(increase < 0, axis=0)] = np.nan
    return _ratio(_sum(increase), rows.seconds)


def _sum(fields: Column) -> Column:
    """Return the sum of the known fields of each row, from (f, n) to (n,); NaN without any."""
    known = ~np.isnan(fields)
    return np.where(known.any(axis=0), fields.sum(axis=0, where=known), np.nan)


def _ratio(part: Column, whole: Column) -> Column:
    """Return one by the other, NaN where there is nothing to divide by."""
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def one(rows: Columns) -> Column:
    """Return 1 for each row: for families whose information is in their labels."""
    return np.ones(len(rows.labels))


def present(rows: Columns, flag: str) -> Column:
    """Return 1 for each row whose flag is set, NaN for the others."""
    return np.where(rows.latest(flag) > 0, 1.0, np.nan)


@_quiet
def difference(rows: Columns, whole: str, part: str) -> Column:
    """Return one field less another."""
    return rows.latest(whole) - rows.latest(part)


@_quiet
def used_ratio(rows: Columns, whole: str, available: str) -> Column:
    """Return the share of one field that is not available."""
    return 1.0 - _ratio(rows.latest(available), rows.latest(whole))


@_quiet
def filled_ratio(rows: Columns, size: str, free: str, available: str) -> Column:
    """Return the share of each filesystem in use, as df computes it: without root's reserve."""
    used = difference(rows, size, free)
    return _ratio(used, used + rows.latest(available))


@_quiet
def cpu_usage(rows: Columns, *_modes: str) -> Column:
    """Return the share of its time that each core was busy: neither idle nor awaiting I/O."""
    return _busy(*rows.cached(_idle_and_total))


@_quiet
def cpu_average_usage(rows: Columns) -> Column:
    """Return the share of all cores' time that they were busy, of each host, of shape (h,)."""
    idle, total = rows.cached(_idle_and_total)
    known = total > 0  # a counter that decreased leaves no total
    hosts, count = rows.host_of[known], len(rows.host_labels)
    sums = [np.bincount(hosts, spent[known], count) for spent in (idle, total)]
    return _busy(*np.asarray(sums, dtype=float))  # without rows they are integers


def _idle_and_total(rows: Columns) -> tuple[Column, Column]:
    """Return the idle seconds of each core between two reports, and all its seconds."""
    increase = rows.delta(*CPU_MODES)
    idle, total = _sum(increase[_IDLE]), _sum(increase)
    return idle, np.where(np.isnan(increase[_IDLE][0]), np.nan, total)


def _busy(idle: Column, total: Column) -> Column:
    return np.clip(
        1.0 - _ratio(idle, total), 0.0, 1.0
    )  # iowait may decrease a little (proc_stat(5))
