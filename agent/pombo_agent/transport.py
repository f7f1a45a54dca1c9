"""Sends datagrams over UDP to one exporter, whose name it looks up again from time to time."""

import errno
import socket
from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any

from pombo_cli.flags import Address
from pombo_cli.logs import LimitedLogger

#: An address family and what ``socket.connect`` takes for it.
Destination = tuple[int, tuple[Any, ...]]

#: Resolves a name and a port to destinations, the best first. Raises OSError; may block.
Resolver = Callable[[str, int], list[Destination]]

#: Seconds between two lookups of the name; each of them also replaces the socket.
RESOLVE_INTERVAL_SECONDS = 60.0

#: Seconds between two lookups while sending fails.
RETRY_INTERVAL_SECONDS = 5.0

#: Seconds that a report waits for a lookup; a later answer serves the next report.
RESOLVE_TIMEOUT_SECONDS = 1.0


def resolve(host: str, port: int) -> list[Destination]:
    """Return the destinations that the system's resolver knows.

    Raises:
        OSError: when the name is unknown or no server answers, which may take half a minute.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    return [(family, address) for family, _, _, _, address in found]


class Sender:
    """Sends datagrams to one server; blocks only for a lookup, and logs what cannot be sent.

    A thread does the lookup, and a report waits ``resolve_timeout`` seconds for it at most. The
    last good answer is used until there is a new one. The socket is replaced after each error and
    at each lookup: that gives a new source address after the host has changed networks, and a new
    source port when a firewall has a wrong state for the old one. After an error the next of
    several addresses is used.
    """

    def __init__(
        self,
        server: Address,
        log: LimitedLogger,
        clock: Callable[[], float],
        resolver: Resolver = resolve,
        resolve_timeout: float = RESOLVE_TIMEOUT_SECONDS,
    ) -> None:
        self._server, self._log, self._clock = server, log, clock
        self._resolver, self._resolve_timeout = resolver, resolve_timeout
        self._destinations: list[Destination] = []
        self._socket: socket.socket | None = None
        # The thread sets it; None once it is used.
        self._answer: list[Destination] | Exception | None = None
        self._thread: Thread | None = None
        self._resolved_at = float("-inf")
        self._failed = False

    def send(self, datagrams: Iterable[bytes]) -> None:
        """Send the datagrams; what cannot be sent is lost, and the cause is logged."""
        self._refresh()
        for datagram in datagrams:
            if not self._send(datagram):
                # The error may belong to an earlier datagram, so this one is sent once more.
                self._use_next_destination()
                self._send(datagram)

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, datagram: bytes) -> bool:
        """Send once; return False if sending again may help."""
        if not self._destinations:
            return True
        try:
            if self._socket is None:
                self._socket = _connect(self._destinations[0])
            self._socket.send(datagram)
        except BlockingIOError:
            self._warn("datagram lost: send buffer is full")
        except OSError as error:
            self._warn("send failed", error)
            if error.errno != errno.EMSGSIZE:
                self._failed = True
                self.close()
                return False
        return True

    def _use_next_destination(self) -> None:
        self._destinations = [*self._destinations[1:], *self._destinations[:1]]

    def _refresh(self) -> None:
        """Resolve the name if that is due, and use the answer of this or an earlier lookup."""
        retry = self._failed or not self._destinations
        interval = RETRY_INTERVAL_SECONDS if retry else RESOLVE_INTERVAL_SECONDS
        due = self._clock() - self._resolved_at >= interval
        if due and not (self._thread and self._thread.is_alive()):
            self._resolved_at, self._failed = self._clock(), False
            self.close()
            self._thread = Thread(target=self._resolve, daemon=True)
            self._thread.start()
            self._thread.join(self._resolve_timeout)
            if self._thread.is_alive():
                self._warn("lookup timed out")
        answer, self._answer = self._answer, None
        if isinstance(answer, Exception):
            self._warn("lookup failed", answer)
        elif answer:
            self._use(answer)

    def _resolve(self) -> None:
        try:
            self._answer = self._resolver(*self._server)
        except (OSError, UnicodeError) as error:  # UnicodeError: not a valid name
            self._answer = error

    def _use(self, destinations: list[Destination]) -> None:
        """Keep the address in use if it is among ``destinations``, else use the first."""
        current = self._destinations[0] if self._destinations else destinations[0]
        start = destinations.index(current) if current in destinations else 0
        self._destinations = destinations[start:] + destinations[:start]
        if current != self._destinations[0]:
            self.close()

    def _warn(self, message: str, error: Exception | None = None) -> None:
        fields = {"server": self._server} | ({"error": error} if error else {})
        self._log.warning(message, key=f"{self._server} {message}", **fields)


def _connect(destination: Destination) -> socket.socket:
    family, address = destination
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.settimeout(0)
        opened.connect(address)
    except OSError:
        opened.close()
        raise
    return opened
