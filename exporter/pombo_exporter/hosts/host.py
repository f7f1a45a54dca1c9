"""One host: which session has its name, its state, and what it reported last.

Nothing here reads a clock: ``now`` is the exporter's monotonic clock and ``wall`` its wall clock,
both in seconds.
"""

import copy
from array import array
from collections.abc import Callable, Iterator
from enum import StrEnum
from itertools import chain
from math import inf
from operator import attrgetter
from typing import Final, NamedTuple

from msgspec import Struct, field
from msgspec.structs import astuple
from pombo_wire import DEFAULT_INTERVAL_SECONDS, Header, Info

from pombo_exporter.hosts.holder import (
    ACCEPT,
    CONFLICT,
    FREE_AFTER,
    IGNORE,
    PLAIN_OF_SEALED,
    REPLAYED,
    TAKE,
    UNPROVEN,
    Claim,
    Holder,
    Verdict,
)
from pombo_exporter.hosts.labels import label_text
from pombo_exporter.hosts.layouts import size_of
from pombo_exporter.hosts.loss import NO_SAMPLES
from pombo_exporter.hosts.sequence import SequenceTracker
from pombo_exporter.hosts.slots import Slot
from pombo_exporter.runtime.moment import Moment

LATE_AFTER: Final = 2  # intervals of silence
DOWN_AFTER: Final = 3  # intervals of silence, by default; those of a script's values

#: Seconds for which a host counts as duplicate, after another agent's datagram was refused.
DUPLICATE_SECONDS: Final = 600.0

_NOTHING_HELD: Final = array("q")

#: Seconds after a new session within which datagrams of the last one are late. Not in intervals of
#: the host, since these and the session may be forged.
_LATE_SECONDS: Final = 5.0

#: By how much a host may exceed the pace of its interval and the parts of its reports: these may
#: have been others meanwhile, and a ``bye`` is sent more than once.
_PACE_MARGIN: Final = 4

_ROUNDING: Final = 0.001  # seconds: an agent may state its time in whole milliseconds

#: The labels of ``pombo_host_info`` that every host has; those of the agent's ``--label`` follow.
INFO_LABELS: Final = Info.__struct_fields__


class State(StrEnum):
    """A host's state, by the time since its last report."""

    LIVE = "live"
    LATE = "late"
    DOWN = "down"


#: Where a datagram came from: IP address, port and, with IPv6, flow info and scope.
Address = tuple[str | int, ...]


_EXPIRES = attrgetter("expires")

#: The slots of a report that takes several datagrams, by ``part``; None where none arrived yet. The
#: list is changed in place: the garbage collector would visit a tuple that each report makes.
Slots = list[Slot | None]


class Description(NamedTuple):
    """A host's software, its owner's labels, and the label text of both."""

    info: Info
    labels: dict[str, str]
    text: bytes


# On Python 3.11 a lookup of an enum's member by name costs ten times that of a global.
LIVE, LATE, DOWN = State


class Host(Struct, gc=False, eq=False):
    """The state of one host.

    No part of it refers back to it, so the cyclic garbage collector skips it.

    ``place`` is its place in the order in which hosts were first seen. ``last_seen`` (monotonic)
    and ``last_seen_wall`` (Unix) are when its last report arrived, ``interval`` is what the agent
    states, ``clock_offset`` how far the agent's clock is ahead; all in seconds. ``conflicts``
    counts refused datagrams of other agents, ``conflict_address`` sent the last one, which was
    counted at ``conflict_at`` (monotonic). ``loss_samples`` are those of ``hosts.loss``.
    ``held`` is which of its values were over a threshold, as ``views.attention`` has it.
    ``label_text`` and ``info_text`` are label texts, the latter of ``pombo_host_info``.

    ``looks_like`` is the name of another host that this one's looked like when it was new.

    ``slots`` are those of its last complete report, which was split by ``plan``. While the slots of
    the next plan are incomplete, they are in ``pending``. ``loose`` are the slots of datagrams
    without ``parts``, one for each section, by its name. ``booked_bytes`` is what is booked for the
    host and its slots, and ``text_bytes`` what of this is for its own texts.

    ``script_seen`` is when a program without a session last reported for a host that has an agent.
    ``values_until`` is how long the values of a host without an agent last, 0 with one. Both are on
    the monotonic clock in seconds.

    After a bye, ``said_bye`` is True and the host is kept for a while to recognise late datagrams.
    ``is_restored`` is whether it was heard by an earlier run of the exporter only.
    It is down after ``down_after`` intervals of silence.
    ``state`` is the state that was last logged; ``state_at`` computes the present one. Until
    ``next_check`` (monotonic), time alone changes nothing of the host.
    """

    name: str
    address: Address
    place: int = 0
    label_text: bytes = b""
    info_text: bytes = b""
    interval: float = DEFAULT_INTERVAL_SECONDS
    last_seen: float = 0.0
    last_seen_wall: float = 0.0
    clock_offset: float | None = None
    info: Info = Info()
    labels: dict[str, str] = {}
    slots: Slots = []
    plan: int = 0
    pending: Slots = []
    pending_plan: int = 0
    loose: dict[str, Slot] = {}
    booked_bytes: int = 0
    text_bytes: int = 0
    sequence: SequenceTracker = field(default_factory=SequenceTracker)
    holder: Holder = field(default_factory=Holder)
    said_bye: bool = False
    is_restored: bool = False
    conflicts: int = 0
    conflict_address: Address = ("", 0)
    conflict_at: float = -inf
    loss_samples: "array[float]" = NO_SAMPLES
    held: "array[int]" = _NOTHING_HELD
    looks_like: str = ""
    state: State = State.LIVE
    next_check: float = 0.0
    script_seen: float = 0.0
    values_until: float = 0.0
    down_after: int = DOWN_AFTER
    _interval_until: float = 0.0
    _session_since: float = 0.0
    _unconfirmed: int = 0  # datagrams of other agents since the last one of the holder

    def __post_init__(self) -> None:
        """Set the label texts."""
        if not self.label_text:
            self.label_text = label_text(("instance", self.name))
            self.info_text = self._info_text(self.info, self.labels)

    def copy(self) -> "Host":
        """Return the host as it is now; later changes of either do not show in the other."""
        copied = copy.copy(self)
        copied.sequence = self.sequence.copy()
        copied.holder = copy.copy(self.holder)
        copied.slots, copied.pending = [*self.slots], [*self.pending]
        copied.loose = dict(self.loose)
        return copied

    def shown(self) -> list[Slot]:
        """Return the slots that have samples."""
        slots = [slot for slot in self.slots if slot is not None]
        return [*slots, *self.loose.values()] if self.loose else slots

    def shown_at(self, now: float) -> list[Slot]:
        """Return the slots that have samples at ``now``.

        What programs without a session sent lives by its own interval, also while the host is down.
        """
        slots = [slot for slot in self.shown() if slot.expires > now]
        if self.state_at(now) is DOWN:
            return [slot for slot in slots if slot.stamp.session is None]
        return slots

    def values_at(self, now: float) -> float:
        """Return the moment of the values to show at ``now``: that of the last report, if down.

        Slots that expire later have them. Both are on the monotonic clock in seconds.
        """
        return self.last_seen if self.state_at(now) is DOWN else now

    def is_duplicate(self, now: float) -> bool:
        """Return whether two agents have reported under its name lately."""
        return now - self.conflict_at < DUPLICATE_SECONDS

    def has_loose(self, now: float) -> bool:
        """Return whether a slot of a datagram without ``parts`` has not expired at ``now``."""
        return any(slot.expires > now for slot in self.loose.values())

    @property
    def is_listed(self) -> bool:
        """Whether it is shown: it has not said bye, and it was heard or has an agent."""
        return not self.said_bye and (not self.is_restored or bool(self.session))

    @property
    def series(self) -> int:
        """How many series the host's sections have at most."""
        return sum(slot.series for slot in self.shown())

    def stored(self) -> Iterator[Slot]:
        """Yield all slots, also those that are not shown yet."""
        return (slot for slot in chain(self.slots, self.pending, self.loose.values()) if slot)

    @property
    def own_bytes(self) -> int:
        """How many bytes the host's own texts take."""
        return size_of(self.name) + len(self.label_text) + len(self.info_text)

    def state_at(self, now: float) -> State:
        """Return the state at ``now``."""
        silence = now - self.last_seen
        if silence < LATE_AFTER * self.interval:
            return LIVE
        is_late = silence < self.down_after * self.interval or now < self.values_until
        return LATE if is_late else DOWN

    def check_after(self, now: float) -> float:
        """Return when to check the host again, on the monotonic clock in seconds.

        At once while it has gaps, else after one interval at most.
        """
        if self.sequence.has_gaps:
            return now
        late = self.last_seen + LATE_AFTER * self.interval
        down = max(self.last_seen + self.down_after * self.interval, self.values_until)
        next_state = late if now < late else down
        return min(now + self.interval, next_state, self.earliest_expiry())

    def earliest_expiry(self) -> float:
        """Return when the first of the slots expires."""
        return min(map(_EXPIRES, self.stored()), default=inf)

    @property
    def session(self) -> int | None:
        """The session of the agent that holds the name; None where no agent has."""
        return self.holder.session

    @property
    def identity(self) -> tuple[int | None, bytes]:
        """What identifies the agent that holds the name: its session and its salt."""
        return self.holder.session, self.holder.salt

    def judge_unread(self, claim: Claim, seq: int, now: float) -> Verdict | None:
        """Return why a sealed datagram is refused, whatever is inside; None where that matters.

        The session of ``claim`` is not known. ``receive`` returns the same once it is.
        """
        holder = self.holder
        if not holder.is_sealed:
            return None
        if claim.salt == holder.salt:
            if not self.sequence.was_received(seq):
                return None
            # The newest number with another ``rnd`` is of a clone, and no repetition.
            is_clone = holder.is_clone(claim.rnd, is_newest=self.sequence.is_newest(seq))
            return None if is_clone else REPLAYED
        if self._is_free(now):
            is_unproven = holder.proven and claim.challenge != holder.challenge
            return UNPROVEN if is_unproven else None
        return None if now - self._session_since < _LATE_SECONDS else CONFLICT

    def count_unread(self, verdict: Verdict, claim: Claim, seq: int) -> None:
        """Count a datagram that was refused by ``judge_unread``, as ``receive`` would."""
        if verdict is REPLAYED and not self.sequence.is_behind_window(seq):
            self.sequence.record_repeated()
        elif verdict is CONFLICT:
            self._count_conflict(claim)

    def _count_conflict(self, claim: Claim) -> None:
        self._unconfirmed += 1
        self.holder.refused(claim)

    def _is_free(self, now: float) -> bool:
        """Return whether another agent may take the name."""
        return self.said_bye or now - self.last_seen >= FREE_AFTER * self.interval

    def receive(
        self,
        header: Header,
        claim: Claim | None,
        at: Moment,
        complete_for: float,
        random: Callable[[int], bytes],
    ) -> Verdict:
        """Count a datagram, start its session if it is new, and return what to do with it.

        ``claim`` is None for a plain datagram without a session. ``complete_for`` is for how many
        seconds no host has been refused or forgotten.
        """
        if claim is None:
            if self.holder.is_sealed:
                return PLAIN_OF_SEALED
            self.sequence.received += 1
            if self.said_bye:
                if self.session is not None:
                    self.describe(self.described(Info(), {}))  # it was that of the agent
                self.holder, self.said_bye = Holder(), False
                self.values_until = self._interval_until = 0.0
            return ACCEPT
        now = at.now
        is_down = self.state_at(now) is DOWN
        verdict = self.holder.judge(claim, is_free=self._is_free(now), is_down=is_down)
        if verdict is TAKE:
            self._start_session(header, claim, now, complete_for, random)
        elif verdict is CONFLICT:
            if self._is_of_ended_session(header, now):
                return REPLAYED
            self._count_conflict(claim)
        if verdict is not ACCEPT and verdict is not TAKE:
            return verdict
        return self._receive_number(header, claim, at, is_first=verdict is TAKE)

    def _receive_number(
        self, header: Header, claim: Claim, at: Moment, *, is_first: bool
    ) -> Verdict:
        """Count a datagram of the holder."""
        now, wall = at
        seq = header.seq or 0
        is_newest = self.sequence.is_newest(seq)
        if self.holder.is_clone(claim.rnd, is_newest=is_newest):
            self.conflicts += 1
            self.conflict_at = now
            return CONFLICT
        if claim.is_sealed and self.sequence.is_behind_window(seq):
            return REPLAYED
        if self.is_restored and seq > self.sequence.newest:
            # Those in between were received before the exporter started, or may be recordings.
            self.sequence.start_session(seq, now)
            self.is_restored = False
        possible = inf
        if self.sequence.opens_gap(seq):
            # The session's age is that of a session which the exporter could receive as a whole.
            # The wall clock goes on while the exporter's machine sleeps, the monotonic does not.
            silence = (
                (header.time or 0.0) - claim.session / 1e9
                if is_first
                else max(now - self.last_seen, wall - self.last_seen_wall)
            )
            possible = self._possible(header, silence, now)
        fresh = self.sequence.record(seq, now, possible)
        if fresh and self.said_bye and header.bye:
            # An agent says bye several times, since one may be lost.
            self.holder.heard(claim, is_newest=self.sequence.is_newest(seq))
            return IGNORE
        if not fresh or self.said_bye:
            return REPLAYED if claim.is_sealed else IGNORE
        self._confirm_conflicts(now)
        if not is_first:
            self.holder.heard(claim, is_newest=self.sequence.is_newest(seq))
        return ACCEPT

    def _possible(self, header: Header, silence: float, now: float) -> float:
        """Return how many numbers the host can have used in ``silence`` seconds, generously."""
        interval = min(self.interval, header.interval or DEFAULT_INTERVAL_SECONDS)
        parts = max(header.parts or 1, len(self.slots), len(self.pending))
        return self.sequence.possible(_PACE_MARGIN * parts / interval, silence + interval, now)

    def update(self, header: Header, address: Address, now: float, wall: float) -> None:
        """Store what a header says of the host itself, and when it arrived.

        A host with an agent is live by its agent's reports: other programs may send gauges in
        its name, without a session, and go on when the agent is dead.
        """
        if header.session != self.session:
            self.script_seen = now
            return
        if address != self.address:  # an equal tuple would be one more object to collect
            self.address = address
        self.last_seen = now
        self.last_seen_wall = wall
        interval = header.interval or DEFAULT_INTERVAL_SECONDS
        if self.session is None:
            interval = self._longest_interval(interval, now)
        if interval != self.interval:
            self.interval, self.next_check = interval, now
        # One that was overtaken on its way would show how late it is, and not the clock.
        is_newest = header.seq is None or self.sequence.is_newest(header.seq)
        if header.time is not None and is_newest:
            self.clock_offset = header.time - wall

    def _longest_interval(self, interval: float, now: float) -> float:
        """Return the longest interval of the values of a host without an agent.

        Each of its programs has an interval of its own: none takes the values of another down.
        """
        until = now + DOWN_AFTER * interval
        self.values_until = max(self.values_until, until)
        if interval < self.interval and now < self._interval_until:
            return self.interval
        self._interval_until = until
        return interval

    def describe(self, description: Description) -> None:
        """Store the host's software and its owner's labels."""
        self.info, self.labels, self.info_text = description

    def described(self, info: Info | None, labels: dict[str, str] | None) -> Description:
        """Return the host's software and its owner's labels; None leaves them unchanged."""
        info = self.info if info is None else info
        labels = self.labels if labels is None else labels
        if info == self.info and labels == self.labels:
            return Description(info, labels, self.info_text)
        return Description(info, labels, self._info_text(info, labels))

    def _start_session(
        self,
        header: Header,
        claim: Claim,
        now: float,
        complete_for: float,
        random: Callable[[int], bytes],
    ) -> None:
        # Its earlier datagrams are missing only if they could be received: it began while the
        # roster was complete, and was not refused because another agent held the name.
        session_age = -1.0 if header.time is None else header.time - claim.session / 1e9
        refused = self.holder.was_refused(claim)
        could_receive_all = -_ROUNDING <= session_age < complete_for and not refused
        self.sequence.start_session(0 if could_receive_all else header.seq or 0, now)
        self.holder.take(claim, random)
        self._session_since = now
        self.values_until = 0.0
        self.said_bye = self.is_restored = False
        self.labels = {}
        self.info_text = self._info_text(self.info, self.labels)
        self.held = _NOTHING_HELD
        self._unconfirmed = 0

    def _is_of_ended_session(self, header: Header, now: float) -> bool:
        """Return whether a datagram was late: it was sent before the session of the holder."""
        ended = header.time is not None and header.time < (self.session or 0) / 1e9
        return ended and now - self._session_since < _LATE_SECONDS

    def _info_text(self, info: Info, labels: dict[str, str]) -> bytes:
        pairs = zip(INFO_LABELS, astuple(info), strict=True)
        return label_text(("instance", self.name), *pairs, *labels.items())

    def _confirm_conflicts(self, now: float) -> None:
        """Count the refused datagrams of another session, now that the holder reports."""
        if self._unconfirmed:
            self.conflicts += self._unconfirmed
            self.conflict_at = now
            self._unconfirmed = 0
