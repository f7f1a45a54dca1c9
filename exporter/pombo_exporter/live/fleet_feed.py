"""What all open pages are told: every host first, and then those that changed.

It is made once, for all who look. Each second at most ``HOSTS_A_TURN`` rows are made anew,
states that turned first and then those that have waited the longest.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

import msgspec

from pombo_exporter.hosts.host import Host, State
from pombo_exporter.hosts.roster import Roster
from pombo_exporter.live.history import Histories
from pombo_exporter.live.sse import STILL_HERE, Event, Page, Piece, joined, piece
from pombo_exporter.live.version import Standing, counted, standing
from pombo_exporter.pacing import Turns
from pombo_exporter.views import describe, schema
from pombo_exporter.views.status import Status

Thing = TypeVar("Thing")

HOSTS_A_TURN: Final = 256
SILENCE: Final = 15.0  # seconds until a comment shows that the exporter is still there

_HOSTS_A_LOOK: Final = 256
_STATUS_EVERY: Final = 5.0  # seconds
_PAGES_AT_ONCE: Final = 8  # are written to before the socket has its turn


class News:
    """Tells the open pages what happens, a turn at a time."""

    def __init__(self, roster: Roster, status: Status, turns: Turns) -> None:
        self.histories = Histories()
        self.somebody_joined = asyncio.Event()
        self._roster = roster
        self._status = status
        self._turns = turns
        self._pages: set[Page] = set()
        self._shown: dict[str, Standing] = {}
        self._waiting: dict[str, None] = {}  # hosts that reported since, the longest ago first
        self._next_status = self._told = 0.0

    def join(self) -> Page:
        """Return a page that is told of all hosts, until it leaves."""
        page = Page()
        self._pages.add(page)
        self.somebody_joined.set()
        return page

    def leave(self, page: Page) -> None:
        """Tell a page no more."""
        self._pages.discard(page)

    def wake(self) -> None:
        """Let each page look whether it is to end."""
        for page in self._pages:
            page.news.set()

    def begin_anew(self) -> None:
        """Tell each page everything: what it was to be told is not known any more."""
        for page in self._pages:
            page.wants_all = True

    async def turn(self) -> None:
        """Look at all hosts once, and tell the pages what is new."""
        now, wall = time.monotonic(), time.time()
        picked, gone = await self._look(now)
        rows = [row async for row in self._rows(picked, wall)]
        status = None
        if self._pages and (now >= self._next_status or self._joining()):
            status, self._next_status = await self._status.now(), now + _STATUS_EVERY
        if self._pages and (rows or gone or status):
            await self._tell(joined(_event(b"some", wall, rows, gone=gone, status=status)))
        elif now - self._told >= SILENCE:
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
                    shown.last_seen != host.last_seen or shown.counted != counted(host)
                ):
                    self._waiting[host.name] = None
            await self._turns.give()
        gone: list[str] = []
        for names in _pieces([*self._shown], _HOSTS_A_LOOK):
            gone += [name for name in names if not self._roster.find(name)]
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
        return [*turned, *filter(None, map(self._roster.find, due))], gone

    async def _rows(self, hosts: Sequence[Host], wall: float) -> AsyncIterator[Piece]:
        """Note what these hosts say; yield their rows, some at a time, if anybody looks."""
        looked_at = bool(self._pages)
        for some in describe.steps(hosts):
            now = time.monotonic()
            fresh = {host.name for host in some if host.name not in self._shown}
            found = describe.summaries(some, now)
            for host, row in zip(some, found, strict=True):
                self._shown[host.name] = standing(host, now)
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
        for some in describe.steps(hosts):
            found = describe.summaries(some, time.monotonic())
            rows = (self._row(row, wall, whole=True) for row in found)
            yield piece(_before(some, hosts) + b",".join(rows))
            await self._turns.give()

    def _row(self, row: schema.HostSummary, wall: float, *, whole: bool) -> bytes:
        text = msgspec.json.encode(row)
        if not whole:
            return text
        return text[:-1] + b',"history":' + self.histories.of(row.name, wall).json() + b"}"


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
    status: schema.ExporterStatus | None = None,
) -> Event:
    start = b'event: %s\ndata: {"now_timestamp_seconds":%.3f,"hosts":[' % (name, wall)
    end = b'],"gone":' + msgspec.json.encode(gone)
    if status:
        end += b',"status":' + msgspec.json.encode(status)
    return piece(start), *rows, piece(end + b"}\n\n")
