"""An exporter's parts behind a real web server, for the tests of its HTTP answers."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic, time
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from pombo_exporter.hosts.host import Address
from pombo_exporter.hosts.limits import Limits
from pombo_exporter.ingest.intake import Intake
from pombo_exporter.ingest.sealed import SealedIntake
from pombo_exporter.runtime.pacing import Pacer
from pombo_exporter.seal.crypto import CRYPTO
from pombo_exporter.seal.key_file import Keys
from pombo_exporter.seal.opening import Opener
from pombo_exporter.stats import Counters, ReceiveBuffer
from pombo_exporter.views.event_log import EventLog
from pombo_exporter.web.app import Parts, application
from pombo_exporter.web.assets import HeaderLinks
from pombo_exporter.web.base import Base
from pombo_exporter.web.join import JoinOptions
from pombo_exporter.web.live import MAX_SUBSCRIBERS
from pombo_exporter.web.report import POSTS_PER_SECOND
from pombo_exporter.web.toolkit.access import Access
from pombo_wire import Report, encode
from pombo_wire.keys import FleetKey

from support.builders import ADDRESS, TABLE, Exporter

DEADLINE = 30.0  # seconds


class Served:
    """An exporter's parts behind a real web server; clocks are the machine's."""

    def __init__(  # noqa: PLR0913 - the options of its parts
        self,
        limits: Limits | None = None,
        *,
        base: Base | None = None,
        admin: bool = False,
        max_subscribers: int = MAX_SUBSCRIBERS,
        posts_per_second: int = POSTS_PER_SECOND,
        fleet: FleetKey | None = None,
        require_sealed: bool = False,
        access: Access | None = None,
        joining: JoinOptions | None = None,
        links: HeaderLinks | None = None,
    ) -> None:
        """Take the options of the application; with ``fleet``, sealed datagrams are opened."""
        self.exporter = Exporter(limits or Limits(), now=monotonic())
        sealed = None
        if fleet is not None:
            opener = Opener(CRYPTO, Keys({fleet.kid: fleet}, set(), {}))
            sealed = SealedIntake(
                self.exporter.roster, opener, CRYPTO, lambda *each: self.sent.append(each)
            )
        #: What was sent over UDP.
        self.sent: list[tuple[bytes, Address]] = []
        self.intake = Intake(self.exporter.roster, monotonic, sealed, require_sealed=require_sealed)
        self.counters = Counters(
            self.exporter.roster, self.intake, lambda: 7, ReceiveBuffer(2, 1), monotonic(), time()
        )
        self.pacer = Pacer()
        self.log = EventLog()
        parts = Parts(self.exporter.roster, TABLE, self.counters, self.pacer, log=self.log)
        app = application(
            parts,
            base,
            admin=admin,
            max_subscribers=max_subscribers,
            access=access,
            posts_per_second=posts_per_second,
            joining=joining,
            links=links,
        )
        self.server = TestServer(app, host="127.0.0.1")

    def take(self, report: Report, *, ago: float = 0.0) -> None:
        """Take a report that arrived ``ago`` seconds ago."""
        now, wall = monotonic() - ago, self.exporter.wall - ago
        self.intake.take(encode(report), ADDRESS, now, wall)


def visit(served: Served, use: Callable[["Client"], Awaitable[Any]]) -> Any:
    """Serve HTTP, call ``use`` with a client, and return its result."""

    async def main() -> Any:
        async with (
            asyncio.timeout(DEADLINE),  # includes closing the client and the server
            TestClient(served.server, auto_decompress=False) as client,
        ):
            return await use(client)

    return asyncio.run(main())


Client = TestClient[Any, Any]


def get(
    served: Served, path: str, method: str = "GET", **headers: str
) -> tuple[ClientResponse, bytes]:
    """Return the response to a request and its body; ``_`` in a header's name is ``-``."""

    async def use(client: Client) -> tuple[ClientResponse, bytes]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent.setdefault("Accept-Encoding", "identity")
        response = await client.request(method, path, headers=sent)
        return response, await response.read()

    answer: tuple[ClientResponse, bytes] = visit(served, use)
    return answer
