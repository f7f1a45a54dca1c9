"""Sends datagrams over UDP to one exporter, whose name it looks up again from time to time.

An agent that seals also reads the acknowledgements of the exporter.
"""

import errno
import logging
import os
import socket
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from pombo_cli.addresses import Address
from pombo_cli.logs import LimitedLogger
from pombo_wire.sealing import ACCEPTED, IPV4_MAPPED, Acknowledgement

from pombo_agent.collecting.deadlines import start_thread
from pombo_agent.transport.background import Background
from pombo_agent.transport.dialogue import Dialogue
from pombo_agent.transport.heard import MOST_CHANGES, Heard
from pombo_agent.wakeup import Waiter

#: An address family and what ``socket.connect`` takes for it.
Destination = tuple[int, tuple[Any, ...]]

#: Resolves a name and a port to destinations, the best first. Raises OSError; may block.
Resolver = Callable[[str, int], list[Destination]]

#: Seconds between two lookups of the name; each of them also replaces the socket.
RESOLVE_INTERVAL_SECONDS = 60.0

#: Seconds between two lookups while sending fails.
RETRY_INTERVAL_SECONDS = 5.0

#: Seconds without an error after which sending works again. Systems tell of a refused datagram once
#: a second at most.
_CALM_SECONDS = 4.0

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
    that are logged unless the sender is ``quiet``. Without one, the log says when sending fails and
    when it does not fail any more; more is not known.
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
        self._server, self._log, self._clock = server, log, clock
        self._lookup, self._dialogue = lookup, dialogue
        self._heard = Heard(server, None if quiet else log)
        self._destinations: list[Destination] = []
        self._unheard: Destination | None = None  # the address that was left for its silence
        self._socket: socket.socket | None = None
        self._lookups = Background(lambda: lookup.resolver(*server), waiter, lookup.start)
        self._resolved_at = float("-inf")
        self._failed = False
        self._faulty_since: float | None = None  # when sending in plain has failed last
        self._changes = 0  # of that

    def where(self) -> dict[str, object]:
        """Return, for the log, the server and the address that is sent to, if it is known."""
        if not self._destinations:
            return {}
        _, (host, port, *_) = self._destinations[0]
        return {"server": self._server, "address": Address(host, port)}

    @property
    def is_heard(self) -> bool | None:
        """Whether the server has answered in time; None where that is not known."""
        return self._heard.is_heard

    @property
    def is_accepted(self) -> bool:
        """Whether the last answer says that the server has accepted a report."""
        return self._heard.is_accepted

    def poll(self) -> None:
        """Read what the server has answered so far, and try another way if it has not."""
        if self._dialogue is None:
            self._poll_plain()
            return
        heard: Acknowledgement | None = None
        for _ in range(_MOST_ANSWERS):
            answer = self._receive()
            if answer is None:
                break
            heard = self._dialogue.read(answer) or heard
        if heard is not None:
            self._unheard = None
            self._heard.answered(
                shown_address(heard),
                accepted=bool(heard.flags & ACCEPTED),
                clock_ahead=self._dialogue.clock_ahead,
            )
            if self._dialogue.has_rival(heard):
                self._heard.conflicts()
        elif self._dialogue.is_unheard:
            self._heard.missed("a new socket and lookup")
            self._dialogue.ask_anew()
            if self._socket is not None:  # else it was left already, because of an error
                self._unheard = self._destinations[0]
                self._leave_destination()

    def _poll_plain(self) -> None:
        """Note whether the network has refused what was sent, which a new socket would not show."""
        if self._socket is None:
            return
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._note_error(OSError(number, os.strerror(number)))
        elif self._faulty_since is not None and self._clock() - self._faulty_since >= _CALM_SECONDS:
            key = f"{self._server} again {self._changes % MOST_CHANGES}"
            self._log.log(logging.INFO, "sending works again", key=key, **self.where())
            self._faulty_since = None
            self._changes += 1

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
            self._send_whole(self._socket, datagram)
        except BlockingIOError:
            self._warn("datagram lost: send buffer is full")
        except OSError as error:
            self._warn_failed(error)
            if error.errno != errno.EMSGSIZE:
                self._failed = True
                self.close()
                return False
        return True

    def _send_whole(self, opened: socket.socket, datagram: bytes) -> None:
        """Send a datagram, again where the system has just learned that the path is narrow.

        From then on it sends fragments.

        Raises:
            OSError: when it cannot be sent.
        """
        try:
            opened.send(datagram)
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            opened.send(datagram)
            self._warn_fragments()

    def _receive(self) -> bytes | None:
        """Return a datagram that waits; None where none does."""
        try:
            return None if self._socket is None else self._socket.recv(_ANSWER_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:  # of a datagram that was sent, such as a refused one
            self._note_error(error)
            return None

    def _note_error(self, error: OSError) -> None:
        """Note what the network has said about a datagram that was sent."""
        if error.errno == errno.EMSGSIZE:
            self._warn_fragments()
        else:
            self._warn_failed(error)
            self._leave_destination()

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
        if due and not self._lookups.is_running:
            self._resolved_at, self._failed = self._clock(), False
            self.close()
            self._start_lookup()
        answer = self._lookups.take()
        if isinstance(answer, Exception):
            self._warn("lookup failed", answer)
        elif answer:
            self._use(answer)

    def _start_lookup(self) -> None:
        """Resolve the name in a thread, and wait for it for a while."""
        error = self._lookups.begin(self._lookup.timeout)
        if isinstance(error, RuntimeError):
            self._failed = True
            self._warn("lookup failed", error)
        elif error is not None:
            self._warn("lookup timed out", error)

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

    def _warn_failed(self, error: OSError) -> None:
        """Log that sending failed, and that it works again once it does."""
        if error.errno != errno.EMSGSIZE:
            if self._dialogue is None:
                self._faulty_since = self._clock()
            self._heard.failed()
        self._warn("send failed", error)

    def _warn_fragments(self) -> None:
        from pombo_agent.transport.remedies import FRAGMENTS  # noqa: PLC0415 - only then

        message = "datagrams are sent in fragments: the path is narrow"
        key = f"{self._server} fragments"
        self._log.warning(message, key=key, server=self._server, remedy=FRAGMENTS)

    def _warn(self, message: str, error: Exception | None = None) -> None:
        fields: dict[str, object] = {"server": self._server}
        kind = ""
        if error is not None:
            from pombo_agent.transport.remedies import remedy_of  # noqa: PLC0415 - only then

            kind = f"{getattr(error, 'errno', None)} {self._changes % MOST_CHANGES}"
            fields |= {**self.where(), "error": error}
            if remedy := remedy_of(error):
                fields["remedy"] = remedy
        self._log.warning(message, key=f"{self._server} {message} {kind}", **fields)


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
