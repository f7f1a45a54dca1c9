"""TLS handshakes of new connections: bounded in time, and counted where they fail."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Final

from pombo_cli.logs import LimitedLogger

from pombo_exporter.stats import HttpCounters, RefusedRequest

log = logging.getLogger(__name__)

_TIMEOUT: Final = 10.0  # seconds for a handshake
_CLOSE_TIMEOUT: Final = 2.0  # seconds for a client to confirm that the connection ends
_LOG_INTERVAL: Final = 60.0  # seconds between two lines about handshakes that failed

Make = Callable[[], asyncio.Protocol]


class Handshakes:
    """Makes TLS of accepted connections, each by the configuration of that moment."""

    def __init__(
        self,
        context: Callable[[], ssl.SSLContext],
        counters: HttpCounters,
        timeout: float = _TIMEOUT,
    ) -> None:
        """Take what returns the configuration, and the seconds for a handshake.

        ``counters`` count those that fail.
        """
        self._context, self._counters, self._timeout = context, counters, timeout
        self._running: set[asyncio.Task[None]] = set()
        self._limited = LimitedLogger(log, _LOG_INTERVAL)

    def accept(self, make: Make) -> asyncio.Protocol:
        """Return a protocol for a connection; the one that ``make`` returns follows it."""
        return _Accepted(self, make)

    def begin(self, transport: asyncio.Transport, make: Make) -> None:
        """Begin the handshake of a connection."""
        task = asyncio.get_running_loop().create_task(self._run(transport, make))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, transport: asyncio.Transport, make: Make) -> None:
        done = False
        try:
            done = await self._secure(transport, make)
        except (OSError, ssl.SSLError) as error:
            self._failed(transport, _why(error))
        finally:
            if not done:
                transport.abort()

    async def _secure(self, transport: asyncio.Transport, make: Make) -> bool:
        """Return whether the handshake has succeeded, and the connection has its protocol."""
        waiting = _Waiting()
        secured = await asyncio.get_running_loop().start_tls(
            transport,
            waiting,
            self._context(),
            server_side=True,
            ssl_handshake_timeout=self._timeout,
            ssl_shutdown_timeout=_CLOSE_TIMEOUT,
        )
        if secured is None or waiting.lost:  # None, against its type, if the connection was lost
            self._failed(transport, "the connection was closed")
            return False
        waiting.give_to(make(), secured)
        return True

    def _failed(self, transport: asyncio.Transport, error: str) -> None:
        self._counters.refused[RefusedRequest.TLS_HANDSHAKE] += 1
        address = (transport.get_extra_info("peername") or ["unknown"])[0]
        self._limited.warning("TLS handshake failed", key="", address=address, error=error)


class _Accepted(asyncio.Protocol):
    """A connection before its handshake: nothing is read."""

    def __init__(self, handshakes: Handshakes, make: Make) -> None:
        self._handshakes, self._make = handshakes, make

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        self._handshakes.begin(transport, self._make)


class _Waiting(asyncio.Protocol):
    """A connection whose handshake has just succeeded.

    A client may send its first request in the same packet as the end of the handshake, before the
    task that waits for the handshake goes on. So it is kept for the protocol that follows.
    """

    def __init__(self) -> None:
        self._next: asyncio.Protocol | None = None
        self._data = bytearray()
        self._ended = False
        self.lost = False

    def data_received(self, data: bytes) -> None:
        self._data += data

    def eof_received(self) -> None:
        self._ended = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self._next:  # asyncio may have chosen whom to tell before the next one was set
            self._next.connection_lost(exc)

    def give_to(self, protocol: asyncio.Protocol, transport: asyncio.Transport) -> None:
        """Let a protocol go on with the connection."""
        self._next = protocol
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if self._data:
            protocol.data_received(bytes(self._data))
        if self._ended:
            protocol.eof_received()


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        message = getattr(error, "verify_message", error.args[0])  # OpenSSL's, or our own
        return f"the client's certificate is refused: {message}"
    if isinstance(error, ssl.SSLError):
        if error.reason == "HTTP_REQUEST":
            return "the client speaks HTTP without TLS"
        return str(error.reason or error).replace("_", " ").lower()
    if isinstance(error, ConnectionAbortedError):
        return "it has taken too long"
    if isinstance(error, ConnectionError):
        return "the connection was closed"
    return error.strerror or str(error)
