"""Two reports of the same rows to what they say together: rates and ratios.

A value that cannot be known is None: before the second report of a session, and for a row
whose counter fell (a device was made anew, a 32-bit counter wrapped). Most pages have neither,
so each function first takes the way on which there is no None, and looks at the rows one by
one only if that fails.
"""

from collections.abc import Sequence
from operator import lt, sub

from pombo_exporter.columns import Column, Columns

# guest and guest_nice are part of user and nice already.
CPU_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
Row = Sequence[float | None]

_IDLE = slice(3, 5)  # idle and iowait


def per_second(rows: Columns, *names: str) -> Column:
    """Return the rate at which the sum of these columns grows, per second.

    A column that a host lacks does not count.
    """
    new, old = [rows.now(name) for name in names], [rows.before(name) for name in names]
    try:
        if not any(any(map(lt, *pair)) for pair in zip(new, old, strict=True)):  # type: ignore[arg-type]  # None is what is tried
            grown = _grown(new, old)
            return [growth / seconds for growth, seconds in zip(grown, rows.seconds, strict=True)]
    except TypeError:
        pass
    each = zip(zip(*new, strict=True), zip(*old, strict=True), rows.seconds, strict=True)
    return [_rate(*row) for row in each]


def _grown(new: list[Column], old: list[Column]) -> list[float]:
    """Return by how much the columns' sum grew, row by row.

    Raises:
        TypeError: when there is a None among them.
    """
    if len(new) == 1:
        return [*map(sub, new[0], old[0])]
    sums = map(sum, zip(*new, strict=True)), map(sum, zip(*old, strict=True))
    return [*map(sub, *sums)]


def _rate(new: Row, old: Row, seconds: float) -> float | None:
    known = [
        (now, before)
        for now, before in zip(new, old, strict=True)
        if now is not None and before is not None
    ]
    if not known or any(now < before for now, before in known):
        return None
    return sum(now - before for now, before in known) / seconds


def one(rows: Columns) -> Column:
    """Return 1 for each row: for families that say what they say in their labels."""
    return [1.0] * len(rows.labels)


def present(rows: Columns, flag: str) -> Column:
    """Return 1 for each row whose flag is set, and nothing for the rest."""
    return [1.0 if value else None for value in rows.now(flag)]


def difference(rows: Columns, whole: str, part: str) -> Column:
    """Return what is left of one column without another."""
    pairs = zip(rows.now(whole), rows.now(part), strict=True)
    return [None if left is None or right is None else left - right for left, right in pairs]


def used_ratio(rows: Columns, whole: str, available: str) -> Column:
    """Return the share of one column that is not available."""
    pairs = zip(rows.now(whole), rows.now(available), strict=True)
    return [1.0 - left / all_ if all_ and left is not None else None for all_, left in pairs]


def filled_ratio(rows: Columns, size: str, free: str, available: str) -> Column:
    """Return the share of each filesystem in use, as df has it: root's reserve is neither."""
    pairs = zip(difference(rows, size, free), rows.now(available), strict=True)
    return [
        used / (used + left) if used is not None and left is not None and used + left > 0 else None
        for used, left in pairs
    ]


def cpu_usage(rows: Columns, *_modes: str) -> Column:
    """Return the share of its time that each core was busy: neither idle nor awaiting I/O."""
    return [_busy(*spent) for spent in rows.once(_idle_and_total)]


def cpu_average_usage(rows: Columns) -> Column:
    """Return, host by host, the share of all cores' time that they were busy."""
    spent, start, averages = rows.once(_idle_and_total), 0, []
    for _, count in rows.hosts:
        cores = [core for core in spent[start : start + count] if core[1] > 0]
        start += count
        averages.append(_busy(*map(sum, zip(*cores, strict=True))) if cores else None)
    return averages


def _idle_and_total(rows: Columns) -> Sequence[tuple[float, float]]:
    """Return the seconds between the two reports that each core was idle, and all of them."""
    new = [rows.now(mode) for mode in CPU_MODES]
    old = [rows.before(mode) for mode in CPU_MODES]
    try:
        return [*zip(_grown(new[_IDLE], old[_IDLE]), _grown(new, old), strict=True)]
    except TypeError:
        each = zip(zip(*new, strict=True), zip(*old, strict=True), strict=True)
        return [_core(*row) for row in each]


def _core(new: Row, old: Row) -> tuple[float, float]:
    grown = [
        None if now is None or before is None else now - before
        for now, before in zip(new, old, strict=True)
    ]
    idle, *waiting = grown[_IDLE]
    if idle is None:
        return 0.0, 0.0
    return idle + sum(filter(None, waiting)), sum(filter(None, grown))


def _busy(idle: float, total: float) -> float | None:
    # A counter that fell leaves no total; iowait alone may fall a little (proc_stat(5)).
    return min(1.0, max(0.0, 1.0 - idle / total)) if total > 0 else None
