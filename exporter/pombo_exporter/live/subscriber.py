"""One subscriber of the feed, and the events that wait for it."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

from pombo_exporter.live.sse import ALIVE, Event

#: Events that wait for a slow subscriber. One more, and a new snapshot replaces all of them.
MAX_QUEUED: Final = 8

#: Seconds without an event, after which one says that the exporter is alive.
ALIVE_INTERVAL: Final = 15.0


class Subscriber:
    """Receives events of one topic, a snapshot first."""

    def __init__(self, alive_interval: float = ALIVE_INTERVAL) -> None:
        self.needs_snapshot = True
        #: The events that wait.
        self.queue: deque[Event] = deque()
        self._alive_interval = alive_interval
        self._changed = asyncio.Event()
        self._is_closed = False

    def __len__(self) -> int:
        """Return the number of events that wait."""
        return len(self.queue)

    def send_snapshot(self, event: Event) -> None:
        """Replace all events that wait by a snapshot."""
        self.queue.clear()
        self.needs_snapshot = False
        self._append(event)

    def send(self, event: Event) -> None:
        """Append a delta, unless a snapshot is needed first."""
        if len(self) >= MAX_QUEUED:
            self.queue.clear()
            self.needs_snapshot = True
        if not self.needs_snapshot:
            self._append(event)

    def close(self) -> None:
        """End ``events`` once those that wait are received."""
        self._is_closed = True
        self._changed.set()

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield events until the subscriber is closed.

        The first one, and one each ALIVE_INTERVAL while there is no other, says that the exporter
        is alive: a snapshot of many hosts may take long on a busy machine.
        """
        if not self._is_closed:
            yield ALIVE
        while True:
            while self.queue:
                yield self.queue.popleft()
            if self._is_closed:
                return
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._alive_interval):
                    await self._changed.wait()
            if not self._changed.is_set():
                yield ALIVE

    def _append(self, event: Event) -> None:
        self.queue.append(event)
        self._changed.set()
