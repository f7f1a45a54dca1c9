"""What the page is told as it happens: server-sent events.

``/live`` tells of every host, as ``news`` has it, and ``/live?host=`` all of one, as ``details``
does. To make either takes a tenth of the time at most, so that neither a great fleet nor many
open pages can keep the socket waiting.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import Any, Final

from aiohttp import ClientConnectionError, web
from prometheus_client.exposition import gzip_accepted

from pombo_exporter.hosts.roster import Roster
from pombo_exporter.live.fleet_feed import SILENCE, News
from pombo_exporter.live.host_feed import Details
from pombo_exporter.live.sse import GONE, GZIP_HEADER, HELLO, MOST_PAGES, STILL_HERE, Event
from pombo_exporter.live.version import Standing, standing
from pombo_exporter.metrics.family import Catalogue
from pombo_exporter.pacing import REST_TIMES, Turns
from pombo_exporter.views.status import Status
from pombo_exporter.web.responses import HEADERS

log = logging.getLogger("pombo_exporter")

_EVERY: Final = 1.0  # seconds between two turns
_LEAST_REST: Final = 0.1  # seconds; pages that open together share what they are told
_PATIENCE: Final = 60.0  # seconds for a page to take one piece
_FAREWELL: Final = 1.0  # seconds for pages to take what is under way when the exporter stops

#: No proxy may keep events back until there are many.
_HEADERS: Final = {**HEADERS, "Vary": "Accept-Encoding", "X-Accel-Buffering": "no"}


class Live:
    """Serves the open pages, for as long as each of them looks."""

    def __init__(self, roster: Roster, catalogue: Catalogue, status: Status, turns: Turns) -> None:
        self._roster = roster
        self._news = News(roster, status, turns)
        self._details = Details(catalogue, self._news.histories)
        self._readers: set[asyncio.Task[Any]] = set()
        self._nobody_reads = asyncio.Event()
        self._closing = asyncio.Event()

    @property
    def open_pages(self) -> int:
        """How many pages are open."""
        return len(self._readers)

    async def running(self, app: web.Application) -> AsyncIterator[None]:
        """Run for as long as the application is served."""

        async def close(_: web.Application) -> None:
            self._closing.set()
            self._news.wake()
            if self._readers:
                self._nobody_reads.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._nobody_reads.wait(), _FAREWELL)
            for task in self._readers:  # who takes nothing keeps nobody from stopping
                task.cancel()

        app.on_shutdown.append(close)
        task = asyncio.create_task(self._run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def _run(self) -> None:
        while True:
            began = time.monotonic()
            self._news.somebody_joined.clear()
            try:
                await self._news.turn()
            except Exception:  # the next one may go better; pages that stand still tell nobody
                log.exception("cannot tell pages what happens")
                self._news.begin_anew()
            took = time.monotonic() - began
            rest = max(_LEAST_REST, REST_TIMES * took)
            await asyncio.sleep(rest)
            with suppress(TimeoutError):
                left = max(0.0, _EVERY - took - rest)
                await asyncio.wait_for(self._news.somebody_joined.wait(), left)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Write events until the reader leaves or the exporter stops."""
        if self.open_pages >= MOST_PAGES:
            raise web.HTTPServiceUnavailable(text=f"{MOST_PAGES} pages are open: close some\n")
        packed = gzip_accepted(request.headers.get("Accept-Encoding", ""))
        response = web.StreamResponse(headers=_HEADERS)
        response.content_type = "text/event-stream"
        if packed:
            response.headers["Content-Encoding"] = "gzip"
        if request.method == "HEAD":
            await response.prepare(request)
            return response
        reader = asyncio.current_task()
        assert reader is not None
        self._readers.add(reader)
        try:
            await self._write(request, response, packed=packed)
        finally:
            self._readers.discard(reader)
            if not self._readers:
                self._nobody_reads.set()
        return response

    async def _write(
        self, request: web.Request, response: web.StreamResponse, *, packed: bool
    ) -> None:
        name = request.query.get("host")
        with suppress(ClientConnectionError, TimeoutError):
            await response.prepare(request)
            if packed:
                await response.write(GZIP_HEADER)
            async with aclosing(self._of_all() if name is None else self._of_host(name)) as events:
                async for event in events:
                    for part in event:
                        async with asyncio.timeout(_PATIENCE):
                            await response.write(part.packed if packed else part.plain)

    async def _of_all(self) -> AsyncGenerator[Event]:
        page = self._news.join()
        try:
            yield HELLO
            while not self._closing.is_set():
                for event in page.take():
                    yield event
                await page.news.wait()
        finally:
            self._news.leave(page)

    async def _of_host(self, name: str) -> AsyncGenerator[Event]:
        yield HELLO
        shown: Standing | None = None
        first, told = True, 0.0
        while not self._closing.is_set():
            now = time.monotonic()
            host = self._roster.find(name)
            if host and (first or shown != standing(host, now)):
                shown, event = await self._details.of(host)
                first, told = False, now
                yield event
            elif host is None and (first or shown):
                shown, first, told = None, False, now
                yield GONE
            elif now - told >= SILENCE:
                told = now
                yield STILL_HERE
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _EVERY)
