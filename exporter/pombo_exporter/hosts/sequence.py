"""Sequence numbers of one host's datagrams: received, lost, duplicate, reordered.

A number above all that were seen opens a gap of those in between. A gap closes when its datagram
arrives after all (*reordered*), or expires (*lost*) once it has left the window: ``WINDOW`` numbers
behind the newest, as in the replay window of IPsec (RFC 4303, 3.4.3), or older than the age that
``expire_gaps`` is given. So no counter ever decreases.
"""

from collections.abc import Collection
from itertools import takewhile
from typing import Final

from msgspec import Struct

WINDOW: Final = 64

_NONE: Final[frozenset[int]] = frozenset()


class SequenceTracker(Struct, gc=False, eq=False):
    """Counts a host's datagrams over all its sessions.

    It refers to no container that could refer back, so the cyclic garbage collector skips it.
    """

    received: int = 0
    lost: int = 0
    duplicate: int = 0
    reordered: int = 0
    _first: int = 0
    _next: int = 0
    _gaps: dict[int, float] = {}  # number → when it was first missed, both ascending
    _expired: frozenset[int] = _NONE  # counted as lost, and still within the window

    @property
    def has_gaps(self) -> bool:
        """Whether there are numbers that are neither received nor lost yet."""
        return bool(self._gaps)

    def start_session(self, expected: int) -> None:
        """Start a session whose next number is ``expected``; open gaps of the last one are lost."""
        self._lose([*self._gaps])
        self._expired = _NONE
        self._first = self._next = expected

    def record(self, number: int, now: float) -> bool:
        """Count a datagram; return False for a duplicate."""
        self.received += 1
        if number == self._next:
            self._next += 1
        elif number > self._next:
            self.lost += max(0, number - WINDOW - self._next)
            for missed in range(max(self._next, number - WINDOW), number):
                self._gaps[missed] = now
            self._next = number + 1
            self._expired = self._within_window(self._expired)
        elif self._gaps.pop(number, None) is not None or number in self._expired:
            self._expired -= {number}
            self.reordered += 1
            return True
        elif number < max(self._first, self._next - WINDOW):
            self.reordered += 1  # outside the window: whether it was counted is not known
            return True
        else:
            self.duplicate += 1
            return False
        if self._gaps:
            self._lose([*takewhile((self._next - WINDOW).__gt__, self._gaps)])
        return True

    def expire_gaps(self, missed_before: float) -> None:
        """Count as lost the gaps that were first missed at ``missed_before`` or earlier."""
        if not self._gaps:
            return
        old = [*takewhile(lambda number: self._gaps[number] <= missed_before, self._gaps)]
        self._expired = self._within_window((*self._expired, *old))
        self._lose(old)

    def copy(self) -> "SequenceTracker":
        """Return a tracker that keeps the counters of this moment."""
        return SequenceTracker(self.received, self.lost, self.duplicate, self.reordered)

    def _within_window(self, numbers: Collection[int]) -> frozenset[int]:
        edge = self._next - WINDOW
        return frozenset(number for number in numbers if number >= edge)

    def _lose(self, numbers: Collection[int]) -> None:
        for number in numbers:
            del self._gaps[number]
        self.lost += len(numbers)
