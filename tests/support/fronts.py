"""Servers over HTTP between an agent and an exporter: with TLS and a password, and with faults."""

import asyncio
import base64
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from selectors import DefaultSelector
from threading import Thread
from typing import Any, Final, TypeVar

from aiohttp import ClientSession, web
from pombo_wire.framing import FRAMED, unframed

from support.processes import free_port

T = TypeVar("T")

_DEADLINE: Final = 30.0  # seconds
_CLOSE_DEADLINE: Final = 5.0  # seconds for connections to end, such as those in a handshake
_ITERATIONS_TO_CLOSE: Final = 3  # of the loop, from the end of a transport to that of its socket

#: What a front does with a request whose body it has read.
Behaviour = Callable[["Front", web.Request, bytes], Awaitable[web.StreamResponse]]


class Front:
    """A server over HTTP, or HTTPS, in a thread; each request has its present behaviour."""

    def __init__(
        self,
        behaviour: Behaviour,
        *,
        forwards_to: str = "",
        tls: ssl.SSLContext | None = None,
        password: str = "",
        port: int = 0,
    ) -> None:
        """Start to serve.

        ``forwards_to`` is the exporter's ``host:port``; ``password`` is ``user:password``.
        """
        self.behaviour = behaviour
        self.forwards_to = forwards_to
        #: The datagrams of each request, its headers and its path.
        self.requests: list[list[bytes]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        #: The datagrams that the exporter has got.
        self.forwarded: list[bytes] = []
        self.connections: set[int] = set()
        self.port = port or free_port()
        self._tls, self._password = tls, password
        self._released = asyncio.Event()
        self._selector = DefaultSelector()
        self._loop = asyncio.SelectorEventLoop(self._selector)
        self._thread = Thread(target=self._loop.run_forever)
        self._thread.start()
        self._runner: web.AppRunner | None = None
        self._transports: set[Any] = set()
        self._wait(self._start())

    @property
    def datagrams(self) -> list[bytes]:
        """The datagrams of all requests."""
        return [datagram for each in [*self.requests] for datagram in each]

    @property
    def url(self) -> str:
        """The address of the server, as a flag of an agent."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def close_idle(self) -> None:
        """Close all connections, on which no request is under way."""

        async def close() -> None:
            for each in self._transports:
                each.close()

        self._wait(close())

    def close(self) -> None:
        """Stop to serve; requests that hang are cancelled."""
        if self._loop.is_closed():
            return
        self._wait(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_DEADLINE)
        self._loop.close()

    async def forward(self, body: bytes, headers: Any) -> tuple[int, str, bytes]:
        """Let the exporter answer a request; return the status, the type and the body."""
        kept = {name: headers[name] for name in ("Content-Type",) if name in headers}
        url = f"http://{self.forwards_to}/report"
        async with ClientSession() as session, session.post(url, data=body, headers=kept) as found:
            self.forwarded += unframed(body)
            return found.status, found.content_type, await found.read()

    async def hang(self) -> None:
        """Wait until the server is closed."""
        await self._released.wait()

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls).start()

    async def _stop(self) -> None:
        assert self._runner is not None
        self._released.set()
        await self._runner.cleanup()
        for each in self._transports:
            with suppress(AttributeError):  # of one with TLS that has ended, in Python 3.11.2
                each.abort()
        until = self._loop.time() + _CLOSE_DEADLINE
        while self._has_connections() and self._loop.time() < until:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.001)
        for _ in range(_ITERATIONS_TO_CLOSE):
            await asyncio.sleep(0)

    def _has_connections(self) -> bool:
        return len(self._selector.get_map()) > 1  # the loop has one file of its own

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.connections.add(id(request.transport))
        self._transports.add(request.transport)  # so that no other one gets its id
        self.headers.append(dict(request.headers))
        self.paths.append(request.rel_url.raw_path)
        self.requests.append(unframed(body))
        expected = base64.b64encode(self._password.encode()).decode()
        if self._password and request.headers.get("Authorization") != f"Basic {expected}":
            return web.Response(status=401, headers={"WWW-Authenticate": "Basic"})
        return await self.behaviour(self, request, body)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(_DEADLINE)


async def passes(front: Front, request: web.Request, body: bytes) -> web.StreamResponse:
    """Forward the request, and pass the answer."""
    status, kind, answer = await front.forward(body, request.headers)
    return web.Response(status=status, body=answer, content_type=kind)


async def drops_answer(front: Front, request: web.Request, body: bytes) -> web.StreamResponse:
    """Forward the request, and close the connection instead of an answer."""
    await front.forward(body, request.headers)
    return await drops(front, request, body)


async def drops(_: Front, request: web.Request, __: bytes) -> web.StreamResponse:
    """Close the connection, as a server that is killed."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def hangs(front: Front, _: web.Request, __: bytes) -> web.StreamResponse:
    """Do not answer."""
    await front.hang()
    return web.Response(status=500)


async def takes(_: Front, __: web.Request, ___: bytes) -> web.StreamResponse:
    """Answer as an exporter that has taken everything."""
    return web.Response(content_type=FRAMED)


def answers(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """Return the behaviour to answer with this; ``_`` in the name of a header is ``-``."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}

    async def behaviour(_: Front, __: web.Request, ___: bytes) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=given)

    return behaviour


def server_tls(certificate: Any, key: Any, clients: Any = None) -> ssl.SSLContext:
    """Return the TLS of a server; with ``clients``, the CA whose certificates clients must show."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    if clients is not None:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
