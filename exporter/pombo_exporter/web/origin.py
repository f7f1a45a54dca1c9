"""Who may change something: programs, and no page of another site in somebody's browser.

A browser sends ``Origin`` and ``Sec-Fetch-Site`` with what a page requests. A page whose own name
was made to resolve to this machine (DNS rebinding) has the same origin as the exporter, but then
``Host`` is that name.
"""

import re
from ipaddress import ip_address
from typing import Final

from aiohttp import web

from pombo_exporter.web.base import BASE, Base

_HOST: Final = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]+)?")
_OWN: Final = ("same-origin", "none")  # none: a person typed it


def refuse_foreign(request: web.Request) -> None:
    """Check that a request that changes something comes from no other site.

    Raises:
        HTTPForbidden: when it does, or may; with a remedy.
    """
    base, host = request.app[BASE], request.headers.get("Host", "").lower()
    if not _is_own(host, base):
        url = base.external
        remedy = f"{url.scheme}://{url.authority}" if url else f"--web.external-url=http://{host}"
        text = f"the request is for {host!r}: use the IP address, localhost or {remedy}\n"
        raise web.HTTPForbidden(text=text)
    sites = request.headers.getall("Sec-Fetch-Site", ())
    origins = request.headers.getall("Origin", ())
    if any(site not in _OWN for site in sites) or not all(
        _is_same(origin.lower(), host, base) for origin in origins
    ):
        text = "a page of another site must not change anything: use a program such as curl\n"
        raise web.HTTPForbidden(text=text)


def _is_own(host: str, base: Base) -> bool:
    """Return whether no stranger can have the ``host`` of a request resolve to this machine."""
    found = _HOST.fullmatch(host)
    name = found[1].strip("[]") if found else ""
    if name == "localhost" or (base.external and name == base.external.host):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_same(origin: str, host: str, base: Base) -> bool:
    scheme, _, authority = origin.partition("://")
    if scheme not in ("http", "https"):
        return False
    return authority == host or (
        base.external is not None and base.external[:2] == (scheme, authority)
    )
