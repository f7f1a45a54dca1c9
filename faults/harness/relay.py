"""A bad network between a fleet and an exporter: it loses, doubles and delays, in both directions.

This is a program and not the kernel's netem, which not every kernel has.
"""

import heapq
import random
import selectors
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from time import monotonic
from typing import Final

from pombo_wire.sealing import SEALED, envelope

_LONGEST: Final = 2048  # bytes
_WAIT: Final = 0.02  # seconds

_Address = tuple[str, int]


@dataclass(frozen=True)
class Weather:
    """The share of datagrams that are lost, doubled and delayed, and by how many seconds."""

    lost: float = 0.0
    doubled: float = 0.0
    delayed: float = 0.0
    longest: float = 0.0


#: What a network does that has no fault.
FAIR: Final = Weather()


@dataclass
class Path:
    """What the network did with the datagrams of one host: numbers in the order of delivery."""

    sent: int = 0
    delivered: list[int] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    arrived_at: list[float] = field(default_factory=list)


class Relay(Thread):
    """Carries datagrams, each host's from a port of its own, and answers back.

    ``paths`` are by the names of hosts.
    """

    def __init__(self, exporter_port: int, seed: int) -> None:
        super().__init__(name="relay", daemon=True)
        self._rng = random.Random(seed)
        self._exporter = ("127.0.0.1", exporter_port)
        self._selector = selectors.DefaultSelector()
        self._hosts = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._hosts.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        self._hosts.bind(("127.0.0.1", 0))
        self._hosts.setblocking(False)  # noqa: FBT003 - the socket's own way
        self._selector.register(self._hosts, selectors.EVENT_READ)
        self._ports: dict[_Address, socket.socket] = {}
        self._waiting: list[tuple[float, int, socket.socket, _Address | None, bytes]] = []
        self._number = 0
        self._lock, self._ended = Lock(), Event()
        self._weather = FAIR
        self.port: int = self._hosts.getsockname()[1]
        self.paths: dict[str, Path] = {}
        self.lost = self.doubled = self.delayed = 0
        self.answers_lost = 0

    def use(self, weather: Weather) -> None:
        """Do this to each datagram from now on."""
        with self._lock:
            self._weather = weather

    def path(self, name: str) -> Path:
        """Return what happens to the datagrams of a host."""
        return self.paths.setdefault(name, Path())

    @property
    def is_empty(self) -> bool:
        """Whether no datagram is delayed at present."""
        return not self._waiting

    def run(self) -> None:
        """Carry datagrams until ``close``."""
        while not self._ended.is_set():
            wait = (
                min(_WAIT, max(0.0, self._waiting[0][0] - monotonic())) if self._waiting else _WAIT
            )
            for key, _ in self._selector.select(wait):
                with suppress(OSError):
                    self._read(key)
            with self._lock:
                while self._waiting and self._waiting[0][0] <= monotonic():
                    _, _, out, to, datagram = heapq.heappop(self._waiting)
                    self._deliver(out, to, datagram)

    def close(self) -> None:
        """Stop, and close the sockets."""
        self._ended.set()
        if self.is_alive():
            self.join()
        for sock in (self._hosts, *self._ports.values()):
            sock.close()

    def _read(self, key: selectors.SelectorKey) -> None:
        sock = key.fileobj
        assert isinstance(sock, socket.socket)
        if sock is self._hosts:
            datagram, address = sock.recvfrom(_LONGEST)
            self._carry(self._port(address), None, datagram)
        else:
            self._carry(self._hosts, key.data, sock.recv(_LONGEST))

    def _port(self, address: _Address) -> socket.socket:
        """Return the socket from which the datagrams of an address go to the exporter."""
        found = self._ports.get(address)
        if found is None:
            found = self._ports[address] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            found.setblocking(False)  # noqa: FBT003 - the socket's own way
            found.connect(self._exporter)
            self._selector.register(found, selectors.EVENT_READ, address)
        return found

    def _carry(self, out: socket.socket, to: _Address | None, datagram: bytes) -> None:
        """Decide what happens to a datagram."""
        with self._lock:
            weather, rng = self._weather, self._rng
            if datagram[0] == SEALED:
                self._path(datagram).sent += 1
            if rng.random() < weather.lost:
                self.lost += 1
                self.answers_lost += datagram[0] != SEALED
                return
            copies = 2 if rng.random() < weather.doubled else 1
            self.doubled += copies - 1
            for _ in range(copies):
                if rng.random() < weather.delayed:
                    self.delayed += 1
                    self._number += 1
                    due = monotonic() + rng.uniform(0, weather.longest)
                    heapq.heappush(self._waiting, (due, self._number, out, to, datagram))
                else:
                    self._deliver(out, to, datagram)

    def _deliver(self, out: socket.socket, to: _Address | None, datagram: bytes) -> None:
        if datagram[0] == SEALED:
            path, number = self._path(datagram), envelope(datagram).seq
            path.delivered.append(number)
            if number not in path.seen:
                path.seen.add(number)
                path.arrived_at.append(monotonic())
        with suppress(OSError):
            if to is None:
                out.send(datagram)
            else:
                out.sendto(datagram, to)

    def _path(self, datagram: bytes) -> Path:
        return self.path(envelope(datagram).name.decode())
