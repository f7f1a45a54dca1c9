"""One request to a target: what came of it, in words without secrets.

Nothing here stops the event loop: names are looked up in threads, for which the end of the process
does not wait.
"""

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import getproxies_environment
from urllib.request import proxy_bypass_environment as bypassed  # type: ignore[attr-defined]

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from pombo_exporter import __version__
from pombo_exporter.notify.targets import Target, basic

TIMEOUT: Final = 10.0  # seconds for all of a request: lookup, connect, TLS, and the answer's head

_KEEPALIVE: Final = 15.0  # seconds for which a connection is kept for the next request
_RETRIED: Final = frozenset({408, 425, 429})  # and all from 500 on
_TOO_LONG: Final = frozenset({400, 413, 422})  # or otherwise wrong
_BUFFER: Final = 4096  # bytes of the answer's body, which is not read


class Outcome(NamedTuple):
    """What came of a request.

    ``error`` is empty after success. ``may_retry`` is whether another try makes sense, after
    ``retry_after`` seconds at least. ``may_be_long`` is whether a shorter body may be accepted.
    """

    error: str = ""
    may_retry: bool = False
    retry_after: float = 0.0
    may_be_long: bool = False


class Client:
    """Sends requests; redirects are not followed, certificates are verified.

    Proxies are those of the environment: ``http_proxy``, ``https_proxy``, ``no_proxy``.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        """Take a clock that returns the Unix time in seconds. Call it where the loop runs."""
        self._wall = wall
        connector = aiohttp.TCPConnector(
            resolver=_Resolver(), use_dns_cache=False, keepalive_timeout=_KEEPALIVE, limit=0
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT),
            headers={"User-Agent": f"pombo-exporter/{__version__}"},
            auto_decompress=False,
            read_bufsize=_BUFFER,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def send(self, method: str, target: Target, body: bytes | None = None) -> Outcome:
        """Send a request, with a body of JSON if there is one, and return what came of it."""
        headers = {} if body is None else {"Content-Type": "application/json"}
        if target.authorization:
            headers["Authorization"] = target.authorization
        options: dict[str, Any] = {}
        if proxy := _proxy_of(target.url):
            options["proxy"] = proxy.url
            if proxy.authorization:
                through = {"Proxy-Authorization": proxy.authorization}
                if target.url.startswith("https:"):
                    options["proxy_headers"] = through
                else:
                    headers |= through
        try:
            async with self._session.request(
                method, target.url, data=body, headers=headers, allow_redirects=False, **options
            ) as response:
                return self._judge(response)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return Outcome(_reason(error), may_retry=True)

    def _judge(self, response: aiohttp.ClientResponse) -> Outcome:
        status = response.status
        if 200 <= status < 300:
            return Outcome()
        if 300 <= status < 400:
            return Outcome(f"status {status}: it redirects, which is not followed")
        may_retry = status in _RETRIED or status >= 500
        after = self._seconds(response.headers.get("Retry-After", "")) if may_retry else 0.0
        return Outcome(f"status {status}", may_retry, after, may_be_long=status in _TOO_LONG)

    def _seconds(self, retry_after: str) -> float:
        """Return the seconds of a ``Retry-After``, which is a number or a date; 0 without one."""
        if retry_after.isascii() and retry_after.isdigit():
            return float(retry_after[:9])
        with suppress(ValueError, TypeError, OverflowError):
            return max(0.0, parsedate_to_datetime(retry_after).timestamp() - self._wall())
        return 0.0


def _reason(error: Exception) -> str:
    """Return why a request failed, without its URL, which the texts of errors have."""
    found = f"no valid answer ({type(error).__name__})"
    if isinstance(error, TimeoutError):
        found = f"no answer within {TIMEOUT:g} s"
    elif isinstance(error, aiohttp.ClientHttpProxyError):
        found = f"the proxy answers with status {error.status}"
    elif isinstance(error, aiohttp.ServerDisconnectedError):
        found = "it closed the connection without an answer"
    elif isinstance(error, aiohttp.ClientConnectorDNSError):
        found = "its name cannot be resolved"
    elif isinstance(error, aiohttp.ClientConnectorCertificateError):
        invalid = error.certificate_error
        said = invalid.verify_message if isinstance(invalid, ssl.SSLCertVerificationError) else ""
        found = f"its certificate is not accepted: {said.partition(',')[0] or 'it is invalid'}"
    elif isinstance(error, aiohttp.ClientConnectorSSLError):
        found = f"TLS fails: {getattr(error.os_error, 'reason', None) or 'no handshake'}"
    elif isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        who = "the proxy" if isinstance(error, aiohttp.ClientProxyConnectionError) else "it"
        cause = os.strerror(number) if number else "no address answers"
        found = f"{who} cannot be connected: {cause}"
    return found


class _Proxy(NamedTuple):
    """A proxy, and the header's value that has its user and password, empty without them."""

    url: str
    authorization: str


def _proxy_of(url: str) -> _Proxy | None:
    """Return the proxy that the environment has for a URL, None where it has none."""
    parts = urlsplit(url)
    proxies = getproxies_environment()
    found = proxies.get(parts.scheme) or proxies.get("all")
    if not found or bypassed(parts.netloc, proxies):
        return None
    proxy = urlsplit(found if "://" in found else f"http://{found}")
    host = proxy.netloc.rpartition("@")[2]
    credentials = None
    if "@" in proxy.netloc:
        credentials = f"{unquote(proxy.username or '')}:{unquote(proxy.password or '')}"
    return _Proxy(urlunsplit((proxy.scheme, host, "", "", "")), basic(credentials))


class _Resolver(AbstractResolver):
    """Looks names up, each in a daemon thread, and one name only once at a time.

    The loop's own executor is joined when the process ends, which could take as long as a lookup.
    """

    def __init__(self) -> None:
        self._running: dict[tuple[str, int, int], asyncio.Future[list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host.

        Raises:
            OSError: when there are none, or no thread can be started.
        """
        key = host, port, int(family)
        if key not in self._running:
            self._running[key] = self._begin(host, port, family)
        return await asyncio.shield(self._running[key])

    async def close(self) -> None:
        """Nothing is to be closed."""

    def _begin(
        self, host: str, port: int, family: socket.AddressFamily
    ) -> asyncio.Future[list[ResolveResult]]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[ResolveResult]] = loop.create_future()

        def end(found: list[ResolveResult], error: OSError | None) -> None:
            self._running.pop((host, port, int(family)), None)
            if error is None:
                future.set_result(found)
            else:
                future.set_exception(error)
                future.exception()  # nobody may wait for it any more

        def look_up() -> None:
            found: list[ResolveResult] = []
            failed: OSError | None = None
            try:
                found = _addresses(host, port, family)
            except OSError as error:
                failed = error
            except UnicodeError:
                failed = socket.gaierror(socket.EAI_NONAME, "no valid name")
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(end, found, failed)

        try:
            threading.Thread(target=look_up, name="lookup", daemon=True).start()
        except RuntimeError as error:  # too many threads
            raise OSError(str(error)) from None
        return future


def _addresses(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [
        ResolveResult(
            hostname=host,
            host=str(address[0]),
            port=port,
            family=each,
            proto=proto,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for each, _, proto, _, address in found
    ]
