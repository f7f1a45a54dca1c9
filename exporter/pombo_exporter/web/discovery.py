"""Service discovery: every host as a target of its own."""

from collections.abc import Iterator
from typing import Final

import msgspec
from aiohttp import web
from msgspec.structs import asdict

from pombo_exporter.hosts.host import Host
from pombo_exporter.hosts.roster import Roster
from pombo_exporter.runtime.moment import moment
from pombo_exporter.runtime.pacing import StepClock
from pombo_exporter.web.base import BASE, Base
from pombo_exporter.web.responses import stream
from pombo_exporter.web.scrape import HOST_PREFIX, HOST_SUFFIX

_META: Final = "__meta_pombo_"


class TargetGroup(msgspec.Struct, frozen=True):
    """A target in Prometheus' format of HTTP service discovery."""

    targets: list[str]
    labels: dict[str, str]


def group(host: Host, address: str, base: Base) -> TargetGroup:
    """Return a host's target, which is scraped at the external URL or at ``address``.

    The path is plain text: Prometheus encodes it, as it does with the path of any target.
    """
    info = {f"{_META}{name}": text for name, text in asdict(host.info).items()}
    own = {f"{_META}label_{name}": text for name, text in host.labels.items()}
    path = f"{base.outside}{HOST_PREFIX}{host.name}{HOST_SUFFIX}"
    named = {"__metrics_path__": path, "instance": host.name, f"{_META}host": host.name}
    if base.external:
        address, named["__scheme__"] = base.external.authority, base.external.scheme
    return TargetGroup([address], {**named, **info, **own})


def routes(roster: Roster) -> list[web.RouteDef]:
    """Return the route of service discovery."""

    async def discovery(request: web.Request) -> web.StreamResponse:
        """Answer with every host's target."""
        address, base = request.host, request.app[BASE]
        with roster.snapshot(*moment()) as snapshot:

            def work(steps: StepClock) -> Iterator[bytes | None]:
                groups: list[TargetGroup] = []
                yield b"["
                comma = b""
                for host in snapshot:
                    groups.append(group(host, address, base))
                    if steps.step_is_over:
                        yield comma + msgspec.json.encode(groups)[1:-1]
                        comma, groups = b",", []
                if groups:
                    yield comma + msgspec.json.encode(groups)[1:-1]
                yield b"]"

            return await stream(request, work, "application/json", vary="Host")

    return [web.get("/sd", discovery)]
