"""Waiting for a state that nothing announces."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop run until ``condition`` is true.

    Raises:
        TimeoutError: when it is still false after ten seconds.
    """
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the state has no event
            await asyncio.sleep(0.001)
