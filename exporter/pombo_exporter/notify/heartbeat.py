"""Heartbeats: a URL is called now and then, as long as the exporter lives."""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic, time
from typing import Final

from pombo_cli.logs import LimitedLogger

from pombo_exporter.notify.client import Client
from pombo_exporter.notify.targets import Target
from pombo_exporter.stats import Delivery

log = logging.getLogger(__name__)

_TRIES: Final = 3  # of one heartbeat
_PAUSE: Final = 1.0  # seconds after the first try; after each further one twice as many
_LOG_INTERVAL: Final = 60.0  # seconds between two lines of one kind


class Heartbeat:
    """Calls a target once in ``interval`` seconds, unless ``lives`` returns false then."""

    def __init__(
        self, target: Target, client: Client, interval: float, lives: Callable[[], bool]
    ) -> None:
        self.target, self._client = target, client
        self._interval, self._lives = interval, lives
        self._log = LimitedLogger(log, _LOG_INTERVAL)
        self._requests = self._failed = 0
        self._last_success = 0.0

    def stats(self) -> Delivery:
        """Return how many requests were sent so far."""
        return Delivery(self.target.name, self._requests, self._failed, self._last_success)

    async def run(self) -> None:
        """Call the target until cancelled, the first time at once."""
        while True:
            began = monotonic()
            if self._lives():
                await self._beat(began + self._interval)
            else:
                self._log.warning("no heartbeat: the UDP socket is not read", key="lives")
            await asyncio.sleep(max(0.0, began + self._interval - monotonic()))

    async def _beat(self, next_at: float) -> None:
        """Call the target, and again if that fails and there is time before the next heartbeat."""
        pause = _PAUSE
        for _ in range(_TRIES):
            outcome = await self._client.send("GET", self.target)
            self._requests += 1
            if not outcome.error:
                self._last_success = time()
                return
            self._failed += 1
            fields = {"receiver": self.target.name, "error": outcome.error}
            self._log.warning("heartbeat failed", key="failed", **fields)
            pause = max(pause, outcome.retry_after)
            if not outcome.may_retry or monotonic() + pause >= next_at:
                return
            await asyncio.sleep(pause)
            pause *= 2
