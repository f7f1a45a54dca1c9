"""The subcommand `keygen`."""

import os
import sys

import click
from pombo_wire.keys import fleet_key_text, new_fleet_key

_MODE = 0o600

_HEAD = """\
# Key file of pombo-exporter. Keep it secret: anyone who has it can report as every host.
# `deny NAME` and `generation NAME N` revoke the keys of a host; then send SIGHUP to the exporter.
"""


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
def keygen(file: str) -> None:
    """Make a key file for --seal.key-file with a new key.

    FILE is never overwritten; - prints the key file.
    """
    from pombo_exporter.seal.crypto import CRYPTO  # noqa: PLC0415 - only sealing needs it

    text = f"{_HEAD}key {fleet_key_text(CRYPTO, new_fleet_key(CRYPTO))}\n"
    if file == "-":
        sys.stdout.write(text)
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    except FileExistsError:
        raise click.ClickException(f"{file} exists: choose another name, or remove it") from None
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror or error}") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(text)
