"""Keeps Python's cyclic garbage collector from stopping the event loop.

A full collection over the objects of some thousand hosts takes tens of milliseconds, in which the
socket is not drained, and finds nothing: hosts contain no cycles. So they are frozen, and all else
is collected in small generations as usual. The long arrays of an exposition are numpy's, whose
items the collector does not visit.
"""

import gc
from typing import Final

_BATCH: Final = 64  # hosts; to collect what is new since the last batch takes half a millisecond


class HostFreezer:
    """Excludes hosts from collections; they are freed by their reference counts."""

    def __init__(self) -> None:
        """Exclude what exists already, and make full collections rare."""
        self._hosts = 0
        gc.collect()
        gc.freeze()
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, 1000)

    def host_added(self) -> None:
        """Count a new host; every few hosts, exclude those that were added."""
        self._hosts += 1
        if self._hosts % _BATCH == 0:
            gc.collect(1)  # first free what else is new and may contain cycles
            gc.freeze()
