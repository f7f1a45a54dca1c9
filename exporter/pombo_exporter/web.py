"""Routes: the page of metrics, health, a landing page, and those of the API and of targets."""

from collections.abc import Iterator
from html import escape
from time import monotonic, perf_counter

from aiohttp import web

from pombo_exporter import __version__, api, targets
from pombo_exporter.catalogue import Catalogue
from pombo_exporter.exposition import pages
from pombo_exporter.formats import format_for
from pombo_exporter.roster import Roster
from pombo_exporter.stream import stream
from pombo_exporter.telemetry import Telemetry

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def application(
    roster: Roster, catalogue: Catalogue, telemetry: Telemetry, *, admin: bool = False
) -> web.Application:
    """Return the exporter's web application; ``admin`` lets the API forget hosts."""
    routes = Routes(roster, catalogue, telemetry)
    app = web.Application(middlewares=[api.errors_as_json])
    app.add_routes(
        [
            web.get("/", routes.landing),
            web.get("/metrics", routes.metrics),
            web.get("/-/healthy", routes.healthy),
            web.get("/-/ready", routes.ready),
            *targets.routes(roster, catalogue, telemetry),
            *api.routes(roster, catalogue, telemetry, admin=admin),
        ]
    )
    return app


class Routes:
    """What each path answers."""

    def __init__(self, roster: Roster, catalogue: Catalogue, telemetry: Telemetry) -> None:
        self._roster = roster
        self._catalogue = catalogue
        self._telemetry = telemetry

    async def landing(self, _: web.Request) -> web.Response:
        """Say what this is and where the metrics are."""
        hosts = len(self._roster.present())
        body = _LANDING.format(version=escape(__version__), hosts=hosts)
        return web.Response(text=body, content_type="text/html", headers=_HEADERS)

    async def healthy(self, _: web.Request) -> web.Response:
        """Answer as long as the process serves."""
        return web.Response(text="Pombo is healthy.\n")

    async def ready(self, _: web.Request) -> web.Response:
        """Answer once reports are taken, which is as soon as this is served."""
        return web.Response(text="Pombo is ready.\n")

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """Write the page of all hosts and the exporter's own metrics, piece by piece."""
        started = perf_counter()
        wanted = format_for(request)

        def pieces() -> Iterator[bytes]:
            hosts = self._roster.present()
            yield from pages(hosts, self._catalogue, monotonic(), openmetrics=wanted.openmetrics)
            yield wanted.encode(self._telemetry.registry)

        response = await stream(request, pieces(), wanted.content_type, vary="Accept")
        self._telemetry.scrape_duration.observe(perf_counter() - started)
        return response


_LANDING = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Pombo exporter</title>
<h1>Pombo exporter</h1>
<p>Version {version}, {hosts} hosts.
<ul>
<li><a href="/metrics">Metrics</a>
<li><a href="/api/v1/hosts">Hosts</a>
<li><a href="/api/v1/status">Status</a>
<li><a href="/sd">Targets</a>
<li><a href="/-/healthy">Health</a>
</ul>
</html>
"""
