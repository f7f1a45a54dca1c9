"""The exporter's own counters as one snapshot, which ``/metrics`` and the status page render."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from pombo_exporter.hosts.limits import Limits
from pombo_exporter.hosts.roster import Roster
from pombo_exporter.hosts.severity import DEFAULTS, Table
from pombo_exporter.ingest.arrival_rate import ArrivalRate
from pombo_exporter.ingest.intake import Intake
from pombo_exporter.ingest.refusals import Refusal


class ReceiveBuffer(Struct, frozen=True):
    """The receive buffer of the UDP socket in bytes, as requested and as the kernel grants it."""

    wanted_bytes: int
    granted_bytes: int


class Cluster(Struct, frozen=True):
    """The name of the exporters that share a fleet, and which of them this one is: host:port."""

    name: str
    member: str


class StateErrors(NamedTuple):
    """How often the state file, or a line of it, could not be read, and how often not written."""

    load: int
    write: int


class Delivery(NamedTuple):
    """Requests to one receiver of notifications or heartbeats, by its name.

    ``last_success`` is a Unix time in seconds, 0 before the first one. ``dropped`` counts alerts
    that were not delivered; ``queued`` wait for that, of at most ``capacity``.
    """

    receiver: str
    requests: int
    failed: int
    last_success: float
    dropped: int = 0
    queued: int = 0
    capacity: int = 0


class Booked(NamedTuple):
    """Memory that is booked, and the most that can be, in bytes."""

    used: int
    limit: int


class RefusedRequest(StrEnum):
    """Why a request over HTTP was refused."""

    MALFORMED = "malformed"  # no HTTP, or invalid
    TOO_LARGE = "too_large"  # its line or its headers
    MAX_REQUESTS = "max_requests"
    TLS_HANDSHAKE = "tls_handshake"  # failed, so there was no request
    FOREIGN = "foreign"  # it would change something, from a page of another site
    RATE_LIMIT = "rate_limit"  # of the web configuration file, as are the next ones
    UNAUTHORIZED = "unauthorized"  # the password is wrong or missing
    PASSWORDS = "passwords"  # too many wrong ones of one client
    PASSWORDS_WAIT = "passwords_wait"  # too many are being verified


class ClosedConnection(StrEnum):
    """Why the exporter closed a connection whose client had not asked for that."""

    IDLE = "idle"
    INCOMPLETE = "incomplete"  # a request did not arrive as a whole
    UNREAD = "unread"  # its client does not read the answer
    LIMIT = "limit"  # it gave way to another one


@dataclass
class HttpCounters:
    """What is counted of HTTP; ``max_connections`` and ``max_requests`` are limits, 0 for none."""

    connections: int = 0
    max_connections: int = 0
    in_flight: int = 0
    max_requests: int = 0
    refused: Counter[str] = field(
        default_factory=lambda: Counter({str(each): 0 for each in RefusedRequest})
    )
    closed: Counter[str] = field(
        default_factory=lambda: Counter({str(each): 0 for each in ClosedConnection})
    )

    @property
    def is_full(self) -> bool:
        """Whether there are as many connections as there may be."""
        return 0 < self.max_connections <= self.connections

    def copy(self) -> "HttpCounters":
        """Return the counters of this moment."""
        return replace(self, refused=self.refused.copy(), closed=self.closed.copy())


@dataclass(frozen=True)
class Stats:
    """What the exporter has counted at one moment; ``now`` and ``wall`` are in seconds.

    ``stored_hosts`` includes hosts that said bye a moment ago. ``stored_bytes`` are booked for what
    hosts reported, ``section_layouts`` are the different sections of all hosts, ``open_families``
    the different families under names that hosts chose. ``holder_changes`` are agents that took the
    name of a silent host, ``address_changes`` hosts that reported from another address,
    ``evictions`` hosts that gave way to others when a limit was reached, ``lookalikes`` new hosts
    whose names look like those of others. ``last_datagram_wall`` is when the last datagram arrived,
    whatever became of it, and 0 before the first one; ``udp_address`` is where they arrive.
    ``datagrams_per_second`` is over the last half minute, None just after the start.
    ``key_file_valid`` is whether the key file could be used when it was last read, None without
    one; so are ``state_errors`` without a state file, and ``web_config_valid`` without a web
    configuration file. ``certificate_expires`` is when the first certificate of the web server
    does, in Unix seconds, None without one. ``events_dropped`` are entries of the log of hosts'
    events that gave way to newer ones. ``thresholds`` are those of severities.
    ``report_requests`` are those that brought reports over HTTP, by the status of the answer.
    ``cluster`` is None where the exporter has no name of one.
    ``notifications`` and ``heartbeats`` have an item for each URL. ``recent_refusals`` are newest
    first, and ``longest_step`` is that of long work since the start, in seconds. ``history`` is
    booked for the curves of the status page.
    """

    now: float
    wall: float
    started: float
    started_wall: float
    limits: Limits
    stored_hosts: int
    stored_bytes: int
    history: Booked
    section_layouts: int
    open_families: int
    udp_address: str
    datagrams_received: int
    last_datagram_wall: float
    datagrams_per_second: float | None
    datagrams_refused: Mapping[str, int]
    recent_refusals: Sequence[Refusal]
    holder_changes: int
    address_changes: int
    evictions: int
    lookalikes: int
    acknowledgements: int
    report_requests: Mapping[int, int]
    key_file_valid: bool | None
    state_errors: StateErrors | None
    web_config_valid: bool | None
    events_dropped: int
    certificate_expires: float | None
    thresholds: Table
    cluster: Cluster | None
    notifications: Sequence[Delivery]
    heartbeats: Sequence[Delivery]
    kernel_drops: int
    receive_buffer: ReceiveBuffer
    subscribers: int
    longest_step: float
    http: HttpCounters


@dataclass
class Counters:
    """The parts that count, which are read together; ``started`` as in ``Stats``."""

    roster: Roster
    intake: Intake
    kernel_drops: Callable[[], int]
    receive_buffer: ReceiveBuffer
    started: float
    started_wall: float
    udp_address: str = ""
    arrival_rate: ArrivalRate = field(default_factory=ArrivalRate)
    subscribers: Callable[[], int] = lambda: 0
    history: Callable[[], Booked] = lambda: Booked(0, 0)
    longest_step: Callable[[], float] = lambda: 0.0
    report_requests: Callable[[], Mapping[int, int]] = dict
    key_file_valid: Callable[[], bool | None] = lambda: None
    state_errors: Callable[[], StateErrors | None] = lambda: None
    web_config_valid: Callable[[], bool | None] = lambda: None
    events_dropped: Callable[[], int] = lambda: 0
    certificate_expires: Callable[[], float | None] = lambda: None
    thresholds: Table = field(default_factory=lambda: DEFAULTS)
    cluster: Cluster | None = None
    notifications: Callable[[], Sequence[Delivery]] = tuple
    heartbeats: Callable[[], Sequence[Delivery]] = tuple
    http: HttpCounters = field(default_factory=HttpCounters)

    def read(self, now: float, wall: float) -> Stats:
        """Return all counters of this moment."""
        return Stats(
            now=now,
            wall=wall,
            started=self.started,
            started_wall=self.started_wall,
            limits=self.roster.limits,
            stored_hosts=len(self.roster.hosts),
            stored_bytes=self.roster.booked_bytes,
            history=self.history(),
            section_layouts=self.roster.layouts.count,
            open_families=len(self.roster.layouts.types),
            udp_address=self.udp_address,
            datagrams_received=self.intake.received,
            last_datagram_wall=self.intake.last_wall,
            datagrams_per_second=self.arrival_rate.per_second,
            datagrams_refused=dict(self.intake.refused),
            recent_refusals=self.intake.recent.newest_first(),
            holder_changes=self.roster.holder_changes,
            address_changes=self.roster.address_changes,
            evictions=self.roster.evictions,
            lookalikes=self.roster.lookalikes,
            acknowledgements=self.intake.acknowledgements,
            report_requests=self.report_requests(),
            key_file_valid=self.key_file_valid(),
            state_errors=self.state_errors(),
            web_config_valid=self.web_config_valid(),
            events_dropped=self.events_dropped(),
            certificate_expires=self.certificate_expires(),
            thresholds=self.thresholds,
            cluster=self.cluster,
            notifications=self.notifications(),
            heartbeats=self.heartbeats(),
            kernel_drops=self.kernel_drops(),
            receive_buffer=self.receive_buffer,
            subscribers=self.subscribers(),
            longest_step=self.longest_step(),
            http=self.http.copy(),
        )
