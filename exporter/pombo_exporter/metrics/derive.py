"""Two reports of the same rows to what they say together: rates and ratios.

A value that cannot be known is NaN: before the second report of a session, and for a row whose
counter fell (a device was made anew, a 32-bit counter wrapped).
"""

import numpy as np

from pombo_exporter.metrics.columns import Column, Columns

# guest and guest_nice are part of user and nice already.
CPU_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")

_IDLE = slice(3, 5)  # idle and iowait

#: Numbers beyond all numbers are for the page to leave out, and no cause to warn.
_whatever = np.errstate(over="ignore", invalid="ignore")


@_whatever
def per_second(rows: Columns, *names: str) -> Column:
    """Return the rate at which the sum of these columns grows, per second.

    A column that a host lacks does not count.
    """
    grown = rows.grown(*names)
    grown[:, np.any(grown < 0, axis=0)] = np.nan
    return _ratio(_sum(grown), rows.seconds)


def _sum(lines: Column) -> Column:
    """Return the sum of what is known in each column of some lines, NaN where nothing is."""
    known = ~np.isnan(lines)
    return np.where(known.any(axis=0), lines.sum(axis=0, where=known), np.nan)


def _ratio(part: Column, whole: Column) -> Column:
    """Return one by the other, NaN where there is nothing to divide by."""
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def one(rows: Columns) -> Column:
    """Return 1 for each row: for families that say what they say in their labels."""
    return np.ones(len(rows.labels))


def present(rows: Columns, flag: str) -> Column:
    """Return 1 for each row whose flag is set, and nothing for the rest."""
    return np.where(rows.now(flag) > 0, 1.0, np.nan)


@_whatever
def difference(rows: Columns, whole: str, part: str) -> Column:
    """Return what is left of one column without another."""
    return rows.now(whole) - rows.now(part)


@_whatever
def used_ratio(rows: Columns, whole: str, available: str) -> Column:
    """Return the share of one column that is not available."""
    return 1.0 - _ratio(rows.now(available), rows.now(whole))


@_whatever
def filled_ratio(rows: Columns, size: str, free: str, available: str) -> Column:
    """Return the share of each filesystem in use, as df has it: root's reserve is neither."""
    used = difference(rows, size, free)
    return _ratio(used, used + rows.now(available))


@_whatever
def cpu_usage(rows: Columns, *_modes: str) -> Column:
    """Return the share of its time that each core was busy: neither idle nor awaiting I/O."""
    return _busy(*rows.once(_idle_and_total))


@_whatever
def cpu_average_usage(rows: Columns) -> Column:
    """Return, host by host, the share of all cores' time that they were busy."""
    idle, total = rows.once(_idle_and_total)
    known = total > 0  # a counter that fell leaves no total
    hosts, count = rows.host_of[known], len(rows.hosts)
    sums = [np.bincount(hosts, spent[known], count) for spent in (idle, total)]
    return _busy(*np.asarray(sums, dtype=float))  # no rows would make integers


def _idle_and_total(rows: Columns) -> tuple[Column, Column]:
    """Return the seconds between the two reports that each core was idle, and all of them."""
    grown = rows.grown(*CPU_MODES)
    idle, total = _sum(grown[_IDLE]), _sum(grown)
    return idle, np.where(np.isnan(grown[_IDLE][0]), np.nan, total)


def _busy(idle: Column, total: Column) -> Column:
    return np.clip(1.0 - _ratio(idle, total), 0.0, 1.0)  # iowait may fall a little (proc_stat(5))
