"""The flags that say where exporters are: ``--server``, how to choose, and how to reach them."""

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

import click
from pombo_cli.addresses import Address
from pombo_cli.flags import AddressType, flag, split_variable
from pombo_wire.framing import REPORT_PATH

from pombo_agent.servers import Endpoint, HttpOptions, Listed, Url
from pombo_agent.settings import ServerMode

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9._:%-]+")
_PATH = re.compile(r"/[!-~]*")

#: The schemes of names that stand for several servers, as in Thanos.
_LISTED = ("dns", "dnssrv")
_SRV = re.compile(r"(_[a-z0-9-]+\.){2}([a-z0-9_-]+\.?)+")

HTTP_FLAGS = [
    flag(
        "http.ca-file",
        default="",
        metavar="FILE",
        help="CA certificates to verify the exporter's certificate.  [default: the system's]",
    ),
    flag(
        "http.cert-file",
        default="",
        metavar="FILE",
        help="Client certificate for exporters that ask for one.",
    ),
    flag(
        "http.key-file",
        default="",
        metavar="FILE",
        help="Key of the client certificate.",
    ),
    flag(
        "http.username",
        default="",
        help="User name for exporters over HTTP that ask for a password.",
    ),
    flag(
        "http.password-file",
        default="",
        metavar="FILE",
        help="File with the password of that user.",
    ),
    flag(
        "http.proxy-url",
        default="",
        metavar="URL",
        help=(
            "Proxy for exporters over HTTP.  "
            "[default: from the variables HTTPS_PROXY, HTTP_PROXY and NO_PROXY]"
        ),
    ),
    flag(
        "http.insecure-skip-verify",
        is_flag=True,
        help="Do not verify the exporter's certificate.",
    ),
]


class ServerType(click.ParamType[Endpoint | Listed]):
    """An address to send to over UDP, the URL of an exporter over HTTP, or a name of several."""

    name = "server"

    def split_envvar_value(self, rv: str) -> list[str]:
        """Return the servers in a variable."""
        return split_variable(rv)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Endpoint | Listed:
        """Return the server in the form that all agents agree on, or fail with a remedy."""
        if isinstance(value, (Url, Listed)):
            return value
        scheme = ""
        if isinstance(value, str):
            scheme, plus, rest = value.partition("+")
            if plus and scheme in _LISTED and "://" not in rest:
                try:
                    return _listed(scheme, rest, param, ctx)
                except ValueError as error:
                    self.fail(f"{value!r}: {error}", param, ctx)
            if "://" in value:
                try:
                    return _url(value)
                except ValueError as error:
                    self.fail(str(error), param, ctx)
        address = AddressType().convert(value, param, ctx)
        if not address.host or not address.port:
            remedy = "write host, host:port or https://host"
            self.fail(f"{value!r} is not a destination: {remedy}", param, ctx)
        return _uniform(address)


#: What declares the flags about servers.
SERVER_FLAGS = [
    flag(
        "server",
        type=ServerType(),
        multiple=True,
        metavar="HOST[:PORT]|URL|dns+NAME[:PORT]|dnssrv+NAME",
        help=(
            "Exporter to send reports to, over UDP, or over HTTP by https://HOST[:PORT][/PATH]; "
            "may be repeated. dns+NAME[:PORT] is every address of a name, dnssrv+NAME every "
            "target of its SRV records.  [port: 5005; path: /report]  [required]"
        ),
    ),
    flag(
        "server-mode",
        type=click.Choice([mode.value for mode in ServerMode]),
        default=ServerMode.ALL.value,
        show_default=True,
        help=(
            "Report to all servers, to the first that answers, which needs --key-file, or to "
            "those that the name of this host chooses."
        ),
    ),
    flag(
        "server-replicas",
        type=click.IntRange(1, 16),
        default=1,
        show_default=True,
        help="With --server-mode=shard: how many servers get each report.",
    ),
]


def _uniform(address: Address) -> Address:
    """Return an address in lower case, and an IP address in its shortest form."""
    try:
        return address._replace(host=str(ip_address(address.host)))
    except ValueError:
        host, percent, zone = address.host.partition("%")
        return address._replace(host=f"{host.lower()}{percent}{zone}")


def _listed(
    scheme: str, rest: str, param: click.Parameter | None, ctx: click.Context | None
) -> Listed:
    """Return a name that stands for several servers.

    Raises:
        ValueError: when it cannot be one; the text has a remedy.
    """
    name = rest.lower().rstrip(".")
    if scheme == "dnssrv":
        if not _SRV.fullmatch(name):
            raise ValueError("write the name of SRV records: dnssrv+_pombo._udp.example.org")
        return Listed(scheme, name, 0)
    address = _uniform(AddressType().convert(rest or ":0", param, ctx))
    if not address.host or not address.port or ":" in address.host:
        raise ValueError("write a name and perhaps a port: dns+exporters.example.org:5005")
    return Listed(scheme, address.host.rstrip("."), address.port)


def check_mode(given: Mapping[str, Any]) -> None:
    """Check that the values of the flags go together that say which servers get reports.

    Raises:
        click.UsageError: when the agent would not know whether a server answers, and needs that,
            or when a flag would do nothing.
    """
    if given["server_replicas"] != 1 and given["server_mode"] != ServerMode.SHARD.value:
        raise click.UsageError("--server-replicas needs --server-mode=shard")
    if given["server_mode"] != ServerMode.FAILOVER.value:
        return
    if not given["key_file"]:
        raise click.UsageError(
            "--server-mode=failover needs --key-file: exporters answer only sealed reports; "
            "make the key of this host with `pombo-exporter enroll`"
        )
    if given["one_way"]:
        raise click.UsageError(
            "--server-mode=failover and --one-way exclude each other: without answers the agent "
            "does not know which server hears; omit one of them"
        )


def with_proxy(servers: Iterable[Endpoint | Listed], given: str) -> tuple[Endpoint | Listed, ...]:
    """Return servers with the proxy of each that is reached over HTTP, from the flag or a variable.

    Raises:
        click.UsageError: when the proxy cannot be used.
    """
    return tuple(
        server._replace(proxy=_proxy_of(server, given)) if isinstance(server, Url) else server
        for server in servers
    )


def http_options(given: Mapping[str, Any], servers: Iterable[Endpoint | Listed]) -> HttpOptions:
    """Return the values of ``HTTP_FLAGS``, after a check of their files if a server needs them.

    Raises:
        click.UsageError: when one of two flags is missing, or a file cannot be used.
    """
    options = HttpOptions(**{name: given[f"http_{name}"] for name in HttpOptions._fields})
    if bool(options.cert_file) != bool(options.key_file):
        raise click.UsageError("give --http.cert-file and --http.key-file together")
    if bool(options.username) != bool(options.password_file):
        raise click.UsageError("give --http.username and --http.password-file together")
    if ":" in options.username:
        raise click.UsageError("--http.username: a user name cannot contain a colon")
    schemes = {server.scheme for server in servers if isinstance(server, Url)}
    if schemes:
        from pombo_agent.transport.connection import (  # noqa: PLC0415 - only HTTP needs it
            authorization,
            tls_context,
        )

        try:
            authorization(options)
            if "https" in schemes:
                tls_context(options)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    return options


def _url(text: str) -> Url:
    """Return the URL of an exporter.

    Raises:
        ValueError: when it cannot be one; the text has a remedy, and no password.
    """
    found, host, port = _split(text, _PORTS)
    if found.username is not None or found.password is not None:
        remedy = "give --http.username and --http.password-file"
        raise ValueError(f"a URL must not contain a user or a password: {remedy}")
    path = found.path if found.path.strip("/") else REPORT_PATH
    if found.query or found.fragment or not _PATH.fullmatch(path):
        remedy = f"write https://host:port, or with a path, which is {REPORT_PATH} otherwise"
        raise ValueError(f"{text!r} is not an address of an exporter: {remedy}")
    return Url(found.scheme, host, port, path)


def _split(text: str, ports: Mapping[str, int]) -> tuple[SplitResult, str, int]:
    """Return a URL with its host and its port, by default that of its scheme.

    Raises:
        ValueError: when it has another scheme, no host, or no valid port.
    """
    shown = re.sub(r"//.*@", "//", text)  # without a password
    try:
        found = urlsplit(text)
        port = found.port
    except ValueError as error:
        raise ValueError(f"{shown!r} is not a URL: {error}") from None
    if found.scheme not in ports:
        raise ValueError(f"{shown!r}: write {' or '.join(f'{each}://' for each in ports)}")
    host = found.hostname or ""
    try:
        # The agent that runs needs no tables of international names.
        host = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        host = ""
    if not _HOST.fullmatch(host) or port == 0:
        raise ValueError(f"{shown!r} has no valid host, or port 0: write https://host:port")
    return found, host, port or ports[found.scheme]


def _proxy_of(server: Url, given: str) -> Address | None:
    """Return the proxy for a server, from the flag or from the variables.

    Raises:
        click.UsageError: when it cannot be used.
    """
    source, text = "--http.proxy-url", given
    if not given:
        if _is_loopback(server.host) or proxy_bypass(str(Address(server.host, server.port))):
            return None
        source, text = f"{server.scheme.upper()}_PROXY", getproxies().get(server.scheme, "")
    if not text:
        return None
    try:
        found, host, port = _split(text if "://" in text else f"http://{text}", {"http": 80})
    except ValueError as error:
        raise click.UsageError(f"{source}: {error}") from None
    if found.username is not None or found.password is not None:
        remedy = "use a proxy without a password, or exclude the server with NO_PROXY"
        raise click.UsageError(f"{source}: the agent cannot use a proxy with a password: {remedy}")
    return Address(host, port)


def _is_loopback(host: str) -> bool:
    """Return whether a host is this machine, to which no variable names a proxy, as in Go."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
