"""An agent that reports to several exporters, on real sockets, by the clock of the test."""

from collections.abc import Iterator, Sequence

from pombo_agent.transport.crypto import CRYPTO
from pombo_agent.transport.dialogue import Dialogue
from pombo_agent.transport.replicas import Choice, Replicas
from pombo_agent.transport.udp import Lookup, Sender
from pombo_agent.wakeup import EventWaiter
from pombo_cli.addresses import Address
from pombo_cli.logs import LimitedLogger
from pombo_wire.keys import HostKey
from pombo_wire.sealing import PROBE, envelope, opened

from support.answering import WALL, AnsweringExporter
from support.clocks import Clock

T = 5.0  # seconds between reports
TIMEOUT = 2 * T
SESSION = int((WALL + 900) * 1e9)  # before the exporters of a test start


def is_probe(key: HostKey, datagram: bytes) -> bool:
    return bool(opened(CRYPTO, key.key, envelope(datagram)).flags & PROBE)


class Agent:
    """What sends reports, and the exporters to which it may send them.

    ``listed`` are the exporters that the agent knows of; give it another list to change that. A
    choice without answers is that of an agent that does not seal.
    """

    def __init__(
        self,
        key: HostKey,
        clock: Clock,
        log: LimitedLogger,
        exporters: Sequence[AnsweringExporter],
        choice: Choice,
    ) -> None:
        self.exporters, self._clock, self.key = exporters, clock, key
        self.listed: Sequence[AnsweringExporter] = exporters
        self._seq = None if choice.has_answers else 0  # what seals a datagram numbers it

        def sender(exporter: AnsweringExporter, *, probes: bool) -> Sender:
            server = Address(*exporter.address)
            lookup = Lookup(lambda *_: [exporter.destination])
            dialogue = None
            if choice.has_answers:
                dialogue = Dialogue(CRYPTO, key, T, clock, probes=probes)
            return Sender(server, log, EventWaiter(), clock, lookup, dialogue, quiet=probes)

        self.replicas = Replicas(
            lambda: self.listed, choice, sender, lambda: [self._datagram(bye=True)] * 3, log, clock
        )

    def _datagram(self, *, bye: bool = False) -> bytes:
        end = b',"bye":true' if bye else b',"parts":1'
        if self._seq is not None:
            end += b',"host":"pi","seq":%d' % self._seq
        now = WALL + self._clock.now
        return b'{"session":%d,"time":%f,"interval":%f%s}' % (SESSION, now, T, end)

    def report(self) -> list[list[bytes]]:
        """Send a report; return what has arrived at each exporter. An interval passes."""
        self.replicas.send([self._datagram()])
        if self._seq is not None:
            self._seq += 1
        arrived = [exporter.read() for exporter in self.exporters]
        self._clock.now += T
        return arrived

    def reports(self, seconds: float) -> list[int]:
        """Send reports for some time; return how many datagrams have arrived at each exporter."""
        counts = [0] * len(self.exporters)
        for _ in range(round(seconds / T)):
            for place, datagrams in enumerate(self.report()):
                counts[place] += len(datagrams)
        return counts

    def returns(self, seconds: float) -> Iterator[float]:
        """Send reports for some time; yield when the first server is used again."""
        is_first = True
        for _ in range(round(seconds / T)):
            now, [datagrams, *_] = self._clock.now, self.report()
            was_first, is_first = is_first, any(not is_probe(self.key, each) for each in datagrams)
            if is_first and not was_first:
                yield now

    def live(self) -> list[bool]:
        """Return which of the exporters shows the host as live."""
        return [exporter.is_live("pi") for exporter in self.exporters]
