"""The subcommands `keygen` and `enroll`."""

import os
import sys
from pathlib import Path

import click
from pombo_cli.flags import flag
from pombo_wire.keys import derived, fleet_key_text, host_key_text, new_fleet_key

_MODE = 0o600

_HEAD = """\
# Key file of pombo-exporter. Keep it secret: who has it can report in the name of every host.
# `deny NAME` and `generation NAME N` revoke the keys of a host; then send SIGHUP to the exporter.
"""

_ENROLLED = """\
On {name}, write the key below into a file that only the agent may read, and start the agent:

    install -m 0600 /dev/stdin pombo.key     # paste the key, then press Enter and Ctrl-D
    pombo-agent --key-file=pombo.key --server=EXPORTER

{key}"""


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
def keygen(file: str) -> None:
    """Make a key file for --seal.key-file with a new key. FILE is never overwritten; - prints."""
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


@click.command()
@click.argument("name")
@flag(
    "seal.key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Key file of the exporter.  [required]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "key"]),
    default="text",
    show_default=True,
    help="Instructions and the key, or the key alone.",
)
def enroll(name: str, seal_key_file: Path, form: str) -> None:
    """Print the key of the host NAME. Nothing is stored."""
    from pombo_exporter.seal.crypto import CRYPTO  # noqa: PLC0415 - only sealing needs it
    from pombo_exporter.seal.key_file import KeyFileError, read_key_file  # noqa: PLC0415

    try:
        keys = read_key_file(seal_key_file, CRYPTO)
        encoded = name.encode()
        if encoded in keys.denied:
            raise click.ClickException(f"{name!r} is denied in {seal_key_file}: remove that line")
        host = derived(CRYPTO, keys.first, keys.generations.get(encoded, 0), name)
    except (KeyFileError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    key = host_key_text(CRYPTO, host)
    click.echo(key if form == "key" else _ENROLLED.format(name=name, key=key))
