"""What the page is told as it happens: server-sent events, made once for all who look.

``/live`` tells of every host: ``all`` first, then ``some``, of those that changed. Each second
at most ``HOSTS_A_TURN`` rows are made anew, states that turned first and then those that have
waited the longest, and all of it takes a tenth of the time at most, so that neither a great
fleet nor many open pages can keep the socket waiting. ``/live?host=`` tells all of one host.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, suppress
from itertools import islice
from typing import Final

import msgspec
from aiohttp import ClientConnectionError, web
from prometheus_client.exposition import gzip_accepted

from pombo_exporter import views
from pombo_exporter.catalogue import Catalogue
from pombo_exporter.history import Histories
from pombo_exporter.host import Host, State
from pombo_exporter.messages import GZIP_HEADER, HELLO, STILL_HERE, Message, Page, message
from pombo_exporter.roster import Roster
from pombo_exporter.status import Status
from pombo_exporter.stream import HEADERS, Turns

HOSTS_A_TURN: Final = 256
MOST_PAGES: Final = 100  # open at a time

_HOSTS_A_PIECE: Final = 64  # take half a millisecond
_EVERY: Final = 1.0  # seconds between two turns
_REST: Final = 9  # times as long as a turn took
_LEAST_REST: Final = 0.1  # seconds; pages that open together share what they are told
_STATUS_EVERY: Final = 5.0  # seconds
_SILENCE: Final = 15.0  # seconds until a comment shows that the exporter is still there
_PATIENCE: Final = 60.0  # seconds for a page to take one message


class _Shown(msgspec.Struct, frozen=True, gc=False):
    """How a host was when its row was made."""

    last_seen: float
    state: State


class Live:
    """Tells the open pages what happens."""

    def __init__(self, roster: Roster, catalogue: Catalogue, status: Status) -> None:
        self.histories = Histories()
        self._roster = roster
        self._catalogue = catalogue
        self._status = status
        self._pages: set[Page] = set()
        self._hosts_pages = 0  # pages of one host that are open
        self._shown: dict[str, _Shown] = {}
        self._waiting: dict[str, None] = {}  # hosts that reported since, the longest ago first
        self._details: dict[str, tuple[_Shown | None, Message]] = {}
        self._status_told = self._told = 0.0
        self._joined = asyncio.Event()
        self._closing = asyncio.Event()

    @property
    def open_pages(self) -> int:
        """How many pages are open."""
        return len(self._pages) + self._hosts_pages

    async def running(self, app: web.Application) -> AsyncIterator[None]:
        """Run for as long as the application is served."""

        async def close(_: web.Application) -> None:
            self._closing.set()
            for page in self._pages:
                page.news.set()

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
            await self.turn()
            took = time.monotonic() - began
            rest = max(_LEAST_REST, _REST * took)
            await asyncio.sleep(rest)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._joined.wait(), max(0.0, _EVERY - took - rest))

    async def turn(self) -> None:
        """Look at all hosts once, and tell the pages what is new."""
        now, wall = time.monotonic(), time.time()
        self._details.clear()
        picked, gone = await self._look(now)
        rows = [row async for row in self._rows(picked, wall)]
        status = None
        if self._pages and (wall - self._status_told >= _STATUS_EVERY or self._joining()):
            status, self._status_told = await self._status.now(), wall
        if self._pages and (rows or gone or status):
            self._tell(_event(b"some", wall, rows, gone=gone, status=status))
        elif wall - self._told >= _SILENCE:
            self._tell(STILL_HERE)
        if status and (joining := self._joining()):
            rows = [row async for row in self._rows(self._roster.present(), wall, whole=True)]
            everything = _event(b"all", wall, rows, status=status)
            for page in joining:
                page.tell_all(everything)

    def _joining(self) -> list[Page]:
        return [page for page in self._pages if page.wants_all]

    def _tell(self, event: Message) -> None:
        self._told = time.time()
        for page in self._pages:
            page.tell(event)

    async def _look(self, now: float) -> tuple[list[Host], list[str]]:
        """Return the hosts whose rows are to be made anew, and the names that are gone."""
        turns = Turns()
        hosts = {host.name: host for host in self._roster.present()}
        turned = []
        for number, host in enumerate(hosts.values()):
            shown = self._shown.get(host.name)
            if shown is None or shown.state is not host.state_at(now):
                turned.append(host)
            elif shown.last_seen != host.last_seen:
                self._waiting.setdefault(host.name)
            if number % 512 == 0:
                await turns.give()
        gone = [*(self._shown.keys() - hosts.keys())]
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
        return turned + [hosts[name] for name in due], gone

    async def _rows(
        self, hosts: Sequence[Host], wall: float, *, whole: bool = False
    ) -> AsyncIterator[bytes]:
        """Yield some rows at a time, as JSON; with their curves if the ``whole`` is asked for."""
        turns = Turns()
        for start in range(0, len(hosts), _HOSTS_A_PIECE):
            some = hosts[start : start + _HOSTS_A_PIECE]
            known = {host.name for host in some if host.name in self._shown}
            found = views.summaries(some, time.monotonic())
            for host, row in zip(some, found, strict=True):
                self._note(host, row, wall)
            if self._pages:
                yield b",".join(
                    _row(row, with_history=whole or row.name not in known, live=self, wall=wall)
                    for row in found
                )
            await turns.give()

    def _note(self, host: Host, row: views.HostSummary, wall: float) -> None:
        self._shown[host.name] = _Shown(host.last_seen, row.state)
        if row.state is State.DOWN:
            self.histories.drop(host.name)
        else:
            self.histories.note(row, wall)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Write events until the reader leaves or the exporter stops."""
        if self.open_pages >= MOST_PAGES:
            raise web.HTTPServiceUnavailable(text=f"{MOST_PAGES} pages are open: close some\n")
        packed = gzip_accepted(request.headers.get("Accept-Encoding", ""))
        response = web.StreamResponse(headers={**HEADERS, "Vary": "Accept-Encoding"})
        response.content_type = "text/event-stream"
        if packed:
            response.headers["Content-Encoding"] = "gzip"
        await response.prepare(request)
        if request.method == "HEAD":
            return response

        async def write(event: Message) -> None:
            async with asyncio.timeout(_PATIENCE):
                await response.write(event.packed if packed else event.plain)

        with suppress(ClientConnectionError, TimeoutError):
            if packed:
                await response.write(GZIP_HEADER)
            await write(HELLO)
            name = request.query.get("host")
            events = self._of_all() if name is None else self._of_host(name)
            async with aclosing(events):
                async for event in events:
                    await write(event)
        return response

    def join(self) -> Page:
        """Return a page that is told of all hosts, until it leaves."""
        page = Page()
        self._pages.add(page)
        self._joined.set()
        return page

    def leave(self, page: Page) -> None:
        """Tell a page no more."""
        self._pages.discard(page)

    async def _of_all(self) -> AsyncGenerator[Message]:
        page = self.join()
        try:
            while not self._closing.is_set():
                for event in page.take():
                    yield event
                await page.news.wait()
        finally:
            self.leave(page)

    async def _of_host(self, name: str) -> AsyncGenerator[Message]:
        before: tuple[_Shown | None] | None = None
        told = 0.0
        self._hosts_pages += 1
        try:
            while not self._closing.is_set():
                shown, event = self._detail(name)
                if before != (shown,):
                    before, told = (shown,), time.monotonic()
                    yield event
                elif time.monotonic() - told >= _SILENCE:
                    told = time.monotonic()
                    yield STILL_HERE
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), _EVERY)
        finally:
            self._hosts_pages -= 1

    def _detail(self, name: str) -> tuple[_Shown | None, Message]:
        """Return how a host is and what is told of it; made once a turn, whoever asks."""
        host = self._roster.hosts.get(name)
        now, wall = time.monotonic(), time.time()
        shown = None
        if host and not host.departed:
            shown = _Shown(host.last_seen, host.state_at(now))
        made = self._details.get(name)
        if made is None or made[0] != shown:
            event = message(b"event: gone\ndata: {}\n\n")
            if host and shown:
                detail = views.detail(host, self._catalogue, now)
                history = self.histories.of(name, wall)
                data = {"now_timestamp_seconds": wall, "host": detail, "history": history}
                event = message(b"event: host\ndata: " + msgspec.json.encode(data) + b"\n\n")
            made = self._details[name] = shown, event
        return made


def _row(row: views.HostSummary, live: Live, wall: float, *, with_history: bool) -> bytes:
    text = msgspec.json.encode(row)
    if not with_history:
        return text
    history = msgspec.json.encode(live.histories.of(row.name, wall))
    return text[:-1] + b',"history":' + history + b"}"


def _event(
    name: bytes,
    wall: float,
    rows: Iterable[bytes],
    gone: Sequence[str] = (),
    status: views.ExporterStatus | None = None,
) -> Message:
    """Return an event of these rows, which come joined in pieces."""
    pieces = [b'event: %s\ndata: {"now_timestamp_seconds":%.3f,"hosts":[' % (name, wall)]
    comma = b""
    for some in rows:
        pieces.append(comma + some)
        comma = b","
    end = b'],"gone":' + msgspec.json.encode(gone)
    if status:
        end += b',"status":' + msgspec.json.encode(status)
    return message(*pieces, end + b"}\n\n")
