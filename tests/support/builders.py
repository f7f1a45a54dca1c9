"""Builders for the exporter's tests: reports, a roster with its clocks, expositions."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pombo_exporter.hosts.host import Address, Host
from pombo_exporter.hosts.roster import AdmissionError, Event, Limits, Roster
from pombo_exporter.hosts.snapshot import Snapshot
from pombo_exporter.metrics.exposition import render
from pombo_exporter.metrics.host_families import family_table
from pombo_exporter.metrics.samples import Capture
from pombo_exporter.pacing import Steps
from pombo_wire import Disks, Report
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text

TABLE = family_table(node=True)

HERE: Address = ("192.0.2.1", 40_000)
THERE: Address = ("192.0.2.2", 40_000)

INTERVAL = 5.0

#: The exporter's clocks when a test begins, in seconds: it has been up for a minute, as long as
#: the agents of the session BORN.
UP, WALL = 60.0, 1_800_000_000.0
BORN = int((WALL - UP) * 1e9)

#: A sample: the family's name, and its labels without ``instance``.
Sample = tuple[str, tuple[tuple[str, str], ...]]


@dataclass
class Exporter:
    """A roster whose clocks only a test moves, and the events of the roster."""

    limits: Limits = field(default_factory=Limits)
    now: float = UP
    wall: float = WALL
    _events: list[tuple[Event, str]] = field(default_factory=list)
    shows: tuple[str, ...] = ()  # sections of one series a row, besides those of the table

    def __post_init__(self) -> None:
        series_of = {**dict.fromkeys(self.shows, 1), **TABLE.series_of()}
        self.roster = Roster(self.limits, series_of, self._record, started_at=0.0)

    def _record(self, event: Event, host: Host) -> None:
        self._events.append((event, host.name))

    def events(self) -> list[Event]:
        return [event for event, _ in self._events]

    def take(self, report: Report, address: Address = HERE) -> None:
        self.roster.admit(report, address, self.now, self.wall)

    def refuses(self, report: Report, address: Address = HERE) -> str | None:
        """Return the reason for which a report is refused, None when it is taken."""
        try:
            self.take(report, address)
        except AdmissionError as error:
            return error.reason
        return None

    def wait(self, seconds: float) -> None:
        """Let time pass, with a sweep each second and at the end."""
        until = self.now + seconds
        while self.now < until:
            step = min(1.0, until - self.now)
            self.now += step
            self.wall += step
            deque(self.roster.sweep(self.now, Steps()), maxlen=0)

    def host(self, name: str = "pi") -> Host:
        return self.roster.hosts[name]

    def page(self, *, openmetrics: bool = False) -> str:
        snapshot = self.roster.snapshot(self.now, self.wall)
        return b"".join(filter(None, exposition(snapshot, openmetrics=openmetrics))).decode()

    def samples_of_all(self) -> dict[str, dict[Sample, float]]:
        """Return the samples of each host; both parsers and both formats agree on them."""
        found = parsed(self.page(), text)
        assert found == parsed(self.page(openmetrics=True) + "# EOF\n", openmetrics)
        hosts: dict[str, dict[Sample, float]] = defaultdict(dict)
        for (sample, instance, labels), value in found.items():
            hosts[instance][sample, labels] = value
        return hosts

    def samples(self, name: str = "pi") -> dict[Sample, float]:
        """Return the samples of a host."""
        return self.samples_of_all()[name]

    def value(self, family: str, **labels: str) -> float | None:
        return self.samples().get((family, tuple(sorted(labels.items()))))


def exposition(
    snapshot: Snapshot, *, openmetrics: bool = False, steps: Steps | None = None
) -> Iterator[bytes | None]:
    """Yield the exposition of a snapshot in pieces, and None at checkpoints."""
    capture, steps = Capture(TABLE), steps or Steps()
    yield from capture.read(snapshot, steps)
    yield from render(TABLE, capture, steps, openmetrics=openmetrics)


def parsed(
    page: str, parse: Callable[[str], Iterable[Any]]
) -> dict[tuple[str, str, tuple[tuple[str, str], ...]], float]:
    """Return a page's samples: name, instance, other labels; none may come twice."""
    found = {}
    families = set()
    for family in parse(page):
        assert family.name not in families, f"{family.name} is not in one piece"
        families.add(family.name)
        for sample in family.samples:
            labels = dict(sample.labels)
            key = sample.name, labels.pop("instance"), tuple(sorted(labels.items()))
            assert key not in found, f"{key} is on the page twice"
            assert sample.timestamp is None
            found[key] = float(sample.value)
    return found


@dataclass
class Agent:
    """One agent process: it numbers its datagrams and states its clock."""

    exporter: Exporter = field(default_factory=Exporter)
    host: str = "pi"
    session: int = BORN
    seq: int = 0
    interval: float = INTERVAL
    clock: float = 0.0  # its monotonic clock less the exporter's
    address: Address = HERE

    def report(self, **sections: Any) -> Report:
        """Return the next datagram."""
        made = Report(
            self.host,
            session=self.session,
            seq=self.seq,
            time=self.exporter.wall,
            monotonic=self.exporter.now + self.clock,
            interval=self.interval,
            **sections,
        )
        self.seq += 1
        return made

    def send(self, **sections: Any) -> None:
        self.exporter.take(self.report(**sections), self.address)

    def run(self, seconds: float, **sections: Any) -> None:
        """Send a report each interval."""
        until = self.exporter.now + seconds
        while self.exporter.now < until:
            self.exporter.wait(self.interval)
            self.send(**sections)


def restarted(agent: Agent, **changes: Any) -> Agent:
    """Return the agent's next process."""
    session = int(agent.exporter.wall * 1e9)
    return Agent(**{"exporter": agent.exporter, "host": agent.host, "session": session, **changes})


def disks(**read_bytes: float) -> Disks:
    """Return disks by what was read of each: ``disks(sda=1.0, sdb=2.0)``."""
    return Disks(tuple(read_bytes), read_bytes=tuple(read_bytes.values()))
