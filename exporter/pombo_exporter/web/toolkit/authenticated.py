"""Whether a request has shown a password, for handlers of paths that are open to all."""

from typing import Final

from aiohttp import web

_KEY: Final = web.RequestKey("authenticated", bool)
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="pombo-exporter", charset="UTF-8"'}


def set_authenticated(request: web.Request, *, value: bool) -> None:
    """Keep whether a request has shown a right password."""
    request[_KEY] = value


def is_authenticated(request: web.Request) -> bool:
    """Return whether a request may do what needs a password; without users, each may."""
    return _KEY not in request or request[_KEY]


def require_password(request: web.Request) -> None:
    """Check that a request may do what needs a password.

    A path that is open, as that of reports, calls this for what not everybody may do there.

    Raises:
        HTTPUnauthorized: when it may not.
    """
    if not is_authenticated(request):
        raise unauthorized()


def unauthorized() -> web.HTTPUnauthorized:
    """Return the answer that asks for a password."""
    text = "give a user of basic_auth_users, and the password\n"
    return web.HTTPUnauthorized(text=text, headers=_CHALLENGE)
