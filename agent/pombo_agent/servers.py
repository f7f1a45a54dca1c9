"""The servers that take reports over HTTP, and how the flags say that they are reached."""

from typing import NamedTuple

from pombo_cli.addresses import Address


class Url(NamedTuple):
    """Where a server takes reports over HTTP.

    ``scheme`` is ``http`` or ``https``. Requests go through ``proxy`` unless it is None.
    """

    scheme: str
    host: str
    port: int
    path: str
    proxy: Address | None = None

    def __str__(self) -> str:
        return f"{self.scheme}://{Address(self.host, self.port)}{self.path}"


class HttpOptions(NamedTuple):
    """The values of the flags ``--http.*``; a text is empty where its flag is not given."""

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    username: str = ""
    password_file: str = ""
    insecure_skip_verify: bool = False
