"""Long answers: made in steps, compressed, and written in pieces."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final

from aiohttp import ClientConnectionError, HttpVersion11, web
from isal import isal_zlib

from pombo_exporter.runtime.pacing import Pacer, StepClock
from pombo_exporter.web.negotiation import gzip_accepted

_WRITE_BYTES: Final = 2**16  # a write costs some 50 microseconds, whatever its length
_TIMEOUT: Final = 60.0  # seconds for a client to read an answer
_GZIP: Final = 31  # zlib's window bits for a gzip container

#: The pacer of an application, which all its long answers share.
PACER: Final = web.AppKey("pacer", Pacer)

#: Headers of every answer: it is of this moment, and of the type that it states.
HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

Work = Callable[[StepClock], Iterator[bytes | None]]


async def stream(
    request: web.Request, work: Work, content_type: str, vary: str = "", file: str = ""
) -> web.StreamResponse:
    """Answer with the pieces that ``work`` makes; gzip them if the client accepts it.

    A client that has not read the answer after a minute is disconnected, so that it cannot keep in
    memory what the answer is made of.

    ``vary`` names request headers, besides ``Accept-Encoding``, that the answer depends on.
    ``file`` is the name under which a browser saves the answer, instead of showing it.
    """
    response = web.StreamResponse(headers={**HEADERS, "Content-Type": content_type})
    response.headers["Vary"] = ", ".join(filter(None, (vary, "Accept-Encoding")))
    if file:
        response.headers["Content-Disposition"] = f'attachment; filename="{file}"'
    compress: Callable[[bytes], bytes] = bytes
    flush: Callable[[], bytes] = bytes
    if gzip_accepted(request):
        response.headers["Content-Encoding"] = "gzip"
        compressor = isal_zlib.compressobj(level=1, wbits=_GZIP)
        compress, flush = compressor.compress, compressor.flush

    pacer = request.app[PACER]

    def pieces(steps: StepClock) -> Iterator[bytes | None]:
        return (piece and compress(piece) for piece in work(steps))

    with suppress(ClientConnectionError):  # a client may disconnect at any time
        if request.method == "HEAD":
            await response.prepare(request)
            return response
        # What an answer was made of exists until the client has taken the last piece.
        with pacer.under_way():
            async with (
                disconnecting(request, _TIMEOUT),
                aclosing(pacer.run(pieces)) as compressed,
            ):
                ready = bytearray()
                async for piece in compressed:
                    ready += piece
                    if len(ready) >= _WRITE_BYTES:
                        await _write(request, response, ready)
                        ready = bytearray()
                ready += flush()
                if not response.prepared:  # a short answer has a length
                    response.content_length = len(ready)
                await _write(request, response, ready)
                await response.write_eof()
    return response


@asynccontextmanager
async def disconnecting(request: web.Request, seconds: float) -> AsyncIterator[None]:
    """Abort the connection of a request if what is done within the context takes longer.

    To close it would wait until the client has read everything.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        if request.transport:
            request.transport.abort()
        raise ClientConnectionError(f"the client did not read within {seconds:g} s") from None


async def _write(request: web.Request, response: web.StreamResponse, data: bytearray) -> None:
    if not response.prepared:
        # A client of HTTP/1.0 knows the end by a length, or by the end of the connection.
        if request.version < HttpVersion11 and response.content_length is None:
            response.force_close()
        await response.prepare(request)
    await response.write(data)
