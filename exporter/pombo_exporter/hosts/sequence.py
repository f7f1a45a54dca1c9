"""One host's datagram numbers: what arrived, what was lost, what came twice or out of order.

A number above all seen so far opens a gap of those in between. A gap closes when its
datagram arrives after all (*reordered*), or is written off as *lost* once it has left the
window: ``WINDOW`` numbers behind the newest, as in IPsec's replay protection (RFC 4303,
3.4.3), or older than the patience that ``settle`` is given. So no counter ever falls.
"""

from collections.abc import Collection
from itertools import takewhile
from typing import Final

from msgspec import Struct

WINDOW: Final = 64

_NONE: Final[frozenset[int]] = frozenset()


class Ledger(Struct, gc=False, eq=False):
    """Counts a host's datagrams over all its sessions.

    As a host, it is nothing that the cyclic collector would have to visit.
    """

    received: int = 0
    lost: int = 0
    duplicate: int = 0
    reordered: int = 0
    _first: int = 0
    _next: int = 0
    _gaps: dict[int, float] = {}  # number → when it was first missed, both ascending
    _written_off: frozenset[int] = _NONE  # lost, and not long ago left the window

    @property
    def has_gaps(self) -> bool:
        """Whether there are numbers that may still turn out to be lost."""
        return bool(self._gaps)

    def begin(self, expected: int) -> None:
        """Start a session whose next number is ``expected``; gaps of the last one are lost."""
        self._close([*self._gaps])
        self._written_off = _NONE
        self._first = self._next = expected

    def book(self, number: int, now: float) -> bool:
        """Count a datagram; return False when it is one that has been counted before."""
        self.received += 1
        if number == self._next:
            self._next += 1
        elif number > self._next:
            self.lost += max(0, number - WINDOW - self._next)
            for missed in range(max(self._next, number - WINDOW), number):
                self._gaps[missed] = now
            self._next = number + 1
            self._written_off = self._within_window(self._written_off)
        elif self._gaps.pop(number, None) is not None or number in self._written_off:
            self._written_off -= {number}
            self.reordered += 1
            return True
        elif number < max(self._first, self._next - WINDOW):
            self.reordered += 1  # too old to tell whether it was counted before
            return True
        else:
            self.duplicate += 1
            return False
        if self._gaps:
            self._close([*takewhile((self._next - WINDOW).__gt__, self._gaps)])
        return True

    def settle(self, missed_before: float) -> None:
        """Write off the gaps that were first missed at ``missed_before`` or earlier."""
        if not self._gaps:
            return
        old = [*takewhile(lambda number: self._gaps[number] <= missed_before, self._gaps)]
        self._written_off = self._within_window((*self._written_off, *old))
        self._close(old)

    def _within_window(self, numbers: Collection[int]) -> frozenset[int]:
        edge = self._next - WINDOW
        return frozenset(number for number in numbers if number >= edge)

    def _close(self, numbers: Collection[int]) -> None:
        for number in numbers:
            del self._gaps[number]
        self.lost += len(numbers)
