"""Where the web application is: its path here, and the URL under which others reach it."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from aiohttp import web

_PATH: Final = re.compile(r"(/[\w.~-]+)*", re.ASCII)


class ExternalUrl(NamedTuple):
    """The URL under which others reach the exporter; ``path`` is empty or has no slash at its end.

    ``authority`` is the host, and the port if there is one.
    """

    scheme: str
    authority: str
    host: str
    path: str

    @property
    def text(self) -> str:
        """The URL without a slash at its end."""
        return f"{self.scheme}://{self.authority}{self.path}"


@dataclass(frozen=True)
class Base:
    """The path before all others, empty or without a slash at its end, and the external URL."""

    prefix: str = ""
    external: ExternalUrl | None = None

    @property
    def outside(self) -> str:
        """The path that others use in place of ``prefix``."""
        return self.external.path if self.external else self.prefix

    def routes(self, routes: list[web.RouteDef]) -> list[web.RouteDef]:
        """Return the routes below the prefix, and those that lead to it from outside.

        As in Prometheus, the prefix is of all paths, and ``/`` redirects to it.
        """
        if not self.prefix:
            return routes
        return [
            web.get("/", _redirect(f"{self.prefix}/")),
            web.get(self.prefix, _redirect(f"{self.outside}/")),
            *(
                web.RouteDef(each.method, self.prefix + each.path, each.handler, each.kwargs)
                for each in routes
            ),
        ]


#: The base of an application.
BASE: Final = web.AppKey("base", Base)


def external_url(text: str) -> ExternalUrl:
    """Return the parts of an external URL.

    Raises:
        ValueError: when it is none, with a remedy.
    """
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port  # the port is checked when it is read
    except ValueError:
        host = None
    is_plain = text.isprintable() and not re.search(r"[\s\"'`$<>@?#\\]", text)
    if not host or parts.scheme not in ("http", "https") or not is_plain:
        raise ValueError(f"{text!r} is not a URL: write it as https://example.org/pombo")
    return ExternalUrl(parts.scheme, parts.netloc.lower(), host, path_prefix(parts.path))


def path_prefix(text: str) -> str:
    """Return a path as a prefix: empty, or with a slash at its start and none at its end.

    Raises:
        ValueError: when a part of it needs encoding, with a remedy.
    """
    path = "/" + text.strip("/")
    if path == "/":
        return ""
    if not _PATH.fullmatch(path) or {".", ".."} & {*path.split("/")}:
        remedy = "use letters, digits, and - . _ ~, as in /pombo"
        raise ValueError(f"{text!r} is not a path for a prefix: {remedy}")
    return path


def _redirect(path: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": path})

    return redirect
