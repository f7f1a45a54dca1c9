"""What Prometheus scrapes: all hosts, one host, the exporter itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
from pombo_exporter.metrics.formats import format_for
from pombo_exporter.runtime.moment import moment
from pombo_exporter.runtime.pacing import StepClock
from pombo_exporter.stats import Counters
from pombo_exporter.web.paths import HOST, host_name, known_host
from pombo_exporter.web.responses import stream

#: Before and after a host's name in the path of its metrics.
HOST_PREFIX: Final = "/hosts/"
HOST_SUFFIX: Final = "/metrics"


@dataclass(frozen=True)
class ScrapeEndpoints:
    """The three endpoints that Prometheus scrapes.

    Each answer is rendered from one snapshot, which is taken when the request arrives.
    """

    roster: Roster
    table: FamilyTable
    counters: Counters
    metrics: ExporterMetrics

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
        response = await self._hosts_and_exporter(request, self._capture())
        self.metrics.scrape_duration.observe(perf_counter() - started)
        return response

    async def exporter(self, request: web.Request) -> web.StreamResponse:
        """Answer with the exporter's own families and the samples of hosts that are down.

        Those hosts' own targets answer 503. Together with all other targets, this makes up
        ``/metrics``.
        """
        return await self._hosts_and_exporter(request, self._capture(_is_down))

    async def _hosts_and_exporter(
        self, request: web.Request, capture: Capture
    ) -> web.StreamResponse:
        wanted = format_for(request.headers.get("Accept", ""))
        now, wall = moment()
        stats, process = self.counters.read(now, wall), self.metrics.capture()
        snapshot = self.roster.snapshot(now, wall)

        def work(steps: StepClock) -> Iterator[bytes | None]:
            yield from capture.read(snapshot, steps)
            own = single_samples(process)
            names = {*own}
            openmetrics = wanted.openmetrics
            yield from render(self.table, capture, steps, openmetrics=openmetrics, own=own)
            rest = without_samples(process, names - own.keys())
            yield wanted.encode(self.metrics.registry(stats, capture.states, rest))

        with snapshot:
            return await stream(request, work, wanted.content_type, vary="Accept")

    async def one_host(self, request: web.Request) -> web.StreamResponse:
        """Answer with one host; 503 while it is down, 404 when there is none.

        Its samples lack the label ``instance``, which a host that is a target of its own gets from
        its target.
        """
        host = known_host(self.roster, host_name(request, HOST_PREFIX, HOST_SUFFIX)).copy()
        wanted = format_for(request.headers.get("Accept", ""))
        now, wall = moment()
        if host.state_at(now) is State.DOWN:
            silence, every = now - host.last_seen, host.interval
            text = (
                f"{host.name!r} is down: silent for {silence:.1f} s, it reports every {every:g} s"
            )
            raise web.HTTPServiceUnavailable(text=f"{text}\n")
        capture = self._capture(instance=False)
        snapshot = Snapshot([host], now, wall)

        def work(steps: StepClock) -> Iterator[bytes | None]:
            yield from capture.read(snapshot, steps)
            yield from render(self.table, capture, steps, openmetrics=wanted.openmetrics)
            yield wanted.end

        return await stream(request, work, wanted.content_type, vary="Accept")

    def _capture(
        self, include: Callable[[Host, State], bool] = lambda *_: True, *, instance: bool = True
    ) -> Capture:
        types = self.roster.layouts.types
        # Of honest hosts, the label texts of a unit take less than half of what is booked.
        most = max(MOST_LABEL_BYTES, self.roster.booked_bytes // 2)
        return Capture(self.table, types, include, instance=instance, most_label_bytes=most)


def _is_down(_: Host, state: State) -> bool:
    return state is State.DOWN
