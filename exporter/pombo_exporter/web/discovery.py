"""Every host a target of its own: service discovery, and each host's own page of metrics."""

from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Final

import msgspec
from aiohttp import web
from msgspec.structs import asdict

from pombo_exporter.hosts.host import Host, State
from pombo_exporter.hosts.roster import Roster
from pombo_exporter.metrics.exporter import Telemetry
from pombo_exporter.metrics.exposition import page_of, pages
from pombo_exporter.metrics.family import Catalogue
from pombo_exporter.metrics.formats import format_for
from pombo_exporter.web.api import HOST, known, named
from pombo_exporter.web.responses import stream

_BEFORE: Final = "/hosts/"
_AFTER: Final = "/metrics"
_HOSTS_A_PIECE: Final = 64
_META: Final = "__meta_pombo_"


class TargetGroup(msgspec.Struct, frozen=True):
    """A target in Prometheus' format of HTTP service discovery."""

    targets: list[str]
    labels: dict[str, str]


def group(host: Host, address: str) -> TargetGroup:
    """Return a host's target, which is read at the exporter's ``address``.

    The path is plain text: Prometheus encodes it, as it does with the path of any target.
    """
    info = {f"{_META}{name}": text for name, text in asdict(host.info).items()}
    own = {f"{_META}label_{name}": text for name, text in host.labels.items()}
    path = f"{_BEFORE}{host.name}{_AFTER}"
    named = {"__metrics_path__": path, "instance": host.name, f"{_META}host": host.name}
    return TargetGroup([address], {**named, **info, **own})


def routes(roster: Roster, catalogue: Catalogue, telemetry: Telemetry) -> list[web.RouteDef]:
    """Return the routes that Prometheus follows."""
    found = Targets(roster, catalogue, telemetry)
    return [
        web.get("/sd", found.discovery),
        web.get(f"{_BEFORE}{HOST}{_AFTER}", found.host),
        web.get("/exporter/metrics", found.exporter),
    ]


class Targets:
    """What Prometheus is answered that has each host as a target."""

    def __init__(self, roster: Roster, catalogue: Catalogue, telemetry: Telemetry) -> None:
        self._roster = roster
        self._catalogue = catalogue
        self._telemetry = telemetry

    async def discovery(self, request: web.Request) -> web.StreamResponse:
        """Write every host's target, piece by piece."""
        groups = _groups(self._roster.present(), request.host)
        return await stream(request, groups, "application/json", vary="Host")

    async def host(self, request: web.Request) -> web.StreamResponse:
        """Write one host's page; 503 while it is down, 404 when there is none."""
        host = known(self._roster, named(request, _BEFORE, _AFTER))
        now = monotonic()
        if host.state_at(now) is State.DOWN:
            silence, every = now - host.last_seen, host.interval
            text = (
                f"{host.name!r} is down: silent for {silence:.1f} s, it reports every {every:g} s"
            )
            raise web.HTTPServiceUnavailable(text=f"{text}\n")
        wanted = format_for(request.headers.get("Accept", ""))

        def pieces() -> Iterator[bytes]:
            yield from page_of(host, self._catalogue, now, openmetrics=wanted.openmetrics)
            yield wanted.end

        return await stream(request, pieces(), wanted.content_type, vary="Accept")

    async def exporter(self, request: web.Request) -> web.StreamResponse:
        """Write the exporter's own metrics, and what it knows of hosts that are down.

        Their own pages are 503 and say nothing; what is said here and there together is what
        ``/metrics`` says.
        """
        wanted = format_for(request.headers.get("Accept", ""))

        def pieces() -> Iterator[bytes]:
            now = monotonic()
            down = [host for host in self._roster.present() if host.state_at(now) is State.DOWN]
            yield from pages(down, self._catalogue, now, openmetrics=wanted.openmetrics)
            yield from self._telemetry.page(wanted.encode)

        return await stream(request, pieces(), wanted.content_type, vary="Accept")


def _groups(hosts: Sequence[Host], address: str) -> Iterator[bytes]:
    comma = b""
    yield b"["
    for start in range(0, len(hosts), _HOSTS_A_PIECE):
        found = [group(host, address) for host in hosts[start : start + _HOSTS_A_PIECE]]
        yield comma + msgspec.json.encode(found)[1:-1]
        comma = b","
    yield b"]"
