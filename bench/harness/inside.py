"""An exporter's parts in this process, without its sockets: for what is timed by itself."""

from collections.abc import Iterable, Iterator

from pombo_exporter.hosts.roster import Limits, Roster
from pombo_exporter.ingest.intake import Intake
from pombo_exporter.metrics.exposition import pages
from pombo_exporter.metrics.host_families import catalogue

from bench.harness.fleet import INTERVAL

ADDRESS = ("127.0.0.1", 1)


class Inside:
    """Hosts in memory, and their page."""

    def __init__(self) -> None:
        self.catalogue = catalogue(node=True)
        self.roster = Roster(Limits(), self.catalogue.series_of(), lambda *_: None, 0.0)
        self.intake = Intake(self.roster, lambda: 0.0)

    def take(self, datagrams: Iterable[bytes], turn: int = 0) -> None:
        """Take what came with the report number ``turn``."""
        for datagram in datagrams:
            self.intake.take(datagram, ADDRESS, turn * INTERVAL, 0.0)

    def page(self, turn: int = 0, hosts: int | None = None) -> Iterator[bytes]:
        """Yield the page, of all hosts or of so many, in pieces."""
        some = self.roster.present()[:hosts]
        return pages(some, self.catalogue, turn * INTERVAL, openmetrics=False)
