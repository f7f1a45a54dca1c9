"""A lossy network: a relay that loses, doubles and delays datagrams, and records which."""

import random
import select
import socket
from dataclasses import dataclass, field
from threading import Event, Thread

from pombo_wire.reading import read

LOST, DOUBLED, DELAYED = 0.2, 0.05, 0.1  # of all datagrams
LONGEST_DELAY = 12  # datagrams that may overtake: more than one report of ``steady`` takes


@dataclass(frozen=True)
class Counts:
    """The exporter's counters of one session's datagrams."""

    received: int
    lost: int
    duplicate: int
    reordered: int


def expected_counts(delivered: list[int]) -> Counts:
    """Return what must be counted, by the sequence numbers in the order of their delivery."""
    newest, seen = -1, set[int]()
    duplicate = reordered = 0
    for number in delivered:
        if number in seen:
            duplicate += 1
        elif number < newest:
            reordered += 1
        seen.add(number)
        newest = max(newest, number)
    return Counts(len(delivered), newest + 1 - len(seen), duplicate, reordered)


@dataclass
class LossyNetwork:
    """Decides the fate of each datagram; the first is always lost.

    While ``is_quiet``, all arrive at once and in their order.
    """

    rng: random.Random
    is_quiet: bool = False
    _delayed: list[tuple[int, bytes]] = field(default_factory=list)
    _entered: int = 0

    def carry(self, datagram: bytes) -> list[bytes]:
        """Return the datagrams that arrive once this one has been sent."""
        first, self._entered = self._entered == 0, self._entered + 1
        due = [each for each in self._delayed if each[0] <= self._entered]
        self._delayed = [each for each in self._delayed if each[0] > self._entered]
        arriving = []
        if self.is_quiet:
            arriving = [datagram]
        elif not first and self.rng.random() >= LOST:
            for _ in range(2 if self.rng.random() < DOUBLED else 1):
                if self.rng.random() < DELAYED:
                    delay = self.rng.randint(1, LONGEST_DELAY)
                    self._delayed.append((self._entered + delay, datagram))
                else:
                    arriving.append(datagram)
        return arriving + [delayed for _, delayed in due]

    def flush(self) -> list[bytes]:
        """Return the datagrams that are still delayed."""
        rest = [datagram for _, datagram in self._delayed]
        self._delayed = []
        return rest


class Relay(Thread):
    """Forwards datagrams through a lossy network to an exporter, from a port of its own."""

    def __init__(self, exporter_port: int, seed: int) -> None:
        super().__init__(daemon=True)
        self._network = LossyNetwork(random.Random(seed))
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        self._socket.bind(("127.0.0.1", 0))
        self._exporter = "127.0.0.1", exporter_port
        self._closing = Event()
        self.port: int = self._socket.getsockname()[1]
        self.entered: list[int] = []
        self.delivered: list[int] = []

    def run(self) -> None:
        """Forward until ``close``."""
        while not self._closing.is_set():
            if select.select([self._socket], [], [], 0.05)[0]:
                datagram = self._socket.recv(2048)
                self.entered.append(_number(datagram))
                self._deliver(self._network.carry(datagram))
        self._deliver(self._network.flush())
        self._socket.close()

    def be_quiet(self) -> None:
        """Lose, double and delay nothing any more."""
        self._network.is_quiet = True

    def close(self) -> None:
        """Deliver the delayed datagrams, and stop."""
        self._closing.set()
        self.join()

    def _deliver(self, datagrams: list[bytes]) -> None:
        for datagram in datagrams:
            self._socket.sendto(datagram, self._exporter)
            self.delivered.append(_number(datagram))


def _number(datagram: bytes) -> int:
    number = read(datagram).header.seq
    assert number is not None
    return number
