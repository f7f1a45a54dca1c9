"""The servers that reports go to, as the flags say how they are reached."""

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


class Listed(NamedTuple):
    """A name in DNS that stands for several servers.

    With the ``scheme`` ``dns`` these are all its addresses, with ``port``. With ``dnssrv`` they are
    the targets of its SRV records, and ``port`` is 0.
    """

    scheme: str
    name: str
    port: int

    def __str__(self) -> str:
        where = str(Address(self.name, self.port)) if self.port else self.name
        return f"{self.scheme}+{where}"


#: One server: over UDP, or over HTTP.
Endpoint = Address | Url


class HttpOptions(NamedTuple):
    """The values of the flags ``--http.*``; a text is empty where its flag is not given."""

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    username: str = ""
    password_file: str = ""
    insecure_skip_verify: bool = False
