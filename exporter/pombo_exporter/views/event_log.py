"""What happened to hosts lately, as the roster tells it: a log with a bound, for people.

Pure state: time comes in as arguments, monotonic (``now``) and Unix (``wall``), in seconds. Events
of one kind that come together are one entry, so a flood of new hosts is one line.
"""

from collections.abc import Iterator
from itertools import islice
from math import inf, isnan
from typing import Final, NamedTuple

from msgspec import Struct

from pombo_exporter.hosts.host import DUPLICATE_SECONDS, Host
from pombo_exporter.hosts.roster import HostEvent, Roster
from pombo_exporter.runtime.pacing import StepClock
from pombo_exporter.views import describe
from pombo_exporter.views.schema import Event, EventKind

#: The entries that are kept, and the most hosts that one names.
CAPACITY: Final = 500
MOST_NAMES: Final = 5

#: Events of one kind within so many seconds are one entry.
TOGETHER: Final = 10.0

#: How long the first report of an agent that started may take to say since when its host is up.
_PATIENCE: Final = 30.0  # seconds

#: The most hosts of which it is remembered that they said bye. Most of them are never back.
_MOST_LEFT: Final = 1_000

_BEGINS: Final = frozenset({HostEvent.NEW, HostEvent.HOLDER, HostEvent.RESTARTED})
_IS_BACK: Final = frozenset({HostEvent.LIVE, HostEvent.LATE})
_LEAVES: Final = {
    HostEvent.BYE: EventKind.STOPPED,
    HostEvent.FORGOTTEN: EventKind.FORGOTTEN,
    HostEvent.EVICTED: EventKind.REMOVED,
}


class _Start(NamedTuple):
    """An agent that has started: when its host was heard before (Unix), and when it started."""

    heard: float
    began: float


class _Entry(Struct, gc=False):
    """Events of one kind; ``changed`` is the place of the last one among all events."""

    number: int
    kind: EventKind
    began: float
    first: float
    last: float
    count: int
    hosts: list[str]
    changed: int


class EventLog:
    """The last events of all hosts. Without hosts that flap between live and late."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        #: How many entries there was no room for.
        self.dropped = 0
        #: The number of all events so far.
        self.serial = 0
        self._entries: dict[int, _Entry] = {}  # in the order in which they changed
        self._newest: dict[EventKind, _Entry] = {}
        self._down: set[str] = set()
        self._duplicates: dict[str, float] = {}  # when another agent was heard last
        self._left: dict[str, float] = {}  # hosts that said bye: when they were heard (Unix)
        self._starting: dict[str, _Start] = {}

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._entries)

    def take(self, event: HostEvent, host: Host, now: float, wall: float) -> None:
        """Note an event of the roster."""
        name = host.name
        if event in _BEGINS:
            heard = self._left.pop(name, None)
            if event is HostEvent.NEW and heard is None:
                self._add(EventKind.NEW, name, now, wall)
            else:
                self._starting[name] = _Start(heard or host.last_seen_wall, now)
        elif event is HostEvent.DOWN:
            self._down.add(name)
            self._add(EventKind.DOWN, name, now, wall)
        elif event in _IS_BACK and name in self._down:
            self._down.discard(name)
            self._add(EventKind.BACK, name, now, wall)
        elif event is HostEvent.CONFLICT:
            last = self._duplicates.get(name, -inf)
            self._duplicates[name] = now
            if now - last >= DUPLICATE_SECONDS:
                self._add(EventKind.DUPLICATE, name, now, wall)
        elif event in _LEAVES:
            self._leave(event, host)
            self._add(_LEAVES[event], name, now, wall)

    def settle(self, roster: Roster, now: float, wall: float, steps: StepClock) -> Iterator[None]:
        """Note of each agent that has started whether its host has, too. Yields between steps."""
        if not self._starting:
            return
        hosts = []
        for name in [*self._starting]:
            host = roster.find(name)
            if host is None:
                self._starting.pop(name, None)
            else:
                hosts.append(host)
        for batch in steps.size(describe.FIRST).batches(hosts, describe.weight):
            for host, uptime in zip(batch, describe.uptimes(batch, now), strict=True):
                self._started(host, uptime, now, wall)
            yield

    def newest_first(self, since: float = -inf) -> list[Event]:
        """Return the entries with an event at ``since`` (Unix time) or later."""
        return [_event(each) for each in reversed(self._entries.values()) if each.last >= since]

    def changed_since(self, serial: int, most: int) -> list[Event]:
        """Return the entries with an event after the first ``serial`` events, newest first."""
        changed = (each for each in reversed(self._entries.values()) if each.changed > serial)
        return [_event(each) for each in islice(changed, most)]

    def _leave(self, event: HostEvent, host: Host) -> None:
        name = host.name
        self._down.discard(name)
        self._duplicates.pop(name, None)
        self._starting.pop(name, None)
        if event is HostEvent.BYE:
            self._left[name] = host.last_seen_wall
            if len(self._left) > _MOST_LEFT:
                del self._left[next(iter(self._left))]

    def _started(self, host: Host, uptime: float, now: float, wall: float) -> None:
        start = self._starting.get(host.name)  # still, after other tasks have run
        if start is None or (isnan(uptime) and now - start.began < _PATIENCE):
            return
        del self._starting[host.name]
        # It was up when it was heard before, so a later boot is another one.
        is_rebooted = host.last_seen_wall - uptime > start.heard
        kind = EventKind.REBOOTED if is_rebooted else EventKind.RESTARTED
        self._add(kind, host.name, now, wall)

    def _add(self, kind: EventKind, name: str, now: float, wall: float) -> None:
        self.serial += 1
        entry = self._newest.get(kind)
        if entry is not None and now - entry.began < TOGETHER:
            self._entries.pop(entry.number, None)
        else:
            entry = _Entry(self.serial, kind, now, wall, wall, 0, [], 0)
            self._newest[kind] = entry
        entry.last, entry.changed = wall, self.serial
        entry.count += 1
        if len(entry.hosts) < MOST_NAMES and name not in entry.hosts:
            entry.hosts.append(name)
        self._entries[entry.number] = entry
        if len(self._entries) > self.capacity:
            del self._entries[next(iter(self._entries))]
            self.dropped += 1


def _event(entry: _Entry) -> Event:
    return Event(entry.number, entry.kind, entry.first, entry.last, entry.count, [*entry.hosts])
