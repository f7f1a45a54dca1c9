"""Problems of one kind, from when they begin until they are announced to be over.

As in a rule of Prometheus, a problem has to last before it is announced (``for``), and has to be
over for as long before that is announced (``keep_firing_for``). Times are monotonic, in seconds.
"""

from collections.abc import Iterator

from pombo_exporter.notify.alerts import Alert, Key, Words
from pombo_exporter.runtime.pacing import StepClock


class Tracker:
    """Problems of one kind; at most ``most`` are kept.

    ``hold`` is for how many seconds a problem lasts before it is announced, and is over before that
    is. ``left_out`` counts problems for which there was no room.
    """

    def __init__(self, hold: float, most: int) -> None:
        self._hold, self._most = hold, most
        #: Problems that are not announced yet, and since when each lasts.
        self._pending: dict[Key, tuple[float, Alert]] = {}
        self._firing: dict[Key, Alert] = {}
        #: Announced problems that are over, since when, and what to announce.
        self._ending: dict[Key, tuple[float, Alert]] = {}
        self._burst = 0
        self.left_out = 0

    def __contains__(self, key: Key) -> bool:
        """Return whether a problem is known, announced or not."""
        return key in self._firing or key in self._pending

    @property
    def is_full(self) -> bool:
        """Whether no other problem is taken."""
        return len(self._pending) + len(self._firing) >= self._most

    @property
    def firing_of_burst(self) -> int:
        """How many announced problems still last that began together with many others."""
        return self._burst

    def began(self, alert: Alert, now: float) -> None:
        """Note that a problem began, or that it is back before its end was announced."""
        key = alert.key
        if key in self._firing:
            self._ending.pop(key, None)
        elif key not in self._pending:
            if self.is_full:
                self.left_out += 1
                return
            self._pending[key] = now, alert

    def known(self, alert: Alert) -> None:
        """Note a problem that an earlier run of the exporter has announced."""
        if not self.is_full:
            self._firing[alert.key] = alert

    def ended(self, key: Key, words: Words, now: float, wall: float) -> None:
        """Note that a problem is over since ``now``, which is ``wall`` in Unix time."""
        self._pending.pop(key, None)
        alert = self._firing.get(key)
        if alert is not None and key not in self._ending:
            self._ending[key] = now, alert.resolved(words, wall)

    def drop(self, key: Key) -> None:
        """Forget a problem. That it is over is never announced, and counted as left out."""
        self._pending.pop(key, None)
        self._ending.pop(key, None)
        if (alert := self._firing.pop(key, None)) is not None:
            self.left_out += 1
            self._burst -= alert.in_burst

    def due(self, now: float, steps: StepClock) -> Iterator[Alert | None]:
        """Yield what is to be announced now, and None between steps."""
        # Other tasks run between steps, so each is looked up again.
        for key in [*self._pending]:
            since, alert = self._pending.get(key) or (now, None)
            if alert is not None and now - since >= self._hold:
                del self._pending[key]
                self._firing[key] = alert
                yield alert
            if steps.step_is_over:
                yield None
        for key in [*self._ending]:
            since, alert = self._ending.get(key) or (now, None)
            if alert is not None and now - since >= self._hold:
                del self._ending[key]
                if self._firing.pop(key).in_burst:
                    self._burst -= 1
                    alert = alert.of_burst()
                yield alert
            if steps.step_is_over:
                yield None

    def mark_burst(self, alert: Alert) -> Alert:
        """Mark a problem that was just announced as one of many, and return it so."""
        marked = alert.of_burst()
        if self._firing.get(alert.key) is alert:
            self._firing[alert.key] = marked
            self._burst += 1
        return marked
