"""Rates and ratios of rows, from their last report or their last two.

An unknown value is NaN: before the second report of a session, and for a row whose counter
decreased (a device was replaced, a 32-bit counter wrapped). Shapes are those of ``metrics.rows``.
"""

from typing import Final

import numpy as np

from pombo_exporter.metrics.rows import Floats, Rows

# guest and guest_nice are part of user and nice already.
CPU_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")

_IDLE = slice(3, 5)  # idle and iowait

#: The exposition drops infinite and NaN values; numpy's warnings about them say nothing new.
_quiet = np.errstate(over="ignore", invalid="ignore")


@_quiet
def per_second(rows: Rows, *names: str) -> Floats:
    """Return the rate at which the sum of these fields increases, per second, of shape (n,).

    A field that a host lacks does not count.
    """
    change = rows.change(*names)
    change[:, np.any(change < 0, axis=0)] = np.nan
    return _ratio(_sum(change), rows.elapsed)


@_quiet
def share(rows: Rows, part: str, whole: str) -> Floats:
    """Return the share of one counter's increase in another's, from 0 to 1, of shape (n,).

    Without an increase it is 0.
    """
    change = rows.change(part, whole)
    change[:, np.any(change < 0, axis=0)] = np.nan
    return np.where(change[1] == 0, 0.0, np.minimum(_ratio(*change), 1.0))


def _sum(fields: Floats) -> Floats:
    """Return the sum of the known fields of each row, from (f, n) to (n,); NaN without any."""
    unknown = np.isnan(fields)
    return np.where(unknown.all(axis=0), np.nan, np.where(unknown, 0.0, fields).sum(axis=0))


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Return one by the other, NaN where there is nothing to divide by."""
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def one(rows: Rows) -> Floats:
    """Return 1 for each row: for families whose information is in their labels."""
    return np.ones(len(rows))


def present(rows: Rows, flag: str) -> Floats:
    """Return 1 for each row whose flag is set, NaN for the others."""
    return np.where(rows.last(flag) > 0, 1.0, np.nan)


@_quiet
def used(rows: Rows, whole: str, available: str) -> Floats:
    """Return one field less another, and 0 where the other is greater.

    In a container more memory may be available than there is, and some network filesystems have
    more free bytes than bytes.
    """
    return np.maximum(rows.last(whole) - rows.last(available), 0.0)


@_quiet
def used_ratio(rows: Rows, whole: str, available: str) -> Floats:
    """Return the share of one field that is not available, 0 where more is than there can be."""
    return np.maximum(1.0 - _ratio(rows.last(available), rows.last(whole)), 0.0)


@_quiet
def filled_ratio(rows: Rows, size: str, free: str, available: str) -> Floats:
    """Return the share of each filesystem in use, as df computes it: without root's reserve."""
    spent = used(rows, size, free)
    return _ratio(spent, spent + rows.last(available))


@_quiet
def cpu_usage(rows: Rows, *_modes: str) -> Floats:
    """Return the share of its time that each core was busy: neither idle nor awaiting I/O."""
    return _busy(*rows.cached(_idle_and_total))


@_quiet
def cpu_average_usage(rows: Rows) -> Floats:
    """Return the share of all cores' time that they were busy, of each host, of shape (h,)."""
    idle, total = rows.cached(_idle_and_total)
    known = total > 0  # a counter that decreased leaves no total
    hosts, count = rows.host_of[known], rows.hosts
    sums = [np.bincount(hosts, spent[known], count) for spent in (idle, total)]
    return _busy(*np.asarray(sums, dtype=float))  # without rows they are integers


@_quiet
def cpu_mode_shares(rows: Rows) -> Floats:
    """Return the share of all cores' time in each of CPU_MODES, of shape (8, h).

    A mode that a host does not report is NaN.
    """
    known = rows.cached(_idle_and_total)[1] > 0
    hosts, count = rows.host_of[known], rows.hosts
    # iowait may decrease a little (proc_stat(5))
    spent = np.maximum(rows.change(*CPU_MODES)[:, known], 0.0)
    has = ~np.isnan(spent)
    sums = np.array(
        [np.bincount(hosts[own], of[own], count) for of, own in zip(spent, has, strict=True)], float
    )
    reports = np.array([np.bincount(hosts[own], minlength=count) for own in has])
    return np.where(reports > 0, _ratio(sums, np.tile(sums.sum(axis=0), (len(sums), 1))), np.nan)


def _idle_and_total(rows: Rows) -> tuple[Floats, Floats]:
    """Return the idle seconds of each core between two reports, and all its seconds."""
    change = rows.change(*CPU_MODES)
    idle, total = _sum(change[_IDLE]), _sum(change)
    return idle, np.where(np.isnan(change[_IDLE][0]), np.nan, total)


def _busy(idle: Floats, total: Floats) -> Floats:
    return np.clip(
        1.0 - _ratio(idle, total), 0.0, 1.0
    )  # iowait may decrease a little (proc_stat(5))


#: What is derived from the last report and the one before.
FROM_TWO_REPORTS: Final = (per_second, cpu_usage, cpu_average_usage)
