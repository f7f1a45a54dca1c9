"""How many datagrams arrive a second, from samples of their count."""

from collections import deque
from typing import Final

#: Seconds that the rate is of: several reports of hosts with the usual intervals.
WINDOW: Final = 30.0

#: The most samples that are kept. They are a second apart, or more on a busy machine.
_MOST: Final = 64


class ArrivalRate:
    """The rate of a counter over the last ``WINDOW`` seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque(maxlen=_MOST)

    def sample(self, now: float, count: int) -> None:
        """Take the count at ``now``, in seconds on the monotonic clock."""
        samples = self._samples
        samples.append((now, count))
        while len(samples) > 2 and samples[1][0] <= now - WINDOW:
            samples.popleft()

    @property
    def per_second(self) -> float | None:
        """The rate as of the last sample; None before the second one."""
        if len(self._samples) < 2:
            return None
        (began, before), (now, count) = self._samples[0], self._samples[-1]
        return (count - before) / (now - began) if now > began else None
