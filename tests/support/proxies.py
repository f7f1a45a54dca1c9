"""A reverse proxy that serves another server below a path, in a thread of the test."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from aiohttp import ClientConnectionError, ClientSession, web
from aiohttp.typedefs import Handler
from yarl import URL

#: Headers of one connection, which a proxy does not pass on.
_HOP = {"connection", "transfer-encoding", "host", "content-length", "keep-alive"}


@contextmanager
def proxy(upstream: str, path: str, *, strip: bool) -> Iterator[str]:
    """Serve ``upstream``, a URL, below ``path``, and yield the URL of that.

    The upstream server gets its own address as ``Host``, as with nginx; with ``strip``, it gets
    requests without ``path``. Every other path is 404.
    """
    started: Future[int] = Future()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def serve() -> None:
        own = ("Accept", "Accept-Encoding", "User-Agent")
        async with ClientSession(auto_decompress=False, skip_auto_headers=own) as session:

            async def passed_on(request: web.Request) -> web.StreamResponse:
                below = request.raw_path
                if below != path and not below.startswith((f"{path}/", f"{path}?")):
                    raise web.HTTPNotFound(text="the proxy has nothing here")
                if strip:
                    below = below.removeprefix(path) or "/"
                headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP}
                url = URL(upstream + below, encoded=True)
                async with session.request(
                    request.method, url, headers=headers, allow_redirects=False
                ) as answer:
                    kept = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP}
                    response = web.StreamResponse(status=answer.status, headers=kept)
                    await response.prepare(request)
                    try:
                        async for some in answer.content.iter_any():
                            await response.write(some)
                    except ClientConnectionError:  # one of the two has gone
                        pass
                    return response

            server = web.AppRunner(_application(passed_on), handler_cancellation=True)
            await server.setup()
            site = web.TCPSite(server, "127.0.0.1", 0)
            await site.start()
            started.set_result(server.addresses[0][1])
            await ended.wait()
            await server.shutdown()
            await server.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        yield f"http://127.0.0.1:{started.result(timeout=10)}{path}"
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(timeout=30)
        assert not thread.is_alive()
        loop.close()


def _application(handler: Handler) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    return app
