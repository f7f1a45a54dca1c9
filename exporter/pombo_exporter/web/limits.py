"""How many long answers are made at the same time."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from pombo_exporter.stats import HttpCounters, RefusedRequest
from pombo_exporter.web.connections import Connection

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RequestLimit:
    """Answers 503 at once to requests beyond ``max_requests`` of the counters; 0 is no limit.

    As node_exporter's ``--web.max-requests``, with the same text. Only a request whose client does
    not read the answer gives way.
    """

    def __init__(self, counters: HttpCounters) -> None:
        self._counters = counters

    def routes(self, routes: list[web.RouteDef]) -> list[web.RouteDef]:
        """Return the routes with the limit; those that change something have none."""
        return [
            web.RouteDef(each.method, each.path, self._limited(each.handler), each.kwargs)
            if each.method == "GET"
            else each
            for each in routes
        ]

    def _limited(self, handler: Handler) -> Handler:
        counters = self._counters

        async def answer(request: web.Request) -> web.StreamResponse:
            if 0 < counters.max_requests <= counters.in_flight and not _spared_one(request):
                counters.refused[RefusedRequest.MAX_REQUESTS] += 1
                most = counters.max_requests
                text = f"Limit of concurrent requests reached ({most}), try again later.\n"
                raise web.HTTPServiceUnavailable(text=text)
            counters.in_flight += 1
            try:
                return await handler(request)
            finally:
                counters.in_flight -= 1

        return answer


def _spared_one(request: web.Request) -> bool:
    connection = request.protocol
    return isinstance(connection, Connection) and connection.spare_unread()
