"""Who gets a place among ``--limit.hosts``, and whose place goes to another. Source: docs/wire.md.

Anybody can invent names of hosts that do not seal. An invented name is sent once, an agent's again
and again: so a budget bounds new plain names, and a name that was refused is admitted when it is
heard again. All of it takes the same time however many hosts there are.
"""

from array import array
from collections import OrderedDict
from collections.abc import Iterator
from itertools import chain, islice
from typing import Final

from pombo_exporter.hosts.limits import AdmissionError, RefusalReason

#: New plain names in a second, once those of a whole fleet have been used: in ten minutes they are
#: there again, but in a small fleet at once.
_LEAST_RATE: Final = 10.0
_REFILL_SECONDS: Final = 600.0

#: A name is on probation until it is heard half of its interval after the first time, or later.
_PROBATION_INTERVALS: Final = 0.5
_LEAST_PROBATION: Final = 1.0  # seconds

#: The names that were refused are marked in a table of sets, as in the cache of a processor. Ten
#: thousand invented names in a second push out one of ten thousand marks in 5 s, one of five in a
#: minute. The table is not booked, since its size is always the same: 4 MiB, once it is needed.
_MARKS: Final = 2**20
_WAYS: Final = 4  # marks in a set
_TICK: Final = 0xFFFF
_TICKS: Final = 10  # in a second
_AGAIN_AFTER: Final = 2  # ticks, so at least 0.1 s: the shortest interval


class Places:
    """The names that may have to give way, and the budget of new plain names."""

    def __init__(self, limit: int) -> None:
        """Take the number of places, ``--limit.hosts``."""
        self._limit = limit
        self._rate = max(_LEAST_RATE, limit / _REFILL_SECONDS)
        self._tokens, self._counted_at = float(limit), 0.0
        #: Plain names on probation, with the time at which each was first heard, ascending.
        self._probation: OrderedDict[str, float] = OrderedDict()
        #: Names of hosts that are down or said bye, plain and sealed, the longest first.
        self._silent: OrderedDict[str, None] = OrderedDict()
        self._silent_sealed: OrderedDict[str, None] = OrderedDict()
        #: When names were refused: of each the hash (16 bits) and the tick (16 bits), 0 for none.
        self._marks = array("I")

    def claim(self, name: str, now: float, hosts: int, *, is_sealed: bool) -> str | None:
        """Claim a place for a new name beside so many hosts; return the name that gives way.

        Raises:
            AdmissionError: when there is no place for it, or not yet.
        """
        is_full = hosts >= self._limit
        if not is_sealed and (is_full or not self._take_token(now)) and not self.again(name, now):
            if is_full:
                raise self.full(name)
            detail = f"{name!r} is one of too many new names: it is taken when it is heard again"
            raise AdmissionError(RefusalReason.NEW_NAME_LIMIT, detail)
        if not is_full:
            return None
        victim = next(self.yielding(is_sealed=is_sealed), None)
        if victim is None:
            raise self.full(name)
        return victim

    def add(self, name: str, now: float, *, is_sealed: bool) -> None:
        """Note that a name has a place."""
        if not is_sealed:
            self._probation[name] = now

    def heard(self, name: str, now: float, interval: float, *, is_sealed: bool) -> None:
        """Note an accepted datagram of a host."""
        since = self._probation.get(name)
        if since is not None:
            probation = max(_LEAST_PROBATION, _PROBATION_INTERVALS * interval)
            if is_sealed or now - since >= probation:
                del self._probation[name]
        if name in self._silent or name in self._silent_sealed:
            self._silent.pop(name, None)
            self._silent_sealed.pop(name, None)

    def silent(self, name: str, *, is_sealed: bool) -> None:
        """Note that a host is down or has said bye."""
        silent = self._silent_sealed if is_sealed else self._silent
        silent.setdefault(name)

    def remove(self, name: str) -> None:
        """Note that a name has no place any more."""
        self._probation.pop(name, None)
        self._silent.pop(name, None)
        self._silent_sealed.pop(name, None)

    def yielding(self, *, is_sealed: bool) -> Iterator[str]:
        """Yield the names that give way to another, which is sealed or plain; the first is first.

        Those on probation, the oldest first, and those that are silent, the longest first. Sealed
        names give way to sealed ones only.
        """
        sealed = self._silent_sealed if is_sealed else ()
        return chain(self._probation, self._silent, sealed)

    def on_probation(self, most: int) -> list[str]:
        """Return names on probation, the oldest first, at most so many."""
        return [*islice(self._probation, most)]

    def again(self, name: str, now: float) -> bool:
        """Note a name that was refused; return whether it was before, at least 0.1 s ago."""
        if not self._marks:
            self._marks = array("I", bytes(4 * _MARKS))
        place = self._place(name)
        tick = int(now * _TICKS) & _TICK
        if place is not None:
            return (tick - self._marks[place]) & _TICK >= _AGAIN_AFTER
        first, mark = _mark(name)
        # The oldest of a set gives way, one that is empty before all others.
        ages = [(tick - each) & _TICK if each else _TICK + 1 for each in self._set(first)]
        self._marks[first + ages.index(max(ages))] = mark | tick
        return False

    def full(self, name: str) -> AdmissionError:
        """Return the error of a name for which there is no place."""
        detail = f"{name!r} would be one host more than --limit.hosts={self._limit}"
        return AdmissionError(RefusalReason.HOST_LIMIT, detail)

    def _place(self, name: str) -> int | None:
        """Return where the mark of a name is, None where there is none."""
        if not self._marks:
            return None
        first, mark = _mark(name)
        for place, each in enumerate(self._set(first), first):
            if each & ~_TICK == mark:
                return place
        return None

    def _set(self, first: int) -> "array[int]":
        return self._marks[first : first + _WAYS]

    def _take_token(self, now: float) -> bool:
        more = self._rate * max(0.0, now - self._counted_at)
        self._tokens, self._counted_at = min(self._limit, self._tokens + more), now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _mark(name: str) -> tuple[int, int]:
    """Return where the set of a name begins, and its mark, which is never 0."""
    number = hash(name)  # nobody can tell which names have equal ones: it is keyed
    sets = _MARKS // _WAYS
    return number % sets * _WAYS, (number // sets % _TICK + 1) << 16
