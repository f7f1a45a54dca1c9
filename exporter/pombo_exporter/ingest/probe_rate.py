"""How often probes are answered."""

from typing import Final

#: Seconds between two answers to one name in the long run, and how many of them may come at once,
#: since a network delivers what was sent at an even pace in bunches.
PROBE_SECONDS: Final = 0.05
BUNCH: Final = 10

_MOST_KEPT: Final = 4096  # names


class ProbeRate:
    """Allows 20 probes of a name in a second.

    Only who has the key of a name can use up what that name may have. When too many names are kept,
    all are forgotten.
    """

    def __init__(self) -> None:
        self._next_at: dict[str, float] = {}  # when the next one is due, at an even pace

    def allows(self, name: str, now: float) -> bool:
        """Return whether to answer a probe ``now``, in seconds of a monotonic clock."""
        due = max(self._next_at.get(name, now), now)
        if due - now > (BUNCH - 0.5) * PROBE_SECONDS:  # a half, since sums are not exact
            return False
        if len(self._next_at) >= _MOST_KEPT:
            self._next_at.clear()
        self._next_at[name] = due + PROBE_SECONDS
        return True
