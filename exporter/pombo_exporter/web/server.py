"""The web server: it listens on a socket, and stops within a bounded time."""

import asyncio
import socket
from typing import Final

from aiohttp import web

_ABORT_TIMEOUT: Final = 0.5  # seconds for requests to end after their connections were aborted
_ITERATIONS_TO_ACCEPT: Final = 3  # of the loop, from a connection's accept to its handler
_FLUSH_CHECK: Final = 0.01  # seconds between two checks of the write buffers


class Server:
    """Serves an application until it is stopped."""

    def __init__(self, app: web.Application) -> None:
        # aiohttp's own timeout comes after ours: it would cancel one request after the other, and
        # close their connections only once the clients have read everything.
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,  # a request ends when its connection is lost
            shutdown_timeout=60.0,
        )

    async def start(self, sock: socket.socket) -> None:
        """Serve on a socket that listens."""
        await self._runner.setup()
        await web.SockSite(self._runner, sock).start()

    async def stop(self, grace_over: asyncio.Event) -> None:
        """Accept no more connections, and end the existing ones.

        Idle ones end at once. Requests under way go on until they are answered or ``grace_over``
        is set: then their connections are aborted, even if their clients have not read everything.
        Returns ``_ABORT_TIMEOUT`` seconds after that at the latest.
        """
        server = self._runner.server
        if server is None:
            return
        for site in self._runner.sites:
            await site.stop()
        for _ in range(_ITERATIONS_TO_ACCEPT):
            await asyncio.sleep(0)
        transports = _transports(server)
        cleanup = asyncio.create_task(self._cleanup(transports))
        grace = asyncio.create_task(grace_over.wait())
        await asyncio.wait({cleanup, grace}, return_when=asyncio.FIRST_COMPLETED)
        grace.cancel()
        _abort(transports | _transports(server))
        await asyncio.wait({cleanup}, timeout=_ABORT_TIMEOUT)
        await asyncio.sleep(0)  # aborted transports close their sockets in this iteration
        if cleanup.done():
            cleanup.result()

    async def _cleanup(self, transports: set[asyncio.Transport]) -> None:
        await self._runner.cleanup()
        # asyncio has no event for a write buffer that is empty.
        while any(one.get_write_buffer_size() for one in transports):  # noqa: ASYNC110
            await asyncio.sleep(_FLUSH_CHECK)


def _transports(server: web.Server) -> set[asyncio.Transport]:
    return {one.transport for one in server.connections if one.transport}


def _abort(transports: set[asyncio.Transport]) -> None:
    for transport in transports:
        if not transport.is_closing() or transport.get_write_buffer_size():  # not lost already
            transport.abort()
