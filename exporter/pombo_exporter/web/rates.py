"""How many requests an address may send."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from pombo_wire.sealing import IPV4_MAPPED

#: The most addresses that are kept; those that were seen last stay.
_MOST_KEPT: Final = 4096

_NETWORK_BYTES: Final = 8  # of an IPv6 address: a customer has at least such a network


class RequestRates:
    """Bounds the requests of each IPv4 address and of each IPv6 network of 64 bits.

    The requests of a second may come at once, after a rest.
    """

    def __init__(self, per_second: int, clock: Callable[[], float]) -> None:
        """Take how many requests are allowed in a second, and a monotonic clock in seconds."""
        self._per_second, self._clock = per_second, clock
        #: Of each address: how many requests were too early, and when that was so.
        self._early: dict[bytes, tuple[float, float]] = {}

    def seconds_until_allowed(self, address: str) -> float:
        """Count a request and return 0; or return how long this one should have waited."""
        network, now = _network(address), self._clock()
        early, at = self._early.pop(network, (0.0, now))
        early = max(0.0, early - (now - at) * self._per_second)
        excess = early + 1 - self._per_second
        if len(self._early) >= _MOST_KEPT:
            del self._early[next(iter(self._early))]
        self._early[network] = (early if excess > 0 else early + 1), now
        return max(0.0, excess / self._per_second)


def _network(address: str) -> bytes:
    packed = ip_address(address.partition("%")[0]).packed
    return packed[:_NETWORK_BYTES] if len(packed) > 4 and packed[:12] != IPV4_MAPPED else packed
