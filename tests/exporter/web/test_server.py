"""The web server stops whatever its connections do."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web
from pombo_exporter.web.server import Server
from support.served import DEADLINE

GET = b"GET /%b HTTP/1.1\r\nHost: x\r\n"


class ServerUnderTest:
    """``/slow`` answers once ``released`` is set; the answer of ``/large`` is endless."""

    def __init__(self) -> None:
        self.started, self.released = asyncio.Event(), asyncio.Event()
        self.cut_off: list[str] = []
        self.grace_over = asyncio.Event()
        app = web.Application()
        app.router.add_get("/slow", self.slow)
        app.router.add_get("/large", self.large)
        self.server = Server(app)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()

    async def slow(self, _: web.Request) -> web.Response:
        self.started.set()
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.cut_off.append("slow")
            raise
        return web.Response(text="at last")

    async def large(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(bytes(2**20))
                self.started.set()
        except (asyncio.CancelledError, ConnectionError):
            self.cut_off.append("large")
            raise

    async def listens(self) -> bool:
        try:
            async with self.client(b""):
                return True
        except ConnectionError:  # also if it was never accepted
            return False

    @asynccontextmanager
    async def client(
        self, request: bytes
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(request)
        try:
            yield reader, writer
        finally:
            writer.close()


def serve(use: Callable[[ServerUnderTest], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(DEADLINE):
            under_test = ServerUnderTest()
            await under_test.server.start(under_test.listener)
            await use(under_test)

    asyncio.run(main())


def test_request_under_way_is_answered_within_the_grace_period() -> None:
    async def use(under_test: ServerUnderTest) -> None:
        async with under_test.client(GET % b"slow" + b"\r\n") as (reader, _):
            await under_test.started.wait()
            stopping = asyncio.create_task(under_test.server.stop(under_test.grace_over))
            while await under_test.listens():
                pass
            assert not stopping.done()
            under_test.released.set()
            assert (await reader.read()).endswith(b"at last")
            await stopping
            assert under_test.cut_off == []

    serve(use)


@pytest.mark.parametrize("path", ["slow", "large"])
def test_request_under_way_is_cut_off_when_the_grace_period_is_over(path: str) -> None:
    async def use(under_test: ServerUnderTest) -> None:
        async with under_test.client(GET % path.encode() + b"\r\n") as (reader, _):
            await under_test.started.wait()
            stopping = asyncio.create_task(under_test.server.stop(under_test.grace_over))
            done, _ = await asyncio.wait({stopping}, timeout=0.01)
            assert not done
            under_test.grace_over.set()
            await stopping
            assert under_test.cut_off == [path]
            with suppress(ConnectionResetError):
                assert not (await reader.read()).endswith((b"at last", b"\r\n0\r\n\r\n"))

    serve(use)


@pytest.mark.parametrize("request_", [b"", GET % b"slow"], ids=["idle", "half a request"])
def test_connection_without_a_whole_request_ends_at_once(request_: bytes) -> None:
    async def use(under_test: ServerUnderTest) -> None:
        async with under_test.client(request_) as (reader, _):
            async with under_test.client(GET % b"nothing" + b"\r\n") as (answered, _):
                await answered.readline()  # the other request was read before
            await under_test.server.stop(under_test.grace_over)
            assert await reader.read() == b""

    serve(use)


def test_rest_of_an_answer_that_is_written_is_flushed_within_the_grace_period() -> None:
    """A handler ends once its answer is in the transport's buffer; the client reads it later."""
    size = 2**16 - 2**10  # less than a transport's high-water mark

    async def whole(_: web.Request) -> web.Response:
        return web.Response(body=bytes(size))

    async def use() -> None:
        app = web.Application()
        app.router.add_get("/whole", whole)
        server = Server(app)
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # accepted ones inherit it
        await server.start(listener)
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(listener.getsockname())
            slow.setblocking(False)  # noqa: FBT003 - the parameter has no name
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(slow, GET % b"whole" + b"\r\n")
            received = await loop.sock_recv(slow, 1)
            stopping = asyncio.create_task(server.stop(asyncio.Event()))
            done, _ = await asyncio.wait({stopping}, timeout=0.05)
            assert not done
            while some := await loop.sock_recv(slow, 2**16):
                received += some
            await stopping
            assert len(received) > size

    async def main() -> None:
        async with asyncio.timeout(DEADLINE):
            await use()

    asyncio.run(main())


def test_server_that_was_not_started_stops() -> None:
    async def main() -> None:
        await Server(web.Application()).stop(asyncio.Event())

    asyncio.run(main())
