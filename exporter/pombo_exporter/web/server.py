"""The web server: it listens on a socket, and stops within a bounded time."""

import asyncio
import socket
from typing import Final

from aiohttp import web

from pombo_exporter.stats import HttpCounters
from pombo_exporter.web.acceptor import Acceptor, Before, plain
from pombo_exporter.web.connections import Connection, Connections, Patience, tracking

_ABORT_TIMEOUT: Final = 0.5  # seconds for requests to end after their connections were aborted
_ITERATIONS_TO_ACCEPT: Final = 3  # of the loop, from a connection's accept to its handler
_FLUSH_CHECK: Final = 0.01  # seconds between two checks of the write buffers


class Server:
    """Serves an application until it is stopped."""

    def __init__(
        self,
        app: web.Application,
        counters: HttpCounters | None = None,
        patience: Patience | None = None,
        before: Before = plain,
    ) -> None:
        """Take an application; ``counters`` have the limit of connections, and count them.

        ``before`` is as in ``Acceptor``.
        """
        app.middlewares.insert(0, tracking)
        # aiohttp's own timeout comes after ours: it would cancel one request after the other, and
        # close their connections only once the clients have read everything.
        self._runner = web.AppRunner(
            app,
            handler_cancellation=True,  # a request ends when its connection is lost
            shutdown_timeout=60.0,
        )
        self._counters, self._patience = counters or HttpCounters(), patience
        self._before = before
        self._acceptor: Acceptor | None = None
        self._connections: Connections | None = None

    async def start(self, sock: socket.socket) -> None:
        """Serve on a socket that listens."""
        await self._runner.setup()
        server = self._runner.server
        assert server is not None
        connections = self._connections = Connections(self._counters, self._patience)

        def make(address: str) -> Connection:
            return Connection(connections, server, address, access_log=None)

        self._acceptor = Acceptor(sock, connections, make, self._before)
        connections.start()
        self._acceptor.start()

    async def stop(self, grace_over: asyncio.Event) -> None:
        """Accept no more connections, and end the existing ones.

        Idle ones end at once. Requests under way go on until they are answered or ``grace_over``
        is set: then their connections are aborted, even if their clients have not read everything.
        Returns ``_ABORT_TIMEOUT`` seconds after that at the latest.
        """
        if self._acceptor is None or self._connections is None:
            return
        self._acceptor.stop()
        for _ in range(_ITERATIONS_TO_ACCEPT):
            await asyncio.sleep(0)
        cleanup = asyncio.create_task(self._cleanup(self._connections))
        grace = asyncio.create_task(grace_over.wait())
        await asyncio.wait({cleanup, grace}, return_when=asyncio.FIRST_COMPLETED)
        grace.cancel()
        for connection in self._connections:
            connection.abort()
        await asyncio.wait({cleanup}, timeout=_ABORT_TIMEOUT)
        await asyncio.sleep(0)  # aborted transports close their sockets in this iteration
        self._connections.stop()
        if cleanup.done():
            cleanup.result()

    async def _cleanup(self, connections: Connections) -> None:
        await self._runner.cleanup()
        # asyncio has no event for a write buffer that is empty.
        while any(each.unflushed_bytes for each in connections):  # noqa: ASYNC110
            await asyncio.sleep(_FLUSH_CHECK)
