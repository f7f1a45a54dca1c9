"""Datagrams to one exporter, whose name may move and whose road may break."""

import errno
import socket
from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any

from pombo_cli.flags import Address
from pombo_cli.logs import LimitedLogger

#: An address family and what ``socket.connect`` takes for it.
Destination = tuple[int, tuple[Any, ...]]

#: A name and a port to where they are, the best first. Raises OSError; may block.
Lookup = Callable[[str, int], list[Destination]]

#: How often the name is looked up, and the socket opened anew, in seconds.
RENEWAL_SECONDS = 60.0

#: How often it is looked up while sending fails, in seconds.
RETRY_SECONDS = 5.0

#: How long a report waits for the name, in seconds; the answer may also serve a later one.
LOOKUP_SECONDS = 1.0


def look_up(host: str, port: int) -> list[Destination]:
    """Ask the system's resolver.

    Raises:
        OSError: when the name is unknown or nobody answers, which may take half a minute.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    return [(family, address) for family, _, _, _, address in found]


class Sender:
    """Sends to one server as well as can be; never raises, and waits for nothing but the name.

    A thread looks it up, and a report waits ``LOOKUP_SECONDS`` for it at most; the last good
    answer stands until there is a better one. The socket is opened anew after each error and with
    each renewal: that gives a new source address after the host has moved, and a new source port
    past a firewall that remembers the old one wrongly. Of several addresses the next is tried
    after an error.
    """

    def __init__(
        self,
        server: Address,
        log: LimitedLogger,
        clock: Callable[[], float],
        lookup: Lookup = look_up,
    ) -> None:
        self._server, self._log, self._clock, self._lookup = server, log, clock, lookup
        self._destinations: list[Destination] = []
        self._socket: socket.socket | None = None
        self._found: list[Destination] | Exception | None = None
        self._thread: Thread | None = None
        self._renewed = float("-inf")
        self._failed = False

    def send(self, datagrams: Iterable[bytes]) -> None:
        """Send what can be sent; the rest is lost and logged."""
        self._renew()
        for datagram in datagrams:
            if not self._sent(datagram):
                # The error may be an earlier datagram's; this one gets a second chance.
                self._turn()
                self._sent(datagram)

    def close(self) -> None:
        """Give the socket back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _sent(self, datagram: bytes) -> bool:
        """Try once, and return whether a second try is of no use."""
        if not self._destinations:
            return True
        try:
            if self._socket is None:
                self._socket = _connected(self._destinations[0])
            self._socket.send(datagram)
        except BlockingIOError:
            self._complain("send buffer is full, datagram lost")
        except OSError as error:
            self._complain("cannot send", error)
            if error.errno != errno.EMSGSIZE:
                self._failed = True
                self.close()
                return False
        return True

    def _turn(self) -> None:
        self._destinations = [*self._destinations[1:], *self._destinations[:1]]

    def _renew(self) -> None:
        wanting = self._failed or not self._destinations
        due = self._clock() - self._renewed >= (RETRY_SECONDS if wanting else RENEWAL_SECONDS)
        if due and not (self._thread and self._thread.is_alive()):
            self._renewed, self._failed = self._clock(), False
            self.close()
            self._thread = Thread(target=self._look_up, daemon=True)
            self._thread.start()
            self._thread.join(LOOKUP_SECONDS)
            if self._thread.is_alive():
                self._complain("resolver does not answer")
        found, self._found = self._found, None
        if isinstance(found, Exception):
            self._complain("cannot resolve", found)
        elif found:
            self._take(found)

    def _look_up(self) -> None:
        try:
            self._found = self._lookup(*self._server)
        except (OSError, UnicodeError) as error:  # the latter for a name that cannot be one
            self._found = error

    def _take(self, found: list[Destination]) -> None:
        """Stay with the address in use while it is still an answer, else begin with the best."""
        current = self._destinations[0] if self._destinations else found[0]
        start = found.index(current) if current in found else 0
        self._destinations = found[start:] + found[:start]
        if current != self._destinations[0]:
            self.close()

    def _complain(self, message: str, error: Exception | None = None) -> None:
        fields = {"server": self._server} | ({"error": error} if error else {})
        self._log.warning(message, key=f"{self._server} {message}", **fields)


def _connected(destination: Destination) -> socket.socket:
    family, address = destination
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.settimeout(0)
        opened.connect(address)
    except OSError:
        opened.close()
        raise
    return opened
