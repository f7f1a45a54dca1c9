"""What was refused lately: the latest of each reason and address, and how often."""

from typing import Final

from msgspec import Struct

MOST: Final = 100  # entries; whoever forges addresses pushes out the oldest
_START: Final = 120  # bytes of a datagram that are kept


class Refused(Struct, gc=False):
    """Datagrams refused for one reason, of one address; ``wall`` is when the last one came."""

    reason: str
    address: str
    count: int
    wall: float
    detail: str
    start: bytes


class Refusals:
    """Keeps the latest refusals, one entry for each reason and address."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._held: dict[tuple[str, str], Refused] = {}  # the newest comes last

    def note(self, reason: str, detail: str, address: str, datagram: bytes, wall: float) -> None:
        """Note one; ``wall`` is the time of day in seconds."""
        key = str(reason), address
        before = self._held.pop(key, None)
        if before is None and len(self._held) >= self._most:
            del self._held[next(iter(self._held))]
        count = before.count + 1 if before else 1
        self._held[key] = Refused(*key, count, wall, detail, bytes(datagram[:_START]))

    def newest_first(self) -> list[Refused]:
        """Return what is kept."""
        return [*reversed(self._held.values())]
