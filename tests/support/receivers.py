"""Receivers of notifications and heartbeats: real servers, which answer as a test says."""

import asyncio
import json
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

#: An alert as a receiver sees it.
Alert = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def payload(self) -> dict[str, Any]:
        """The JSON of the body."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Answer:
    """What is answered: after ``delay`` seconds, with a status and headers."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


class Receiver:
    """A web server in a thread. ``answer`` may be set while it runs."""

    def __init__(self, context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        """Listen at a free port, with TLS if there is a context."""
        self.answer: Callable[[int], Answer] = lambda _: Answer()  # by the number of the request
        self.requests: list[Request] = []
        self.port = 0
        self._context, self._host = context, host
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    @property
    def url(self) -> str:
        """Where it is called."""
        return f"{'https' if self._context else 'http'}://{self._host}:{self.port}"

    def alerts(self) -> list[Alert]:
        """Return all alerts so far, in the order in which they came."""
        return [alert for each in self.requests for alert in each.payload["alerts"]]

    def said(self) -> list[tuple[str, str, str]]:
        """Return what the alerts so far say: status, name and instance of each."""
        return [
            (each["status"], each["labels"]["alertname"], each["labels"]["instance"])
            for each in self.alerts()
        ]

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._take)
        runner = web.AppRunner(app, shutdown_timeout=5.0, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, self._host, 0, ssl_context=self._context)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        found = Request(request.method, request.path_qs, {**request.headers}, body)
        answer = self.answer(len(self.requests))
        self.requests.append(found)
        with suppress(TimeoutError):
            async with asyncio.timeout(answer.delay):
                await self._stop.wait()
        return web.Response(status=answer.status, headers=answer.headers)
