"""The JSON API: the hosts, one host, the exporter's status; and how to forget a host.

``ENDPOINTS`` says what each path answers; ``docs/openapi.json`` is made from it.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import unquote

import msgspec
from aiohttp import web

from pombo_exporter.hosts.host import Host
from pombo_exporter.hosts.roster import Roster
from pombo_exporter.metrics.family import Catalogue
from pombo_exporter.views import describe, schema
from pombo_exporter.views.status import Status
from pombo_exporter.web.responses import HEADERS, stream

BASE: Final = "/api/v1"
HOST: Final = "{host:(?s:.+)}"  # in a route: slashes and line feeds are part of a name
_JSON: Final = "application/json"

Thing = TypeVar("Thing")


class Error(msgspec.Struct, frozen=True):
    """What every answer is that is no success: what is wrong, and what to do."""

    error: str


class Endpoint(NamedTuple):
    """One path and method of the API; ``handler`` is the method of ``Api`` that answers."""

    method: str
    path: str
    handler: str
    summary: str
    answer: type[msgspec.Struct] | None  # nothing is answered with 204
    errors: Sequence[tuple[int, str]] = ()


_UNKNOWN = (404, "No host has this name.")

ENDPOINTS: Final = (
    Endpoint("GET", "/hosts", "hosts", "Every host, in a line each.", schema.HostList),
    Endpoint("GET", "/hosts/{host}", "host", "All of one host.", schema.HostDetail, [_UNKNOWN]),
    Endpoint(
        "DELETE",
        "/hosts/{host}",
        "forget",
        "Forget a host at once. One that still reports is back with its next report.",
        None,
        [(403, "The exporter runs without --web.enable-admin-api."), _UNKNOWN],
    ),
    Endpoint(
        "GET",
        "/status",
        "status",
        "The exporter: versions, limits and how full they are, what was refused and why.",
        schema.ExporterStatus,
    ),
)


def routes(
    roster: Roster, catalogue: Catalogue, status: Status, *, admin: bool
) -> list[web.RouteDef]:
    """Return the API's routes; ``admin`` lets it forget hosts."""
    api = Api(roster, catalogue, status, admin=admin)
    return [
        web.route(
            endpoint.method,
            BASE + endpoint.path.replace("{host}", HOST),
            getattr(api, endpoint.handler),
        )
        for endpoint in ENDPOINTS
    ] + [web.get("/api{rest:(?s:.*)}", api.nothing)]


@web.middleware
async def errors_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer with an ``Error`` whatever goes wrong below ``/api``."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400 or not request.path.startswith("/api"):
            raise
        answer = _json(Error((error.text or error.reason).strip()), error.status)
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer


def named(request: web.Request, before: str, after: str = "") -> str:
    """Return the host's name, which stands in the path between these two.

    Read from the path as it was sent, so that a percent sign is decoded exactly once.
    """
    path = request.rel_url.raw_path
    return unquote(path[len(before) : len(path) - len(after)], errors="replace")


def known(roster: Roster, name: str) -> Host:
    """Return the host of that name.

    Raises:
        HTTPNotFound: when there is none, or it said bye.
    """
    host = roster.find(name)
    if host is None:
        raise web.HTTPNotFound(text=unknown(name))
    return host


def unknown(name: str) -> str:
    """Return what is said of a host that there is not."""
    return f"no host is called {name!r}: see {BASE}/hosts for those that report"


class Api:
    """What each endpoint answers."""

    def __init__(
        self, roster: Roster, catalogue: Catalogue, status: Status, *, admin: bool
    ) -> None:
        self._roster = roster
        self._catalogue = catalogue
        self._status = status
        self._admin = admin

    async def hosts(self, request: web.Request) -> web.StreamResponse:
        """Write every host, piece by piece."""
        return await stream(request, self._pieces(self._roster.present()), _JSON)

    async def host(self, request: web.Request) -> web.StreamResponse:
        """Return all of one host."""
        host = known(self._roster, named(request, f"{BASE}/hosts/"))
        return _json(describe.detail(host, self._catalogue, time.monotonic()))

    async def forget(self, request: web.Request) -> web.StreamResponse:
        """Forget a host, if that is allowed."""
        if not self._admin:
            raise web.HTTPForbidden(text="start the exporter with --web.enable-admin-api for this")
        name = named(request, f"{BASE}/hosts/")
        if not self._roster.forget(name, time.monotonic()):
            raise web.HTTPNotFound(text=unknown(name))
        return web.Response(status=204)

    async def status(self, _: web.Request) -> web.StreamResponse:
        """Return how the exporter fares."""
        return _json(await self._status.now())

    async def nothing(self, request: web.Request) -> web.StreamResponse:
        """Say that there is nothing under this path."""
        raise web.HTTPNotFound(text=f"nothing is at {request.path!r}: see docs/openapi.json")

    def _pieces(self, hosts: Sequence[Host]) -> Iterator[bytes]:
        encode = msgspec.json.encode
        comma = b""
        yield b'{"hosts":['
        for some in describe.steps(hosts):
            found = describe.summaries(some, time.monotonic())
            yield comma + encode(found)[1:-1]
            comma = b","
        yield b"]}"


def _json(thing: Any, status: int = 200) -> web.Response:
    body = msgspec.json.encode(thing)
    return web.Response(body=body, status=status, content_type=_JSON, headers=HEADERS)
