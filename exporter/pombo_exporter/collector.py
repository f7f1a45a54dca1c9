"""Python's cyclic collector, kept from stopping the loop.

A collection of all that is held of some thousand hosts takes tens of milliseconds, in which
nobody drains the socket, and finds nothing: neither hosts nor pages make cycles.
"""

import gc
from typing import Final

_TOGETHER: Final = 64  # hosts; to collect what they are made of takes half a millisecond


class _Resting:
    """Keeps the collector off while pages are made: they are long lists, and soon gone."""

    def __init__(self) -> None:
        self._depth = 0

    def __enter__(self) -> None:
        self._depth += 1
        gc.disable()

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            gc.enable()


resting = _Resting()


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
