"""Builders for the exporter's tests: reports, a roster with its clocks, expositions."""

import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from os import urandom
from typing import Any

from msgspec.structs import replace
from pombo_exporter.hosts.host import Address, Host
from pombo_exporter.hosts.limits import AdmissionError, Limits
from pombo_exporter.hosts.roster import HostEvent, Roster
from pombo_exporter.metrics.capture import GROUP_FROM, MOST_LABEL_BYTES, Capture
from pombo_exporter.metrics.exposition import render
from pombo_exporter.metrics.family import FamilyTable
from pombo_exporter.metrics.host_families import family_table
from pombo_exporter.runtime.pacing import StepClock
from pombo_wire import MAX_DATAGRAM_BYTES, Disks, Report, encode
from pombo_wire.packing import pack
from pombo_wire.reading import read
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text

TABLE = family_table()

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
    table: FamilyTable = TABLE
    random: Callable[[int], bytes] = urandom
    _events: list[tuple[HostEvent, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.roster = Roster(self.limits, self.table.catalog(), self._record, 0.0, self.random)

    def _record(self, event: HostEvent, host: Host) -> None:
        self._events.append((event, host.name))

    def events(self) -> list[HostEvent]:
        return [event for event, _ in self._events]

    def take(self, report: Report, address: Address = ADDRESS) -> None:
        self.take_datagram(encode(report), address)

    def take_datagram(self, datagram: bytes, address: Address = ADDRESS) -> None:
        self.roster.admit(read(datagram), address, self.now, self.wall)

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

    def exposition(
        self,
        *,
        openmetrics: bool = False,
        group_from: int = GROUP_FROM,
        most_label_bytes: int = MOST_LABEL_BYTES,
    ) -> str:
        """Return the exposition of all hosts, without ``# EOF`` in OpenMetrics."""
        pieces = self.exposition_pieces(
            openmetrics=openmetrics, group_from=group_from, most_label_bytes=most_label_bytes
        )
        return b"".join(filter(None, pieces)).decode()

    def exposition_pieces(
        self,
        *,
        openmetrics: bool = False,
        group_from: int = GROUP_FROM,
        most_label_bytes: int = MOST_LABEL_BYTES,
        steps: StepClock | None = None,
    ) -> Iterator[bytes | None]:
        """Yield the exposition of all hosts as they are now in pieces, and None at checkpoints."""
        snapshot = self.roster.snapshot(self.now, self.wall)
        types = self.roster.layouts.types
        capture = Capture(
            self.table, types, group_from=group_from, most_label_bytes=most_label_bytes
        )
        steps = steps or StepClock()
        return chain(
            capture.read(snapshot, steps),
            render(self.table, capture, steps, openmetrics=openmetrics),
        )

    def samples_by_host(self) -> dict[str, dict[Series, float]]:
        """Return the samples of each host, which are the same in both formats."""
        exposition = self.exposition()
        deque(text(exposition), maxlen=0)  # it is valid
        found = text_samples(exposition)
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


_SAMPLE = re.compile(r"(\w+)\{(.*)\} (\S+)", re.DOTALL)
_LABEL = re.compile(r'(\w+)="((?:\\.|[^"\\])*)"(?:,|$)', re.DOTALL)
_ESCAPED = {r"\\": "\\", r"\n": "\n", r"\"": '"'}


def text_samples(exposition: str) -> dict[tuple[str, str, tuple[tuple[str, str], ...]], float]:
    """Return what ``parsed`` does, of the text format and with the names that are in the text.

    prometheus_client's parser gives each counter a name that ends with ``_total``.
    """
    found = {}
    for line in exposition.removesuffix("\n").split("\n") if exposition else ():
        if line.startswith("#"):
            continue
        match = _SAMPLE.fullmatch(line)
        assert match is not None, line
        name, text, value = match.groups()
        assert _LABEL.sub("", text) == "", line
        labels = {
            label: re.sub(r"\\.", lambda escape: _ESCAPED[escape[0]], escaped)
            for label, escaped in _LABEL.findall(text)
        }
        key = name, labels.pop("instance"), tuple(sorted(labels.items()))
        assert key not in found, f"{key} is there twice"
        found[key] = float(value)
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

    def send_parts(self, *parts: dict[str, Any], plan: int = 0, packed: bool = False) -> None:
        """Send one report in several datagrams, each with these sections.

        A datagram that is too long in the plain form is packed.
        """
        whole = self.report()
        assert whole.seq is not None
        for part, sections in enumerate(parts):
            header = {"seq": whole.seq + part, "part": part, "parts": len(parts), "plan": plan}
            report = replace(whole, **header, **sections)
            plain = encode(report)
            datagram = pack(report) if packed or len(plain) > MAX_DATAGRAM_BYTES else plain
            self.exporter.take_datagram(datagram, self.address)
        self.seq = whole.seq + len(parts)

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
