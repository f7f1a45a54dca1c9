"""Hosts in the paths of requests."""

from typing import Final
from urllib.parse import unquote

from aiohttp import web

from pombo_exporter.hosts.host import Host
from pombo_exporter.hosts.roster import Roster
from pombo_exporter.web.base import BASE

API: Final = "/api/v1"

#: A host's name in a route; slashes and line feeds are part of a name.
HOST: Final = "{host:(?s:.+)}"

#: The same where a slash of a name is encoded, since another part of the path may follow.
ENCODED_HOST: Final = "{host:[^/]+}"


def host_name(request: web.Request, before: str, after: str = "") -> str:
    """Return the host's name between these two parts of the request's path.

    It is taken from the path as it was sent, so that a percent sign is decoded exactly once.
    """
    slashes = (request.app[BASE].prefix + before).count("/")
    path = request.rel_url.raw_path.split("/", slashes)[-1]
    if after:
        path = path.rsplit("/", after.count("/"))[0]
    return unquote(path, errors="replace")


def known_host(request: web.Request, roster: Roster, name: str) -> Host:
    """Return the host of that name.

    Raises:
        HTTPNotFound: when there is none, or it said bye.
    """
    host = roster.find(name)
    if host is None:
        raise not_found(request, name)
    return host


def not_found(request: web.Request, name: str) -> web.HTTPNotFound:
    """Return the answer for a host that is not in memory."""
    path = request.app[BASE].outside + API
    return web.HTTPNotFound(text=f"no host is called {name!r}: see {path}/hosts for all of them")
