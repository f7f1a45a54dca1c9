"""The web application: which module answers which path."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from pombo_exporter.hosts.roster import Roster
from pombo_exporter.hosts.severity import DEFAULTS, Table
from pombo_exporter.live.feed import Feed, topics_of
from pombo_exporter.live.history import HOUR, Histories, HistorySampler
from pombo_exporter.live.topics import Sources
from pombo_exporter.metrics.exporter import ExporterMetrics
from pombo_exporter.metrics.family import FamilyTable
from pombo_exporter.runtime.pacing import Pacer
from pombo_exporter.stats import Counters
from pombo_exporter.views.event_log import EventLog
from pombo_exporter.web import api, assets, discovery, join
from pombo_exporter.web.base import BASE, Base
from pombo_exporter.web.limits import Handler, RequestLimit
from pombo_exporter.web.live import MAX_SUBSCRIBERS, Live
from pombo_exporter.web.report import POSTS_PER_SECOND, ReportEndpoint
from pombo_exporter.web.responses import PACER
from pombo_exporter.web.scrape import ScrapeEndpoints

if TYPE_CHECKING:
    from pombo_exporter.web.toolkit.access import Access


@dataclass(frozen=True)
class Parts:
    """The parts of an exporter that its web application serves."""

    roster: Roster
    table: FamilyTable
    counters: Counters
    pacer: Pacer
    thresholds: Table = field(default_factory=lambda: DEFAULTS)
    log: EventLog = field(default_factory=EventLog)


def application(  # noqa: PLR0913 - the options of its parts
    parts: Parts,
    base: Base | None = None,
    *,
    admin: bool = False,
    max_subscribers: int = MAX_SUBSCRIBERS,
    history: float = HOUR,
    access: "Access | None" = None,
    posts_per_second: int = POSTS_PER_SECOND,
    joining: join.JoinOptions | None = None,
    links: assets.HeaderLinks | None = None,
) -> web.Application:
    """Return the exporter's web application.

    ``admin`` lets the API forget hosts. ``access`` is what requests have to pass.
    ``posts_per_second`` are those of reports from one address. ``joining`` is what new hosts can
    download; None is nothing. ``links`` are those to other programs. ``history`` is how long curves
    go back, in seconds.
    """
    base = base or Base()
    roster, table, counters, pacer = parts.roster, parts.table, parts.counters, parts.pacer
    histories = Histories(roster.limits.hosts, history)
    thresholds = parts.thresholds
    sources = Sources(roster, counters, histories, pacer, thresholds=thresholds, log=parts.log)
    feed = Feed(topics_of(sources))
    counters.subscribers = lambda: feed.subscribers
    counters.history = lambda: histories.memory
    counters.longest_step = lambda: pacer.longest_step
    report = ReportEndpoint(
        counters.intake, pacer, posts_per_second, is_full=lambda: counters.http.is_full
    )
    counters.report_requests = lambda: dict(report.requests)
    live = Live(feed, HistorySampler(roster, histories, pacer, thresholds), max_subscribers)
    app = web.Application(middlewares=[api.errors_as_json, methods])
    if access is not None:
        if joining and joining.public:
            access.open |= join.OPEN | assets.OPEN
        app.middlewares.append(access.check)
        app.on_response_prepare.append(access.add_headers)
    app[PACER], app[BASE] = pacer, base
    app.cleanup_ctx.append(live.running)
    limit = RequestLimit(counters.http)
    app.add_routes(
        base.routes(
            [
                web.get("/-/healthy", _healthy),
                web.get("/-/ready", _ready),
                web.get("/live", live.events),
                *report.routes(),
                *assets.routes(join=joining is not None, links=links),
                *(join.Join(joining).routes() if joining else ()),
                *limit.routes(
                    [
                        *ScrapeEndpoints(roster, table, counters, ExporterMetrics()).routes(),
                        *discovery.routes(roster),
                        *api.routes(
                            *(roster, table, counters, parts.log),
                            admin=admin,
                            thresholds=thresholds,
                        ),
                    ]
                ),
            ]
        )
    )
    return app


@web.middleware
async def methods(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer OPTIONS with the methods of a path."""
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed as error:
        if request.method != "OPTIONS":
            raise
        allowed = ", ".join(sorted({*error.allowed_methods, "OPTIONS"}))
        return web.Response(status=204, headers={"Allow": allowed})


async def _healthy(_: web.Request) -> web.Response:
    """Answer as long as the process serves."""
    return web.Response(text="Pombo is healthy.\n")


async def _ready(_: web.Request) -> web.Response:
    """Answer once reports are received, which is as soon as HTTP is served."""
    return web.Response(text="Pombo is ready.\n")
