"""Accepts connections, and goes on when that fails.

asyncio's own server accepts until no descriptor is left. Then it logs a trace a hundred times a
second, in Python 3.11, and tries again.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from typing import Final

from pombo_cli.logs import LimitedLogger

from pombo_exporter.web.connections import Connection, Connections

log = logging.getLogger(__name__)

_LOG_INTERVAL: Final = 60.0  # seconds between two lines of one error
_AT_ONCE: Final = 8  # connections in one iteration of the loop: 1 ms
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_IPV4_MAPPED: Final = "::ffff:"  # before an IPv4 address, on a socket of IPv6
_REMEDY: Final = "allow more open files: LimitNOFILE= in the unit, or ulimit -n"


Before = Callable[[Callable[[], asyncio.Protocol]], asyncio.Protocol]


def plain(protocol: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
    """Begin with the protocol itself: there is no TLS."""
    return protocol()


class Acceptor:
    """Accepts connections on one socket.

    ``make`` returns the protocol of a connection from an address. ``before`` takes what returns
    that protocol, and returns the one that the connection begins with, such as that of TLS.
    """

    def __init__(
        self,
        listener: socket.socket,
        connections: Connections,
        make: Callable[[str], Connection],
        before: Before = plain,
    ) -> None:
        listener.setblocking(False)  # noqa: FBT003 - the socket's own way
        self._listener, self._connections = listener, connections
        self._make, self._before = make, before
        self._loop = connections.loop
        self._log = LimitedLogger(log, _LOG_INTERVAL, self._loop.time)
        self._tasks: set[asyncio.Task[None]] = set()  # of connections that are not yet made
        self._is_paused = True
        connections.on_change = self._resume

    def start(self) -> None:
        """Begin to accept."""
        self._resume()

    def stop(self) -> None:
        """Accept no more, and close the socket."""
        self._pause()
        self._connections.on_change = lambda: None
        self._listener.close()

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._loop.add_reader(self._listener, self._accept)

    def _pause(self) -> None:
        """Accept none until a connection is gone, or a second has passed."""
        if not self._is_paused:
            self._is_paused = True
            self._loop.remove_reader(self._listener)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                sock, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._cannot_accept(error)
                return
            has_room = not self._connections.counters.is_full or self._connections.give_way()
            self._connect(sock, address[0].removeprefix(_IPV4_MAPPED))
            if not has_room:
                self._pause()
                return

    def _cannot_accept(self, error: OSError) -> None:
        fields = {
            "error": error,
            "remedy": _REMEDY if error.errno in _EXHAUSTED else "see accept(2)",
        }
        self._log.warning("cannot accept a connection", key=str(error.errno), **fields)
        self._pause()
        self._connections.give_way()

    def _connect(self, sock: socket.socket, address: str) -> None:
        connection = self._make(address)
        self._connections.add(connection)
        task = self._loop.create_task(self._connected(connection, sock))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connected(self, connection: Connection, sock: socket.socket) -> None:
        sock.setblocking(False)  # noqa: FBT003 - the socket's own way
        first = self._before(lambda: connection)
        connection.accepted, _ = await self._loop.connect_accepted_socket(lambda: first, sock)
        if connection not in self._connections:  # it gave way meanwhile
            connection.abort()
