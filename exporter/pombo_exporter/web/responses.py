"""Pieces to a response: compressed and written one by one, while the socket has its turns."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from aiohttp import ClientConnectionError, web
from isal import isal_zlib
from prometheus_client.exposition import gzip_accepted

from pombo_exporter.pacing import Turns

_WRITE: Final = 2**16  # bytes at once: each time costs, too
_PATIENCE: Final = 60.0  # seconds for a client to take its page
_GZIP: Final = 31  # zlib's window bits for a gzip container

#: What an application's long answers share with all else that takes long.
TURNS: Final = web.AppKey("turns", Turns)

#: Of every answer: it is of this moment, and of the type that it says.
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


async def stream(
    request: web.Request, pieces: Iterable[bytes], content_type: str, vary: str = ""
) -> web.StreamResponse:
    """Answer with these pieces, of which some may be empty; gzip them if the client takes it.

    A client that has not taken them after a minute is cut off, so that none can hold for ever
    what its page is made of.

    ``vary`` names request headers, beside ``Accept-Encoding``, that the pieces depend on.
    """
    response = web.StreamResponse(headers={**HEADERS, "Content-Type": content_type})
    response.headers["Vary"] = ", ".join(filter(None, (vary, "Accept-Encoding")))
    squeeze: Callable[[bytes], bytes] = bytes
    flush: Callable[[], bytes] = bytes
    if gzip_accepted(request.headers.get("Accept-Encoding", "")):
        response.headers["Content-Encoding"] = "gzip"
        packer = isal_zlib.compressobj(level=1, wbits=_GZIP)
        squeeze, flush = packer.compress, packer.flush
    turns = request.app[TURNS]
    with suppress(ClientConnectionError):  # a client may leave when it likes
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        async with asyncio.timeout(_PATIENCE):
            ready = bytearray()
            for piece in pieces:
                ready += squeeze(piece)
                if len(ready) >= _WRITE:
                    await response.write(ready)
                    ready = bytearray()
                await turns.give()
            ready += flush()
            await response.write_eof(bytes(ready))
    return response
