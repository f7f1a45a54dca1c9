"""What the page is told as it happens: server-sent events, made once for all who look.

``/live`` tells of every host: ``all`` first, then ``some``, of those that changed. Each second
at most ``HOSTS_A_TURN`` rows are made anew, states that turned first and then those that have
waited the longest, and all of it takes a tenth of the time at most, so that neither a great
fleet nor many open pages can keep the socket waiting. ``/live?host=`` tells all of one host.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, suppress
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import ClientConnectionError, web
from prometheus_client.exposition import gzip_accepted

from pombo_exporter import describe, views
from pombo_exporter.catalogue import Catalogue
from pombo_exporter.history import Histories
from pombo_exporter.host import Host, State
from pombo_exporter.messages import (
    GONE,
    GZIP_HEADER,
    HELLO,
    STILL_HERE,
    Event,
    Page,
    Piece,
    joined,
    piece,
)
from pombo_exporter.roster import Roster
from pombo_exporter.status import Status
from pombo_exporter.stream import HEADERS
from pombo_exporter.turns import Turns

log = logging.getLogger("pombo_exporter")

Thing = TypeVar("Thing")

HOSTS_A_TURN: Final = 256
MOST_PAGES: Final = 100  # open at a time

_HOSTS_A_LOOK: Final = 256
_HOSTS_A_PIECE: Final = 32  # take half a millisecond
_HOSTS_WITH_CURVES_A_PIECE: Final = 24  # as well
_EVERY: Final = 1.0  # seconds between two turns
_REST: Final = 9  # times as long as a turn took
_LEAST_REST: Final = 0.1  # seconds; pages that open together share what they are told
_STATUS_EVERY: Final = 5.0  # seconds
_SILENCE: Final = 15.0  # seconds until a comment shows that the exporter is still there
_PATIENCE: Final = 60.0  # seconds for a page to take one piece
_FAREWELL: Final = 1.0  # seconds for pages to take what is under way when the exporter stops
_PAGES_AT_ONCE: Final = 8  # are written to before the socket has its turn

#: No proxy may keep events back until there are many.
_HEADERS: Final = {**HEADERS, "Vary": "Accept-Encoding", "X-Accel-Buffering": "no"}


class _Shown(msgspec.Struct, frozen=True, gc=False):
    """How a host was when its row was made; ``counted`` grows with all that it is counted for."""

    last_seen: float
    counted: int
    state: State


def _standing(host: Host, now: float) -> _Shown:
    return _Shown(host.last_seen, _counted(host), host.state_at(now))


def _counted(host: Host) -> int:
    return host.ledger.received + host.ledger.lost + host.conflicts


class Live:
    """Tells the open pages what happens."""

    def __init__(self, roster: Roster, catalogue: Catalogue, status: Status, turns: Turns) -> None:
        self.histories = Histories()
        self._roster = roster
        self._catalogue = catalogue
        self._status = status
        self._turns = turns
        self._pages: set[Page] = set()
        self._readers: set[asyncio.Task[Any]] = set()
        self._nobody_reads = asyncio.Event()
        self._shown: dict[str, _Shown] = {}
        self._waiting: dict[str, None] = {}  # hosts that reported since, the longest ago first
        self._details: dict[str, tuple[_Shown, Event]] = {}
        self._making_detail = asyncio.Lock()
        self._next_detail = self._next_status = self._told = 0.0
        self._joined = asyncio.Event()
        self._closing = asyncio.Event()

    @property
    def open_pages(self) -> int:
        """How many pages are open."""
        return len(self._readers)

    async def running(self, app: web.Application) -> AsyncIterator[None]:
        """Run for as long as the application is served."""

        async def close(_: web.Application) -> None:
            self._closing.set()
            for page in self._pages:
                page.news.set()
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
            self._joined.clear()
            try:
                await self.turn()
            except Exception:  # the next one may go better; pages that stand still tell nobody
                log.exception("cannot tell pages what happens")
                for page in self._pages:
                    page.wants_all = True  # what it was to be told is not known any more
            took = time.monotonic() - began
            rest = max(_LEAST_REST, _REST * took)
            await asyncio.sleep(rest)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._joined.wait(), max(0.0, _EVERY - took - rest))

    async def turn(self) -> None:
        """Look at all hosts once, and tell the pages what is new."""
        now, wall = time.monotonic(), time.time()
        picked, gone = await self._look(now)
        rows = [row async for row in self._news(picked, wall)]
        status = None
        if self._pages and (now >= self._next_status or self._joining()):
            status, self._next_status = await self._status.now(), now + _STATUS_EVERY
        if self._pages and (rows or gone or status):
            await self._tell(joined(_event(b"some", wall, rows, gone=gone, status=status)))
        elif now - self._told >= _SILENCE:
            await self._tell(STILL_HERE)
        if status and (joining := self._joining()):
            rows = [row async for row in self._everything(wall)]
            everything = _event(b"all", wall, rows, status=status)
            for page in joining:
                page.tell_all(everything)

    def _joining(self) -> list[Page]:
        return [page for page in self._pages if page.wants_all]

    async def _tell(self, event: Event) -> None:
        self._told = time.monotonic()
        for number, page in enumerate([*self._pages]):
            if number % _PAGES_AT_ONCE == 0:
                await asyncio.sleep(0)
            page.tell(event)

    async def _look(self, now: float) -> tuple[list[Host], list[str]]:
        """Return the hosts whose rows are to be made anew, and the names that are gone."""
        turned = []
        for some in _pieces(self._roster.present(), _HOSTS_A_LOOK):
            for host in some:
                shown = self._shown.get(host.name)
                if shown is None or shown.state is not host.state_at(now):
                    turned.append(host)
                elif host.name not in self._waiting and (
                    shown.last_seen != host.last_seen or shown.counted != _counted(host)
                ):
                    self._waiting[host.name] = None
            await self._turns.give()
        gone: list[str] = []
        for names in _pieces([*self._shown], _HOSTS_A_LOOK):
            gone += [name for name in names if not self._known(name)]
            await self._turns.give()
        for name in gone:
            del self._shown[name]
            self._waiting.pop(name, None)
            self.histories.drop(name)
        turned = turned[:HOSTS_A_TURN]
        for host in turned:
            self._waiting.pop(host.name, None)
        due = [*islice(self._waiting, HOSTS_A_TURN - len(turned))]
        for name in due:
            del self._waiting[name]
        return [*turned, *filter(None, map(self._known, due))], gone

    async def _news(self, hosts: Sequence[Host], wall: float) -> AsyncIterator[Piece]:
        """Note what these hosts say; yield their rows, some at a time, if anybody looks."""
        looked_at = bool(self._pages)
        for some in _pieces(hosts, _HOSTS_A_PIECE):
            now = time.monotonic()
            fresh = {host.name for host in some if host.name not in self._shown}
            found = describe.summaries(some, now)
            for host, row in zip(some, found, strict=True):
                self._shown[host.name] = _standing(host, now)
                if row.state is State.DOWN:
                    self.histories.drop(host.name)
                else:
                    self.histories.note(row, wall)
            if looked_at:
                rows = (self._row(row, wall, whole=row.name in fresh) for row in found)
                yield piece(_before(some, hosts) + b",".join(rows))
            await self._turns.give()

    async def _everything(self, wall: float) -> AsyncIterator[Piece]:
        """Yield the rows of all hosts with their curves, some at a time.

        What other pages are still to be told is no concern of it: nothing is noted.
        """
        hosts = self._roster.present()
        for some in _pieces(hosts, _HOSTS_WITH_CURVES_A_PIECE):
            found = describe.summaries(some, time.monotonic())
            rows = (self._row(row, wall, whole=True) for row in found)
            yield piece(_before(some, hosts) + b",".join(rows))
            await self._turns.give()

    def _row(self, row: views.HostSummary, wall: float, *, whole: bool) -> bytes:
        text = msgspec.json.encode(row)
        if not whole:
            return text
        return text[:-1] + b',"history":' + self.histories.of(row.name, wall).json() + b"}"

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

    def join(self) -> Page:
        """Return a page that is told of all hosts, until it leaves."""
        page = Page()
        self._pages.add(page)
        self._joined.set()
        return page

    def leave(self, page: Page) -> None:
        """Tell a page no more."""
        self._pages.discard(page)

    async def _of_all(self) -> AsyncGenerator[Event]:
        page = self.join()
        try:
            yield HELLO
            while not self._closing.is_set():
                for event in page.take():
                    yield event
                await page.news.wait()
        finally:
            self.leave(page)

    async def _of_host(self, name: str) -> AsyncGenerator[Event]:
        yield HELLO
        shown: _Shown | None = None
        first, told = True, 0.0
        while not self._closing.is_set():
            now = time.monotonic()
            host = self._known(name)
            if host and (first or shown != _standing(host, now)):
                shown, event = await self._detail(host)
                first, told = False, now
                yield event
            elif host is None and (first or shown):
                shown, first, told = None, False, now
                yield GONE
            elif now - told >= _SILENCE:
                told = now
                yield STILL_HERE
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _EVERY)

    def _known(self, name: str) -> Host | None:
        host = self._roster.hosts.get(name)
        return None if host is None or host.departed else host

    async def _detail(self, host: Host) -> tuple[_Shown, Event]:
        """Return how a host is and what is told of it: made once, whoever asks.

        However many hosts have a page open, to make them takes a tenth of the time at most.
        """
        async with self._making_detail:
            made = self._details.get(host.name)
            if made and made[0] == _standing(host, time.monotonic()):
                return made
            await asyncio.sleep(self._next_detail - time.monotonic())
            now, wall = time.monotonic(), time.time()
            data = msgspec.json.encode(describe.detail(host, self._catalogue, now))
            history = self.histories.of(host.name, wall).json()
            text = b'event: host\ndata: {"now_timestamp_seconds":%.3f,"host":%s,"history":%s}\n\n'
            if len(self._details) >= MOST_PAGES:
                self._details.clear()
            event = (piece(text % (wall, data, history)),)
            made = self._details[host.name] = _standing(host, now), event
            done = time.monotonic()
            self._next_detail = done + _REST * (done - now)
            return made


def _pieces(things: Sequence[Thing], size: int) -> Iterator[Sequence[Thing]]:
    for start in range(0, len(things), size):
        yield things[start : start + size]


def _before(some: Sequence[Host], hosts: Sequence[Host]) -> bytes:
    """Return what stands before a piece's rows."""
    return b"" if some[0] is hosts[0] else b","


def _event(
    name: bytes,
    wall: float,
    rows: Sequence[Piece],
    gone: Sequence[str] = (),
    status: views.ExporterStatus | None = None,
) -> Event:
    start = b'event: %s\ndata: {"now_timestamp_seconds":%.3f,"hosts":[' % (name, wall)
    end = b'],"gone":' + msgspec.json.encode(gone)
    if status:
        end += b',"status":' + msgspec.json.encode(status)
    return piece(start), *rows, piece(end + b"}\n\n")
