"""``/join``: how to add a host, with the installer and the one-file agents that it downloads.

Nothing here has a key, and nothing says anything of the fleet.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import ClientConnectionError, web

from pombo_exporter import __version__
from pombo_exporter.installer.agents import Agent, Agents
from pombo_exporter.installer.script import NAME, checksum, script
from pombo_exporter.web.networks import network_of
from pombo_exporter.web.responses import HEADERS, disconnecting
from pombo_exporter.web.toolkit.authenticated import is_authenticated

PATH: Final = "/join"

_FILES: Final = f"{PATH}/files"
_SCRIPT: Final = f"{PATH}/{NAME}"
_AGENT: Final = f"{PATH}/agents/{{name}}"
_SUMS: Final = f"{PATH}/agents/SHA256SUMS"

#: The paths that ``--web.join-public`` opens, beside those of the page's own files.
OPEN: Final = frozenset({PATH, f"{PATH}/", _FILES, _SCRIPT, _AGENT, _SUMS})

_MAX_DOWNLOADS: Final = 20  # at the same time; they take no place from scrapes
_MAX_OF_CLIENT: Final = 10  # of those, as many may be of one client
_RETRY_AFTER: Final = 5  # seconds
_TIMEOUT: Final = 900.0  # seconds for a download: 6 MB over 60 kbit/s
_READ_BYTES: Final = 2**18


@dataclass(frozen=True)
class JoinOptions:
    """What new hosts can download, and from where.

    ``files`` is the folder with one-file agents. ``public`` opens all of it to those without a
    password. ``udp_port`` and ``sealed`` are for the command that the page shows. A download that
    has taken ``patience`` seconds gives way to another one if all places are taken.
    """

    files: Path | None = None
    public: bool = False
    sealed: bool = False
    udp_port: int = 5005
    patience: float = 60.0


class File(msgspec.Struct, frozen=True):
    """A file that hosts download."""

    name: str
    size_bytes: int
    sha256: str


class Files(msgspec.Struct, frozen=True):
    """What the page shows; ``live`` is whether it may see when a host reports."""

    version: str
    sealed: bool
    udp_port: int
    live: bool
    installer: File
    agents: list[File]


@dataclass(frozen=True, eq=False)
class _Place:
    """A download that is under way, of whom, and since when on the loop's clock."""

    request: web.Request
    client: str
    since: float


class _Places:
    """The downloads that are under way, in the order in which they began.

    No client (``network_of``) takes all places. One that is slow keeps its place until another one
    needs it.
    """

    def __init__(self, patience: float) -> None:
        """Take the seconds after which a download may have to give way."""
        self._patience = patience
        self._taken: dict[_Place, None] = {}

    @contextmanager
    def take(self, request: web.Request) -> Iterator[None]:
        """Let a request download within the context.

        Raises:
            HTTPServiceUnavailable: when there is no place for it now.
        """
        now = asyncio.get_running_loop().time()
        place = _Place(request, network_of(request.remote or ""), now)
        if sum(each.client == place.client for each in self._taken) >= _MAX_OF_CLIENT:
            raise _busy(f"{_MAX_OF_CLIENT} downloads of this address are under way")
        if len(self._taken) >= _MAX_DOWNLOADS:
            oldest = next(iter(self._taken))
            if now - oldest.since < self._patience:
                raise _busy(f"{_MAX_DOWNLOADS} hosts download an agent now")
            del self._taken[oldest]
            if oldest.request.transport:
                oldest.request.transport.abort()
        self._taken[place] = None
        try:
            yield
        finally:
            self._taken.pop(place, None)


def _busy(why: str) -> web.HTTPServiceUnavailable:
    after = {"Retry-After": str(_RETRY_AFTER)}
    return web.HTTPServiceUnavailable(text=f"{why}: try again later\n", headers=after)


class Join:
    """The handlers of ``/join``, but for the page itself."""

    def __init__(self, options: JoinOptions) -> None:
        self._options = options
        self._agents = Agents(options.files)
        self._reading = asyncio.Lock()
        self._places = _Places(options.patience)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get(f"{PATH}/", self.page),
            web.get(_FILES, self.files),
            web.get(_SCRIPT, self.script),
            web.get(_SUMS, self.sums),
            web.get(_AGENT, self.agent),
        ]

    async def page(self, _: web.Request) -> web.Response:
        """Lead to the page, whose links are relative to a path without a slash at its end."""
        return web.Response(status=302, headers={"Location": f"..{PATH}"})

    async def files(self, request: web.Request) -> web.Response:
        """Answer with what the page shows."""
        agents, options = await self._read(), self._options
        installer = script(agents)
        answer = Files(
            version=__version__,
            sealed=options.sealed,
            udp_port=options.udp_port,
            live=is_authenticated(request),
            installer=File(NAME, len(installer), checksum(installer)),
            agents=[File(*agent) for agent in agents],
        )
        body = msgspec.json.encode(answer)
        return web.Response(body=body, content_type="application/json", headers=HEADERS)

    async def script(self, request: web.Request) -> web.Response:
        """Answer with the installer."""
        body = script(await self._read())
        tag = checksum(body)
        if _is_known(request, tag):
            return web.Response(status=304, headers={**HEADERS, "ETag": f'"{tag}"'})
        response = web.Response(body=body, headers={**HEADERS, "ETag": f'"{tag}"'})
        response.content_type, response.charset = "text/x-shellscript", "utf-8"
        return response

    async def sums(self, _: web.Request) -> web.Response:
        """Answer with the checksums, as sha256sum has them."""
        lines = (f"{agent.sha256}  {agent.name}\n" for agent in await self._read())
        return web.Response(text="".join(lines), headers=HEADERS)

    async def agent(self, request: web.Request) -> web.StreamResponse:
        """Answer with a one-file agent, or a range of it."""
        name, folder, found = request.match_info["name"], self._options.files, await self._read()
        agent = next((each for each in found if each.name == name), None)
        if folder is None or agent is None:
            raise web.HTTPNotFound(text=_missing(name, found))
        with self._places.take(request):
            return await _download(request, folder / name, agent)

    async def _read(self) -> Sequence[Agent]:
        """Return the agents; a thread reads files that have changed."""
        async with self._reading:
            return await asyncio.to_thread(self._agents.read)


def _missing(name: str, agents: Sequence[Agent]) -> str:
    if not agents:
        return "the exporter has no one-file agents: see --web.join-files\n"
    return f"there is no {name!r}, only {', '.join(agent.name for agent in agents)}\n"


async def _download(request: web.Request, path: Path, agent: Agent) -> web.StreamResponse:
    """Answer with a file, or the range of it that is asked for.

    aiohttp's own answer of files uses sendfile, which leaves the socket in the event loop's
    selector when the connection is aborted meanwhile.
    """
    tag = f'"{agent.sha256}"'
    headers = {**HEADERS, "ETag": tag, "Accept-Ranges": "bytes"}
    if _is_known(request, agent.sha256):
        return web.Response(status=304, headers=headers)
    start, end, status = 0, agent.bytes, 200
    if request.headers.get("If-Range", tag) == tag:
        wanted = _range(request, agent.bytes)
        if wanted is not None:
            start, end, status = *wanted, 206
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{agent.bytes}"
    headers["Content-Type"] = "application/octet-stream"
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = end - start
    with suppress(ClientConnectionError):  # a client may disconnect at any time
        async with disconnecting(request, _TIMEOUT):
            file = await asyncio.to_thread(path.open, "rb")
            with file:
                file.seek(start)
                await response.prepare(request)
                while request.method != "HEAD" and start < end:
                    data = await asyncio.to_thread(file.read, min(_READ_BYTES, end - start))
                    if not data:  # it has become shorter: the length that was announced is wrong
                        raise OSError(f"{path} has changed while it was read")
                    start += len(data)
                    await response.write(data)
                await response.write_eof()
    return response


def _range(request: web.Request, size: int) -> tuple[int, int] | None:
    """Return the first byte of a range and that after its end; None where none is asked for.

    Raises:
        HTTPRequestRangeNotSatisfiable: when it has no byte of the file.
    """
    try:
        wanted = request.http_range
    except ValueError:  # several, or nonsense: RFC 9110 lets a server ignore it
        return None
    if wanted.start is None:
        return None
    start = wanted.start if wanted.start >= 0 else max(0, size + wanted.start)
    end = size if wanted.stop is None else min(wanted.stop, size)
    if start >= end:
        headers = {"Content-Range": f"bytes */{size}"}
        raise web.HTTPRequestRangeNotSatisfiable(
            text=f"the file has {size} bytes\n", headers=headers
        )
    return start, end


def _is_known(request: web.Request, tag: str) -> bool:
    """Return whether the client has what has this tag."""
    return any(known.value in (tag, "*") for known in request.if_none_match or ())
