"""Whether the system was suspended: CLOCK_BOOTTIME went on meanwhile, CLOCK_MONOTONIC did not."""

import time
from collections.abc import Callable

#: The least seconds that count. Between the two clocks the process may have to wait.
LEAST_SECONDS = 1.0

_LONGEST_READING = 0.01  # seconds
_READINGS = 3


def boot_clock() -> float:
    """Return the seconds since the system was started, with those in which it was suspended.

    Where the system has no such clock, return the monotonic one.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME) if _HAS_BOOTTIME else time.monotonic()


_HAS_BOOTTIME = hasattr(time, "CLOCK_BOOTTIME")


class Suspension:
    """Tells how long the system was suspended since it was asked last. Both clocks are in seconds.

    Time that passes between the readings of both clocks is never taken for a suspension.
    """

    def __init__(
        self,
        boot: Callable[[], float] = boot_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._boot, self._monotonic = boot, monotonic
        self._known = self._read()

    def new_seconds(self) -> float:
        """Return for how many seconds the system was suspended since the last call; 0 if not."""
        known, found = self._known, self._read()
        if known is None or found is None:
            self._known = known if found is None else found
            return 0.0
        if found - known < LEAST_SECONDS:
            return 0.0
        self._known = found
        return found - known

    def _read(self) -> float | None:
        """Return the difference of the clocks; None where reading both took too long."""
        for _ in range(_READINGS):
            before = self._monotonic()
            boot = self._boot()
            after = self._monotonic()
            if after - before <= _LONGEST_READING:
                return boot - after
        return None
