"""What Prometheus scrapes: all hosts, one host, the exporter itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from time import perf_counter
from typing import Final

from aiohttp import web

from pombo_exporter.hosts.host import Host, State
from pombo_exporter.hosts.roster import Roster
from pombo_exporter.hosts.snapshot import Snapshot
from pombo_exporter.metrics.capture import MOST_LABEL_BYTES, Capture
from pombo_exporter.metrics.exporter import (
    ExporterMetrics,
    single_samples,
    without_samples,
)
from pombo_exporter.metrics.exposition import render
from pombo_exporter.metrics.family import FamilyTable
from pombo_exporter.metrics.selection import KNOWN, Selection, selected
from pombo_exporter.runtime.moment import moment
from pombo_exporter.runtime.pacing import StepClock
from pombo_exporter.stats import Counters
from pombo_exporter.web.negotiation import exposition_format
from pombo_exporter.web.paths import HOST, host_name, known_host
from pombo_exporter.web.responses import stream

#: Before and after a host's name in the path of its metrics.
HOST_PREFIX: Final = "/hosts/"
HOST_SUFFIX: Final = "/metrics"


_MOST_TABLES: Final = 64


@dataclass(frozen=True)
class ScrapeEndpoints:
    """The three endpoints that Prometheus scrapes.

    Each answer is rendered from one snapshot, which is taken when the request arrives. With
    ``collect[]`` or ``exclude[]`` in the query, it has only the families of some collectors,
    besides those about the hosts themselves and the exporter's own.
    """

    roster: Roster
    table: FamilyTable
    counters: Counters
    metrics: ExporterMetrics
    tables: dict[Selection, FamilyTable] = field(default_factory=dict)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the endpoints."""
        return [
            web.get("/metrics", self.all_hosts),
            web.get(f"{HOST_PREFIX}{HOST}{HOST_SUFFIX}", self.one_host),
            web.get("/exporter/metrics", self.exporter),
        ]

    async def all_hosts(self, request: web.Request) -> web.StreamResponse:
        """Answer with all hosts and the exporter itself."""
        started = perf_counter()
        response = await self._hosts_and_exporter(request)
        self.metrics.scrape_duration.observe(perf_counter() - started)
        return response

    async def exporter(self, request: web.Request) -> web.StreamResponse:
        """Answer with the exporter's own families and the samples of hosts that are down.

        Those hosts' own targets answer 503. Together with all other targets, this makes up
        ``/metrics``.
        """
        return await self._hosts_and_exporter(request, _is_down)

    async def _hosts_and_exporter(
        self, request: web.Request, include: Callable[[Host, State], bool] = lambda *_: True
    ) -> web.StreamResponse:
        table = self._table(request)
        capture = self._capture(table, include)
        wanted = exposition_format(request)
        now, wall = moment()
        stats, process = self.counters.read(now, wall), self.metrics.capture()
        snapshot = self.roster.snapshot(now, wall)

        def work(steps: StepClock) -> Iterator[bytes | None]:
            yield from capture.read(snapshot, steps)
            own = single_samples(process)
            names = {*own}
            openmetrics = wanted.openmetrics
            yield from render(table, capture, steps, openmetrics=openmetrics, own=own)
            rest = without_samples(process, names - own.keys())
            yield wanted.encode(self.metrics.registry(stats, capture.states, rest))

        with snapshot:
            return await stream(request, work, wanted.content_type, vary="Accept")

    async def one_host(self, request: web.Request) -> web.StreamResponse:
        """Answer with one host; 503 while it is down, 404 when there is none.

        Its samples lack the label ``instance``, which a host that is a target of its own gets from
        its target.
        """
        table = self._table(request)
        name = host_name(request, HOST_PREFIX, HOST_SUFFIX)
        host = known_host(request, self.roster, name).copy()
        wanted = exposition_format(request)
        now, wall = moment()
        if host.state_at(now) is State.DOWN:
            silence, every = now - host.last_seen, host.interval
            text = f"{host.name!r} is down: no report for {silence:.1f} s (interval {every:g} s)"
            raise web.HTTPServiceUnavailable(text=f"{text}\n")
        capture = self._capture(table, instance=False)
        snapshot = Snapshot([host], now, wall)

        def work(steps: StepClock) -> Iterator[bytes | None]:
            yield from capture.read(snapshot, steps)
            yield from render(table, capture, steps, openmetrics=wanted.openmetrics)
            yield wanted.end

        return await stream(request, work, wanted.content_type, vary="Accept")

    def _table(self, request: web.Request) -> FamilyTable:
        """Return the families that a request selects.

        Raises:
            HTTPBadRequest: when it selects a collector that does not exist, or in both ways.
        """
        names, excluded = (
            frozenset(request.query.getall(key, ())) for key in ("collect[]", "exclude[]")
        )
        if not names and not excluded:
            return self.table
        if names and excluded:
            text = "Combined collect and exclude queries are not allowed: use one of them.\n"
            raise web.HTTPBadRequest(text=text)
        if unknown := sorted(names - KNOWN):
            near = get_close_matches(unknown[0], KNOWN, 1)
            remedy = f"the nearest is {near[0]}" if near else "see the flags of pombo-agent --help"
            raise web.HTTPBadRequest(text=f"missing collector: {unknown[0]}: {remedy}\n")
        # As in node_exporter, any name may be excluded.
        selection = Selection(names or excluded & KNOWN, excluded=not names)
        if selection not in self.tables:
            if len(self.tables) >= _MOST_TABLES:
                self.tables.clear()
            self.tables[selection] = selected(self.table, selection)
        return self.tables[selection]

    def _capture(
        self,
        table: FamilyTable,
        include: Callable[[Host, State], bool] = lambda *_: True,
        *,
        instance: bool = True,
    ) -> Capture:
        types = self.roster.layouts.types
        # Of honest hosts, the label texts of a unit take less than half of what is booked.
        most = max(MOST_LABEL_BYTES, self.roster.booked_bytes // 2)
        return Capture(table, types, include, instance=instance, most_label_bytes=most)


def _is_down(_: Host, state: State) -> bool:
    return state is State.DOWN
