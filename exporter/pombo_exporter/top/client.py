"""What ``top`` asks an exporter: its hosts, its status, and all fields of one host."""

import os
from typing import Final, Self, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from pombo_cli import human

from pombo_exporter.top.http_config import HttpConfig
from pombo_exporter.views.schema import (
    ExporterStatus,
    HostDetail,
    HostList,
    HostSummary,
)
from pombo_exporter.web.paths import API

_PATIENCE: Final = aiohttp.ClientTimeout(total=10)

_Answer = TypeVar("_Answer")


class UnreachableError(Exception):
    """The exporter did not answer, or not as an exporter does; ``str()`` is the reason."""


class UnknownHostError(UnreachableError):
    """The exporter has no such host."""


class Client:
    """Asks the exporter at ``url``. Its methods raise ``UnreachableError``."""

    def __init__(self, url: str, config: HttpConfig) -> None:
        self._url, self._config = url, config
        connector = aiohttp.TCPConnector(ssl=config.context) if config.context else None
        self._session = aiohttp.ClientSession(
            timeout=_PATIENCE, headers=config.headers, connector=connector
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def hosts(self) -> list[HostSummary]:
        """Return the summaries of all hosts."""
        return (await self._get("/hosts", HostList)).hosts

    async def status(self) -> ExporterStatus:
        """Return what the exporter says of itself."""
        return await self._get("/status", ExporterStatus)

    async def host(self, name: str) -> HostDetail:
        """Return all fields of a host.

        Raises:
            UnknownHostError: when the exporter has no such host.
        """
        return await self._get(f"/hosts/{quote(name, safe='')}", HostDetail)

    async def _get(self, path: str, kind: type[_Answer]) -> _Answer:
        url = self._url
        try:
            async with self._session.get(
                f"{url}{API}{path}",
                server_hostname=self._config.server_name,
                allow_redirects=self._config.follow_redirects,
            ) as response:
                if response.status == 401:
                    remedy = "give a user and the password with --http.config.file"
                    raise UnreachableError(f"{url} answers 401: {remedy}")
                if response.status == 404 and path not in {"/hosts", "/status"}:
                    raise UnknownHostError("the exporter no longer has this host: press Esc")
                if response.status != 200:
                    raise UnreachableError(f"{url} answers {response.status}: is it an exporter?")
                return msgspec.json.decode(await response.read(), type=kind)
        except TimeoutError:
            raise UnreachableError(f"{url} does not answer within {_PATIENCE.total:g} s") from None
        except aiohttp.ClientSSLError as error:
            reason = human.printable(str(error.os_error))
            remedy = "give the CA of its certificate with --http.config.file"
            raise UnreachableError(f"cannot reach {url}: {reason}: {remedy}") from None
        except aiohttp.ClientConnectorError as error:
            number = error.os_error.errno or 0  # below 0 when the name is not known
            why = os.strerror(number) if number > 0 else error.os_error.strerror or error
            remedy = "start an exporter there, or give the URL of another one"
            raise UnreachableError(
                f"cannot reach {url}: {human.printable(str(why))}: {remedy}"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise UnreachableError(f"cannot reach {url}: {human.printable(str(error))}") from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise UnreachableError(f"{url} answers something else: is it an exporter?") from None
