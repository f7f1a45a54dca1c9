"""Python's cyclic collector, kept from stopping the loop.

A collection of all that is held of some thousand hosts takes tens of milliseconds, in which
nobody drains the socket, and finds nothing: neither hosts nor pages make cycles.
"""

import gc


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

    def spare(self, hosts: int) -> None:
        """Take all that there is now out of further collections, if hosts have been added."""
        if hosts > self._hosts:
            gc.collect(1)  # what else is new may hold cycles, and is to be freed first
            gc.freeze()
        self._hosts = hosts
