"""Long work on the loop, and the socket that must not wait for it."""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Final

TURN: Final = 0.0005  # seconds; the kernel's default buffer holds some 90 datagrams


def _nothing() -> None:
    pass


class Turns:
    """Lets the socket have its turn, by the clock, in whatever takes long.

    All such work shares one clock, and its steps are short: so the socket waits for ``TURN`` and
    a step at most, however many pages are being made.
    """

    def __init__(
        self, look: Callable[[], object] = _nothing, clock: Callable[[], float] = perf_counter
    ) -> None:
        """Take what drains the socket, and a clock in seconds."""
        self._look, self._clock = look, clock
        self._looked = clock()

    async def give(self) -> None:
        """Drain the socket and give the loop back, if that was long ago."""
        if self._clock() - self._looked > TURN:
            self._look()
            self._looked = self._clock()
            await asyncio.sleep(0)
