"""What can be subscribed to: the fleet, or one host.

A topic makes each event once, for all its subscribers. It compares versions of hosts: a version
changes with every report, and with every other change of the host's view.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import msgspec
from msgspec import Struct

from pombo_exporter.hosts import loss
from pombo_exporter.hosts.host import Host, State
from pombo_exporter.hosts.roster import Roster
from pombo_exporter.hosts.severity import DEFAULTS, Table
from pombo_exporter.live.history import MINUTE_SECONDS, Histories
from pombo_exporter.live.sse import GONE, Event, Frame, frame, joined
from pombo_exporter.live.subscriber import Subscriber
from pombo_exporter.runtime.moment import Moment, moment
from pombo_exporter.runtime.pacing import Pacer, StepClock
from pombo_exporter.stats import Counters
from pombo_exporter.views import describe
from pombo_exporter.views.event_log import EventLog
from pombo_exporter.views.schema import Event as LoggedEvent
from pombo_exporter.views.schema import ExporterStatus, HostSummary
from pombo_exporter.views.status import read_status

#: The most summaries of one delta of the fleet; other hosts that changed wait for the next delta.
MAX_SUMMARIES: Final = 256

#: The most events of hosts that are sent at once; the API has all of them.
MAX_EVENTS: Final = 100

_STATUS_INTERVAL: Final = 5.0  # seconds


class Version(Struct, frozen=True, gc=False):
    """What distinguishes two views of a host.

    ``counted`` is the sum of its datagrams received and lost and its conflicts; ``last_seen`` is in
    seconds on the monotonic clock. ``scripts`` is how many sections of scripts it has: each of them
    ends by its own interval, without a report. ``loss_since`` moves with the window of its loss, if
    it has lost any.
    """

    last_seen: float
    counted: int
    state: State
    scripts: int
    is_duplicate: bool
    loss_since: float


def version(host: Host, now: float) -> Version:
    """Return a host's version at ``now``, on the exporter's monotonic clock."""
    counted = host.sequence.received + host.sequence.lost + host.conflicts
    scripts = sum(slot.expires > now for slot in host.loose.values()) if host.loose else 0
    return Version(
        host.last_seen,
        counted,
        host.state_at(now),
        scripts,
        host.is_duplicate(now),
        loss.latest(host.loss_samples) if host.sequence.lost else 0.0,
    )


@dataclass(frozen=True)
class Sources:
    """What topics read, and their clock."""

    roster: Roster
    counters: Counters
    histories: Histories
    pacer: Pacer
    clock: Callable[[], Moment] = moment
    thresholds: Table = field(default_factory=lambda: DEFAULTS)
    log: EventLog = field(default_factory=EventLog)


class Topic(ABC):
    """A set of subscribers, and the events that they receive."""

    def __init__(self, sources: Sources) -> None:
        self.subscribers: set[Subscriber] = set()
        self._roster, self._counters = sources.roster, sources.counters
        self._histories, self._pacer = sources.histories, sources.pacer
        self._clock, self._thresholds = sources.clock, sources.thresholds

    @abstractmethod
    async def delta(self) -> Event | None:
        """Return what has changed since the last call, None when nothing has."""

    @abstractmethod
    async def snapshot(self) -> Event:
        """Return everything that a new subscriber needs; deltas continue from it."""

    async def publish(self) -> None:
        """Send all subscribers the changes, and a snapshot to those that need one."""
        event = await self.delta()
        if event is not None:
            for subscriber in [*self.subscribers]:
                subscriber.send(event)
                await self._pacer.checkpoint()
        if any(subscriber.needs_snapshot for subscriber in self.subscribers):
            event = await self.snapshot()
            for subscriber in self.subscribers:
                if subscriber.needs_snapshot:
                    subscriber.send_snapshot(event)


class HostTopic(Topic):
    """All fields of one host, and its history; a delta has the fields that changed.

    The points of minutes are in each snapshot, and once a minute in a delta.
    """

    def __init__(self, sources: Sources, name: str) -> None:
        super().__init__(sources)
        self._name = name
        self._version: Version | None = None
        self._fields: dict[str, bytes] = {}  # JSON by name; empty while there is no such host
        self._wall = self._minute = 0.0

    async def delta(self) -> Event | None:
        """Return the fields that changed."""
        (now, wall), host = self._clock(), self._roster.find(self._name)
        if host is None:
            was_known, self._version, self._fields = bool(self._fields), None, {}
            return GONE if was_known else None
        if version(host, now) == self._version:
            return None
        self._version, self._wall = version(host, now), wall
        copy = host.copy()
        thresholds = self._thresholds
        fields = dict(
            await self._pacer.collect(lambda steps: describe.detail(copy, now, steps, thresholds))
        )
        changed = {key: json for key, json in fields.items() if self._fields.get(key) != json}
        self._fields = fields
        minute, before = wall // MINUTE_SECONDS, self._minute
        self._minute = minute
        return self._event(b"delta", changed, self._minutes() if minute != before else b"")

    async def snapshot(self) -> Event:
        """Return all fields, as of the last ``delta``."""
        if not self._fields:
            return GONE
        more = {"minutes_seconds": self._histories.seconds, "thresholds": self._thresholds}
        constant = b"," + msgspec.json.encode(more)[1:-1]
        return self._event(b"snapshot", self._fields, self._minutes() + constant)

    def _minutes(self) -> bytes:
        return b',"minutes":' + self._histories.minutes_of(self._name, self._wall).json()

    def _event(self, name: bytes, fields: dict[str, bytes], more: bytes) -> Event:
        pairs = (msgspec.json.encode(key) + b":" + json for key, json in fields.items())
        history = self._histories.of(self._name, self._wall).json()
        start = b'event: %s\ndata: {"now_timestamp_seconds":%.3f,"host":{' % (name, self._wall)
        end = b'},"history":' + history + more + b"}\n\n"
        return frame(start), frame(b",".join(pairs)), frame(end)


class FleetTopic(Topic):
    """The summaries of all hosts; a delta has those that changed, and the exporter's status.

    A delta has at most MAX_SUMMARIES: hosts whose state changed first, then those that have waited
    the longest.
    """

    def __init__(self, sources: Sources) -> None:
        super().__init__(sources)
        self._versions: dict[str, Version] = {}  # as of the last summary of each host
        self._waiting: dict[str, None] = {}  # hosts that changed since, the first is the oldest
        self._next_status = 0.0
        self._log, self._sent = sources.log, sources.log.serial

    async def delta(self) -> Event | None:
        """Return the summaries that are due, the names of hosts that are gone, and their events."""
        now, wall = self._clock()
        changed = await self._pacer.collect(lambda steps: self._with_new_state(now, steps))
        gone = await self._pacer.collect(self._gone)
        hosts = self._due(changed)
        summaries = await self._pacer.collect(lambda steps: self._summaries(hosts, wall, steps))
        status = None
        if now >= self._next_status:
            status, self._next_status = await self._status(), now + _STATUS_INTERVAL
        events = self._log.changed_since(self._sent, MAX_EVENTS)
        self._sent = self._log.serial
        if not (summaries or gone or status or events):
            return None
        more = _more(gone, status, events)
        return joined(_fleet_event(b"delta", wall, summaries, more))

    async def snapshot(self) -> Event:
        """Return the summaries of all hosts with their history.

        It leaves the versions unchanged, so the next deltas are the same as without it.
        """
        wall = self._clock().wall
        summaries = await self._pacer.collect(lambda steps: self._all_summaries(wall, steps))
        more = _more((), await self._status(), self._log.changed_since(0, MAX_EVENTS))
        return _fleet_event(b"snapshot", wall, summaries, more)

    def _with_new_state(self, now: float, steps: StepClock) -> Iterator[Host | None]:
        """Yield hosts whose state differs from the one last sent.

        Put those with other changes into ``_waiting``.
        """
        for host in self._roster.listed():
            sent = self._versions.get(host.name)
            if sent is None or sent.state is not host.state_at(now):
                yield host
            elif host.name not in self._waiting and sent != version(host, now):
                self._waiting[host.name] = None
            if steps.step_is_over:
                yield None

    def _gone(self, steps: StepClock) -> Iterator[str | None]:
        """Yield the names of hosts that are no longer in the roster, and drop their versions."""
        for name in [*self._versions]:
            if not self._roster.find(name):
                del self._versions[name]
                self._waiting.pop(name, None)
                yield name
            if steps.step_is_over:
                yield None

    def _due(self, changed: Sequence[Host]) -> list[Host]:
        """Return the hosts of the next delta: those of ``changed`` first, then of ``_waiting``."""
        changed = changed[:MAX_SUMMARIES]
        for host in changed:
            self._waiting.pop(host.name, None)
        due = [*islice(self._waiting, MAX_SUMMARIES - len(changed))]
        for name in due:
            del self._waiting[name]
        return [*changed, *filter(None, map(self._roster.find, due))]

    def _summaries(
        self, hosts: Sequence[Host], wall: float, steps: StepClock
    ) -> Iterator[Frame | None]:
        """Yield these hosts' summaries as JSON, one frame for each batch.

        The summaries of hosts that are new to the subscribers have a history.
        """
        comma = b""
        for batch in steps.size(describe.FIRST).batches(hosts, describe.weight):
            now = self._clock().now
            new = {host.name for host in batch if host.name not in self._versions}
            for host in batch:
                self._versions[host.name] = version(host, now)
            summaries = describe.summaries(batch, now, self._thresholds)
            texts = (self._json(each, wall, history=each.name in new) for each in summaries)
            yield frame(comma + b",".join(texts))
            comma = b","

    def _all_summaries(self, wall: float, steps: StepClock) -> Iterator[Frame | None]:
        comma = b""
        with self._roster.snapshot(*self._clock()) as snapshot:
            for batch in steps.size(describe.FIRST).batches(snapshot, describe.weight):
                summaries = describe.summaries(batch, snapshot.now, self._thresholds)
                texts = (self._json(each, wall, history=True) for each in summaries)
                yield frame(comma + b",".join(texts))
                comma = b","

    def _json(self, summary: HostSummary, wall: float, *, history: bool) -> bytes:
        text = msgspec.json.encode(summary)
        if not history:
            return text
        return text[:-1] + b',"history":' + self._histories.of(summary.name, wall).json() + b"}"

    async def _status(self) -> ExporterStatus:
        return await read_status(self._counters, self._pacer, self._clock())


def _fleet_event(name: bytes, wall: float, summaries: Sequence[Frame], more: bytes) -> Event:
    start = b'event: %s\ndata: {"now_timestamp_seconds":%.3f,"hosts":[' % (name, wall)
    return frame(start), *summaries, frame(b"]," + more + b"}\n\n")


def _more(
    gone: Sequence[str], status: ExporterStatus | None, events: Sequence[LoggedEvent]
) -> bytes:
    """Return what comes after the summaries: names of hosts that are gone, status, and events."""
    found = b'"gone":' + msgspec.json.encode(gone)
    if status:
        found += b',"status":' + msgspec.json.encode(status)
    if events:
        found += b',"events":' + msgspec.json.encode(events)
    return found
