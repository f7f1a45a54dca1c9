"""A bad road for datagrams: it loses, doubles and delays some, and writes down which."""

import random
import select
import socket
from dataclasses import dataclass, field
from threading import Event, Thread

from pombo_wire import decode

LOST, DOUBLED, DELAYED = 0.2, 0.05, 0.1  # of all datagrams
LONGEST_DELAY = 12  # datagrams that may overtake: more than one report of ``steady`` takes


@dataclass(frozen=True)
class Truth:
    """What an exporter must have counted of one session."""

    received: int
    lost: int
    duplicate: int
    reordered: int


def truth(delivered: list[int]) -> Truth:
    """Return the counts by the numbers of the datagrams that were delivered, in their order."""
    newest, seen = -1, set[int]()
    duplicate = reordered = 0
    for number in delivered:
        if number in seen:
            duplicate += 1
        elif number < newest:
            reordered += 1
        seen.add(number)
        newest = max(newest, number)
    return Truth(len(delivered), newest + 1 - len(seen), duplicate, reordered)


@dataclass
class Road:
    """What becomes of each datagram; the first is always lost."""

    rng: random.Random
    _held: list[tuple[int, bytes]] = field(default_factory=list)
    _arrived: int = 0

    def carry(self, datagram: bytes) -> list[bytes]:
        """Return the datagrams that leave the road now that this one has entered it."""
        first, self._arrived = self._arrived == 0, self._arrived + 1
        due = [held for held in self._held if held[0] <= self._arrived]
        self._held = [held for held in self._held if held[0] > self._arrived]
        leaving = []
        if not first and self.rng.random() >= LOST:
            for _ in range(2 if self.rng.random() < DOUBLED else 1):
                if self.rng.random() < DELAYED:
                    delay = self.rng.randint(1, LONGEST_DELAY)
                    self._held.append((self._arrived + delay, datagram))
                else:
                    leaving.append(datagram)
        return leaving + [held for _, held in due]

    def empty(self) -> list[bytes]:
        """Return what is still on the road."""
        rest = [datagram for _, datagram in self._held]
        self._held = []
        return rest


class Relay(Thread):
    """Carries datagrams over a road to an exporter, from a port of its own."""

    def __init__(self, exporter_port: int, seed: int) -> None:
        super().__init__(daemon=True)
        self._road = Road(random.Random(seed))
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        self._socket.bind(("127.0.0.1", 0))
        self._onward = "127.0.0.1", exporter_port
        self._over = Event()
        self.port: int = self._socket.getsockname()[1]
        self.entered: list[int] = []
        self.delivered: list[int] = []

    def run(self) -> None:
        """Carry until ``close``."""
        while not self._over.is_set():
            if select.select([self._socket], [], [], 0.05)[0]:
                datagram = self._socket.recv(2048)
                self.entered.append(_number(datagram))
                self._deliver(self._road.carry(datagram))
        self._deliver(self._road.empty())
        self._socket.close()

    def close(self) -> None:
        """Deliver what is still on the road, and stop."""
        self._over.set()
        self.join()

    def _deliver(self, datagrams: list[bytes]) -> None:
        for datagram in datagrams:
            self._socket.sendto(datagram, self._onward)
            self.delivered.append(_number(datagram))


def _number(datagram: bytes) -> int:
    number = decode(datagram).seq
    assert number is not None
    return number
