"""The command ``pombo-agent check``: whether exporters hear this host. It changes nothing there."""

import socket
import sys
import time
from typing import Any, NamedTuple

import click
from pombo_cli.addresses import Address
from pombo_cli.flags import Duration, flag
from pombo_wire.framing import framed
from pombo_wire.keys import HostKey
from pombo_wire.sealing import PROBE, WANTS_ANSWER, Acknowledgement, Crypto, Sealer

from pombo_agent.server_flags import HTTP_FLAGS, ServerType, http_options, with_proxy
from pombo_agent.servers import HttpOptions, Url
from pombo_agent.transport.udp import resolve, shown_address

_TRIES = 3  # probes, since some may be lost
_ANSWER_BYTES = 128


class Answer(NamedTuple):
    """An acknowledgement, after how many seconds it came, and how far the exporter's clock is."""

    said: Acknowledgement
    seconds: float
    ahead: float  # seconds


def probe(crypto: Crypto, key: HostKey, server: Address, timeout: float) -> Answer | None:
    """Send probes under a salt of their own; return the first answer, None without any.

    Each address of the server is tried. ``timeout`` is in seconds, for each.

    Raises:
        OSError: when the name is unknown, or the system sends to none of its addresses.
    """
    error: OSError | None = None
    for family, address in resolve(*server):
        sealer = Sealer(crypto, key.kid, key.generation, key.key, key.name.encode())
        with socket.socket(family, socket.SOCK_DGRAM) as udp:
            try:
                udp.connect(address)
                if answer := _asked(udp, sealer, timeout):
                    return answer
            except OSError as raised:
                error = raised
    if error is not None:
        raise error
    return None


def _asked(udp: socket.socket, sealer: Sealer, timeout: float) -> Answer | None:
    for _ in range(_TRIES):
        udp.send(sealer.seal(b"{}", flags=PROBE | WANTS_ANSWER))
        began = time.monotonic()
        while (left := began + timeout / _TRIES - time.monotonic()) > 0:
            udp.settimeout(left)
            try:
                said = sealer.acknowledgement(udp.recv(_ANSWER_BYTES))
            except TimeoutError:
                break
            if said is not None:
                return Answer(said, time.monotonic() - began, said.time_ms / 1000 - time.time())
    return None


def probe_http(
    crypto: Crypto, key: HostKey, server: Url, options: HttpOptions, timeout: float
) -> Answer | None:
    """Do what ``probe`` does, over HTTP.

    Raises:
        OSError: when the server cannot be reached, or does not take the probe.
    """
    from http.client import HTTPException  # noqa: PLC0415 - only HTTP needs it

    from pombo_agent.transport.connection import (  # noqa: PLC0415
        Connection,
        cause_of,
        reason_of,
    )

    sealer = Sealer(crypto, key.kid, key.generation, key.key, key.name.encode())
    body = framed([sealer.seal(b"{}", flags=PROBE | WANTS_ANSWER)])
    connection = Connection(server, options)
    began = time.monotonic()
    try:
        answer = connection.post(body, began + timeout)
        seconds = time.monotonic() - began
        acknowledgements = answer.datagrams if answer.status == 200 else []
    except (OSError, HTTPException, ValueError) as error:
        raise OSError(reason_of(error)) from None
    finally:
        connection.close()
    if answer.status != 200:
        raise OSError(cause_of(answer))
    said = next(filter(None, map(sealer.acknowledgement, acknowledgements)), None)
    return said and Answer(said, seconds, said.time_ms / 1000 - time.time())


def _with_http_flags(command: Any) -> Any:
    for decorate in HTTP_FLAGS:
        command = decorate(command)
    return command


@click.command("pombo-agent check")
@flag(
    "server",
    type=ServerType(),
    multiple=True,
    required=True,
    metavar="HOST[:PORT]|URL",
    help="Exporter to ask; may be repeated.  [port: 5005; path: /report]",
)
@flag("key-file", required=True, metavar="FILE", help="File with the key of this host.")
@click.option(
    "--timeout", type=Duration(0.1, 60), default="3s", show_default=True, help="Time to wait."
)
@_with_http_flags
def check(server: tuple[Address | Url, ...], key_file: str, timeout: float, **given: Any) -> None:
    """Ask exporters whether they hear this host, and exit with 1 unless all do."""
    from pombo_agent.transport.crypto import CRYPTO  # noqa: PLC0415 - only asking needs it
    from pombo_agent.transport.key import read_key  # noqa: PLC0415

    try:
        key = read_key(key_file)
    except ValueError as error:
        raise click.UsageError(f"--key-file: {error}") from None
    options = http_options(given, server)
    failed = False
    for address in with_proxy(server, given["http_proxy_url"]):
        try:
            if isinstance(address, Url):
                answer = probe_http(CRYPTO, key, address, options, timeout)
            else:
                answer = probe(CRYPTO, key, address, timeout)
        except OSError as error:
            click.echo(f"{address}: {error.strerror or error}")
            failed = True
            continue
        if answer is None:
            click.echo(
                f"{address}: no acknowledgement for {key.name!r}: check that the exporter has the "
                "key of this fleet"
                if isinstance(address, Url)
                else f"{address}: no answer to {key.name!r} within {timeout:g} s: check the "
                "address, firewalls for UDP, and that the exporter has the key of this fleet"
            )
            failed = True
        else:
            click.echo(
                f"{address}: hears {key.name!r} as {shown_address(answer.said)}, answered in "
                f"{answer.seconds * 1e3:.1f} ms; its clock is {abs(answer.ahead):.2f} s "
                f"{'ahead' if answer.ahead >= 0 else 'behind'}"
            )
    sys.exit(failed)
