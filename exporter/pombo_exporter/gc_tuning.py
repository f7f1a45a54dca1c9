"""Python's cyclic collector, kept from stopping the loop.

A collection of all that is held of some thousand hosts takes tens of milliseconds, in which
nobody drains the socket, and finds nothing: hosts make no cycles. What else is new is collected
in small doses, as Python does by itself; a page in the making is no part of them, since its long
columns are numpy's, which the collector does not visit.
"""

import gc
from typing import Final

_TOGETHER: Final = 64  # hosts; to collect what they are made of takes half a millisecond


class Sparing:
    """Keeps the collector from visiting hosts, which are freed without it."""

    def __init__(self) -> None:
        """Take out of collections what there is at the start, and let whole ones be rare."""
        self._hosts = 0
        gc.collect()
        gc.freeze()
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, 1000)

    def welcome(self) -> None:
        """Take in one more host; every few hosts, no collection visits them any more."""
        self._hosts += 1
        if self._hosts % _TOGETHER == 0:
            gc.collect(1)  # what else is new may hold cycles, and is to be freed first
            gc.freeze()
