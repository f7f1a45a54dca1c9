"""When to report: at whole multiples of the interval after the start, whatever a report takes."""

from collections.abc import Callable, Iterator
from math import ceil


def ticks(
    interval: float, clock: Callable[[], float], wait: Callable[[float], bool]
) -> Iterator[float]:
    """Yield the time of each tick, first at once, until ``wait`` says to stop.

    A tick that passes while the caller is busy, or while the machine sleeps, is skipped: it is
    never made up for in a burst. ``wait`` takes seconds and returns true to end.
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
