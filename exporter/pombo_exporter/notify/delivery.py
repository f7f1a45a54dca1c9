"""Delivers alerts to one receiver: one request after the other, whatever other receivers do."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, time
from typing import Final

from pombo_cli.logs import LimitedLogger

from pombo_exporter.notify.alerts import Alert, Kind
from pombo_exporter.notify.client import Client
from pombo_exporter.notify.grouping import Links
from pombo_exporter.notify.queue import Queue
from pombo_exporter.notify.targets import Target
from pombo_exporter.stats import Delivery

log = logging.getLogger(__name__)

_LOG_INTERVAL: Final = 60.0  # seconds between two lines of failed requests to one receiver


class Courier:
    """Posts the alerts of a queue to a target."""

    def __init__(
        self,
        target: Target,
        queue: Queue,
        client: Client,
        links: Links,
        still_firing: Callable[[Kind], bool],
    ) -> None:
        """Take what the requests are made of; ``still_firing`` is as in ``Queue.batch``."""
        self.target, self._queue, self._client = target, queue, client
        self._links, self._still_firing = links, still_firing
        self._log = LimitedLogger(log, _LOG_INTERVAL)
        self._woken = asyncio.Event()
        self._requests = self._failed = 0
        self._last_success = 0.0

    def put(self, alert: Alert, now: float) -> None:
        """Add an alert; ``now`` is monotonic, in seconds."""
        self._queue.put(alert, now)
        self._woken.set()

    def try_now(self) -> None:
        """End a pause after failed requests."""
        self._queue.try_now()
        self._woken.set()

    def stats(self) -> Delivery:
        """Return what was delivered so far."""
        queue = self._queue
        return Delivery(
            self.target.name,
            self._requests,
            self._failed,
            self._last_success,
            queue.dropped,
            len(queue),
            queue.capacity,
        )

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            self._woken.clear()
            pause = self._queue.due_in(monotonic())
            if pause is None or pause > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._woken.wait()
            else:
                await self._deliver()

    async def finish(self) -> None:
        """Deliver what waits, until a request fails."""
        while len(self._queue) and await self._deliver():
            pass

    async def _deliver(self) -> bool:
        """Send the next request; return whether it was accepted."""
        batch = self._queue.batch(self._links, self._still_firing)
        if batch is None:
            return True
        outcome = await self._client.send("POST", self.target, batch.body)
        self._requests += 1
        if not outcome.error:
            self._queue.delivered(batch.alerts)
            self._last_success = time()
            return True
        self._failed += 1
        if outcome.may_retry:
            self._queue.failed(monotonic(), outcome.retry_after)
        else:
            self._queue.refused(batch.alerts, may_be_long=outcome.may_be_long)
        self._log.warning(
            "cannot deliver notifications",
            key="failed",
            receiver=self.target.name,
            error=outcome.error,
            alerts=len(batch.alerts),
            queued=len(self._queue),
            dropped=self._queue.dropped,
        )
        return False
