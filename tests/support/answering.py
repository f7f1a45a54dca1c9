"""An exporter's intake on a real socket, which is read when the test says so."""

import socket
from collections import deque
from collections.abc import Callable
from os import urandom

from pombo_exporter.hosts.host import Address, Host
from pombo_exporter.hosts.limits import Limits
from pombo_exporter.hosts.roster import HostEvent, Roster
from pombo_exporter.ingest.intake import Intake
from pombo_exporter.ingest.sealed import SealedIntake
from pombo_exporter.runtime.pacing import StepClock
from pombo_exporter.seal.crypto import CRYPTO
from pombo_exporter.seal.key_file import Keys
from pombo_exporter.seal.opening import Opener
from pombo_wire.keys import FleetKey

from support.builders import TABLE

WALL = 1_800_000_000.0


class AnsweringExporter:
    """Takes sealed datagrams and answers them, by the clock of the test.

    While ``hears`` is false, what it is sent is lost, as on a network that drops it.
    """

    def __init__(
        self, fleet: FleetKey, clock: Callable[[], float], host: str = "127.0.0.1", port: int = 0
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self._socket.settimeout(0)
        self._fleet, self._clock = fleet, clock
        self.hears = True
        self.start()

    def start(self, limits: Limits = Limits()) -> None:  # noqa: B008  # it never changes
        """Start anew, without any memory."""
        self.events: list[HostEvent] = []
        self.roster = Roster(limits, TABLE.catalog(), self._note, self._clock(), urandom)
        opener = Opener(CRYPTO, Keys({self._fleet.kid: self._fleet}, set(), {}))
        sealed = SealedIntake(self.roster, opener, CRYPTO, self._answer)
        self.intake = Intake(self.roster, self._clock, sealed)

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port at which it listens."""
        host, port, *_ = self._socket.getsockname()
        return host, port

    @property
    def destination(self) -> tuple[int, tuple[str, int]]:
        """The family and the address, as the agent's resolver returns them."""
        return self._socket.family, self._socket.getsockname()

    def read(self) -> list[bytes]:
        """Take all datagrams that wait, and return them; apply what time has changed before."""
        deque(self.roster.sweep(self._clock(), StepClock()), maxlen=0)
        found: list[bytes] = []
        while True:
            try:
                datagram, address = self._socket.recvfrom(2048)
            except BlockingIOError:
                return found
            found.append(datagram)
            if self.hears:
                now = self._clock()
                self.intake.take(datagram, address, now, WALL + now)

    @property
    def answers(self) -> int:
        """How many acknowledgements it has sent."""
        return self.intake.acknowledgements

    @property
    def refused(self) -> dict[str, int]:
        """The datagrams that it has refused, by reason."""
        return {reason: count for reason, count in self.intake.refused.items() if count}

    def shows(self, name: str) -> bool:
        """Return whether it shows a host: it was heard, and has not said bye."""
        return self.roster.find(name) is not None

    def is_live(self, name: str) -> bool:
        """Return whether a host has reported within its last two intervals."""
        host = self.roster.find(name)
        return host is not None and host.state_at(self._clock()) == "live"

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _answer(self, datagram: bytes, address: Address) -> None:
        self._socket.sendto(datagram, address)

    def _note(self, event: HostEvent, _: Host) -> None:
        self.events.append(event)
