"""What open pages are told: all, then what changed; bounded, and the same for everyone."""

import asyncio
import socket
import zlib
from collections.abc import AsyncIterator, Sequence
from time import monotonic, time
from typing import Any

import msgspec
import pytest
from aiohttp import ClientResponse
from pombo_exporter.hosts.host import Host
from pombo_exporter.hosts.roster import Limits
from pombo_exporter.live.fleet_feed import HOSTS_A_TURN, News
from pombo_exporter.live.sse import BEHIND, Page
from pombo_exporter.pacing import Turns
from pombo_exporter.views import describe, schema
from pombo_exporter.views.status import Status
from pombo_wire import Memory, Report
from support.builders import Agent, Exporter
from support.served import DEADLINE, Client, Served, get, visit

Event = tuple[str, Any]


def parsed(text: str) -> list[Event]:
    """Return the events of a stream, each by its name, with its data."""
    found = []
    for block in text.split("\n\n")[:-1]:
        lines = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if "data" in lines:
            found.append((lines["event"], msgspec.json.decode(lines["data"])))
    return found


async def events(response: ClientResponse) -> AsyncIterator[Event]:
    """Yield a stream's events as they come."""
    text = ""
    async for data in response.content.iter_any():
        text += data.decode()
        whole, mark, text = text.rpartition("\n\n")
        for event in parsed(whole + mark):
            yield event


def names(data: Any) -> list[str]:
    return [row["name"] for row in data["hosts"]]


def watched(exporter: Exporter, pages: int = 1) -> tuple[News, list[Page]]:
    """Return what tells pages, without a server, and pages that look at an exporter."""
    served = Served()
    turns = Turns()
    status = Status(exporter.roster, served.telemetry, turns)
    found = News(exporter.roster, status, turns)
    return found, [found.join() for _ in range(pages)]


def told(page: Page) -> list[Event]:
    pieces = [piece for event in page.take() for piece in event]
    return parsed(b"".join(piece.plain for piece in pieces).decode())


def exporter_now() -> Exporter:
    """Return an exporter whose clocks are the machine's."""
    return Exporter(Limits(), now=monotonic(), wall=time())


# --- the stream ---


def test_page_is_told_all_then_what_changed_then_who_is_gone() -> None:
    served = Served()
    served.take(Report("old", session=1, seq=0, interval=1.0, memory=Memory(total=8.0)))

    async def use(client: Client) -> None:
        async with client.get("/live", headers={"Accept-Encoding": "identity"}) as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/event-stream"
            stream = events(response)
            name, data = await anext(stream)
            assert (name, names(data)) == ("all", ["old"])
            assert data["hosts"][0]["memory_total_bytes"] == 8
            assert data["hosts"][0]["history"]["step_seconds"] == 5
            assert data["status"]["hosts"] == {"live": 1, "late": 0, "down": 0}
            served.take(Report("new", interval=3600.0))
            async for name, data in stream:
                assert name == "some"
                if "new" in names(data):
                    break
            served.take(Report("old", session=1, seq=1, bye=True))
            async for _, data in stream:
                if data["gone"]:
                    break
            assert data["gone"] == ["old"]

    visit(served, use)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_stream_is_compressed_for_whoever_takes_it(encoding: str) -> None:
    served = Served()
    for number in range(200):
        served.take(Report(f"host-{number}", interval=3600.0))

    async def use(client: Client) -> list[Event]:
        async with client.get("/live", headers={"Accept-Encoding": encoding}) as response:
            assert response.headers.get("Content-Encoding", "identity") == encoding
            packed, text = zlib.decompressobj(wbits=31), b""
            async for data in response.content.iter_any():
                text += packed.decompress(data) if encoding == "gzip" else data
                if found := parsed(text.decode()):
                    return found
        return []

    [(name, data)] = visit(served, use)
    assert name == "all"
    assert len(data["hosts"]) == 200


def test_page_of_one_host_is_told_all_of_it_and_when_it_is_gone() -> None:
    served = Served()
    name = "a/b ü?&"
    served.take(Report(name, session=1, seq=0, interval=1.0, gauges={"x": 1.0}))

    async def use(client: Client) -> None:
        plain = {"Accept-Encoding": "identity"}
        async with client.get("/live", params={"host": name}, headers=plain) as response:
            stream = events(response)
            event, data = await anext(stream)
            assert (event, data["host"]["name"], data["host"]["gauges"]) == ("host", name, {"x": 1})
            assert data["history"]["step_seconds"] == 5
            served.take(Report(name, session=1, seq=1, interval=1.0, gauges={"x": 2.0}))
            event, data = await anext(stream)
            assert (event, data["host"]["gauges"]) == ("host", {"x": 2})
            served.take(Report(name, session=1, seq=2, bye=True))
            assert await anext(stream) == ("gone", {})
            served.take(Report(name, session=2, seq=0, interval=1.0))
            event, data = await anext(stream)
            assert (event, data["host"]["gauges"]) == ("host", {})

    visit(served, use)


def test_more_pages_than_the_bound_are_refused_until_one_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pombo_exporter.web.live.MOST_PAGES", 3)
    served = Served()

    async def use(client: Client) -> None:
        open_pages = [await client.get("/live") for _ in range(3)]
        refused = await client.get("/live", params={"host": "x"})
        assert refused.status == 503
        assert "close some" in await refused.text()
        metrics = await (await client.get("/metrics", headers={"Accept-Encoding": "x"})).text()
        assert "\npombo_exporter_open_pages 3.0\n" in metrics
        for response in open_pages[:2]:
            response.close()
        while (again := await client.get("/live")).status == 503:
            served.take(Report("anything"))  # who left is noticed by the next word to them
            await asyncio.sleep(0.05)
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


# --- how much is told ---


def test_only_rows_that_changed_are_told() -> None:
    exporter = exporter_now()
    agents = [Agent(exporter, host=f"host-{n}", interval=3600.0) for n in range(10)]

    async def use() -> None:
        for agent in agents:
            agent.send()
        found, [page] = watched(exporter)
        await found.turn()
        [(name, data)] = told(page)
        assert (name, len(data["hosts"])) == ("all", 10)
        await found.turn()
        assert told(page) == []
        exporter.now += 0.01
        agents[3].send()
        await found.turn()
        [(name, data)] = told(page)
        assert (name, names(data)) == ("some", ["host-3"])
        assert "history" not in data["hosts"][0]

    asyncio.run(use())


def test_turn_makes_a_bounded_number_of_rows_and_leaves_nobody_out() -> None:
    exporter = exporter_now()
    agents = [Agent(exporter, host=f"host-{n}", interval=3600.0) for n in range(HOSTS_A_TURN * 3)]

    async def use() -> None:
        for agent in agents:
            agent.send()
        found, [page] = watched(exporter)
        await found.turn()
        [(_, data)] = [event for event in told(page) if event[0] == "all"]
        assert len(data["hosts"]) == len(agents)
        exporter.now += 0.01
        for agent in agents:
            agent.send()
        seen: list[str] = []
        for _ in range(3):
            await found.turn()
            for _, data in told(page):
                assert len(data["hosts"]) <= HOSTS_A_TURN
                seen += names(data)
        assert sorted(seen) == sorted(agent.host for agent in agents)

    asyncio.run(use())


def test_state_that_turned_goes_before_reports_that_wait() -> None:
    exporter = exporter_now()
    silent = Agent(exporter, host="silent", interval=1.0)
    agents = [Agent(exporter, host=f"host-{n}", interval=3600.0) for n in range(HOSTS_A_TURN * 2)]

    async def use() -> None:
        for agent in (*agents, silent):
            agent.send()
        found, [page] = watched(exporter)
        for _ in range(3):
            await found.turn()
        told(page)
        exporter.now += 0.01
        for agent in agents:
            agent.send()
        exporter.host("silent").last_seen -= 10
        await found.turn()
        [(_, data)] = told(page)
        assert names(data)[0] == "silent"
        assert data["hosts"][0]["state"] == "down"

    asyncio.run(use())


def test_page_that_does_not_keep_up_is_told_all_anew_and_holds_little() -> None:
    exporter = exporter_now()
    agent = Agent(exporter, interval=3600.0)

    async def use() -> None:
        agent.send()
        found, [slow, quick] = watched(exporter, pages=2)
        for _ in range(20):
            exporter.now += 0.01
            agent.send()
            await found.turn()
            assert len(slow) <= BEHIND
            quick.take()
        late = told(slow)
        assert late[0][0] == "all"
        seen = exporter.host().ledger.received
        assert late[-1][1]["hosts"][0]["datagrams_received"] == seen

    asyncio.run(use())


def test_all_pages_are_told_the_very_same_message() -> None:
    exporter = exporter_now()
    agent = Agent(exporter, interval=3600.0)

    async def use() -> None:
        agent.send()
        found, pages = watched(exporter, pages=50)
        await found.turn()
        exporter.now += 0.01
        agent.send()
        await found.turn()
        messages = [page.take() for page in pages]
        assert len(messages[0]) == 2
        for taken in messages:
            assert [*map(id, taken)] == [*map(id, messages[0])]

    asyncio.run(use())


def test_curves_are_kept_while_nobody_looks_and_only_of_hosts_that_live() -> None:
    exporter = exporter_now()
    agents = [Agent(exporter, host=name, interval=1.0) for name in ("stays", "dies", "leaves")]

    async def use() -> None:
        for agent in agents:
            agent.send(memory=Memory(total=8.0, available=2.0))
        found, _ = watched(exporter, pages=0)
        await found.turn()
        assert len(found.histories) == 3
        exporter.host("dies").last_seen -= 10
        agents[2].exporter.take(agents[2].report(bye=True))
        await found.turn()
        assert len(found.histories) == 1
        assert found.histories.of("stays", time()).memory_used_ratio.tolist() == [0.75]

    asyncio.run(use())


def test_page_that_opens_takes_no_news_from_the_others() -> None:
    exporter = exporter_now()
    agent = Agent(exporter, host="talks", interval=3600.0)
    others = [Agent(exporter, host=f"host-{n}", interval=3600.0) for n in range(HOSTS_A_TURN)]

    async def use() -> None:
        for one in (*others, agent):
            one.send()
        found, [early] = watched(exporter)
        for _ in range(2):
            await found.turn()
        told(early)
        exporter.now += 0.01
        for one in (*others, agent):  # the last of them has to wait for another turn
            one.send()
        found.join()
        await found.turn()
        [(_, some)] = told(early)
        assert "talks" not in names(some)
        await found.turn()
        [(_, some)] = told(early)
        assert "talks" in names(some)
        received = {row["name"]: row["datagrams_received"] for row in some["hosts"]}
        assert received["talks"] == 2

    asyncio.run(use())


def test_what_is_counted_without_a_word_of_the_host_is_told() -> None:
    exporter = exporter_now()
    agent = Agent(exporter, interval=3600.0)

    async def use() -> None:
        agent.send()
        found, [page] = watched(exporter)
        await found.turn()
        told(page)
        exporter.take(Report("pi", gauges={"x": 1.0}))  # of a script: the agent is not heard
        await found.turn()
        [(_, data)] = told(page)
        assert data["hosts"][0]["datagrams_received"] == 2

    asyncio.run(use())


def test_turn_that_fails_is_logged_and_the_next_one_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    served = Served()
    served.take(Report("pi", interval=3600.0))
    fails = [OSError("for once")]
    looked = describe.summaries

    def summaries(hosts: Sequence[Host], now: float) -> list[schema.HostSummary]:
        if fails:
            raise fails.pop()
        return looked(hosts, now)

    monkeypatch.setattr(describe, "summaries", summaries)

    async def use(client: Client) -> list[Event]:
        async with client.get("/live", headers={"Accept-Encoding": "identity"}) as response:
            stream = events(response)
            first = await anext(stream)
            fails.append(OSError("and again"))
            served.take(Report("new", interval=3600.0))
            async for name, data in stream:
                if name == "all":
                    return [first, (name, data)]
        return []

    told_anew = [(name, names(data)) for name, data in visit(served, use)]
    assert told_anew == [("all", ["pi"]), ("all", ["pi", "new"])]
    assert [line.getMessage() for line in caplog.records if line.levelname == "ERROR"] == [
        "cannot tell pages what happens"
    ] * 2


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
            await asyncio.sleep(1.5)  # until more is under way than the two ends hold
            stopping = asyncio.create_task(served.server.close())
            done, _ = await asyncio.wait({stopping}, timeout=DEADLINE / 2)
            return bool(done)

    assert visit(served, use)
