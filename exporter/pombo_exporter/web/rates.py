"""How often something may happen, by who does it: token buckets."""

from collections import OrderedDict
from typing import Final

#: The most keys that are kept; those that were seen last stay.
_MOST_KEPT: Final = 4096


class TokenBuckets:
    """A bucket of tokens for each key: ``burst`` at most, and a new one every ``interval`` seconds.

    Times are monotonic, in seconds. A take that is refused delays no later one.
    """

    def __init__(self, burst: float, interval: float) -> None:
        self._burst, self._interval = burst, interval
        #: Of each key: how many tokens were missing at a time, the one that was seen last at last.
        self._missing: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, now: float) -> float:
        """Take a token and return 0; or return in how many seconds there is one."""
        missing, at = self._missing.pop(key, (0.0, now))
        missing = max(0.0, missing - (now - at) / self._interval)
        excess = missing + 1 - self._burst
        if len(self._missing) >= _MOST_KEPT:
            self._missing.popitem(last=False)
        self._missing[key] = (missing if excess > 0 else missing + 1), now
        return max(0.0, excess * self._interval)

    def give_back(self, key: str) -> None:
        """Return the token that was taken last."""
        if key in self._missing:
            missing, at = self._missing[key]
            self._missing[key] = max(0.0, missing - 1), at
