"""The most recent refusals: the last one of each reason and address, and how many there were."""

from typing import Final

from msgspec import Struct

MAX_ENTRIES: Final = 100  # a sender that forges addresses pushes out the oldest
_EXCERPT: Final = 120  # bytes of a datagram that are shown


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


class _Entry(Struct, gc=False):
    """What is kept of the refusals of one reason and address; the datagram is the last one."""

    count: int
    wall: float
    detail: str
    datagram: bytes


class RefusalLog:
    """Keeps the most recent refusals, one entry for each reason and address."""

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self._max = max_entries
        self._entries: dict[tuple[str, str], _Entry] = {}  # the newest is the last

    def add(self, reason: str, detail: str, address: str, datagram: bytes, wall: float) -> None:
        """Add a refusal; ``wall`` is the time of day in seconds."""
        key = reason, address
        entry = self._entries.pop(key, None)
        if entry is None:
            if len(self._entries) >= self._max:
                del self._entries[next(iter(self._entries))]
            entry = _Entry(1, wall, detail, datagram)
        else:
            entry.count += 1
            entry.wall, entry.detail, entry.datagram = wall, detail, datagram
        self._entries[key] = entry

    def newest_first(self) -> list[Refusal]:
        """Return all entries."""
        return [
            Refusal(
                str(reason), address, each.count, each.wall, each.detail, each.datagram[:_EXCERPT]
            )
            for (reason, address), each in reversed(self._entries.items())
        ]
