"""The times of reports: whole multiples of the interval after the start."""

from collections.abc import Callable, Iterator
from math import ceil


def ticks(
    interval: float, clock: Callable[[], float], wait: Callable[[float], bool]
) -> Iterator[float]:
    """Yield the time of each tick, the first one immediately, until ``wait`` returns true.

    A tick that passes while the caller is busy, or while the machine sleeps, is skipped and not
    caught up. All times are in seconds of ``clock``. ``wait`` takes the seconds to wait and
    returns true to stop.
    """
    start, number = clock(), 0
    while True:
        yield start + number * interval
        number = max(number + 1, ceil((clock() - start) / interval))
        while (left := start + number * interval - clock()) > 0:
            if wait(left):
                return
        if wait(0):
            return
