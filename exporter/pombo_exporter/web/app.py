"""Routes: the page of metrics, health, and those of the live page, the API and of targets."""

from collections.abc import Iterator
from time import monotonic, perf_counter

from aiohttp import web

from pombo_exporter.hosts.roster import Roster
from pombo_exporter.metrics.exporter import Telemetry
from pombo_exporter.metrics.exposition import pages
from pombo_exporter.metrics.family import Catalogue
from pombo_exporter.metrics.formats import format_for
from pombo_exporter.pacing import Turns
from pombo_exporter.views.status import Status
from pombo_exporter.web import api, assets, discovery
from pombo_exporter.web.live import Live
from pombo_exporter.web.responses import TURNS, stream


def application(
    roster: Roster,
    catalogue: Catalogue,
    telemetry: Telemetry,
    turns: Turns,
    *,
    admin: bool = False,
) -> web.Application:
    """Return the exporter's web application; ``admin`` lets the API forget hosts."""
    routes = Routes(roster, catalogue, telemetry)
    status = Status(roster, telemetry, turns)
    live = Live(roster, catalogue, status, turns)
    telemetry.count_pages(lambda: live.open_pages)
    app = web.Application(middlewares=[api.errors_as_json])
    app[TURNS] = turns
    app.cleanup_ctx.append(live.running)
    app.add_routes(
        [
            web.get("/metrics", routes.metrics),
            web.get("/-/healthy", routes.healthy),
            web.get("/-/ready", routes.ready),
            web.get("/live", live.events),
            *assets.routes(),
            *discovery.routes(roster, catalogue, telemetry),
            *api.routes(roster, catalogue, status, admin=admin),
        ]
    )
    return app


class Routes:
    """What each path answers."""

    def __init__(self, roster: Roster, catalogue: Catalogue, telemetry: Telemetry) -> None:
        self._roster = roster
        self._catalogue = catalogue
        self._telemetry = telemetry

    async def healthy(self, _: web.Request) -> web.Response:
        """Answer as long as the process serves."""
        return web.Response(text="Pombo is healthy.\n")

    async def ready(self, _: web.Request) -> web.Response:
        """Answer once reports are taken, which is as soon as this is served."""
        return web.Response(text="Pombo is ready.\n")

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """Write the page of all hosts and the exporter's own metrics, piece by piece."""
        started = perf_counter()
        wanted = format_for(request.headers.get("Accept", ""))

        def pieces() -> Iterator[bytes]:
            hosts = self._roster.present()
            yield from pages(hosts, self._catalogue, monotonic(), openmetrics=wanted.openmetrics)
            yield from self._telemetry.page(wanted.encode)

        response = await stream(request, pieces(), wanted.content_type, vary="Accept")
        self._telemetry.scrape_duration.observe(perf_counter() - started)
        return response
