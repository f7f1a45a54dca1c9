"""Long answers are bounded in number; the others are not."""

import asyncio
import json
import socket

import pytest
from pombo_wire import Report
from support.served import Client, Served, visit
from support.waiting import until

LONG = ["/metrics", "/exporter/metrics", "/hosts/pi/metrics", "/sd", "/api/v1/hosts"]
LONG += ["/api/v1/hosts/pi", "/api/v1/hosts/pi/families"]


def fleet(most: int) -> Served:
    """Return an exporter whose ``/metrics`` does not fit into the buffers of a connection."""
    served = Served()
    served.counters.http.max_requests = most
    gauges = {f"gauge_with_quite_a_long_name_{number}": 1.0 for number in range(20)}
    for number in range(2000):
        served.take(Report(f"host-{number}", interval=3600.0, gauges=gauges))
    served.take(Report("pi", interval=3600.0))
    return served


async def occupy(client: Client, served: Served, count: int) -> list[socket.socket]:
    """Request ``/metrics`` on connections that read nothing of it."""
    loop, found = asyncio.get_running_loop(), []
    for _ in range(count):
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((client.host, client.port))
        slow.setblocking(False)  # noqa: FBT003 - the parameter has no name
        request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\n\r\n"
        await loop.sock_sendall(slow, request)
        found.append(slow)
    await until(lambda: served.counters.http.in_flight == count)
    return found


@pytest.mark.parametrize("path", LONG)
def test_long_answer_beyond_the_limit_is_503_at_once_and_counted(path: str) -> None:
    served = fleet(2)

    async def use(client: Client) -> None:
        slow = await occupy(client, served, 2)
        response = await client.get(path)
        text = await response.text()
        if path.startswith("/api"):
            text = json.loads(text)["error"] + "\n"
        assert response.status == 503
        assert text == "Limit of concurrent requests reached (2), try again later.\n"
        assert served.counters.http.refused["max_requests"] == 1
        for each in slow:
            each.close()
        await until(lambda: served.counters.http.in_flight == 0)
        assert (await client.get(path)).status == 200

    visit(served, use)


@pytest.mark.parametrize("path", ["/", "/host", "/page/style.css", "/-/healthy", "/-/ready"])
def test_short_answer_is_not_limited(path: str) -> None:
    served = fleet(1)

    async def use(client: Client) -> None:
        [slow] = await occupy(client, served, 1)
        assert (await client.get(path)).status == 200
        slow.close()

    visit(served, use)


def test_zero_is_no_limit() -> None:
    served = fleet(0)

    async def use(client: Client) -> None:
        slow = await occupy(client, served, 5)
        assert (await client.get("/metrics")).status == 200
        for each in slow:
            each.close()

    visit(served, use)
