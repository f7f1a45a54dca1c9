"""One host: which session has its name, its state, and what it reported last.

Nothing here reads a clock: ``now`` is the exporter's monotonic clock and ``wall`` its wall clock,
both in seconds.
"""

import copy
from enum import Enum, StrEnum, auto
from itertools import chain
from math import inf
from operator import attrgetter
from typing import Final

from msgspec import Struct, field
from msgspec.structs import astuple
from pombo_wire import DEFAULT_INTERVAL_SECONDS, Info, Report

from pombo_exporter.hosts.blocks import Blocks, label_text
from pombo_exporter.hosts.sequence import SequenceTracker

LATE_AFTER: Final = 2  # intervals of silence
DOWN_AFTER: Final = 3

_ROUNDING: Final = 0.001  # seconds: an agent may state its time in whole milliseconds

#: The labels of ``pombo_host_info`` that every host has; the owner's labels follow them.
INFO_LABELS: Final = Info.__struct_fields__


class State(StrEnum):
    """A host's state, by the time since its last report."""

    LIVE = "live"
    LATE = "late"
    DOWN = "down"


#: Where a datagram came from, as the socket gives it: host, port and, with IPv6, more.
Address = tuple[str | int, ...]


_EXPIRES = attrgetter("expires")


class Verdict(Enum):
    """What to do with a datagram, by its session and sequence number."""

    ACCEPT = auto()
    IGNORE = auto()  # a duplicate, or a late datagram of a session that has ended
    CONFLICT = auto()  # of another agent that runs under the same name


# On Python 3.11 a lookup of an enum's member by name costs ten times that of a global.
LIVE, LATE, DOWN = State
ACCEPT, IGNORE, CONFLICT = Verdict


class Host(Struct, gc=False, eq=False):
    """The state of one host.

    No part of it refers back to it, so the cyclic garbage collector skips it.

    ``place`` is its place in the order in which hosts were first seen. ``sections`` are the
    blocks that it reports, by section. After a bye, ``said_bye`` is True and the host is kept for
    a while to recognise late datagrams. ``state`` is the state that was last logged; ``state_at``
    computes the present one. Until ``next_check``, time alone changes nothing of the host.
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
    sections: dict[str, Blocks] = {}
    sequence: SequenceTracker = field(default_factory=SequenceTracker)
    session: int | None = None
    said_bye: bool = False
    conflicts: int = 0
    conflict_address: Address = ("", 0)
    state: State = State.LIVE
    next_check: float = 0.0
    _session_since: float = 0.0
    _unconfirmed: int = 0  # datagrams of another session since the last one of this session

    def __post_init__(self) -> None:
        """Set the label texts."""
        if not self.label_text:
            self.label_text = label_text(("instance", self.name))
            self.info_text = self._info_text()

    def copy(self) -> "Host":
        """Return the host as it is now; later changes of either do not show in the other."""
        copied = copy.copy(self)
        copied.sequence = self.sequence.copy()
        copied.sections = {name: dict(blocks) for name, blocks in self.sections.items()}
        return copied

    def state_at(self, now: float) -> State:
        """Return the state at ``now``."""
        silence = now - self.last_seen
        if silence < LATE_AFTER * self.interval:
            return LIVE
        return LATE if silence < DOWN_AFTER * self.interval else DOWN

    def check_after(self, now: float) -> float:
        """Return when to check the host again, after one interval at most."""
        if self.sequence.has_gaps:
            return now
        late = self.last_seen + LATE_AFTER * self.interval
        down = self.last_seen + DOWN_AFTER * self.interval
        next_state = late if now < late else down
        return min(now + self.interval, next_state, self.earliest_expiry())

    def earliest_expiry(self) -> float:
        """Return when the first of the blocks expires."""
        blocks = chain.from_iterable(map(dict.values, self.sections.values()))
        return min(map(_EXPIRES, blocks), default=inf)

    def classify(self, report: Report, address: Address, now: float, listening: float) -> Verdict:
        """Count a datagram and decide what to do with it.

        The greatest session has the name, for an agent's session is its start. A smaller one is
        accepted only when the host is down or has said bye: the clock of the machine went back
        when it restarted. ``listening`` is for how many seconds the roster has been complete.
        """
        session, number = report.session, report.seq
        if session is None or number is None:
            self.sequence.received += 1
            if self.said_bye:
                self.session, self.said_bye = None, False
            return ACCEPT
        if session == self.session:
            self._confirm_conflicts()
        elif self._may_take_over(session, now):
            self._start_session(report, session, number, now, listening)
        elif self._is_of_ended_session(report, now):
            self.sequence.received += 1
            self.sequence.reordered += 1
            return IGNORE
        else:
            self._unconfirmed += 1
            self.conflict_address = address
            return CONFLICT
        fresh = self.sequence.record(number, now)
        return ACCEPT if fresh and not self.said_bye else IGNORE

    def update(self, report: Report, address: Address, now: float, wall: float) -> None:
        """Store what a report says of the host itself, and when it arrived.

        A host with an agent is live by its agent's reports: other programs may send gauges in
        its name, without a session, and go on when the agent is dead.
        """
        if report.session != self.session:
            return
        if address != self.address:  # an equal tuple would be one more object to collect
            self.address = address
        self.last_seen = now
        self.last_seen_wall = wall
        interval = report.interval or DEFAULT_INTERVAL_SECONDS
        if interval != self.interval:
            self.interval, self.next_check = interval, now
        if report.time is not None:
            self.clock_offset = report.time - wall
        info = self.info if report.info is None else report.info
        labels = self.labels if report.labels is None else report.labels
        if info != self.info or labels != self.labels:
            self.info, self.labels = info, labels
            self.info_text = self._info_text()

    def _may_take_over(self, session: int, now: float) -> bool:
        if self.session is None or session > self.session or self.said_bye:
            return True
        return self.state_at(now) is DOWN

    def _start_session(
        self, report: Report, session: int, number: int, now: float, listening: float
    ) -> None:
        # Earlier datagrams of this session are missing only if the exporter could receive them;
        # those of a smaller session were refused as a conflict.
        age = -1.0 if report.time is None else report.time - session / 1e9
        refused = self.session is not None and session < self.session
        received_all = -_ROUNDING <= age < listening and not refused
        self.sequence.start_session(0 if received_all else number)
        self.session = session
        self.said_bye = False
        # The last session may have been of another machine; scripts' gauges have no session.
        for name, blocks in self.sections.items():
            own = {key: block for key, block in blocks.items() if block.stamp.session is None}
            self.sections[name] = own
        self.labels = {}
        self.info_text = self._info_text()
        self._session_since = now
        self._unconfirmed = 0

    def _is_of_ended_session(self, report: Report, now: float) -> bool:
        assert self.session is not None
        ended = (report.time or 0.0) < self.session / 1e9
        return ended and now - self._session_since < LATE_AFTER * self.interval

    def _info_text(self) -> bytes:
        info = zip(INFO_LABELS, astuple(self.info), strict=True)
        return label_text(("instance", self.name), *info, *self.labels.items())

    def _confirm_conflicts(self) -> None:
        """Count the refused datagrams of another session, now that this one proves to be alive."""
        self.conflicts += self._unconfirmed
        self._unconfirmed = 0
