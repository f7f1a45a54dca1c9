"""Sequence numbers of one host's datagrams: received, lost, skipped, duplicate, reordered.

A number above all that were seen opens a gap of those in between. A gap closes when its datagram
arrives after all (*reordered*), or expires (*lost*) once it has left the window: ``WINDOW`` numbers
behind the newest, as in the replay window of IPsec (RFC 4303, 3.4.3), or older than the age that
``expire_gaps`` is given. So no counter ever decreases.

A number may leap further than any agent can have counted since its last datagram. Then the oldest
of those in between are *skipped*: they were never sent, so they are not lost.
"""

from array import array
from bisect import bisect_left, bisect_right
from math import inf
from typing import Final

from msgspec import Struct

WINDOW: Final = 64

#: Seconds for which the exporter may not have read its socket while agents sent. The datagrams that
#: it finds there then seem to arrive at once, and what follows them seems to leap.
_STALL_SECONDS: Final = 600.0

_NO_NUMBERS: Final = array("q")
_NO_TIMES: Final = array("d")


class SequenceTracker(Struct, gc=False, eq=False):
    """Counts a host's datagrams over all its sessions.

    It refers to no container that could refer back, so the cyclic garbage collector skips it. What
    it stores of a window with 63 gaps takes a kilobyte; in a dict and a set it would take twelve.
    """

    received: int = 0
    lost: int = 0
    skipped: int = 0
    duplicate: int = 0
    reordered: int = 0
    _first: int = 0
    _next: int = 0
    _gaps: "array[int]" = _NO_NUMBERS  # neither received nor lost yet, ascending
    _missed: "array[float]" = _NO_TIMES  # when each of these was first missed, ascending
    #: Numbers that were counted as lost and are still within the window: bit n is _next - 1 - n.
    _expired: int = 0
    _unused: float = 0.0  # numbers that the last gap could have had besides
    _unused_since: float = 0.0  # when that was

    @property
    def has_gaps(self) -> bool:
        """Whether there are numbers that are neither received nor lost yet."""
        return bool(self._gaps)

    @property
    def newest(self) -> int:
        """The greatest number that was received; that before the first one if none was yet."""
        return self._next - 1

    def is_newest(self, number: int) -> bool:
        """Return whether this is the greatest number that was received."""
        return number == self._next - 1 >= self._first

    def is_behind_window(self, number: int) -> bool:
        """Return whether it is so old that it is not known whether it was received."""
        return number < max(self._first, self._next - WINDOW)

    def was_received(self, number: int) -> bool:
        """Return whether a number was received, or is so old that this is not known."""
        if number >= self._next:
            return False
        if self.is_behind_window(number):
            return True
        place = bisect_left(self._gaps, number)
        is_gap = place < len(self._gaps) and self._gaps[place] == number
        return not is_gap and not self._expired >> self._next - 1 - number & 1

    def opens_gap(self, number: int) -> bool:
        """Return whether numbers before this one are missing."""
        return number > self._next

    def possible(self, rate: float, silence: float, now: float) -> float:
        """Return how many numbers may be missing at ``now``, after ``silence`` seconds.

        ``rate`` is the most numbers that the host uses in a second.
        """
        unused = self._unused + rate * (now - self._unused_since)
        return max(WINDOW, min(unused, rate * _STALL_SECONDS), rate * silence)

    def start_session(self, expected: int, now: float = 0.0) -> None:
        """Start a session whose next number is ``expected``; open gaps of the last one are lost."""
        self._lose(len(self._gaps))
        self._expired = 0
        self._unused, self._unused_since = 0.0, now
        self._first = self._next = expected

    def record(self, number: int, now: float, possible: float = inf) -> bool:
        """Count a datagram; return False for a duplicate.

        Of the numbers before it, at most ``possible`` are lost if they do not arrive; these are at
        least ``WINDOW``.
        """
        self.received += 1
        if number >= self._next:
            if number > self._next:
                self._open_gaps(number, now, possible)
            self._advance(number + 1)
        elif self._close_gap(number) or self._was_lost(number):
            self.reordered += 1
            return True
        elif self.is_behind_window(number):
            self.reordered += 1  # outside the window: whether it was counted is not known
            return True
        else:
            self.duplicate += 1
            return False
        if self._gaps:
            self._lose(bisect_left(self._gaps, self._next - WINDOW))
        return True

    def record_repeated(self) -> None:
        """Count a datagram whose number was received before."""
        self.received += 1
        self.duplicate += 1

    def expire_gaps(self, missed_before: float) -> None:
        """Count as lost the gaps that were first missed at ``missed_before`` or earlier."""
        if not self._gaps:
            return
        old = bisect_right(self._missed, missed_before)
        for number in self._gaps[:old]:
            self._expired |= 1 << self._next - 1 - number
        self._lose(old)

    def copy(self) -> "SequenceTracker":
        """Return a tracker that keeps the counters of this moment."""
        return SequenceTracker(
            self.received, self.lost, self.skipped, self.duplicate, self.reordered
        )

    def _open_gaps(self, number: int, now: float, possible: float) -> None:
        """Note what is missing before a number; what is outside the window is lost."""
        missing = number - self._next
        sent = int(min(missing, possible))
        within = min(sent, WINDOW)
        self.skipped += missing - sent
        self.lost += sent - within
        if not self._gaps:
            self._gaps, self._missed = array("q"), array("d")
        self._gaps.extend(range(number - within, number))
        self._missed.extend([now] * within)
        self._unused, self._unused_since = possible - sent if possible < inf else 0.0, now

    def _advance(self, following: int) -> None:
        if self._expired:
            distance = min(following - self._next, WINDOW)
            self._expired = self._expired << distance & (1 << WINDOW) - 1
        self._next = following

    def _close_gap(self, number: int) -> bool:
        place = bisect_left(self._gaps, number)
        if place == len(self._gaps) or self._gaps[place] != number:
            return False
        del self._gaps[place], self._missed[place]
        self._drop_empty()
        return True

    def _was_lost(self, number: int) -> bool:
        """Whether a number was counted as lost; it is so no more."""
        bit = 1 << min(self._next - 1 - number, WINDOW)
        was_lost = bool(self._expired & bit)
        self._expired &= ~bit
        return was_lost

    def _lose(self, count: int) -> None:
        """Count the oldest gaps as lost."""
        if count:
            del self._gaps[:count], self._missed[:count]
            self._drop_empty()
            self.lost += count

    def _drop_empty(self) -> None:
        """Let go of arrays without gaps: each would be visited by the garbage collector."""
        if not self._gaps:
            self._gaps, self._missed = _NO_NUMBERS, _NO_TIMES
