"""All that the benchmark imports of the exporter: its parts in this process, without its sockets.

Cases that time these parts, and the budget, go through here, so that a change inside the
exporter has one place to be followed.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count
from os import urandom
from typing import Any

from pombo_cli.logs import LimitedLogger
from pombo_exporter.hosts.host import Host
from pombo_exporter.hosts.limits import Limits
from pombo_exporter.hosts.roster import HostEvent, Roster
from pombo_exporter.hosts.snapshot import Snapshot
from pombo_exporter.ingest import drain as drain_module
from pombo_exporter.ingest.intake import Intake
from pombo_exporter.ingest.sealed import SealedIntake
from pombo_exporter.metrics.capture import Capture
from pombo_exporter.metrics.exposition import render
from pombo_exporter.metrics.host_families import family_table
from pombo_exporter.runtime.gc_tuning import HostFreezer
from pombo_exporter.runtime.pacing import StepClock
from pombo_exporter.seal.crypto import CRYPTO
from pombo_exporter.seal.key_file import Keys
from pombo_exporter.seal.opening import Opener
from pombo_wire import MAX_DATAGRAM_BYTES
from pombo_wire.keys import derived, new_fleet_key
from pombo_wire.sealing import Sealer

from bench.harness.fleet import INTERVAL

_ADDRESS = ("127.0.0.1", 1)

#: Bytes to read of a datagram, seconds of a drain, and of the longest rest between two drains.
DATAGRAM_SIZE, DRAIN_TIME, REST = (
    MAX_DATAGRAM_BYTES + 1,
    drain_module.DRAIN_TIME,
    drain_module.MAX_REST,
)

#: What takes one datagram and its address.
Take = drain_module.Take

#: What a drain found: ``datagrams`` and whether it ``emptied`` the socket.
Drained = drain_module.Drained

#: What reads what waits in a socket and gives each datagram to a function: ``drain`` in its module.
Drain = Callable[..., Drained]


class InProcessExporter:
    """Hosts in memory, and their exposition; the report's number sets the clock."""

    def __init__(self) -> None:
        self._table = family_table()
        self._roster = Roster(Limits(), self._table.catalog(), lambda *_: None, 0.0, urandom)
        self._intake = Intake(self._roster, lambda: 0.0)

    def take(self, datagrams: Iterable[bytes], report: int = 0) -> None:
        """Take the datagrams of the report of this number."""
        for datagram in datagrams:
            self._intake.take(datagram, _ADDRESS, report * INTERVAL, 0.0)

    @property
    def refused(self) -> int:
        """How many datagrams were refused so far."""
        return self._intake.refused.total()

    def exposition(self, report: int = 0, hosts: int | None = None) -> Iterator[bytes]:
        """Yield the exposition of all hosts, or of the first ``hosts``, in pieces."""
        snapshot = Snapshot([*self._roster.listed()][:hosts], report * INTERVAL, 0.0)
        capture, steps = Capture(self._table, self._roster.layouts.types), StepClock()
        work = chain(
            capture.read(snapshot, steps), render(self._table, capture, steps, openmetrics=False)
        )
        return filter(None, work)

    def samples(self, report: int = 0, prefix: bytes = b"") -> int:
        """Return how many samples the exposition has, or only those with such a name."""
        lines = b"".join(self.exposition(report)).splitlines()
        return sum(line.startswith(prefix) for line in lines if line and line[:1] != b"#")


class SealedExporter:
    """Hosts in memory that seal, and what seals for them; the report's number sets the clock."""

    def __init__(self) -> None:
        self._fleet = new_fleet_key(CRYPTO)
        self._sealers: dict[str, Sealer] = {}
        catalog = family_table().catalog()
        roster = Roster(Limits(), catalog, lambda *_: None, 0.0, urandom)
        self._opener = Opener(CRYPTO, Keys({self._fleet.kid: self._fleet}, set(), {}))
        sealed = SealedIntake(roster, self._opener, CRYPTO, lambda *_: None)
        self._intake = Intake(roster, lambda: 0.0, sealed)

    def sealed(self, host: str, datagram: bytes) -> bytes:
        """Return a datagram of a host, sealed with its key."""
        sealer = self._sealers.get(host)
        if sealer is None:
            key = derived(CRYPTO, self._fleet, 0, host)
            sealer = Sealer(CRYPTO, key.kid, key.generation, key.key, host.encode())
            self._sealers[host] = sealer
        return sealer.seal(datagram)

    def open(self, datagram: bytes) -> object:
        """Open a datagram; what is inside is not read."""
        return self._opener.open(datagram)

    def take(self, datagrams: Iterable[bytes], report: int = 0) -> None:
        """Take the datagrams of the report of this number."""
        for datagram in datagrams:
            self._intake.take(datagram, _ADDRESS, report * INTERVAL, 0.0)

    @property
    def refused(self) -> dict[str, int]:
        """How many datagrams were refused so far, by reason, of those that are not 0."""
        return {reason: count for reason, count in self._intake.refused.items() if count}


log = logging.getLogger("pombo_exporter")


class AttackedExporter:
    """Hosts in memory, with the log and the garbage collector as the exporter has them.

    Its clock is a minute later for each line of the log, so that no line is suppressed: an attacker
    may be the first in a minute to be refused for a reason.
    """

    def __init__(self, freezer: HostFreezer) -> None:
        """Take what excludes new hosts from collections."""
        clock: Callable[[], float] = count(0, 60).__next__
        # The costs of a datagram must be bounded whatever number of series a flag allows.
        limits = Limits(series_per_host=10**6)
        catalog = family_table().catalog()
        self.roster = Roster(limits, catalog, _notifier(freezer, clock), 0.0, urandom)
        self.intake = Intake(self.roster, clock)

    def take(self, datagram: bytes) -> None:
        """Take a datagram."""
        self.intake.take(datagram, _ADDRESS, 100.0, 1.8e9)


def _notifier(
    freezer: HostFreezer, clock: Callable[[], float]
) -> Callable[[HostEvent, Host], None]:
    logger = LimitedLogger(log, 60.0, clock)

    def notify(event: HostEvent, host: Host) -> None:
        if event is HostEvent.NEW:
            freezer.host_added()
        logger.log(logging.INFO, event, key=event, host=host.name, address=host.address[0])

    return notify


def run_command(
    instrument: Callable[[Drain], Drain] = lambda drain: drain,
    receiver: Callable[..., Any] = drain_module.Drain,
) -> None:
    """Run ``pombo-exporter`` in this process.

    ``instrument`` wraps its drain of the socket; ``receiver`` replaces what calls that drain.
    """
    # It needs the web server, which nothing else here does.
    from pombo_exporter import __main__ as command  # noqa: PLC0415

    drain_module.drain = instrument(drain_module.drain)
    vars(command)["Drain"] = receiver
    command.main(standalone_mode=False)
