"""The connections: how many there are, what each waits for, and when each ends.

A connection ends, whatever its client does:

- after ``idle`` seconds without a request. A new one has ``request`` seconds for its first request.
- when a request, with its headers and its body, has not arrived ``request`` seconds after its
  first byte, or has more than ``request_bytes`` of headers.
- when the client has read nothing of an answer for ``unread`` seconds, or for ``spare`` seconds
  while the limit of requests is reached.
- when the limit is reached: the client (``networks``) with the most connections gives way, with the
  one that has waited for a request for the longest time.
"""

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from fcntl import ioctl
from sys import byteorder
from termios import FIONREAD, TIOCOUTQ
from typing import Any, Final, NamedTuple

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from pombo_cli.logs import LimitedLogger, Limiter

from pombo_exporter.stats import ClosedConnection, HttpCounters, RefusedRequest
from pombo_exporter.web.networks import network_of

log = logging.getLogger(__name__)

_LOG_INTERVAL: Final = 60.0  # seconds between two lines of one kind
_CHECK_INTERVAL: Final = 1.0  # seconds between two looks at all connections
_TCP_INFO: Final = getattr(socket, "TCP_INFO", -1)  # only Linux has it
_BYTES_ACKED: Final = slice(120, 128)  # of struct tcp_info: linux/tcp.h, from Linux 4.2
_EXCERPT: Final = 120  # characters of what is wrong with a request, in the log and in the answer


class Patience(NamedTuple):
    """How many seconds a client has; ``request_bytes`` bound a request without its body."""

    idle: float = 120.0  # longer than proxies keep connections, so that they close them first
    request: float = 10.0
    unread: float = 30.0
    spare: float = 5.0
    request_bytes: int = 2**16


class Connection(web.RequestHandler):
    """One connection, of which it is known since when it waits for what.

    A subclass of aiohttp's protocol, whose methods that are overridden have the same contract.
    """

    def __init__(
        self, connections: "Connections", server: web.Server, address: str, **options: Any
    ) -> None:
        super().__init__(server, loop=connections.loop, **options)
        self.address, self.network = address, network_of(address)
        #: When the present state began: waiting for a request, or answering one.
        self.since = connections.loop.time()
        #: The transport below that of TLS, if there is TLS.
        self.accepted: asyncio.BaseTransport | None = None
        self._connections = connections
        self._wire: asyncio.Transport | None = None
        self._has_answered = self._is_answering = False
        self._body: StreamReader = EMPTY_PAYLOAD  # of the last request
        self._begun: float | None = None  # when the first byte of the next request arrived
        self._bytes = 0  # of the next request
        self._unread, self._read, self._unread_since = 0, 0, 0.0

    # --- what happens to it ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        assert isinstance(transport, asyncio.Transport)
        self._wire = transport
        self.since = self._connections.loop.time()
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Count it no more."""
        self._wire = None
        self._connections.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on what arrives, and count it while it is not of a body."""
        was_in_body, before = not self._body.is_eof(), self._request_count
        super().data_received(data)
        if self._messages:
            self._body = self._messages[-1][1]
        if was_in_body or not data:
            return
        if self._begun is None:
            self._begun = self._connections.loop.time()
        self._bytes += len(data)
        if self._request_count > before and not self._is_answering:
            self._bytes = 0  # the headers are complete, and the rest may be of a body
        elif self._bytes > self._connections.patience.request_bytes:
            self._connections.refuse(RefusedRequest.TOO_LARGE, "headers", self.address)
            self.abort()

    def request_begins(self) -> None:
        """Answer a request, whose headers are there."""
        self.since = self._connections.loop.time()
        self._has_answered = self._is_answering = True
        self._begun, self._bytes = None, 0
        self._connections.answers(self)

    def request_ends(self) -> None:
        """Wait for the next request."""
        self.since = self._connections.loop.time()
        self._is_answering = False
        self._connections.waits(self)

    # --- what it does ---

    @property
    def is_lost(self) -> bool:
        """Whether it ended before it was made: its TLS handshake has failed."""
        return self._wire is None and self.accepted is not None and self.accepted.is_closing()

    @property
    def is_slow(self) -> bool:
        """Whether its client is slow to send the rest of a request, or to read the answer."""
        return not self._body.is_eof() or self._unread > 0

    def reason_to_close(self, now: float) -> ClosedConnection | None:
        """Return why the connection has to end now, if it has to; call this every second or so."""
        patience = self._connections.patience
        before, self._unread = (self._unread, self._read), self.unread_bytes
        self._read = self._read_bytes()
        if not before[0] or self._unread < before[0] or self._read > before[1]:
            self._unread_since = now  # nothing was to be read, or some of it was
        if self.unread_for(now) >= patience.unread:
            return ClosedConnection.UNREAD
        began = self.since if not self._body.is_eof() else self._begun
        if began is not None and not (self._is_answering and self._body.is_eof()):
            return ClosedConnection.INCOMPLETE if now - began >= patience.request else None
        most = patience.idle if self._has_answered else patience.request
        is_idle = not self._is_answering and now - self.since >= most
        return ClosedConnection.IDLE if is_idle else None

    def abort(self) -> None:
        """End it at once, even if not everything that was written is read."""
        self._connections.remove(self)
        if self._lowest:
            self._lowest.abort()

    @property
    def unread_bytes(self) -> int:
        """The bytes that were written and have not arrived at the client."""
        if self._wire is None or self._lowest is None:
            return 0
        waiting = bytearray(4)
        with suppress(OSError):  # unknown to this system
            ioctl(self._lowest.get_extra_info("socket"), TIOCOUTQ, waiting)
        return self.unflushed_bytes + int.from_bytes(waiting, byteorder)

    @property
    def has_received(self) -> bool:
        """Whether a request, or bytes of one that are not read yet, may have arrived."""
        if self._messages or self._lowest is None:
            return True  # its answer has not begun yet, or its socket is not known yet
        waiting = bytearray(4)
        with suppress(OSError):  # unknown to this system
            ioctl(self._lowest.get_extra_info("socket"), FIONREAD, waiting)
        return any(waiting)

    @property
    def unflushed_bytes(self) -> int:
        """The bytes that were written and that the kernel has not taken."""
        size = 0
        if self._wire is not None and self._wire is not self._lowest:
            with suppress(AttributeError):  # of asyncio's transport of TLS that was closed twice
                size = self._wire.get_write_buffer_size()
        return size + (self._lowest.get_write_buffer_size() if self._lowest else 0)

    @property
    def _lowest(self) -> asyncio.Transport | None:
        """The transport of TCP; that of TLS cannot be asked, or aborted, once it was closed."""
        lowest = self.accepted or self._wire
        assert lowest is None or isinstance(lowest, asyncio.Transport)
        return lowest

    def _read_bytes(self) -> int:
        """Return how many bytes the client has acknowledged, 0 where that is unknown."""
        transport, info = self.accepted or self._wire, b""
        if transport is not None:
            with suppress(OSError):
                sock = transport.get_extra_info("socket")
                info = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _BYTES_ACKED.stop)
        return int.from_bytes(info[_BYTES_ACKED], byteorder)

    def unread_for(self, now: float) -> float:
        """Return for how many seconds the client has read nothing of what is there for it."""
        return now - self._unread_since if self._unread else 0.0

    def spare_unread(self) -> bool:
        """Do what ``Connections.spare_unread`` does."""
        return self._connections.spare_unread()

    # --- errors ---

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that is no HTTP; it is counted, and logged without a trace."""
        if not isinstance(exc, (HttpProcessingError, web.RequestPayloadError)):
            return super().handle_error(request, status, exc, message)
        reason, status = RefusedRequest.MALFORMED, 400
        if isinstance(exc, LineTooLong):
            reason, status = RefusedRequest.TOO_LARGE, 431
        text = exc.message if isinstance(exc, HttpProcessingError) else str(exc)
        detail = (text.splitlines() or [""])[0].strip(" :.")[:_EXCERPT]
        self._connections.refuse(reason, detail, self.address)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun")
        response = web.Response(status=status, text=f"the request is {reason}: {detail}\n")
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log an error of the exporter with its trace, at most once a minute for each kind."""
        error = kw.get("exc_info")
        if self._connections.errors.allows(type(error).__name__) is not None:
            super().log_exception(*args, **kw)


class Connections:
    """All connections of a server."""

    def __init__(self, counters: HttpCounters, patience: Patience | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.patience = patience or Patience()
        self.errors = Limiter(_LOG_INTERVAL, self.loop.time)
        #: Called every second, and when a connection is gone or may give way.
        self.on_change: Callable[[], None] = lambda: None
        self.counters = counters
        self._log = LimitedLogger(log, _LOG_INTERVAL, self.loop.time)
        self._all: dict[Connection, None] = {}
        self._count: Counter[str] = Counter()  # by client
        #: Those that wait for a request, by client; that which waits for longest is the first.
        self._waiting: dict[str, dict[Connection, None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __iter__(self) -> Iterator[Connection]:
        """Iterate over all connections of this moment."""
        return iter([*self._all])

    def __contains__(self, connection: Connection) -> bool:
        """Return whether a connection is counted."""
        return connection in self._all

    def start(self) -> None:
        """Look at all connections every second, until ``stop``."""
        self._timer = self.loop.call_later(_CHECK_INTERVAL, self._check)

    def stop(self) -> None:
        """Look at them no more."""
        if self._timer:
            self._timer.cancel()

    def add(self, connection: Connection) -> None:
        """Count a connection, which waits for its first request."""
        self._all[connection] = None
        self._count[connection.network] += 1
        self.counters.connections = len(self._all)
        self.waits(connection)

    def remove(self, connection: Connection) -> None:
        """Count a connection no more; no effect if it was removed before."""
        if connection not in self._all:
            return
        del self._all[connection]
        self.counters.connections = len(self._all)
        self.answers(connection)
        self._count[connection.network] -= 1
        if not self._count[connection.network]:
            del self._count[connection.network]
            self._waiting.pop(connection.network, None)
        self.on_change()

    def waits(self, connection: Connection) -> None:
        """Note that a connection begins to wait for a request."""
        if connection in self._all:
            self._waiting.setdefault(connection.network, {})[connection] = None
            self.on_change()

    def answers(self, connection: Connection) -> None:
        """Note that a connection waits no more."""
        self._waiting.get(connection.network, {}).pop(connection, None)

    def give_way(self) -> bool:
        """End a connection in favour of another one; return whether there is one to end.

        That is one that waits for a request, for the longest time, of the client with the most
        connections, or else of any; not one whose request has arrived. If none waits, it is one
        that is slow to send or to read.
        """
        fullest = max(self._count, key=self._count.__getitem__, default="")
        for waiting in (self._waiting.get(fullest, {}), *self._waiting.values()):
            for connection in waiting:
                # A request that is there already would be lost, such as a report.
                if not connection.has_received:
                    self._close(connection, ClosedConnection.LIMIT)
                    return True
        for connection in self._all:
            if connection.is_slow:
                self._close(connection, ClosedConnection.LIMIT)
                return True
        return False

    def spare_unread(self) -> bool:
        """End the connection whose client has read nothing for longest, ``spare`` seconds or more.

        Returns whether there is one.
        """
        now = self.loop.time()
        longest = max(self._all, key=lambda each: each.unread_for(now))
        if longest.unread_for(now) < self.patience.spare:
            return False
        self._close(longest, ClosedConnection.UNREAD)
        return True

    def refuse(self, reason: RefusedRequest, detail: object, address: str) -> None:
        """Count and log a request that is refused."""
        self.counters.refused[reason] += 1
        self._log.warning(
            "request refused", key=reason, reason=reason, detail=detail, address=address
        )

    def _check(self) -> None:
        self.start()
        now = self.loop.time()
        for connection in self:
            if connection.is_lost:
                self.remove(connection)
            elif reason := connection.reason_to_close(now):
                self._close(connection, reason)
        self.on_change()

    def _close(self, connection: Connection, reason: ClosedConnection) -> None:
        self.counters.closed[reason] += 1
        if reason is ClosedConnection.LIMIT:
            remedy = "raise --web.max-connections, or see who opens so many"
            fields = {"limit": self.counters.max_connections, "remedy": remedy}
            self._log.warning(
                "too many connections", key=reason, address=connection.address, **fields
            )
        connection.abort()


@web.middleware
async def tracking(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Tell the connection of a request when it begins and ends to be answered."""
    connection = request.protocol
    if not isinstance(connection, Connection):
        return await handler(request)
    connection.request_begins()
    try:
        return await handler(request)
    finally:
        connection.request_ends()
