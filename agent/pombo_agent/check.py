"""The command ``pombo-agent check``: whether exporters hear this host. It changes nothing there."""

import socket
import sys
import time
from typing import NamedTuple

import click
from pombo_cli.addresses import Address
from pombo_cli.flags import Duration, flag
from pombo_wire.keys import HostKey
from pombo_wire.sealing import PROBE, WANTS_ANSWER, Acknowledgement, Crypto, Sealer

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


@click.command("pombo-agent check")
@flag(
    "server",
    multiple=True,
    required=True,
    metavar="HOST[:PORT]",
    help="Exporter to ask; may be repeated.  [port: 5005]",
)
@flag("key-file", required=True, metavar="FILE", help="File with the key of this host.")
@click.option(
    "--timeout", type=Duration(0.1, 60), default="3s", show_default=True, help="Time to wait."
)
def check(server: tuple[str, ...], key_file: str, timeout: float) -> None:
    """Ask exporters whether they hear this host, and exit with 1 unless all do."""
    from pombo_agent.options import ServerType  # noqa: PLC0415 - which imports all collectors
    from pombo_agent.transport.crypto import CRYPTO  # noqa: PLC0415 - only asking needs it
    from pombo_agent.transport.key import read_key  # noqa: PLC0415

    try:
        key = read_key(key_file)
    except ValueError as error:
        raise click.UsageError(f"--key-file: {error}") from None
    failed = False
    for text in server:
        address = ServerType().convert(text, None, None)
        try:
            answer = probe(CRYPTO, key, address, timeout)
        except OSError as error:
            click.echo(f"{address}: {error.strerror or error}")
            failed = True
            continue
        if answer is None:
            click.echo(
                f"{address}: no answer to {key.name!r} within {timeout:g} s: check the address, "
                "firewalls for UDP, and that the exporter has the key of this fleet"
            )
            failed = True
        else:
            click.echo(
                f"{address}: hears {key.name!r} as {shown_address(answer.said)}, answered in "
                f"{answer.seconds * 1e3:.1f} ms; its clock is {abs(answer.ahead):.2f} s "
                f"{'ahead' if answer.ahead >= 0 else 'behind'}"
            )
    sys.exit(failed)
