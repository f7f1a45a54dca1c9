"""The files of the status page, from the folder ``page``; they may load only each other."""

from collections.abc import Awaitable, Callable
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Final, NamedTuple

from aiohttp import web

#: The media type of a file of a page by the end of its name.
TYPES: Final = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}

#: The headers of every file: it loads nothing from elsewhere, and no other page frames it.
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # a newer exporter's files replace them at once
}

#: Paths that are not below ``/page``, and the file that each shows.
_SHOWN: Final = {"/": "index.html", "/host": "host.html", "/join": "join.html"}

_NAMES: Final = tuple(file.name for file in files("pombo_exporter").joinpath("page").iterdir())

#: The paths of the files that pages load. They are the same at every exporter.
OPEN: Final = frozenset(f"/page/{name}" for name in _NAMES)

#: The link to the page that adds a host, on the page of all hosts.
_LINK: Final = b'    <a href="join">Add a host</a>\n'

#: Where links to other programs are, on the pages that show hosts.
_NAV: Final = b'  <nav aria-label="Other formats">\n'

#: The dashboard that each page links to, by its identifier in grafana/dashboards.
_DASHBOARDS: Final = {"index.html": "pombo-fleet", "host.html": "pombo-host"}

#: Lets the link to the dashboard of a host have its name.
_SCRIPT: Final = b'<script type="module" src="page/grafana_link.js"></script>\n</head>'


class HeaderLinks(NamedTuple):
    """The URLs of Grafana and Prometheus, without a slash at the end; empty where there is none."""

    grafana: str = ""
    prometheus: str = ""


def routes(*, join: bool = True, links: HeaderLinks | None = None) -> list[web.RouteDef]:
    """Return a route for each file; ``join`` is whether there is the page that adds a host."""
    found = []
    paths = {file: path for path, file in _SHOWN.items()}
    for name in _NAMES:
        if name == _SHOWN["/join"] and not join:
            continue
        file = files("pombo_exporter").joinpath("page", name)
        suffix = "." + name.rpartition(".")[2]
        path = paths.get(name, f"/page/{name}")
        body = file.read_bytes()
        if not join:
            body = body.replace(_LINK, b"")
        if name in _DASHBOARDS and links:
            body = _linked(body, links, _DASHBOARDS[name])
        found.append(web.get(path, _answer(body, TYPES[suffix])))
    return found


def _linked(body: bytes, links: HeaderLinks, dashboard: str) -> bytes:
    """Return a page with links to other programs."""
    found = b""
    if links.grafana:
        url = escape(f"{links.grafana}/d/{dashboard}")
        found += f'    <a id="to-grafana" href="{url}">Grafana</a>\n'.encode()
        body = body.replace(b"</head>", _SCRIPT)
    if links.prometheus:
        url = escape(f"{links.prometheus}/")
        found += f'    <a id="to-prometheus" href="{url}">Prometheus</a>\n'.encode()
    return body.replace(_NAV, _NAV + found)


def _answer(body: bytes, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    tag = sha256(body).hexdigest()[:32]

    async def answer(request: web.Request) -> web.Response:
        response = web.Response(headers=HEADERS)
        response.etag = tag
        if any(known.value in (tag, "*") for known in request.if_none_match or ()):
            response.set_status(304)
        else:
            response.body, response.content_type, response.charset = body, kind, "utf-8"
        return response

    return answer
