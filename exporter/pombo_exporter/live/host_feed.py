"""All of one host, as the pages that show it are told: made once, whoever asks."""

import asyncio
import time

import msgspec

from pombo_exporter.hosts.host import Host
from pombo_exporter.live.history import Histories
from pombo_exporter.live.sse import MOST_PAGES, Event, piece
from pombo_exporter.live.version import Standing, standing
from pombo_exporter.metrics.family import Catalogue
from pombo_exporter.pacing import REST_TIMES
from pombo_exporter.views import describe


class Details:
    """What was last told of the hosts that somebody looks at."""

    def __init__(self, catalogue: Catalogue, histories: Histories) -> None:
        self._catalogue = catalogue
        self._histories = histories
        self._made: dict[str, tuple[Standing, Event]] = {}
        self._making = asyncio.Lock()
        self._next = 0.0

    async def of(self, host: Host) -> tuple[Standing, Event]:
        """Return how a host is and what is told of it: made once, whoever asks.

        However many hosts have a page open, to make them takes a tenth of the time at most.
        """
        async with self._making:
            made = self._made.get(host.name)
            if made and made[0] == standing(host, time.monotonic()):
                return made
            await asyncio.sleep(self._next - time.monotonic())
            now, wall = time.monotonic(), time.time()
            data = msgspec.json.encode(describe.detail(host, self._catalogue, now))
            history = self._histories.of(host.name, wall).json()
            text = b'event: host\ndata: {"now_timestamp_seconds":%.3f,"host":%s,"history":%s}\n\n'
            if len(self._made) >= MOST_PAGES:
                self._made.clear()
            event = (piece(text % (wall, data, history)),)
            made = self._made[host.name] = standing(host, now), event
            done = time.monotonic()
            self._next = done + REST_TIMES * (done - now)
            return made
