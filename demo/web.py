"""The page of the demonstration, and what its controls do; on the loopback interface only."""

from importlib.resources import files
from typing import Annotated, Any, Final

import aiohttp
import msgspec
from aiohttp import web
from pombo_exporter.web import assets
from pombo_exporter.web.base import BASE, Base
from pombo_exporter.web.origin import refuse_foreign

from demo.comparison import compare
from demo.observed import Observer
from demo.prometheus import PrometheusError
from demo.stage import Exporter, Stage, StageError

_HEADERS: Final = {**assets.HEADERS, "Cache-Control": "no-store"}

#: What the page has in common with the exporter's.
_SHARED: Final = ("style.css", "dom.js", "human.js", "icon.svg")
_OWN: Final = ("demo.css", "demo.js")

_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Conditions(msgspec.Struct, forbid_unknown_fields=True):
    """What the network does: the shares of datagrams that it loses, doubles and delays."""

    lost: _Share
    doubled: _Share
    delayed: _Share


class Site:
    """The page and its requests."""

    def __init__(self, stage: Stage, observer: Observer, client: aiohttp.ClientSession) -> None:
        self._stage, self._observer, self._client = stage, observer, client
        self._exporters = {each.replica: each for each in stage.exporters}

    def application(self) -> web.Application:
        """Return the web application."""
        app = web.Application(middlewares=[_with_headers], client_max_size=4096)
        app[BASE] = Base()
        own, shared = files("demo").joinpath("page"), files("pombo_exporter").joinpath("page")
        app.add_routes(
            [
                web.get("/", _file(own.joinpath("index.html").read_bytes(), "index.html")),
                *(
                    web.get(f"/page/{name}", _file(folder.joinpath(name).read_bytes(), name))
                    for folder, names in ((own, _OWN), (shared, _SHARED))
                    for name in names
                ),
                web.get("/state", self._state),
                web.get("/host", self._host),
                web.post("/network", self._set_network),
                web.post("/exporters/{replica}/kill", self._kill),
                web.post("/exporters/{replica}/start", self._start),
            ]
        )
        return app

    async def _state(self, _: web.Request) -> web.Response:
        if self._observer.state is None:
            raise web.HTTPServiceUnavailable(text="the programs are being started\n")
        return _json(self._observer.state)

    async def _host(self, request: web.Request) -> web.Response:
        name = request.query.get("name", "")
        try:
            found = await compare(self._client, self._stage.prometheus, self._stage.simulated, name)
        except PrometheusError as error:
            raise web.HTTPServiceUnavailable(text=f"{error}\n") from error
        if found is None:
            raise web.HTTPNotFound(text=f"no simulated host has the name {name!r}\n")
        return _json(found)

    async def _set_network(self, request: web.Request) -> web.Response:
        refuse_foreign(request)
        try:
            wanted = msgspec.json.decode(await request.read(), type=Conditions)
        except msgspec.DecodeError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        await self._stage.simulated.ask("set", **msgspec.structs.asdict(wanted))
        return web.Response(status=204)

    async def _kill(self, request: web.Request) -> web.Response:
        await self._stage.kill_exporter(self._wanted(request))
        return web.Response(status=204)

    async def _start(self, request: web.Request) -> web.Response:
        try:
            await self._stage.start_exporter(self._wanted(request), self._client)
        except StageError as error:
            raise web.HTTPServiceUnavailable(text=f"{error}\n") from error
        return web.Response(status=204)

    def _wanted(self, request: web.Request) -> Exporter:
        """Return the exporter that a request may kill or start.

        Raises:
            HTTPForbidden: when the request may come from a page of another site.
            HTTPNotFound: when there is no such exporter.
        """
        refuse_foreign(request)
        found = self._exporters.get(request.match_info["replica"])
        if found is None:
            raise web.HTTPNotFound(text="there are the exporters a and b\n")
        return found


@web.middleware
async def _with_headers(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await handler(request)
    except web.HTTPException as error:
        error.headers.update(_HEADERS)
        raise
    response.headers.update(_HEADERS)
    return response


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


def _file(body: bytes, name: str) -> Any:
    kind = assets.TYPES["." + name.rpartition(".")[2]]

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type=kind, charset="utf-8")

    return answer
