"""The most recent refusals: the last one of each reason and address, and how many there were."""

from typing import Final

from msgspec import Struct

MAX_ENTRIES: Final = 100  # a sender that forges addresses pushes out the oldest
_EXCERPT: Final = 120  # bytes of a datagram that are kept


class Refusal(Struct, gc=False, frozen=True):
    """Datagrams refused for one reason, from one address.

    ``wall`` is when the last one arrived, in Unix seconds; ``start`` is its first bytes.
    """

    reason: str
    address: str
    count: int
    wall: float
    detail: str
    start: bytes


class RefusalLog:
    """Keeps the most recent refusals, one entry for each reason and address."""

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self._max = max_entries
        self._entries: dict[tuple[str, str], Refusal] = {}  # the newest is the last

    def add(self, reason: str, detail: str, address: str, datagram: bytes, wall: float) -> None:
        """Add a refusal; ``wall`` is the time of day in seconds."""
        key = str(reason), address
        before = self._entries.pop(key, None)
        if before is None and len(self._entries) >= self._max:
            del self._entries[next(iter(self._entries))]
        count = before.count + 1 if before else 1
        self._entries[key] = Refusal(*key, count, wall, detail, bytes(datagram[:_EXCERPT]))

    def newest_first(self) -> list[Refusal]:
        """Return all entries."""
        return [*reversed(self._entries.values())]
