"""The hosts in memory: reports and time change them, and in the end they are forgotten.

Pure state: time comes in as an argument, and each event is passed to ``notify``.
"""

from array import array
from collections.abc import Callable, Iterator
from enum import StrEnum

from pombo_wire import Header
from pombo_wire.reading import Datagram

from pombo_exporter.hosts.holder import (
    ACCEPT,
    CONFLICT,
    IGNORE,
    PLAIN_OF_SEALED,
    REPLAYED,
    UNPROVEN,
    Claim,
    Verdict,
    plain_claim,
)
from pombo_exporter.hosts.host import LATE_AFTER, Address, Host, State
from pombo_exporter.hosts.layouts import Catalog, Layouts
from pombo_exporter.hosts.limits import AdmissionError, Limits, RefusalReason
from pombo_exporter.hosts.lookalikes import Lookalikes
from pombo_exporter.hosts.loss import sampled
from pombo_exporter.hosts.places import Places
from pombo_exporter.hosts.remembered import Remembered, remembered, restored
from pombo_exporter.hosts.reports import Reports
from pombo_exporter.hosts.snapshot import Snapshot
from pombo_exporter.runtime.moment import Moment
from pombo_exporter.runtime.pacing import StepClock


class HostEvent(StrEnum):
    """What happens to a host; the value is the message of the log."""

    NEW = "host reports for the first time"
    LIVE = "host reports again"
    LATE = "host is late"
    DOWN = "host is down"
    BYE = "host said bye"
    FORGOTTEN = "host is forgotten"
    EVICTED = "host removed to make room for another: a limit is reached"
    CONFLICT = "two agents report under one name: give each its own --name"
    RESTARTED = "agent that said bye has started again"
    HOLDER = "another agent has taken the name of a silent host"
    ADDRESS = "host reports from another address"
    LOOKALIKE = "name of a new host looks like the name of another"


#: The most hosts on probation that a sweep removes where there were no bytes for what others sent.
_MOST_EVICTED = 256

#: So many hosts a sweep looks at in some 20 microseconds.
_SWEPT_AT_ONCE = 512

#: The limits that the last values of hosts that are down count for, too.
_FILLED_BY_DOWN = frozenset(
    {RefusalReason.BYTES_LIMIT, RefusalReason.FAMILY_LIMIT, RefusalReason.LAYOUT_LIMIT}
)

#: Why a datagram is refused that the holder of a name has not sent, or not now: the name and the
#: address of its holder are inserted.
_REFUSALS = {
    CONFLICT: (
        RefusalReason.CONFLICT,
        "{0!r} is the name of the agent at {1}: give this one another --name",
    ),
    UNPROVEN: (
        RefusalReason.UNPROVEN,
        "{0!r}: this agent has not shown the challenge yet, which the next answer tells it",
    ),
    REPLAYED: (
        RefusalReason.REPLAYED,
        "{0!r}: this datagram was received before, or its agent has restarted since",
    ),
    PLAIN_OF_SEALED: (
        RefusalReason.PLAIN_OF_SEALED,
        "{0!r} is the name of a host that seals its reports: give the agent its key file",
    ),
}

_STATE_EVENTS = {State.LIVE: HostEvent.LIVE, State.LATE: HostEvent.LATE, State.DOWN: HostEvent.DOWN}


class Roster:
    """Every host that reports, by its name."""

    def __init__(
        self,
        limits: Limits,
        catalog: Catalog,
        notify: Callable[[HostEvent, Host], None],
        started_at: float,
        random: Callable[[int], bytes],
    ) -> None:
        """Take the limits, what is known about sections, and what to call with each event.

        ``started_at`` is the start in seconds on the monotonic clock; ``random`` returns so many
        random bytes.
        """
        self.limits = limits
        self.hosts: dict[str, Host] = {}
        self._reports = Reports(limits, catalog)
        self._notify = notify
        self._random = random
        self._complete_since = started_at  # since then, no host was refused or forgotten
        self._added = 0
        #: Agents that took the name of a silent host, and hosts that reported from another address.
        self.holder_changes = self.address_changes = 0
        #: Hosts that gave way to others when a limit was reached.
        self.evictions = 0
        #: New hosts whose names look like those of others.
        self.lookalikes = 0
        self._places = Places(limits.hosts)
        self._names = Lookalikes()
        #: The limits that a datagram was refused for since the last sweep, of ``_FILLED_BY_DOWN``.
        self._reached: set[RefusalReason] = set()
        self._snapshots: list[Snapshot] = []  # those that are still read

    @property
    def layouts(self) -> Layouts:
        """The sections of all reports."""
        return self._reports.layouts

    @property
    def booked_bytes(self) -> int:
        """What is booked for all hosts, in bytes."""
        return self._reports.booked_bytes

    def listed(self) -> Iterator[Host]:
        """Yield the hosts that are shown, in the order in which they were first seen.

        Hosts may be added and removed meanwhile: those that were there at the first call count.
        """
        return (host for host in [*self.hosts.values()] if host.is_listed)

    def find(self, name: str) -> Host | None:
        """Return the host of that name, if it is shown."""
        host = self.hosts.get(name)
        return host if host and host.is_listed else None

    def challenge_of(self, name: str) -> bytes:
        """Return what the next agent of that name must show; nothing where that is not known."""
        host = self.hosts.get(name)
        return host.holder.challenge if host else b""

    def snapshot(self, now: float, wall: float) -> Snapshot:
        """Return all listed hosts as they are at this moment."""
        snapshot = Snapshot([*self.hosts.values()], now, wall)
        self._snapshots = [each for each in self._snapshots if each.is_open]
        self._snapshots.append(snapshot)
        return snapshot

    def refuse_unread(
        self, name: str, claim: Claim, seq: int, address: Address, now: float
    ) -> None:
        """Refuse a sealed datagram if it is to be refused whatever is inside, and count it.

        The session of ``claim`` is not known. ``admit`` would do the same, but only after all that
        is inside was read, which takes five times as long.

        Raises:
            AdmissionError: when it was received before, or another agent holds the host's name.
        """
        host = self.hosts.get(name)
        verdict = None if host is None else host.judge_unread(claim, seq, now)
        if host is None or verdict is None:
            return
        self._before_change(host)
        host.count_unread(verdict, claim, seq)
        if verdict is CONFLICT:
            host.conflict_address = address
        raise _refusal(verdict, host)

    def admit(
        self,
        datagram: Datagram,
        address: Address,
        now: float,
        wall: float,
        claim: Claim | None = None,
    ) -> None:
        """Take one datagram: count it, note that its host is live, store its sections.

        ``claim`` is that of a sealed datagram.

        Raises:
            DecodeError: when its layout is invalid, or does not have as many numbers.
            AdmissionError: when a limit is reached, or another agent holds the host's name.
        """
        header = datagram.header
        claim = claim or plain_claim(header)
        host = self.hosts.get(header.host)
        contents = self._reports.read(host, datagram)
        is_sealed = claim is not None and claim.is_sealed
        victim: str | None = None
        if host is None:
            victim = self._claim_place(header.host, now, is_sealed=is_sealed)
            host = self._add(header.host, address, now, is_sealed=is_sealed)
        self._before_change(host)
        verdict = self._receive(host, header, claim, address, Moment(now, wall))
        if verdict is IGNORE or (header.bye and header.session != host.session):
            return
        if _is_moved(host, header, address):
            self.address_changes += 1
            self._notify(HostEvent.ADDRESS, host)
        host.update(header, address, now, wall)
        if header.bye:
            host.said_bye = True
            self._reports.drop(host)
            self._places.silent(host.name, is_sealed=host.holder.is_sealed)
            self._notify(HostEvent.BYE, host)
        else:
            self._places.heard(host.name, now, host.interval, is_sealed=host.holder.is_sealed)
            try:
                self._reports.store(host, contents, now)
            except AdmissionError as error:
                self._reached |= {error.reason} & _FILLED_BY_DOWN
                if victim is not None:
                    self._delete(host)  # what is refused takes no place from another
                raise
        if victim is not None:
            self._evict(victim, now)

    def _receive(
        self, host: Host, header: Header, claim: Claim | None, address: Address, at: Moment
    ) -> Verdict:
        """Count a datagram for its host, and return what to do with it.

        Raises:
            AdmissionError: when another agent holds the host's name, or it was received before.
        """
        conflicts, holder = host.conflicts, host.identity
        was_free = host.session is None or host.said_bye
        complete_for = at.now - self._complete_since
        verdict = host.receive(header, claim, at, complete_for, self._random)
        if verdict is CONFLICT:
            host.conflict_address = address
        if host.conflicts != conflicts:
            # Both agents are alive: the holder reported after the other was refused.
            self._notify(HostEvent.CONFLICT, host)
        if host.identity != holder:
            self._reports.drop_sessions(host)
            if not was_free:
                self.holder_changes += 1
                self._notify(HostEvent.HOLDER, host)
            elif holder[0] is not None:
                self._notify(HostEvent.RESTARTED, host)
        if verdict is ACCEPT or verdict is IGNORE:
            return verdict
        raise _refusal(verdict, host)

    def sweep(self, now: float, steps: StepClock) -> Iterator[None]:
        """Apply what time alone changes: lost datagrams, states, expired slots, forgotten hosts.

        Yields between steps.
        """
        if self._reached:
            # Not when a datagram is refused for it: what is refused changes nothing.
            yield from self._make_room(now, steps)
        hosts = [*self.hosts.values()]
        for start in range(0, len(hosts), _SWEPT_AT_ONCE):
            # Of many hosts with long intervals few are due, and the others are only looked at.
            due = [host for host in hosts[start : start + _SWEPT_AT_ONCE] if now >= host.next_check]
            for host in due:
                if self.hosts.get(host.name) is host:
                    self._check(host, now)
                if steps.step_is_over:
                    yield
            if steps.step_is_over:
                yield

    def _make_room(self, now: float, steps: StepClock) -> Iterator[None]:
        """Drop the last values of hosts that are down, or remove hosts where there are none."""
        reached, self._reached = self._reached, set()
        is_freed = False
        for host in [*self.hosts.values()]:
            if host.state is State.DOWN and host.earliest_expiry() <= now:
                self._before_change(host)
                self._reports.drop_expired(host, now)
                is_freed = True
            if steps.step_is_over:
                yield
        if is_freed or RefusalReason.BYTES_LIMIT not in reached:
            return
        for name in self._places.on_probation(_MOST_EVICTED):
            if name in self.hosts:  # still, after other tasks have run
                self._evict(name, now)
            if steps.step_is_over:
                yield

    def hold(self, name: str, held: "array[int]") -> None:
        """Note which values of a host are over a threshold, as ``views.attention`` has it."""
        host = self.hosts.get(name)
        if host is not None and host.held != held:
            self._before_change(host)
            host.held = held

    def _check(self, host: Host, now: float) -> None:
        self._before_change(host)
        state = host.state_at(now)
        host.sequence.expire_gaps(now - LATE_AFTER * host.interval)
        if host.state is not state:
            host.state = state
            if not host.said_bye:
                self._notify(_STATE_EVENTS[state], host)
        if state is State.DOWN:
            self._places.silent(host.name, is_sealed=host.holder.is_sealed)
            if host.earliest_expiry() <= host.last_seen:
                self._reports.drop_expired(host, host.last_seen)
            self._forget_if_due(host, now)
            return
        sequence = host.sequence
        host.loss_samples = sampled(host.loss_samples, now, sequence.received, sequence.lost)
        if host.earliest_expiry() <= now:
            self._reports.drop_expired(host, now)
        host.next_check = host.check_after(now)

    def restore(self, record: Remembered, now: float) -> bool:
        """Add a host that an earlier run of the exporter has heard; return False for a repetition.

        Raises:
            AdmissionError: when there is no room for it.
        """
        if record.name in self.hosts:
            return False
        if len(self.hosts) >= self.limits.hosts:
            raise self._places.full(record.name)
        host = restored(record, self._added, now, self._random, self.limits.down_after)
        self._reports.add(host)
        self._store(host)
        self._places.silent(host.name, is_sealed=host.holder.is_sealed)  # until it is heard
        return True

    def remembered(self) -> Iterator[Remembered]:
        """Return an iterator over what to keep of each host beyond the end of the exporter.

        Hosts may change while it is read. To begin takes half a millisecond with 50,000 hosts.
        """
        hosts = [*self.hosts.values()]
        present = (host for host in hosts if self.hosts.get(host.name) is host)
        return filter(None, map(remembered, present))

    def forget(self, name: str, now: float) -> bool:
        """Forget a host at once; return False when there is none of that name."""
        host = self.hosts.get(name)
        if host is None:
            return False
        self._forget(host, now)
        return True

    def revoke(self, is_revoked: Callable[[str, int | None], bool], now: float) -> None:
        """Forget the hosts of which ``is_revoked`` returns true, by name and generation.

        A host that does not seal has no generation.
        """
        for host in [*self.hosts.values()]:
            if is_revoked(host.name, host.holder.generation):
                self._forget(host, now)

    def _before_change(self, host: Host) -> None:
        """Let each snapshot that has not read the host keep it as it is."""
        if self._snapshots:
            self._snapshots = [snapshot for snapshot in self._snapshots if snapshot.is_open]
            for snapshot in self._snapshots:
                snapshot.keep(host)

    def _claim_place(self, name: str, now: float, *, is_sealed: bool) -> str | None:
        """Claim a place for a new name; return the name that gives way, None where none has to.

        Raises:
            AdmissionError: when there is no place for it, or not yet.
        """
        try:
            return self._places.claim(name, now, len(self.hosts), is_sealed=is_sealed)
        except AdmissionError:
            self._complete_since = now
            raise

    def _add(self, name: str, address: Address, now: float, *, is_sealed: bool) -> Host:
        host = Host(name, address, self._added, down_after=self.limits.down_after)
        try:
            self._reports.add(host)
        except AdmissionError:
            self._complete_since = now
            self._reached.add(RefusalReason.BYTES_LIMIT)
            raise
        self._places.add(name, now, is_sealed=is_sealed)
        self._store(host)
        self._notify(HostEvent.NEW, host)
        if host.looks_like:
            self.lookalikes += 1
            self._notify(HostEvent.LOOKALIKE, host)
        return host

    def _store(self, host: Host) -> None:
        self.hosts[host.name] = host
        host.looks_like = self._names.add(host.name)
        self._added += 1

    def _evict(self, name: str, now: float) -> None:
        """Remove a host that gives way to another."""
        host = self.hosts[name]
        self._delete(host)
        self._complete_since = now
        self.evictions += 1
        self._notify(HostEvent.EVICTED, host)

    def _forget_if_due(self, host: Host, now: float) -> None:
        # A host whose agent is dead stays known, and down, while a script reports for it. Its last
        # values are kept until then.
        since = max(host.last_seen + host.down_after * host.interval, host.script_seen)
        if host.said_bye and not host.holder.is_sealed:
            self._delete(host)
        elif now - since >= self.limits.forget_after and not host.has_loose(now):
            if host.said_bye:
                self._delete(host)
            else:
                self._forget(host, now)

    def _forget(self, host: Host, now: float) -> None:
        self._delete(host)
        self._complete_since = now
        self._notify(HostEvent.FORGOTTEN, host)

    def _delete(self, host: Host) -> None:
        self._before_change(host)
        self._reports.remove(host)
        self._places.remove(host.name)
        self._names.remove(host.name)
        del self.hosts[host.name]


def _refusal(verdict: Verdict, host: Host) -> AdmissionError:
    """Return the error of a datagram that was not accepted."""
    reason, detail = _REFUSALS[verdict]
    return AdmissionError(reason, detail.format(host.name, host.address[0]))


def _is_moved(host: Host, header: Header, address: Address) -> bool:
    """Return whether the agent that holds the name has reported from another address before."""
    known = host.address[0]
    is_holder = host.session is not None and header.session == host.session
    return is_holder and bool(known and host.last_seen) and address[0] != known
