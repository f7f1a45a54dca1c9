"""The JSON API: the hosts, one host, its families, the exporter; and how to forget a host.

``ENDPOINTS`` lists what each path answers; ``docs/openapi.json`` is made from it.
"""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from math import inf, isfinite, nan
from typing import Any, Final, NamedTuple

import msgspec
from aiohttp import web

from pombo_exporter.hosts.roster import Roster
from pombo_exporter.hosts.severity import DEFAULTS, SEVERITIES, Severity, Table
from pombo_exporter.hosts.snapshot import Snapshot
from pombo_exporter.metrics.capture import Capture
from pombo_exporter.metrics.family import FamilyTable
from pombo_exporter.runtime.moment import moment
from pombo_exporter.runtime.pacing import StepClock
from pombo_exporter.stats import Counters, RefusedRequest
from pombo_exporter.views import describe, schema, spreadsheet
from pombo_exporter.views.event_log import EventLog
from pombo_exporter.views.filter import FilterError, Predicate, parse
from pombo_exporter.views.status import read_status
from pombo_exporter.web.base import BASE
from pombo_exporter.web.origin import refuse_foreign
from pombo_exporter.web.paths import API, ENCODED_HOST, host_name, known_host, not_found
from pombo_exporter.web.responses import HEADERS, PACER, stream

_JSON: Final = "application/json"
_CSV: Final = "text/csv"
_HOSTS: Final = f"{API}/hosts/"
_FILE: Final = "pombo-hosts.csv"
_FAMILIES: Final = "/families"
_KEPT: Final = frozenset({"Allow", "Retry-After", "WWW-Authenticate"})  # headers of errors


class Error(msgspec.Struct, frozen=True):
    """Every answer that is no success: what is wrong, and the remedy."""

    error: str


class Parameter(NamedTuple):
    """A parameter of a query; without ``values``, any text may be one, or any number."""

    description: str
    values: Sequence[str] = ()
    is_number: bool = False
    may_repeat: bool = True


class Endpoint(NamedTuple):
    """One path and method of the API; ``handler`` is the method of ``Api`` that answers."""

    method: str
    path: str
    handler: str
    summary: str
    answer: type[msgspec.Struct] | None  # None answers 204, without a body
    errors: Sequence[tuple[int, str]] = ()
    query: Mapping[str, Parameter] = {}
    other_types: Sequence[str] = ()  # in which it can answer, besides JSON


_FORMATS = ("json", "csv")
_NOT_FOUND = (404, "No host has this name.")
_BUSY = (503, "More than --web.max-requests at the same time: try again later.")

ENDPOINTS: Final = (
    Endpoint(
        "GET",
        "/hosts",
        "hosts",
        "The summaries of all hosts, or of those that match.",
        schema.HostList,
        [(400, "A value is unknown, or a word of `filter` says nothing."), _BUSY],
        {
            "severity": Parameter("Severities of hosts: all, unless it is given.", SEVERITIES),
            "filter": Parameter("Words that must all match, as docs/view.md lists them."),
            "format": Parameter(
                "CSV for spreadsheets, or JSON, which is the default.", _FORMATS, may_repeat=False
            ),
        },
        [_CSV],
    ),
    Endpoint(
        "GET",
        "/hosts/{host}/families",
        "families",
        "Every metric family of one host, with its samples.",
        schema.HostFamilies,
        [_NOT_FOUND, _BUSY],
    ),
    Endpoint(
        "GET",
        "/hosts/{host}",
        "host",
        "All fields of one host.",
        schema.HostDetail,
        [_NOT_FOUND, _BUSY],
    ),
    Endpoint(
        "DELETE",
        "/hosts/{host}",
        "forget",
        "Forget a host at once. One that still reports is back with its next report.",
        None,
        [
            (403, "Without --web.enable-admin-api, or for a page of another site."),
            _NOT_FOUND,
        ],
    ),
    Endpoint(
        "GET",
        "/events",
        "events",
        "What happened to hosts lately, the newest first.",
        schema.EventList,
        [(400, "`since` is no time."), _BUSY],
        {
            "since": Parameter(
                "Only events at this Unix time or later.", is_number=True, may_repeat=False
            )
        },
    ),
    Endpoint(
        "GET",
        "/status",
        "status",
        "The exporter: versions, limits and how full they are, what was refused and why.",
        schema.ExporterStatus,
        [_BUSY],
    ),
)


def routes(  # noqa: PLR0913 - what it answers from
    roster: Roster,
    table: FamilyTable,
    counters: Counters,
    log: EventLog,
    *,
    admin: bool,
    thresholds: Table = DEFAULTS,
) -> list[web.RouteDef]:
    """Return the API's routes; ``admin`` lets it forget hosts."""
    api = Api(roster, table, counters, log, admin=admin, thresholds=thresholds)
    return [
        web.route(
            endpoint.method,
            API + endpoint.path.replace("{host}", ENCODED_HOST),
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
        if error.status < 400 or not request.path.startswith(f"{request.app[BASE].prefix}/api"):
            raise
        answer = _json(Error((error.text or error.reason).strip()), error.status)
        for name in _KEPT & {*error.headers}:
            answer.headers[name] = error.headers[name]
        return answer


class Api:
    """The handlers of the endpoints."""

    def __init__(  # noqa: PLR0913 - what it answers from
        self,
        roster: Roster,
        table: FamilyTable,
        counters: Counters,
        log: EventLog,
        *,
        admin: bool,
        thresholds: Table = DEFAULTS,
    ) -> None:
        self._thresholds = thresholds
        self._log = log
        self._roster = roster
        self._table = table
        self._counters = counters
        self._admin = admin

    async def hosts(self, request: web.Request) -> web.StreamResponse:
        """Answer with the summaries of all hosts, or of those that match."""
        wanted, matches, kind = _severities(request), _filter(request), _format(request)
        with self._roster.snapshot(*moment()) as snapshot:

            def batches(steps: StepClock) -> Iterator[list[schema.HostSummary]]:
                for hosts in steps.size(describe.FIRST).batches(snapshot, describe.weight):
                    found = describe.summaries(hosts, snapshot.now, self._thresholds)
                    yield [each for each in found if each.severity in wanted and matches(each)]

            def work(steps: StepClock) -> Iterator[bytes | None]:
                comma = b""
                yield b'{"hosts":['
                for found in batches(steps):
                    if found:
                        yield comma + msgspec.json.encode(found)[1:-1]
                        comma = b","
                    else:
                        yield None
                yield b"]}"

            def lines(steps: StepClock) -> Iterator[bytes | None]:
                yield spreadsheet.head()
                yield from (spreadsheet.lines(found) or None for found in batches(steps))

            if kind == "csv":
                return await stream(request, lines, f"{_CSV}; charset=utf-8", file=_FILE)
            return await stream(request, work, _JSON)

    async def host(self, request: web.Request) -> web.StreamResponse:
        """Answer with all fields of one host."""
        host, now = (
            known_host(request, self._roster, host_name(request, _HOSTS)).copy(),
            moment().now,
        )

        def work(steps: StepClock) -> Iterator[bytes | None]:
            before = b"{"
            for field in describe.detail(host, now, steps, self._thresholds):
                if field is None:
                    yield None
                    continue
                name, value = field
                yield before + msgspec.json.encode(name) + b":" + value
                before = b","
            yield b"}"

        return await stream(request, work, _JSON)

    async def families(self, request: web.Request) -> web.StreamResponse:
        """Answer with every family of one host."""
        host = known_host(request, self._roster, host_name(request, _HOSTS, _FAMILIES)).copy()
        now, wall = moment()
        # Of a host that is down, those of its last report.
        snapshot = Snapshot([host], host.values_at(now), wall)
        capture = Capture(self._table.measured, self._roster.layouts.types)

        def work(steps: StepClock) -> Iterator[bytes | None]:
            yield from capture.read(snapshot, steps)
            yield from describe.families(self._table, capture, steps)

        return await stream(request, work, _JSON)

    async def forget(self, request: web.Request) -> web.StreamResponse:
        """Forget a host, if that is allowed."""
        if not self._admin:
            raise web.HTTPForbidden(text="start the exporter with --web.enable-admin-api for this")
        try:
            refuse_foreign(request)
        except web.HTTPForbidden:
            self._counters.http.refused[RefusedRequest.FOREIGN] += 1
            raise
        name = host_name(request, _HOSTS)
        if not self._roster.forget(name, moment().now):
            raise not_found(request, name)
        return web.Response(status=204)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Answer with what happened to hosts."""
        events = self._log.newest_first(_since(request))
        return _json(schema.EventList(events, self._log.capacity, self._log.dropped))

    async def status(self, request: web.Request) -> web.StreamResponse:
        """Answer with the exporter's status."""
        return _json(await read_status(self._counters, request.app[PACER], moment()))

    async def nothing(self, request: web.Request) -> web.StreamResponse:
        """Answer for every other path below ``/api``."""
        raise web.HTTPNotFound(text=f"nothing is at {request.path!r}: see docs/openapi.json")


def _severities(request: web.Request) -> Collection[Severity]:
    """Return the severities that a request asks for: those of ``severity=``, or all."""
    wanted = request.query.getall("severity", [])
    unknown = [each for each in wanted if each not in SEVERITIES]
    if unknown:
        names = ", ".join(SEVERITIES)
        raise web.HTTPBadRequest(text=f"{unknown[0]!r} is no severity: write one of {names}")
    return {Severity(each) for each in wanted} or SEVERITIES


def _format(request: web.Request) -> str:
    """Return the format in which a request asks for hosts."""
    found = request.query.get("format", "json")
    if found not in _FORMATS:
        names = " or ".join(_FORMATS)
        raise web.HTTPBadRequest(text=f"{found!r} is no format: write {names}")
    return found


def _filter(request: web.Request) -> Predicate:
    """Return which hosts a request asks for by its filters, which must all match."""
    try:
        return parse(" ".join(request.query.getall("filter", [])))
    except FilterError as error:
        raise web.HTTPBadRequest(text=f"{error}, or see docs/view.md") from None


def _since(request: web.Request) -> float:
    """Return the Unix time from which on a request asks for events."""
    text = request.query.get("since")
    if text is None:
        return -inf
    try:
        found = float(text)
    except ValueError:
        found = nan
    if not isfinite(found):
        example = "write seconds, as in since=1800000000"
        raise web.HTTPBadRequest(text=f"{text!r} is no Unix time: {example}")
    return found


def _json(answer: Any, status: int = 200) -> web.Response:
    body = msgspec.json.encode(answer)
    return web.Response(body=body, status=status, content_type=_JSON, headers=HEADERS)
