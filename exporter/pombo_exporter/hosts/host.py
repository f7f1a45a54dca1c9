"""One host, by its name: whose session holds the name, how it stands, what it last said.

Nothing here reads a clock: ``now`` is the exporter's monotonic clock and ``wall`` its time of
day, both in seconds.
"""

from enum import Enum, StrEnum, auto
from itertools import chain
from math import inf
from operator import attrgetter
from typing import Final

from msgspec import Struct, field
from msgspec.structs import astuple
from pombo_wire import DEFAULT_INTERVAL_SECONDS, Info, Report

from pombo_exporter.hosts.blocks import Blocks, label_text
from pombo_exporter.hosts.sequence import Ledger

LATE_AFTER: Final = 2  # intervals of silence
DOWN_AFTER: Final = 3

_ROUNDED: Final = 0.001  # seconds: an agent's time may be in whole milliseconds

#: The labels of ``pombo_host_info`` that every host has; the user's own stand beside them.
INFO_LABELS: Final = Info.__struct_fields__


class State(StrEnum):
    """How a host stands by the time since it was last heard."""

    LIVE = "live"
    LATE = "late"
    DOWN = "down"


#: Where a datagram came from, as the socket tells it: host, port and, with IPv6, more.
Address = tuple[str | int, ...]


_EXPIRES = attrgetter("expires")


class Verdict(Enum):
    """What is to be done with a datagram, by its session and number."""

    TAKE = auto()
    IGNORE = auto()  # a duplicate, or a straggler of a session that has ended
    RIVAL = auto()  # of another agent that runs under the same name


# Python 3.11 takes its time to find an enum's member by name, and these are asked for all the time.
LIVE, LATE, DOWN = State
TAKE, IGNORE, RIVAL = Verdict


class Host(Struct, gc=False, eq=False):
    """The state of one host; no part of it leads back to it, so that no collector need look.

    ``sections`` are the blocks that it reports, by section; ``departed`` tells that it said bye,
    and is remembered for a while, to know its stragglers. ``state`` is as it was last announced:
    ``state_at`` tells the present one. Until ``due``, time alone changes nothing of the host.
    """

    name: str
    address: Address
    label_text: bytes = b""
    info_text: bytes = b""
    interval: float = DEFAULT_INTERVAL_SECONDS
    last_seen: float = 0.0
    last_seen_wall: float = 0.0
    clock_offset: float | None = None
    info: Info = Info()
    labels: dict[str, str] = {}
    sections: dict[str, Blocks] = {}
    ledger: Ledger = field(default_factory=Ledger)
    session: int | None = None
    departed: bool = False
    conflicts: int = 0
    rival_address: Address = ("", 0)
    state: State = State.LIVE
    due: float = 0.0
    _session_since: float = 0.0
    _rivals: int = 0  # datagrams of another session since the holder was last heard

    def __post_init__(self) -> None:
        """Make the label texts that need nothing but the name."""
        self.label_text = label_text(("instance", self.name))
        self.info_text = self._info_text()

    def state_at(self, now: float) -> State:
        """Return how the host stands at ``now``."""
        silence = now - self.last_seen
        if silence < LATE_AFTER * self.interval:
            return LIVE
        return LATE if silence < DOWN_AFTER * self.interval else DOWN

    def next_due(self, now: float) -> float:
        """Return when to look at the host again, which is after an interval at the latest."""
        if self.ledger.has_gaps:
            return now
        late = self.last_seen + LATE_AFTER * self.interval
        down = self.last_seen + DOWN_AFTER * self.interval
        turn = late if now < late else down
        return min(now + self.interval, turn, self.earliest_expiry())

    def earliest_expiry(self) -> float:
        """Return when the first of the blocks expires."""
        blocks = chain.from_iterable(map(dict.values, self.sections.values()))
        return min(map(_EXPIRES, blocks), default=inf)

    def judge(self, report: Report, address: Address, now: float, listening: float) -> Verdict:
        """Book a datagram and say what to do with it.

        The greatest session holds the name, for an agent's session is its start. A smaller
        one is heard again only when the holder is down or has said bye: a machine whose clock
        went back at its restart. ``listening`` is for how many seconds whoever reported has
        been in memory.
        """
        session, number = report.session, report.seq
        if session is None or number is None:
            self.ledger.received += 1
            if self.departed:
                self.session, self.departed = None, False
            return TAKE
        if session == self.session:
            self._confirm_rivals()
        elif self._may_hold(session, now):
            self._begin(report, session, number, now, listening)
        elif self._is_straggler(report, now):
            self.ledger.received += 1
            self.ledger.reordered += 1
            return IGNORE
        else:
            self._rivals += 1
            self.rival_address = address
            return RIVAL
        fresh = self.ledger.book(number, now)
        return TAKE if fresh and not self.departed else IGNORE

    def hear(self, report: Report, address: Address, now: float, wall: float) -> None:
        """Note that the host lives, and what the report says of the host itself.

        A host with an agent lives by its agent's reports: other programs may send gauges in
        its name, without a session, and go on when the agent is dead.
        """
        if report.session != self.session:
            return
        if address != self.address:  # an equal one would be one thing more to collect
            self.address = address
        self.last_seen = now
        self.last_seen_wall = wall
        interval = report.interval or DEFAULT_INTERVAL_SECONDS
        if interval != self.interval:
            self.interval, self.due = interval, now
        if report.time is not None:
            self.clock_offset = report.time - wall
        info = self.info if report.info is None else report.info
        labels = self.labels if report.labels is None else report.labels
        if info != self.info or labels != self.labels:
            self.info, self.labels = info, labels
            self.info_text = self._info_text()

    def _may_hold(self, session: int, now: float) -> bool:
        if self.session is None or session > self.session or self.departed:
            return True
        return self.state_at(now) is DOWN

    def _begin(
        self, report: Report, session: int, number: int, now: float, listening: float
    ) -> None:
        # Datagrams before this one are missed only if the exporter was there to hear them; of
        # a smaller session, they were set aside.
        age = -1.0 if report.time is None else report.time - session / 1e9
        set_aside = self.session is not None and session < self.session
        heard_all = -_ROUNDED <= age < listening and not set_aside
        self.ledger.begin(0 if heard_all else number)
        self.session = session
        self.departed = False
        # What the last session said may be of another machine; scripts' gauges have no session.
        for name, blocks in self.sections.items():
            own = {key: block for key, block in blocks.items() if block.stamp.session is None}
            self.sections[name] = own
        self.labels = {}
        self.info_text = self._info_text()
        self._session_since = now
        self._rivals = 0

    def _is_straggler(self, report: Report, now: float) -> bool:
        assert self.session is not None
        ended = (report.time or 0.0) < self.session / 1e9
        return ended and now - self._session_since < LATE_AFTER * self.interval

    def _info_text(self) -> bytes:
        said = zip(INFO_LABELS, astuple(self.info), strict=True)
        return label_text(("instance", self.name), *said, *self.labels.items())

    def _confirm_rivals(self) -> None:
        """Count datagrams set aside, now that the holder proves to be alive as well."""
        self.conflicts += self._rivals
        self._rivals = 0
