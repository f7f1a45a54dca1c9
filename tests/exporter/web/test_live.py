"""Server-sent events over HTTP: compressed, bounded in number, ended when the exporter stops."""

import asyncio
import socket
import zlib

import pytest
from pombo_wire import Memory, Report
from support.served import DEADLINE, Client, Served, get, visit
from support.sse import Received, events, host_names, parse_events
from support.waiting import until


def test_fleet_gets_a_snapshot_then_what_changed_then_who_is_gone() -> None:
    served = Served()
    served.take(Report("old", session=1, seq=0, interval=1.0, memory=Memory(total=8.0)))

    async def use(client: Client) -> None:
        async with client.get("/live", headers={"Accept-Encoding": "identity"}) as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/event-stream"
            stream = events(response)
            name, data = await anext(stream)
            assert (name, host_names(data)) == ("snapshot", ["old"])
            assert data["hosts"][0]["memory_total_bytes"] == 8
            assert data["hosts"][0]["history"]["step_seconds"] == 5
            assert data["status"]["hosts"] == {"live": 1, "late": 0, "down": 0}
            served.take(Report("new", interval=3600.0))
            async for name, data in stream:
                assert name == "delta"
                if "new" in host_names(data):
                    break
            served.take(Report("old", session=1, seq=1, bye=True))
            async for _, data in stream:
                if data["gone"]:
                    break
            assert data["gone"] == ["old"]

    visit(served, use)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_stream_is_compressed_if_the_client_accepts_it(encoding: str) -> None:
    served = Served()
    for number in range(200):
        served.take(Report(f"host-{number}", interval=3600.0))

    async def use(client: Client) -> list[Received]:
        async with client.get("/live", headers={"Accept-Encoding": encoding}) as response:
            assert response.headers.get("Content-Encoding", "identity") == encoding
            packed, text = zlib.decompressobj(wbits=31), b""
            async for data in response.content.iter_any():
                text += packed.decompress(data) if encoding == "gzip" else data
                if found := parse_events(text.decode()):
                    return found
        return []

    [(name, data)] = visit(served, use)
    assert name == "snapshot"
    assert len(data["hosts"]) == 200


def test_host_of_any_name_gets_its_fields_and_when_it_is_gone() -> None:
    served = Served()
    name = "a/b ü?&"
    served.take(Report(name, session=1, seq=0, interval=1.0, gauges={"x": 1.0}))

    async def use(client: Client) -> None:
        plain = {"Accept-Encoding": "identity"}
        async with client.get("/live", params={"host": name}, headers=plain) as response:
            stream = events(response)
            event, data = await anext(stream)
            assert (event, data["host"]["name"]) == ("snapshot", name)
            assert data["host"]["gauges"] == {"x": 1}
            assert data["history"]["step_seconds"] == 5
            served.take(Report(name, session=1, seq=1, interval=1.0, gauges={"x": 2.0}))
            event, data = await anext(stream)
            assert (event, data["host"]["gauges"]) == ("delta", {"x": 2})
            served.take(Report(name, session=1, seq=2, bye=True))
            assert await anext(stream) == ("gone", {})
            served.take(Report(name, session=2, seq=0, interval=1.0))
            event, data = await anext(stream)
            assert (event, data["host"]["gauges"]) == ("delta", {})

    visit(served, use)


def test_more_status_pages_than_the_limit_are_refused_until_one_leaves() -> None:
    served = Served(max_subscribers=3)

    async def use(client: Client) -> None:
        open_pages = [await client.get("/live") for _ in range(3)]
        refused = await client.get("/live", params={"host": "x"})
        assert refused.status == 503
        assert "close some" in await refused.text()
        metrics = await (await client.get("/metrics", headers={"Accept-Encoding": "x"})).text()
        assert "\npombo_exporter_open_pages 3.0\n" in metrics
        for response in open_pages[:2]:
            response.close()
        await until(lambda: served.counters.subscribers() == 1)
        again = await client.get("/live")
        assert again.status == 200
        for response in open_pages:
            response.close()

    visit(served, use)


def test_open_pages_do_not_keep_the_exporter_from_stopping() -> None:
    served = Served()

    async def use(client: Client) -> list[bytes]:
        plain = {"Accept-Encoding": "identity"}
        responses = [
            await client.get("/live", params=query, headers=plain) for query in ({}, {"host": "x"})
        ]
        await served.server.close()
        return [await response.read() for response in responses]

    for body in visit(served, use):
        assert body.startswith(b"retry")


def test_head_of_the_stream_ends() -> None:
    response, body = get(Served(), "/live", "HEAD")
    assert (response.status, body) == (200, b"")


def test_reader_that_takes_nothing_does_not_keep_the_exporter_from_stopping() -> None:
    served = Served()
    for number in range(8000):
        served.take(Report(f"{number:0200}", interval=3600.0))

    async def use(client: Client) -> bool:
        loop = asyncio.get_running_loop()
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect((client.host, client.port))
            slow.setblocking(False)  # noqa: FBT003 - the socket's own way
            await loop.sock_sendall(slow, b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await loop.sock_recv(slow, 1)  # its stream has begun, and is not read on
            [connection] = served.server.handler.connections
            transport = connection.transport
            assert transport
            _, high = transport.get_write_buffer_limits()
            await until(lambda: transport.get_write_buffer_size() > high)  # writing has paused
            stopping = asyncio.create_task(served.server.close())
            done, _ = await asyncio.wait({stopping}, timeout=DEADLINE / 2)
            return bool(done)

    assert visit(served, use)
