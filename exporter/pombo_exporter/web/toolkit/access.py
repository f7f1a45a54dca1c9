"""What each request has to pass: the rate limit, then a password. And the headers of answers."""

import binascii
import logging
import math
from base64 import b64decode
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

from aiohttp import web
from pombo_cli.logs import LimitedLogger

from pombo_exporter.stats import HttpCounters, RefusedRequest
from pombo_exporter.web.base import BASE
from pombo_exporter.web.rates import TokenBuckets
from pombo_exporter.web.toolkit.authenticated import set_authenticated, unauthorized
from pombo_exporter.web.toolkit.config import RateLimit, WebConfig
from pombo_exporter.web.toolkit.users import BusyError, Passwords

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Paths that may be read without a password.
OPEN: Final = frozenset({"/-/healthy"})

#: Of reports, those that are not sealed need a password: their handler asks ``authenticated``.
_REPORT: Final = ("POST", "/report")

_LOG_INTERVAL: Final = 60.0  # seconds between two lines about passwords of one client


class Access:
    """Lets requests in, or not, by the configuration of that moment."""

    def __init__(
        self,
        config: Callable[[], WebConfig],
        counters: HttpCounters,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._config, self._counters, self._clock = config, counters, clock
        self._passwords = Passwords(clock)
        self._limit: RateLimit | None = None
        self._bucket = TokenBuckets(0, 1.0)
        self._limited = LimitedLogger(log, _LOG_INTERVAL, clock)
        #: Paths that may be read without a password.
        self.open = OPEN

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request, unless it is one too many or lacks a password.

        Raises:
            HTTPUnauthorized: when the password is wrong, or there is none.
            HTTPTooManyRequests: when the rate limit is reached, or the client has sent too many
                wrong passwords.
            HTTPServiceUnavailable: when too many passwords wait to be verified.
        """
        config = self._config()
        self._count(config.rate_limit)
        if config.users:
            is_right = await self._has_password(request, config)
            set_authenticated(request, value=is_right)
        return await handler(request)

    async def add_headers(self, _: web.Request, response: web.StreamResponse) -> None:
        """Set the headers of an answer. They replace those of its own."""
        response.headers.update(self._config().headers)

    def _count(self, limit: RateLimit | None) -> None:
        if limit != self._limit:
            self._limit = limit
            if limit is not None:
                self._bucket = TokenBuckets(limit.burst, limit.interval)
        if limit is None:
            return
        wait = self._bucket.take("", self._clock())  # all clients have one
        if wait:
            self._counters.refused[RefusedRequest.RATE_LIMIT] += 1
            text = f"more than {limit.burst} requests, one every {limit.interval:g} s\n"
            raise web.HTTPTooManyRequests(text=text, headers=_retry_after(wait))

    async def _has_password(self, request: web.Request, config: WebConfig) -> bool:
        """Return whether a request has a right password; without any, whether it needs none."""
        header = request.headers.get("Authorization")
        if header is None and self._is_open(request):
            return False
        address = request.remote or ""
        try:
            name, password = credentials(header or "")
            if await self._passwords.verify(config.users, name, password, address):
                return True
        except ValueError:
            pass  # no credentials, or none that can be read
        except BusyError as error:
            raise self._busy(error, address) from None
        self._counters.refused[RefusedRequest.UNAUTHORIZED] += 1
        if header is not None:
            self._limited.warning("wrong user or password", key=address, address=address)
        raise unauthorized()

    def _is_open(self, request: web.Request) -> bool:
        # The route and not the path, which may be written in several ways.
        resource = request.match_info.route.resource
        if resource is None:
            return False
        prefix = request.app[BASE].prefix if BASE in request.app else ""
        path = resource.canonical.removeprefix(prefix)
        reads = request.method in ("GET", "HEAD") and path in self.open
        return reads or (request.method, path) == _REPORT

    def _busy(self, error: BusyError, address: str) -> web.HTTPException:
        headers = _retry_after(error.retry_after)
        if not error.is_client:
            self._counters.refused[RefusedRequest.PASSWORDS_WAIT] += 1
            text = "too many passwords wait to be verified: try again\n"
            return web.HTTPServiceUnavailable(text=text, headers=headers)
        self._counters.refused[RefusedRequest.PASSWORDS] += 1
        self._limited.warning("too many wrong passwords", key=address, address=address)
        text = "too many wrong passwords: correct it, and try again later\n"
        return web.HTTPTooManyRequests(text=text, headers=headers)


def credentials(header: str) -> tuple[str, bytes]:
    """Return the user and the password of an ``Authorization`` header, by RFC 7617.

    Raises:
        ValueError: when it has none.
    """
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise ValueError("no basic authentication")
    try:
        name, colon, password = b64decode(encoded.strip(), validate=True).partition(b":")
    except binascii.Error:
        raise ValueError("no base64") from None
    if not colon:
        raise ValueError("no colon")
    return name.decode(), password


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(math.ceil(seconds))}
