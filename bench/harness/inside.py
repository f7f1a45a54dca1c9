"""An exporter's parts in this process, without its sockets: for what is timed by itself."""

from collections.abc import Iterable, Iterator
from itertools import chain

from pombo_exporter.hosts.roster import Limits, Roster
from pombo_exporter.hosts.snapshot import Snapshot
from pombo_exporter.ingest.intake import Intake
from pombo_exporter.metrics.exposition import render
from pombo_exporter.metrics.host_families import family_table
from pombo_exporter.metrics.samples import Capture
from pombo_exporter.pacing import Steps

from bench.harness.fleet import INTERVAL

ADDRESS = ("127.0.0.1", 1)


class Inside:
    """Hosts in memory, and their page."""

    def __init__(self) -> None:
        self.table = family_table(node=True)
        self.roster = Roster(Limits(), self.table.series_of(), lambda *_: None, 0.0)
        self.intake = Intake(self.roster, lambda: 0.0)

    def take(self, datagrams: Iterable[bytes], turn: int = 0) -> None:
        """Take what came with the report number ``turn``."""
        for datagram in datagrams:
            self.intake.take(datagram, ADDRESS, turn * INTERVAL, 0.0)

    def page(self, turn: int = 0, hosts: int | None = None) -> Iterator[bytes]:
        """Yield the page, of all hosts or of so many, in pieces."""
        snapshot = Snapshot(self.roster.listed()[:hosts], turn * INTERVAL, 0.0)
        capture, steps = Capture(self.table), Steps()
        work = chain(
            capture.read(snapshot, steps), render(self.table, capture, steps, openmetrics=False)
        )
        return filter(None, work)
