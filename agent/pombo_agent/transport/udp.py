"""Sends datagrams over UDP to one exporter, whose name it looks up again from time to time.

An agent that seals also reads the acknowledgements of the exporter.
"""

import errno
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from pombo_cli.addresses import Address
from pombo_cli.logs import LimitedLogger
from pombo_wire.sealing import ACCEPTED, IPV4_MAPPED, Acknowledgement

from pombo_agent.collecting.deadlines import start_thread
from pombo_agent.transport.dialogue import Dialogue
from pombo_agent.transport.heard import Heard
from pombo_agent.wakeup import Waiter

#: An address family and what ``socket.connect`` takes for it.
Destination = tuple[int, tuple[Any, ...]]

#: Resolves a name and a port to destinations, the best first. Raises OSError; may block.
Resolver = Callable[[str, int], list[Destination]]

#: Seconds between two lookups of the name; each of them also replaces the socket.
RESOLVE_INTERVAL_SECONDS = 60.0

#: Seconds between two lookups while sending fails.
RETRY_INTERVAL_SECONDS = 5.0

#: The most answers that are read before a report, and the bytes that are read of one.
_MOST_ANSWERS = 16
_ANSWER_BYTES = 128

#: Seconds that a report waits for a lookup; a later answer serves the next report.
RESOLVE_TIMEOUT_SECONDS = 1.0


def resolve(host: str, port: int) -> list[Destination]:
    """Return the destinations that the system's resolver knows.

    Raises:
        OSError: when the name is unknown or no server answers, which may take half a minute.
    """
    # Given a text, Python would import its tables of international names, half a megabyte.
    name = host.encode() if host.isascii() else host
    found = socket.getaddrinfo(name, port, type=socket.SOCK_DGRAM)
    return [(family, address) for family, _, _, _, address in found]


class Lookup(NamedTuple):
    """How a name is looked up: by what, for how many seconds, and what starts its thread."""

    resolver: Resolver = resolve
    timeout: float = RESOLVE_TIMEOUT_SECONDS
    start: Callable[[Callable[[], None]], None] = start_thread


class Sender:
    """Sends datagrams to one server; blocks only for a lookup, and logs what cannot be sent.

    A thread does the lookup, and a report waits ``lookup.timeout`` seconds for it at most. The
    last good answer is used until there is a new one. The socket is replaced after each error and
    at each lookup: that gives a new source address after the host has changed networks, and a new
    source port when a firewall has a wrong state for the old one. After an error the next of
    several addresses is used.

    With a ``dialogue``, datagrams are sealed, and answers are read before the next report. Where
    none comes in time, the socket and the address are replaced; sending never stops. Changes of
    that are logged unless the sender is ``quiet``.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of which it consists
        self,
        server: Address,
        log: LimitedLogger,
        waiter: Waiter,
        clock: Callable[[], float],
        lookup: Lookup = Lookup(),  # noqa: B008  # it never changes
        dialogue: Dialogue | None = None,
        *,
        quiet: bool = False,
    ) -> None:
        self._server, self._log, self._waiter, self._clock = server, log, waiter, clock
        self._lookup, self._dialogue = lookup, dialogue
        self._heard = Heard(server, None if quiet else log)
        self._destinations: list[Destination] = []
        self._unheard: Destination | None = None  # the address that was left for its silence
        self._socket: socket.socket | None = None
        # The thread sets it; None once it is used.
        self._answer: list[Destination] | Exception | None = None
        self._resolving = False
        self._resolved_at = float("-inf")
        self._failed = False

    @property
    def is_heard(self) -> bool | None:
        """Whether the server has answered in time; None where that is not known."""
        return self._heard.is_heard

    def poll(self) -> None:
        """Read what the server has answered so far, and try another way if it has not."""
        if self._dialogue is None:
            return
        heard: Acknowledgement | None = None
        for _ in range(_MOST_ANSWERS):
            answer = self._receive()
            if answer is None:
                break
            heard = self._dialogue.read(answer) or heard
        if heard is not None:
            self._unheard = None
            self._heard.answered(shown_address(heard), accepted=bool(heard.flags & ACCEPTED))
            if self._dialogue.has_rival(heard):
                self._warn("another agent reports under this name")
        elif self._dialogue.is_unheard:
            self._heard.missed("a new socket and lookup")
            self._dialogue.ask_anew()
            if self._socket is not None:  # else it was left already, because of an error
                self._unheard = self._destinations[0]
                self._leave_destination()

    def send(self, datagrams: Iterable[bytes]) -> None:
        """Send the datagrams; what cannot be sent is lost, and the cause is logged."""
        self.poll()
        self._refresh()
        self._send_all(datagrams, asks=True)

    def send_known(self, datagrams: Iterable[bytes]) -> None:
        """Send to the address that is known, without a lookup and without asking for an answer."""
        self._send_all(datagrams, asks=False)

    def renew(self) -> None:
        """Use another socket, lookup and salt, since the last salt said bye or may be old."""
        self.leave()
        self._resolved_at = float("-inf")
        if self._dialogue is not None:
            self._dialogue.new_salt()

    def leave(self) -> None:
        """Send nothing for a while; a later report opens a socket and waits for an answer anew."""
        self.close()
        self._heard.forget()
        if self._dialogue is not None:
            self._dialogue.ask_anew()

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send_all(self, datagrams: Iterable[bytes], *, asks: bool) -> None:
        sealed = datagrams if self._dialogue is None else self._dialogue.seal(datagrams, asks=asks)
        for datagram in sealed:
            if not self._send(datagram):
                # The error may belong to an earlier datagram, so this one is sent once more.
                self._use_next_destination()
                self._send(datagram)

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

    def _receive(self) -> bytes | None:
        """Return a datagram that waits; None where none does."""
        try:
            return None if self._socket is None else self._socket.recv(_ANSWER_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:  # of a datagram that was sent, such as a refused one
            self._warn("send failed", error)
            self._leave_destination()
            return None

    def _leave_destination(self) -> None:
        """Use another socket and address, after a lookup."""
        self._failed = True
        self.close()
        self._use_next_destination()

    def _use_next_destination(self) -> None:
        self._destinations = [*self._destinations[1:], *self._destinations[:1]]

    def _refresh(self) -> None:
        """Resolve the name if that is due, and use the answer of this or an earlier lookup."""
        retry = self._failed or not self._destinations
        interval = RETRY_INTERVAL_SECONDS if retry else RESOLVE_INTERVAL_SECONDS
        due = self._clock() - self._resolved_at >= interval
        if due and not self._resolving:
            self._resolved_at, self._failed = self._clock(), False
            self.close()
            self._start_lookup()
        answer, self._answer = self._answer, None
        if isinstance(answer, Exception):
            self._warn("lookup failed", answer)
        elif answer:
            self._use(answer)

    def _start_lookup(self) -> None:
        """Resolve the name in a thread, and wait for it for a while."""
        self._resolving = True
        try:
            self._lookup.start(self._resolve)
        except RuntimeError as error:  # too many threads, for now
            self._resolving, self._failed = False, True
            self._warn("lookup failed", error)
            return
        end = time.monotonic() + self._lookup.timeout
        while self._resolving and (left := end - time.monotonic()) > 0:
            if self._waiter.wait(left):
                return
        if self._resolving:
            self._warn("lookup timed out")

    def _resolve(self) -> None:
        try:
            self._answer = self._lookup.resolver(*self._server)
        except (OSError, UnicodeError) as error:  # UnicodeError: not a valid name
            self._answer = error
        finally:
            self._resolving = False
            self._waiter.wake()

    def _use(self, destinations: list[Destination]) -> None:
        """Keep the address in use if it is among ``destinations``, else use the first.

        One that does not answer is kept only where there is no other.
        """
        current = self._destinations[0] if self._destinations else destinations[0]
        start = destinations.index(current) if current in destinations else 0
        if current == self._unheard == destinations[start]:
            start = (start + 1) % len(destinations)
        self._unheard = None
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


def shown_address(heard: Acknowledgement) -> str:
    """Return the address and the port from which the server has received."""
    if heard.address.startswith(IPV4_MAPPED):
        return f"{'.'.join(map(str, heard.address[len(IPV4_MAPPED) :]))}:{heard.port}"
    return f"[{socket.inet_ntop(socket.AF_INET6, heard.address)}]:{heard.port}"
