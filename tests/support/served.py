"""An exporter's parts behind a real web server, for the tests of what it serves."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from pombo_exporter.hosts.roster import Limits
from pombo_exporter.ingest.intake import Intake
from pombo_exporter.metrics.exporter import Telemetry
from pombo_exporter.pacing import Turns
from pombo_exporter.web.app import application
from pombo_wire import Report, encode

from support.builders import CATALOGUE, HERE, Exporter

DEADLINE = 30.0  # seconds


class Served:
    """An exporter's parts behind a real web server; clocks are the machine's."""

    def __init__(self, limits: Limits | None = None, *, admin: bool = False) -> None:
        self.exporter = Exporter(limits or Limits(), now=monotonic())
        self.intake = Intake(self.exporter.roster, monotonic)
        self.telemetry = Telemetry(
            self.exporter.roster, self.intake, lambda: 7, {"wanted": 2, "granted": 1}
        )
        app = application(self.exporter.roster, CATALOGUE, self.telemetry, Turns(), admin=admin)
        self.server = TestServer(app, host="127.0.0.1")

    def take(self, report: Report, *, ago: float = 0.0) -> None:
        """Take a report that came some seconds ago."""
        now, wall = monotonic() - ago, self.exporter.wall - ago
        self.intake.take(encode(report), HERE, now, wall)


def visit(served: Served, use: Callable[["Client"], Awaitable[Any]]) -> Any:
    """Serve, and return what ``use`` makes of a client."""

    async def main() -> Any:
        async with TestClient(served.server, auto_decompress=False) as client:
            return await asyncio.wait_for(use(client), DEADLINE)

    return asyncio.run(main())


Client = TestClient[Any, Any]


def get(
    served: Served, path: str, method: str = "GET", **headers: str
) -> tuple[ClientResponse, bytes]:
    async def use(client: Client) -> tuple[ClientResponse, bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named.setdefault("Accept-Encoding", "identity")
        response = await client.request(method, path, headers=named)
        return response, await response.read()

    found: tuple[ClientResponse, bytes] = visit(served, use)
    return found
