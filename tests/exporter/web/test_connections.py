"""Connections end when their clients do not go on, and give way when there are too many."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from aiohttp import web
from pombo_exporter.stats import HttpCounters
from pombo_exporter.web.connections import Connection, Patience
from pombo_exporter.web.server import Server
from support.served import DEADLINE
from support.waiting import until

GET = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n"
LONG = 3600.0  # seconds that no test waits for
SIZE = 2**22  # bytes of an answer that no buffer holds

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Served:
    """A server whose ``/slow`` answers once ``released`` is set, and ``/large`` at length."""

    def __init__(self, patience: Patience, most: int) -> None:
        self.answering, self.released = 0, asyncio.Event()
        app = web.Application()
        app.router.add_get("/", self.short)
        app.router.add_get("/slow", self.slow)
        app.router.add_get("/large", self.large)
        app.router.add_post("/body", self.body)
        self.counters = HttpCounters(max_connections=most)
        self.server = Server(app, self.counters, patience)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = self.listener.getsockname()

    async def short(self, _: web.Request) -> web.Response:
        return web.Response(text="short")

    async def slow(self, request: web.Request) -> web.Response:
        self.protocol = request.protocol
        self.answering += 1
        await self.released.wait()
        return web.Response(text="at last")

    async def large(self, _: web.Request) -> web.Response:
        return web.Response(body=bytes(SIZE))

    async def body(self, request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    @asynccontextmanager
    async def client(
        self, request: bytes = b"", source: str = "127.0.0.1"
    ) -> AsyncIterator[Streams]:
        """Connect from an address, and send the beginning of a request."""
        reader, writer = await asyncio.open_connection(*self.address, local_addr=(source, 0))
        writer.write(request)
        try:
            yield reader, writer
        finally:
            writer.close()

    @asynccontextmanager
    async def idle(self, source: str = "127.0.0.1") -> AsyncIterator[Streams]:
        """Connect, and wait until that is counted."""
        before = self.counters.connections
        async with self.client(b"", source) as streams:
            await until(lambda: self.counters.connections > before)
            yield streams

    def closed(self) -> dict[str, int]:
        """Return how many connections the server closed, by the reason."""
        return {reason: count for reason, count in self.counters.closed.items() if count}

    def refused(self) -> dict[str, int]:
        """Return how many requests were refused, by the reason."""
        return {reason: count for reason, count in self.counters.refused.items() if count}


def serve(
    use: Callable[[Served], Awaitable[None]], patience: Patience | None = None, most: int = 0
) -> None:
    async def main() -> None:
        async with asyncio.timeout(DEADLINE):
            patience_ = patience or Patience(idle=LONG, request=LONG, unread=LONG)
            served = Served(patience_, most)
            await served.server.start(served.listener)
            try:
                await use(served)
            finally:
                grace_over = asyncio.Event()
                grace_over.set()
                await served.server.stop(grace_over)
            assert served.counters.connections == 0

    asyncio.run(main())


# --- patience ---


def test_idle_connection_ends() -> None:
    async def use(served: Served) -> None:
        async with served.client(GET % b"") as (reader, _):
            assert (await reader.read()).endswith(b"short")
        assert served.closed() == {"idle": 1}

    serve(use, Patience(idle=0.1, request=LONG, unread=LONG))


@pytest.mark.parametrize(
    ("begun", "reason"),
    [
        (b"", "idle"),
        (b"G", "incomplete"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", "incomplete"),
        (b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1", "incomplete"),
        (
            b"POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n1",
            "incomplete",
        ),
    ],
)
@pytest.mark.parametrize("before", [b"", GET % b""], ids=["first", "second"])
def test_connection_whose_request_does_not_arrive_ends(
    begun: bytes, reason: str, before: bytes
) -> None:
    async def use(served: Served) -> None:
        async with served.client(before) as (reader, writer):
            if before:
                await reader.readuntil(b"short")
            writer.write(begun)
            assert await reader.read() == b""
        assert served.closed() == {reason: 1}

    idle = LONG if begun or not before else 0.1
    serve(use, Patience(idle=idle, request=0.1, unread=LONG))


def test_request_that_arrives_byte_by_byte_does_not_prolong_its_time() -> None:
    async def use(served: Served) -> None:
        async with served.client(b"GET / HTTP/1.1\r\nHost: ") as (reader, writer):
            gone = asyncio.create_task(reader.read())
            while not gone.done():
                writer.write(b"x")
                await asyncio.wait({gone}, timeout=0.01)
            with suppress(ConnectionResetError):
                gone.result()
        assert served.closed() == {"incomplete": 1}

    serve(use, Patience(idle=LONG, request=0.5, unread=LONG))


def test_client_that_does_not_read_is_cut_off() -> None:
    async def use(served: Served) -> None:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(served.address)
            client.sendall(GET % b"large")
            await until(lambda: served.counters.connections == 1)
            await until(lambda: served.counters.connections == 0)
            client.settimeout(DEADLINE)
            read = 0
            with suppress(ConnectionResetError):
                while some := await asyncio.to_thread(client.recv, 2**20):
                    read += len(some)
            assert read < SIZE
        assert served.closed() == {"unread": 1}

    serve(use, Patience(idle=LONG, request=LONG, unread=0.1))


def test_client_that_reads_slowly_gets_the_answer() -> None:
    async def use(served: Served) -> None:
        served.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        async with served.client(GET % b"large") as (reader, _):
            await reader.readuntil(b"\r\n\r\n")
            for _ in range(8):
                await reader.readexactly(SIZE // 8)
                await asyncio.sleep(0.3)
        assert served.closed() == {}

    serve(use, Patience(idle=LONG, request=LONG, unread=2.0))


def test_client_that_reads_is_not_cut_off_though_there_is_always_more_to_read() -> None:
    """As a status page far away: at each look, another event is on its way to it."""

    async def use(served: Served) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(served.address)
            client.setblocking(False)  # noqa: FBT003 - the parameter has no name
            await loop.sock_sendall(client, GET % b"slow")
            await until(lambda: served.answering == 1)
            connection = served.protocol
            assert isinstance(connection, Connection)
            assert connection.transport
            connection.transport.write(bytes(SIZE))
            for second in range(20):
                before = connection.unread_bytes
                assert connection.reason_to_close(float(second)) is None
                while connection.unread_bytes == before:
                    await loop.sock_recv(client, 2**16)
                connection.transport.write(bytes(before - connection.unread_bytes + 1))
            # And now it reads no more.
            assert connection.reason_to_close(21.0) is None
            assert connection.reason_to_close(40.0) == "unread"

    serve(use, Patience(idle=LONG, request=LONG, unread=5.0))


def test_answer_under_way_is_waited_for() -> None:
    async def use(served: Served) -> None:
        async with served.client(GET % b"slow") as (reader, _):
            await until(lambda: served.answering == 1)
            async with served.client() as (other, _):  # it ends after two checks of all
                assert await other.read() == b""
            async with served.client() as (other, _):
                assert await other.read() == b""
            served.released.set()
            await reader.readuntil(b"at last")
        assert served.closed() == {"idle": 2}

    serve(use, Patience(idle=LONG, request=0.1, unread=0.1))


@pytest.mark.parametrize("before", [b"", GET % b"slow"], ids=["first", "behind an answer"])
def test_headers_without_an_end_are_cut_off_by_their_bytes(before: bytes) -> None:
    async def use(served: Served) -> None:
        async with served.client(before + b"GET / HTTP/1.1\r\n") as (reader, writer):
            with suppress(ConnectionError):
                for number in range(100):
                    writer.write(b"X-%d: %b\r\n" % (number, b"x" * 8000))
                    await writer.drain()
                assert await reader.read() == b""
        assert served.refused() == {"too_large": 1}

    serve(use)


def test_body_does_not_count_as_headers() -> None:
    async def use(served: Served) -> None:
        head = b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n"
        async with served.client(head + bytes(500_000)) as (reader, _):
            await reader.readuntil(b"500000")
        assert served.refused() == {}

    serve(use)


# --- the limit ---


def test_connection_that_is_idle_for_longest_gives_way() -> None:
    async def use(served: Served) -> None:
        async with AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(served.idle()) for _ in range(3)]
            streams[0][1].write(GET % b"")  # now the second is idle for longest
            await streams[0][0].readuntil(b"short")
            async with served.client(GET % b"") as (reader, _):
                await reader.readuntil(b"short")
                assert await streams[1][0].read() == b""
                for other, writer in (streams[0], streams[2]):
                    writer.write(GET % b"")
                    await other.readuntil(b"short")
        assert served.closed() == {"limit": 1}

    serve(use, most=3)


def test_address_with_the_most_connections_gives_way() -> None:
    async def use(served: Served) -> None:
        async with AsyncExitStack() as stack:
            reader, writer = await stack.enter_async_context(served.idle("127.0.0.2"))
            for count in range(10):
                await stack.enter_async_context(served.client(b"", "127.0.0.3"))
                await until(lambda: served.counters.closed["limit"] >= count - 2)  # noqa: B023
            writer.write(GET % b"")
            await reader.readuntil(b"short")
        assert served.closed() == {"limit": 7}

    serve(use, most=4)


def test_request_that_is_sent_slowly_gives_way_when_none_is_idle() -> None:
    async def use(served: Served) -> None:
        head = b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1"
        async with served.client(GET % b"slow") as (slow, _), served.client(head) as (body, _):
            await until(lambda: served.answering == 1)
            async with served.client(GET % b"") as (reader, _):
                await reader.readuntil(b"short")
            assert await body.read() == b""
            served.released.set()
            await slow.readuntil(b"at last")
        assert served.closed() == {"limit": 1}

    serve(use, most=2)


def test_connection_waits_while_all_others_are_being_answered() -> None:
    async def use(served: Served) -> None:
        async with AsyncExitStack() as stack:
            busy = []
            for count in range(1, 4):
                busy.append(await stack.enter_async_context(served.client(GET % b"slow")))
                await until(lambda: served.answering == count)  # noqa: B023
            async with served.client(GET % b"") as (reader, _):
                served.released.set()
                await reader.readuntil(b"short")
            for slow, _ in busy:
                await slow.readuntil(b"at last")
        assert served.closed() == {"limit": 1}  # once it was answered

    serve(use, most=2)


# --- what is no HTTP ---

GARBAGE = [
    *(
        b"\0" * 64,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"SSH-2.0-x",
    ),
    *(
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"\n\n\n\r\nx\r\n\r\n",
    ),
    *(b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"),
    *(b"GET / HTTP/1.1\r\nHost: x\r\nX: \x01\x02\r\n\r\n", b"GET / HTTP/1.1\r\nHost: \0\r\n\r\n"),
    *(b"GET / HTTP/1.1\r\nHost: x\r\n X: y\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX y\r\n\r\n"),
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_what_is_no_http_is_400_counted_and_logged_in_a_short_line(
    garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def use(served: Served) -> None:
        for _ in range(20):
            async with served.client(garbage) as (reader, _):
                answer = await reader.read()
            assert answer.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))
            assert len(answer) < 500
        assert served.refused() == {"malformed": 20}

    serve(use)
    [line] = caplog.records
    assert (line.levelno, line.getMessage(), line.exc_info) == (
        logging.WARNING,
        "request refused",
        None,
    )
    assert len(str(vars(line)["fields"])) < 300


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /?" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 9000 + b"\r\n\r\n",
    ],
    ids=["path", "query", "header"],
)
def test_line_that_is_too_long_is_431(request_: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def use(served: Served) -> None:
        async with served.client(request_) as (reader, _):
            answer = await reader.read()
        assert b" 431 " in answer.splitlines()[0]
        assert len(answer) < 500
        assert served.refused() == {"too_large": 1}

    serve(use)
    assert [line.exc_info for line in caplog.records] == [None]


def test_error_of_the_exporter_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    async def fails(_: web.Request) -> web.Response:
        raise LookupError

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/", fails)
        server = Server(app)
        listener = socket.create_server(("127.0.0.1", 0))
        await server.start(listener)
        for _ in range(5):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(GET % b"")
            assert b" 500 " in (await reader.read()).splitlines()[0]
            writer.close()
        await server.stop(asyncio.Event())

    asyncio.run(main())
    [line] = caplog.records
    assert line.exc_info
