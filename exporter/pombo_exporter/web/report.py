"""Reports over HTTP: ``POST /report`` takes the same datagrams as the UDP socket.

Source: docs/wire.md.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import aclosing
from math import ceil
from time import monotonic
from typing import Final

import msgspec
from aiohttp import web
from pombo_cli.logs import LimitedLogger
from pombo_wire.framing import FRAMED, MAX_BODY_BYTES, PLAIN, REPORT_PATH, framed, unframed
from pombo_wire.reading import PACKED
from pombo_wire.sealing import SEALED

from pombo_exporter.hosts.host import Address
from pombo_exporter.ingest.intake import Intake
from pombo_exporter.runtime.moment import moment
from pombo_exporter.runtime.pacing import Pacer, StepClock
from pombo_exporter.web.networks import network_of
from pombo_exporter.web.rates import TokenBuckets
from pombo_exporter.web.responses import HEADERS
from pombo_exporter.web.toolkit.authenticated import require_password

log = logging.getLogger(__name__)

#: Requests that one address may send in a second: all hosts behind a proxy have its address.
POSTS_PER_SECOND: Final = 1000

#: The most requests at once. While there are so many, the one whose body is read for longest gives
#: way to a new one, if that is longer than ``_LEAST_SECONDS``.
MAX_POSTS: Final = 256
_LEAST_SECONDS: Final = 0.25

#: Seconds within which a body must arrive.
READ_SECONDS: Final = 5.0

_LOG_INTERVAL: Final = 60.0  # seconds between two lines of one status

#: What a browser adds to the requests of a page.
_OF_BROWSERS: Final = ("Origin", "Sec-Fetch-Site")

_PACKED: Final = bytes((PACKED,))
_SEALED: Final = bytes((SEALED,))

#: The statuses of answers, besides those of the web server itself, and what each says.
ANSWERS: Final = {
    200: "All datagrams were handled. The acknowledgements of those that asked for one, framed.",
    400: "The body does not have the form of its type.",
    401: "A password is missing or wrong, and not all datagrams are sealed.",
    403: "It is from a web page: it has Origin or Sec-Fetch-Site.",
    408: "The body has not arrived in time.",
    413: "The body is too long.",
    415: "The body has another type, or a Content-Encoding.",
    422: "A datagram that is not sealed was refused; the others were handled.",
    429: "More than --limit.posts-per-second from one address, or another rate limit.",
    503: "Too many reports are under way.",
}


class Refused(msgspec.Struct, frozen=True):
    """The answer to a datagram that is not sealed and was refused."""

    reason: str
    detail: str


class ReportEndpoint:
    """Takes reports over HTTP, and counts the requests by the status of the answer."""

    def __init__(
        self,
        intake: Intake,
        pacer: Pacer,
        per_second: int = POSTS_PER_SECOND,
        clock: Callable[[], float] = monotonic,
        is_full: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take what stores datagrams, and how many requests one address may send in a second.

        ``clock`` is monotonic, in seconds. ``is_full`` is whether there are as many connections as
        there may be.
        """
        self._intake, self._pacer, self._clock, self._is_full = intake, pacer, clock, is_full
        self._rates = TokenBuckets(per_second, 1 / per_second)
        self._log = LimitedLogger(log, _LOG_INTERVAL, clock)
        self._posts = 0
        self._reading: dict[asyncio.Timeout, float] = {}  # since when each body is read
        #: How many requests were answered, by status.
        self.requests = Counter(dict.fromkeys(ANSWERS, 0))

    def routes(self) -> list[web.RouteDef]:
        """Return the route of the endpoint."""
        return [web.post(REPORT_PATH, self.report)]

    async def report(self, request: web.Request) -> web.Response:
        """Take the datagrams of one request, and answer with their acknowledgements."""
        try:
            response = await self._report(request)
        except web.HTTPException as error:
            self.requests[error.status] += 1
            self._log.warning(
                "report over HTTP refused",
                key=str(error.status),
                status=error.status,
                detail=(error.text or "").strip(),
                address=request.remote,
            )
            raise
        self.requests[response.status] += 1
        return response

    async def _report(self, request: web.Request) -> web.Response:
        if any(name in request.headers for name in _OF_BROWSERS):
            raise web.HTTPForbidden(text="web pages must not report: leave out the header Origin\n")
        address = _peer(request)
        if wait := self._rates.take(network_of(str(address[0])), self._clock()):
            text = "more requests than --limit.posts-per-second: send several datagrams in one\n"
            raise web.HTTPTooManyRequests(text=text, headers=_retry_after(wait))
        if request.content_type not in (FRAMED, PLAIN) or "Content-Encoding" in request.headers:
            text = f"send Content-Type: {PLAIN} or {FRAMED}, and no Content-Encoding\n"
            raise web.HTTPUnsupportedMediaType(text=text)
        self._claim_place()
        try:
            datagrams = _datagrams(request.content_type, await self._body(request))
            if any(each[:1] != _SEALED for each in datagrams):
                require_password(request)
            response = await self._taken(datagrams, address)
        finally:
            self._posts -= 1
        if self._is_full():
            # An idle connection would be closed for the next client, perhaps just while its own
            # sends a report, which is then lost: agents send none twice.
            response.force_close()
        return response

    def _claim_place(self) -> None:
        """Count a request that is under way.

        Raises:
            HTTPServiceUnavailable: when there are too many, and none that gives way.
        """
        if self._posts >= MAX_POSTS:
            now = self._clock()
            oldest, since = next(iter(self._reading.items()), (None, now))
            if oldest is None or now - since < _LEAST_SECONDS:
                text = f"{MAX_POSTS} requests are being handled already: try again\n"
                raise web.HTTPServiceUnavailable(text=text, headers=_retry_after(1))
            del self._reading[oldest]
            oldest.reschedule(asyncio.get_running_loop().time())
        self._posts += 1

    async def _body(self, request: web.Request) -> bytes:
        """Return the body of a request.

        Raises:
            HTTPRequestEntityTooLarge: when it is too long.
            HTTPRequestTimeout: when it does not arrive in time, or gives way to another one.
        """
        body = bytearray()
        length = request.content_length or 0
        try:
            async with asyncio.timeout(READ_SECONDS) as deadline:
                self._reading[deadline] = self._clock()
                try:
                    while length <= MAX_BODY_BYTES and (chunk := await request.content.readany()):
                        body += chunk
                        length = max(length, len(body))
                finally:
                    self._reading.pop(deadline, None)
        except TimeoutError:
            await _close(request, late := web.HTTPRequestTimeout(text="the body took too long\n"))
            raise late from None
        if length > MAX_BODY_BYTES:
            text = f"the body is longer than {MAX_BODY_BYTES} bytes: send several requests\n"
            raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, length, text=text)
        return bytes(body)

    async def _taken(self, datagrams: list[bytes], address: Address) -> web.Response:
        """Take datagrams in steps, and return the answer."""
        answers: list[bytes] = []
        refused: list[Refused] = []

        def answer(acknowledgement: bytes, _: Address) -> None:
            answers.append(acknowledgement)

        def work(steps: StepClock) -> Iterator[bool]:
            for datagram in datagrams:
                error = self._intake.take(datagram, address, *moment(), answer)
                if error is not None and datagram[:1] != _SEALED:
                    refused.append(Refused(str(error.reason), str(error)))
                if steps.step_is_over:
                    yield True

        async with aclosing(self._pacer.run(work)) as steps:
            async for _ in steps:
                await asyncio.sleep(0)  # a scrape lets other tasks wait for several steps
        if refused:
            body = msgspec.json.encode(refused[0])
            return web.Response(body=body, status=422, content_type=PLAIN, headers=HEADERS)
        return web.Response(body=framed(answers), content_type=FRAMED, headers=HEADERS)


def _datagrams(content_type: str, body: bytes) -> list[bytes]:
    """Return the datagrams of a body.

    Raises:
        HTTPBadRequest: when it does not have the form of its type.
    """
    if content_type == PLAIN:
        if body[:1] in (_PACKED, _SEALED):
            raise web.HTTPBadRequest(text=f"send this form of datagram as {FRAMED}\n")
        return [body]
    try:
        return unframed(body)
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from None


def _peer(request: web.Request) -> Address:
    """Return the address of the other end of the connection, whatever headers say."""
    found = request.transport and request.transport.get_extra_info("peername")
    if not found:  # it is lost
        raise ConnectionResetError
    address: Address = found
    return address


async def _close(request: web.Request, answer: web.Response) -> None:
    """Send an answer and close the connection, without waiting for the rest of the request."""
    answer.force_close()
    await answer.prepare(request)
    await answer.write_eof()
    if request.transport is not None:
        request.transport.close()


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(ceil(seconds))}
