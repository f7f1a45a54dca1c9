"""What happens to hosts, as problems that begin and end.

Pure state: time comes in as arguments, monotonic (``now``) and Unix (``wall``), in seconds.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

from msgspec import Struct

from pombo_exporter.hosts.host import Host
from pombo_exporter.hosts.roster import HostEvent
from pombo_exporter.notify import words
from pombo_exporter.notify.alerts import Alert, Key, Kind
from pombo_exporter.notify.tracker import Tracker
from pombo_exporter.runtime.moment import Moment
from pombo_exporter.runtime.pacing import StepClock

#: A host that was forgotten while it was down is announced as gone a day after its last report, as
#: the rule for Prometheus has it.
GONE_AFTER: Final = 86_400.0  # seconds

#: A name is no longer duplicate after so many seconds without a datagram of another agent, or after
#: so many intervals of the host if that is longer.
CONFLICT_SECONDS: Final = 600.0
_CONFLICT_INTERVALS: Final = 3

#: The most disks of one host that are announced at a time.
MOST_DISKS: Final = 16

_IS_BACK: Final = frozenset({HostEvent.NEW, HostEvent.LIVE, HostEvent.LATE})
_IS_GONE: Final = frozenset({HostEvent.BYE, HostEvent.FORGOTTEN, HostEvent.EVICTED})
_USED: Final = _IS_BACK | _IS_GONE | {HostEvent.DOWN, HostEvent.CONFLICT}


class _Conflict(Struct, gc=False):
    """Since when another agent reports under a name, when it did last, and how long that counts."""

    first: float
    last: float
    counts: float
    alert: Alert


class Problems:
    """The problems of all hosts.

    ``hold`` is as in ``Tracker``; ``forget_after`` is that of the roster, in seconds; ``most`` is
    the most problems of each kind.
    """

    def __init__(self, hold: float, forget_after: float, most: int) -> None:
        self._hold, self._forget_after, self._most = hold, forget_after, most
        self._trackers = {kind: Tracker(hold, most) for kind in Kind}
        self._conflicts: dict[str, _Conflict] = {}
        #: Hosts that were forgotten while they were down: until when that is remembered.
        self._forgotten: dict[str, float] = {}
        #: The mount points of full disks, by host.
        self._full: dict[str, set[str]] = {}
        self._left_out = 0

    def __getitem__(self, kind: Kind) -> Tracker:
        """Return the problems of a kind."""
        return self._trackers[kind]

    @property
    def left_out(self) -> int:
        """How many problems were not announced, since too many were known."""
        return self._left_out + sum(each.left_out for each in self._trackers.values())

    @staticmethod
    def uses(event: HostEvent) -> bool:
        """Return whether an event may begin or end a problem."""
        return event in _USED

    def take(self, event: HostEvent, host: Host, now: float, wall: float) -> None:
        """Note an event of a host."""
        if event is HostEvent.DOWN:
            if _counts(host):
                self._make_room(Key(Kind.DOWN, host.name))
                self._trackers[Kind.DOWN].began(_down(host), now)
        elif event is HostEvent.CONFLICT:
            self._conflict(host, now, wall)
        elif event in _IS_BACK:
            self._forgotten.pop(host.name, None)
            key = Key(Kind.DOWN, host.name)
            self._trackers[Kind.DOWN].ended(key, words.back(host.name), now, wall)
        elif event in _IS_GONE:
            self._gone(event, host, now, wall)

    def restore(self, hosts: Iterable[Host], written: float, now: float) -> None:
        """Note the hosts of the state file, which was last written at ``written`` (Unix time).

        Hosts that had been down for long enough at that time have been announced. The others are
        announced unless they report in time.
        """
        tracker = self._trackers[Kind.DOWN]
        for host in hosts:
            if not _counts(host):
                continue
            if host.last_seen_wall + host.down_after * host.interval + self._hold <= written:
                tracker.known(_down(host))
            else:
                tracker.began(_down(host), now + host.down_after * host.interval)

    def disks(self, host: Host, found: Mapping[str, float], full: float, at: Moment) -> None:
        """Note the filesystems of a host that are full, or nearly: which share of each is used.

        ``found`` has all that are at least nearly full, by mount point: those below ``full`` do not
        begin a problem and do not end it.
        """
        now, wall = at
        tracker = self._trackers[Kind.DISK]
        known = self._full.get(host.name, set())
        for mountpoint in known - found.keys():
            key = Key(Kind.DISK, host.name, mountpoint)
            tracker.ended(key, words.disk_has_room(host.name, mountpoint), now, wall)
        kept = {each for each in known if Key(Kind.DISK, host.name, each) in tracker}
        for mountpoint, ratio in sorted(found.items(), key=lambda each: -each[1]):
            if ratio >= full and (mountpoint in kept or len(kept) < MOST_DISKS):
                key = Key(Kind.DISK, host.name, mountpoint)
                text = words.disk_is_full(host.name, mountpoint, ratio)
                tracker.began(Alert(key, host.labels, wall, text), now)
                kept.add(mountpoint)
        if kept:
            self._full[host.name] = kept
        else:
            self._full.pop(host.name, None)

    def has_disks(self, host: str) -> bool:
        """Return whether a problem of a disk of this host is known."""
        return host in self._full

    def due(self, now: float, wall: float, steps: StepClock) -> Iterator[Alert | None]:
        """Yield what is to be announced now, and None between steps."""
        yield from self._lapse(now, wall, steps)
        yield from chain.from_iterable(each.due(now, steps) for each in self._trackers.values())

    def _gone(self, event: HostEvent, host: Host, now: float, wall: float) -> None:
        """Note that a host left the roster, or said bye.

        To forget a host that is down is no recovery; to delete it is what its owner wanted.
        """
        text = words.stopped(host.name) if event is HostEvent.BYE else words.removed(host.name)
        key = Key(Kind.DOWN, host.name)
        silence = now - host.last_seen
        is_down = event is not HostEvent.BYE and silence >= host.down_after * host.interval
        if is_down and (event is HostEvent.EVICTED or silence >= self._forget_after):
            if key in self._trackers[Kind.DOWN]:
                self._forgotten[host.name] = host.last_seen + GONE_AFTER
        else:
            self._trackers[Kind.DOWN].ended(key, text, now, wall)
        self._conflicts.pop(host.name, None)
        self._trackers[Kind.CONFLICT].ended(Key(Kind.CONFLICT, host.name), text, now, wall)
        for mountpoint in self._full.pop(host.name, ()):
            key = Key(Kind.DISK, host.name, mountpoint)
            self._trackers[Kind.DISK].ended(key, text, now, wall)

    def _make_room(self, key: Key) -> None:
        """Let a host that was forgotten give way to one that is down now, if need be.

        Otherwise, invented names would keep hosts from being announced for a day.
        """
        tracker = self._trackers[key.kind]
        if tracker.is_full and key not in tracker and self._forgotten:
            oldest = next(iter(self._forgotten))
            del self._forgotten[oldest]
            tracker.drop(Key(Kind.DOWN, oldest))

    def _conflict(self, host: Host, now: float, wall: float) -> None:
        counts = max(CONFLICT_SECONDS, _CONFLICT_INTERVALS * host.interval)
        known = self._conflicts.get(host.name)
        if known is None:
            if len(self._conflicts) >= self._most:
                self._left_out += 1
                return
            key = Key(Kind.CONFLICT, host.name)
            addresses = str(host.address[0]), str(host.conflict_address[0])
            alert = Alert(key, host.labels, wall, words.duplicate(host.name, *addresses))
            self._conflicts[host.name] = _Conflict(now, now, counts, alert)
            return
        known.last, known.counts = now, counts
        if now - known.first >= self._hold:
            # It goes on, so it is no agent that was just started again.
            self._trackers[Kind.CONFLICT].began(known.alert, known.first)

    def _lapse(self, now: float, wall: float, steps: StepClock) -> Iterator[None]:
        """End what time alone ends. That was over for long, so it is announced at once."""
        since = now - self._hold
        for name, conflict in [*self._conflicts.items()]:
            if now - conflict.last >= conflict.counts:
                self._conflicts.pop(name, None)
                key = Key(Kind.CONFLICT, name)
                self._trackers[Kind.CONFLICT].ended(key, words.single(name), since, wall)
            if steps.step_is_over:
                yield
        for name, until in [*self._forgotten.items()]:
            if now >= until:
                self._forgotten.pop(name, None)
                key = Key(Kind.DOWN, name)
                self._trackers[Kind.DOWN].ended(key, words.forgotten(name), since, wall)
            if steps.step_is_over:
                yield


def _counts(host: Host) -> bool:
    """Return whether a host has an agent, and more than one datagram of it was ever heard.

    Anybody can invent a name: one that was sent once is not worth waking somebody.
    """
    return bool(host.session) and (host.is_restored or host.sequence.received > 1)


def _down(host: Host) -> Alert:
    since = float(round(host.last_seen_wall))  # as in the state file: the same after a restart
    text = words.down(host.name, since, host.down_after * host.interval, str(host.address[0]))
    return Alert(Key(Kind.DOWN, host.name), host.labels, since, text)
