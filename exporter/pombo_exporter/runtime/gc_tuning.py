"""Keeps Python's cyclic garbage collector from stopping the event loop.

A full collection over the objects of some thousand hosts takes tens of milliseconds, in which the
socket is not drained, and finds nothing: hosts contain no cycles. So they are frozen. Nor does the
collector run by itself: it would visit the lists of an answer that is being made, which have a
million references for ten thousand hosts. It is run while no long work is under way, when there is
little to visit.
"""

import gc
from typing import Final

_BATCH: Final = 64  # hosts; to collect what is new since the last batch takes half a millisecond

#: Seconds after which what is new is collected, also while work is under way.
MOST_SECONDS: Final = 120.0


class HostFreezer:
    """Excludes hosts from collections; they are freed by their reference counts."""

    def __init__(self) -> None:
        """Exclude what exists already, and let collections run only when they are asked for."""
        self._hosts = 0
        self._collected_at = 0.0
        gc.collect()
        gc.freeze()
        gc.disable()

    def freeze(self) -> None:
        """Exclude all hosts that exist, after many were added at once."""
        gc.collect()
        gc.freeze()

    def host_added(self) -> None:
        """Count a new host; every few hosts, exclude those that were added."""
        self._hosts += 1
        if self._hosts % _BATCH == 0:
            gc.collect(1)  # first free what else is new and may contain cycles
            gc.freeze()

    def collect(self, now: float, *, is_working: bool) -> None:
        """Collect what is new, unless work is under way and the last time was not long ago.

        ``now`` is the monotonic clock in seconds. All but what is frozen is collected: that is
        little, since what belongs to hosts is frozen or has no references that could be cycles.
        """
        if is_working and now - self._collected_at < MOST_SECONDS:
            return
        self._collected_at = now
        gc.collect()
