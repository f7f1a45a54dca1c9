"""The feed over HTTP: server-sent events for status pages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from typing import Final

from aiohttp import ClientConnectionError, web

from pombo_exporter.live.feed import Feed
from pombo_exporter.live.history import HistorySampler
from pombo_exporter.live.sse import GZIP_HEADER, RETRY, Event
from pombo_exporter.web.negotiation import gzip_accepted
from pombo_exporter.web.responses import HEADERS, disconnecting

MAX_SUBSCRIBERS: Final = 100

_WRITE_TIMEOUT: Final = 60.0  # seconds for a status page to read one frame
_CLOSE_TIMEOUT: Final = 1.0  # seconds for status pages to take what waits when the exporter stops

#: No proxy may buffer events.
_HEADERS: Final = {**HEADERS, "Vary": "Accept-Encoding", "X-Accel-Buffering": "no"}


class Live:
    """Serves ``/live``: events of the fleet, or of one host with ``?host=``."""

    def __init__(
        self, feed: Feed, sampler: HistorySampler, max_subscribers: int = MAX_SUBSCRIBERS
    ) -> None:
        self._feed, self._sampler = feed, sampler
        self._max = max_subscribers
        self._deadlines: set[asyncio.Timeout] = set()  # one for each open response

    async def running(self, app: web.Application) -> AsyncIterator[None]:
        """Run the feed and the history for as long as the application runs."""

        async def close(_: web.Application) -> None:
            self._feed.close()
            until = asyncio.get_running_loop().time() + _CLOSE_TIMEOUT
            for deadline in self._deadlines:
                deadline.reschedule(until)

        app.on_shutdown.append(close)
        tasks = [asyncio.create_task(self._feed.run()), asyncio.create_task(self._sampler.run())]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Write events until the client disconnects or the exporter stops."""
        if self._feed.subscribers >= self._max:
            raise web.HTTPServiceUnavailable(
                text=f"{self._max} status pages are open: close some\n"
            )
        gzipped = gzip_accepted(request)
        response = web.StreamResponse(headers=_HEADERS)
        response.content_type = "text/event-stream"
        if gzipped:
            response.headers["Content-Encoding"] = "gzip"
        if request.method == "HEAD":
            await response.prepare(request)
            return response
        with suppress(ClientConnectionError, TimeoutError):
            async with asyncio.timeout(None) as deadline:
                self._deadlines.add(deadline)
                try:
                    await self._serve(request, response, gzipped=gzipped)
                finally:
                    self._deadlines.discard(deadline)
        return response

    async def _serve(
        self, request: web.Request, response: web.StreamResponse, *, gzipped: bool
    ) -> None:
        with self._feed.subscribe(request.query.get("host")) as subscriber:
            await response.prepare(request)
            if gzipped:
                await response.write(GZIP_HEADER)
            await _write(request, response, RETRY, gzipped=gzipped)
            async with aclosing(subscriber.events()) as events:
                async for event in events:
                    await _write(request, response, event, gzipped=gzipped)


async def _write(
    request: web.Request, response: web.StreamResponse, event: Event, *, gzipped: bool
) -> None:
    for frame in event:
        async with disconnecting(request, _WRITE_TIMEOUT):
            await response.write(frame.gzipped if gzipped else frame.plain)
