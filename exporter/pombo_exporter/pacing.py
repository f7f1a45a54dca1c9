"""Long work on the loop, and the socket that must not wait for it."""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Final

LOOK: Final = 0.0005  # seconds; the kernel's default buffer holds some 90 datagrams
REST_TIMES: Final = 9  # as long as it took, after work that is to have a tenth of the time at most
TURN: Final = 0.004  # seconds; a turn of the loop costs a tenth of what is done between two looks


def _nothing() -> None:
    pass


class Turns:
    """Lets the socket and the loop have their turns, by the clock, in whatever takes long.

    All such work shares one clock, and its steps are short: so the socket waits for ``LOOK`` and
    a step at most, however many pages are being made, and all else for little over ``TURN``.
    """

    def __init__(
        self, look: Callable[[], object] = _nothing, clock: Callable[[], float] = perf_counter
    ) -> None:
        """Take what drains the socket, and a clock in seconds."""
        self._look, self._clock = look, clock
        self._looked = self._given = clock()

    async def give(self) -> None:
        """Drain the socket, and give the loop back, if that was long ago."""
        if self._clock() - self._looked <= LOOK:
            return
        self._look()
        self._looked = self._clock()
        if self._looked - self._given > TURN:
            await asyncio.sleep(0)
            self._given = self._clock()
