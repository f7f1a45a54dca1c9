"""How many requests an address may send."""

from collections.abc import Callable
from typing import Final

from pombo_exporter.web.networks import network_of

#: The most addresses that are kept; those that were seen last stay.
_MOST_KEPT: Final = 4096


class RequestRates:
    """Bounds the requests of each IPv4 address and of each IPv6 network of 64 bits.

    The requests of a second may come at once, after a rest.
    """

    def __init__(self, per_second: int, clock: Callable[[], float]) -> None:
        """Take how many requests are allowed in a second, and a monotonic clock in seconds."""
        self._per_second, self._clock = per_second, clock
        #: Of each address: how many requests were too early, and when that was so.
        self._early: dict[str, tuple[float, float]] = {}

    def seconds_until_allowed(self, address: str) -> float:
        """Count a request and return 0; or return how long this one should have waited."""
        network, now = network_of(address), self._clock()
        early, at = self._early.pop(network, (0.0, now))
        early = max(0.0, early - (now - at) * self._per_second)
        excess = early + 1 - self._per_second
        if len(self._early) >= _MOST_KEPT:
            del self._early[next(iter(self._early))]
        self._early[network] = (early if excess > 0 else early + 1), now
        return max(0.0, excess / self._per_second)
