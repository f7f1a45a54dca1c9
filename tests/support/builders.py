"""Builders for the exporter's tests: reports, a roster with its clocks, expositions."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pombo_exporter.hosts.host import Address, Host
from pombo_exporter.hosts.roster import AdmissionError, HostEvent, Limits, Roster
from pombo_exporter.hosts.snapshot import Snapshot
from pombo_exporter.metrics.exposition import render
from pombo_exporter.metrics.host_families import family_table
from pombo_exporter.metrics.samples import Capture
from pombo_exporter.runtime.pacing import StepClock
from pombo_wire import Disks, Report
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text

TABLE = family_table(node=True)

#: Addresses of agents.
ADDRESS: Address = ("192.0.2.1", 40_000)
OTHER_ADDRESS: Address = ("192.0.2.2", 40_000)

INTERVAL = 5.0

#: The exporter's clocks when a test begins, in seconds. It started a minute ago.
MONOTONIC, WALL = 60.0, 1_800_000_000.0

#: The session of an agent that started together with the exporter: a Unix time in nanoseconds.
SESSION = int((WALL - MONOTONIC) * 1e9)

#: A series: the family's name, and its labels without ``instance``.
Series = tuple[str, tuple[tuple[str, str], ...]]


@dataclass
class Exporter:
    """A roster with clocks that only the test advances, and the events of the roster."""

    limits: Limits = field(default_factory=Limits)
    now: float = MONOTONIC
    wall: float = WALL
    _events: list[tuple[HostEvent, str]] = field(default_factory=list)
    #: Sections that are stored although no family reads them; each row counts as one series.
    extra_sections: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        series_of = {**dict.fromkeys(self.extra_sections, 1), **TABLE.series_of()}
        self.roster = Roster(self.limits, series_of, self._record, started_at=0.0)

    def _record(self, event: HostEvent, host: Host) -> None:
        self._events.append((event, host.name))

    def events(self) -> list[HostEvent]:
        return [event for event, _ in self._events]

    def take(self, report: Report, address: Address = ADDRESS) -> None:
        self.roster.admit(report, address, self.now, self.wall)

    def refuses(self, report: Report, address: Address = ADDRESS) -> str | None:
        """Send a report; return the reason of its refusal, None if it is accepted."""
        try:
            self.take(report, address)
        except AdmissionError as error:
            return error.reason
        return None

    def wait(self, seconds: float) -> None:
        """Advance the clocks, with a sweep each second and at the end."""
        until = self.now + seconds
        while self.now < until:
            step = min(1.0, until - self.now)
            self.now += step
            self.wall += step
            deque(self.roster.sweep(self.now, StepClock()), maxlen=0)

    def host(self, name: str = "pi") -> Host:
        return self.roster.hosts[name]

    def exposition(self, *, openmetrics: bool = False) -> str:
        """Return the exposition of all hosts, without ``# EOF`` in OpenMetrics."""
        snapshot = self.roster.snapshot(self.now, self.wall)
        pieces = exposition_pieces(snapshot, openmetrics=openmetrics)
        return b"".join(filter(None, pieces)).decode()

    def samples_by_host(self) -> dict[str, dict[Series, float]]:
        """Return the samples of each host, which are the same in both formats."""
        found = parsed(self.exposition(), text)
        assert found == parsed(self.exposition(openmetrics=True) + "# EOF\n", openmetrics)
        hosts: dict[str, dict[Series, float]] = defaultdict(dict)
        for (sample, instance, labels), value in found.items():
            hosts[instance][sample, labels] = value
        return hosts

    def samples(self, name: str = "pi") -> dict[Series, float]:
        """Return the samples of a host."""
        return self.samples_by_host()[name]

    def value(self, family: str, **labels: str) -> float | None:
        return self.samples().get((family, tuple(sorted(labels.items()))))


def exposition_pieces(
    snapshot: Snapshot, *, openmetrics: bool = False, steps: StepClock | None = None
) -> Iterator[bytes | None]:
    """Yield the exposition of a snapshot in pieces, and None at checkpoints."""
    capture, steps = Capture(TABLE), steps or StepClock()
    yield from capture.read(snapshot, steps)
    yield from render(TABLE, capture, steps, openmetrics=openmetrics)


def parsed(
    exposition: str, parse: Callable[[str], Iterable[Any]]
) -> dict[tuple[str, str, tuple[tuple[str, str], ...]], float]:
    """Return the value of each sample by its name, instance and other labels.

    Each family must be in one piece, and each sample must be there once.
    """
    found = {}
    families = set()
    for family in parse(exposition):
        assert family.name not in families, f"{family.name} is not in one piece"
        families.add(family.name)
        for sample in family.samples:
            labels = dict(sample.labels)
            key = sample.name, labels.pop("instance"), tuple(sorted(labels.items()))
            assert key not in found, f"{key} is there twice"
            assert sample.timestamp is None
            found[key] = float(sample.value)
    return found


@dataclass
class Agent:
    """One session of an agent, which numbers its datagrams."""

    exporter: Exporter = field(default_factory=Exporter)
    host: str = "pi"
    session: int = SESSION
    seq: int = 0
    interval: float = INTERVAL
    clock_offset: float = 0.0  # of its monotonic clock to the exporter's, in seconds
    address: Address = ADDRESS

    def report(self, **sections: Any) -> Report:
        """Return the next datagram."""
        report = Report(
            self.host,
            session=self.session,
            seq=self.seq,
            time=self.exporter.wall,
            monotonic=self.exporter.now + self.clock_offset,
            interval=self.interval,
            **sections,
        )
        self.seq += 1
        return report

    def send(self, **sections: Any) -> None:
        self.exporter.take(self.report(**sections), self.address)

    def run(self, seconds: float, **sections: Any) -> None:
        """Send a report each interval."""
        until = self.exporter.now + seconds
        while self.exporter.now < until:
            self.exporter.wait(self.interval)
            self.send(**sections)


def restarted(agent: Agent, **changes: Any) -> Agent:
    """Return the next session of an agent that restarts now."""
    session = int(agent.exporter.wall * 1e9)
    return Agent(**{"exporter": agent.exporter, "host": agent.host, "session": session, **changes})


def disks(**read_bytes: float) -> Disks:
    """Return disks by the bytes read of each: ``disks(sda=1.0, sdb=2.0)``."""
    return Disks(tuple(read_bytes), read_bytes=tuple(read_bytes.values()))
