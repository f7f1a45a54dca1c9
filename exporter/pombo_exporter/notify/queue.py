"""What waits to be delivered to one receiver.

An alert takes the place of an older one about the same problem, so there are never more than there
are problems. Pure state: times are monotonic, in seconds.
"""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from pombo_exporter.notify.alerts import Alert, Key, Kind
from pombo_exporter.notify.grouping import MOST_ALERTS, Batch, Group, Links, batch, group_of

#: Seconds after the first failed request; after each further one twice as many.
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0

#: The most seconds that a receiver may ask for.
MOST_RETRY_AFTER: Final = 300.0

#: Seconds for which an alert waits to be delivered, then it is dropped.
MOST_AGE: Final = 3600.0


#: A receiver that takes fewer alerts in a request makes a message of each request, for people: of a
#: burst it gets one, which says how many alerts are left out.
_FEW: Final = 10


class _Entry(Struct, gc=False):
    """An alert, since when it waits, and whether the receiver may have it already.

    ``is_left_out`` is whether the last request has counted it as left out for good.
    """

    alert: Alert
    since: float
    was_sent: bool = False
    is_left_out: bool = False


class Queue:
    """The alerts for one receiver, in groups, and when the next request is due.

    ``dropped`` counts alerts that were never delivered.
    """

    def __init__(self, capacity: int, random: Callable[[], float]) -> None:
        """Take the most alerts that wait; ``random`` returns a number from 0 to 1."""
        self.capacity, self._random = capacity, random
        self._groups: dict[Group, dict[Key, _Entry]] = {}
        self._group_of: dict[Key, Group] = {}
        self._pause = 0.0
        self._due_at = float("-inf")
        self._most = MOST_ALERTS  # alerts in a request
        self.dropped = 0

    def __len__(self) -> int:
        """Return how many alerts wait."""
        return len(self._group_of)

    def put(self, alert: Alert, now: float) -> None:
        """Add an alert.

        A problem that is over before the receiver was told of it is not told at all. With a full
        queue, the alert that has waited for longest is dropped.
        """
        before = self._pop(alert.key)
        if before is not None and before.alert.is_firing and not before.was_sent:
            if not alert.is_firing:
                return
            now = before.since
        if len(self) >= self.capacity:
            self._pop(next(iter(next(iter(self._groups.values())))))
            self.dropped += 1
        group = group_of(alert)
        self._groups.setdefault(group, {})[alert.key] = _Entry(alert, now)
        self._group_of[alert.key] = group

    def due_in(self, now: float) -> float | None:
        """Return in how many seconds the next request is due, None where nothing waits."""
        return max(0.0, self._due_at - now) if self._groups else None

    def try_now(self) -> None:
        """Let the next request be due at once."""
        self._due_at = float("-inf")

    def batch(self, links: Links, still_firing: Callable[[Kind], bool]) -> Batch | None:
        """Return the next request, None where nothing waits.

        Its alerts wait on until ``delivered`` or ``refused``. ``still_firing`` returns whether any
        problem of a kind lasts that is of a burst.
        """
        if not self._groups:
            return None
        group, entries = next(iter(self._groups.items()))
        lasts = group.key is None and still_firing(group.kind)
        waiting = [each.alert for each in entries.values()]
        found = batch(waiting, links, still_firing=lasts, most=self._most)
        for alert in found.alerts:
            entries[alert.key].was_sent = True
        if self._most < _FEW:
            for alert in waiting[len(found.alerts) :]:
                entries[alert.key].is_left_out = True
        return found

    def delivered(self, alerts: Sequence[Alert]) -> None:
        """Note that the receiver has accepted a request with these alerts."""
        self._done(alerts)
        entries = self._groups.get(group_of(alerts[0]), {})
        for key in [key for key, each in entries.items() if each.is_left_out]:
            self._pop(key)
            self.dropped += 1

    def refused(self, alerts: Sequence[Alert], *, may_be_long: bool = False) -> None:
        """Note that the receiver will never accept a request with these alerts.

        If ``may_be_long``, it may accept one with half of them. If it does not accept a single one
        either, it gets no more of the group.
        """
        group = group_of(alerts[0])
        if may_be_long and len(alerts) > 1:
            self._most = len(alerts) // 2
            return
        self.dropped += self._done(alerts)
        if may_be_long and group.key is None:
            self._most = MOST_ALERTS
            for key in [*self._groups.get(group, ())]:
                self._pop(key)
                self.dropped += 1

    def failed(self, now: float, retry_after: float = 0.0) -> None:
        """Note that a request failed: the next one is due after a pause.

        ``retry_after`` is what the receiver asks for, in seconds. Alerts that have waited for too
        long are dropped.
        """
        self._pause = min(_LONGEST_PAUSE, 2 * self._pause or _FIRST_PAUSE)
        spread = self._pause * (0.5 + 0.5 * self._random())
        self._due_at = now + max(spread, min(retry_after, MOST_RETRY_AFTER))
        for entries in [*self._groups.values()]:
            for key, entry in [*entries.items()]:
                if now - entry.since >= MOST_AGE:
                    self._pop(key)
                    self.dropped += 1

    def _done(self, alerts: Sequence[Alert]) -> int:
        self._pause, self._due_at = 0.0, float("-inf")
        done = 0
        for alert in alerts:
            group = self._group_of.get(alert.key)
            # Another one may have taken its place while the request was under way.
            if group is not None and self._groups[group][alert.key].alert is alert:
                self._pop(alert.key)
                done += 1
        return done

    def _pop(self, key: Key) -> _Entry | None:
        group = self._group_of.pop(key, None)
        if group is None:
            return None
        entries = self._groups[group]
        entry = entries.pop(key)
        if not entries:
            del self._groups[group]
        return entry
