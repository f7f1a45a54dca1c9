"""The flags of ``pombo-exporter decode``."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import click

_HELP = """Print what captured datagrams say, or why the exporter would refuse them.

Each FILE has one datagram as raw bytes; or a datagram on each line, as hexadecimal digits; or what
tcpdump -x prints. Without FILE, or with -, standard input is read.

The exit code is 1 when a datagram would be refused. What depends on other datagrams, such as a
conflict of two agents, is not checked.

\b
Examples:
  tcpdump -x -l udp port 5005 | pombo-exporter decode
  tshark -r FILE -T fields -e udp.payload | pombo-exporter decode --format=json
"""


class Format(StrEnum):
    """How datagrams are printed."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class DecodeOptions:
    """The values of the flags of ``decode``; without ``files``, standard input is read."""

    files: tuple[Path, ...]
    format: Format


def decode_command(run: Callable[[DecodeOptions], None]) -> click.Command:
    """Return the subcommand that reads the flags and calls ``run`` with them."""

    @click.command("decode", help=_HELP, context_settings={"auto_envvar_prefix": "POMBO_DECODE"})
    @click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path))
    @click.option(
        "--format",
        type=click.Choice([str(each) for each in Format]),
        default=str(Format.TEXT),
        show_default=True,
        show_envvar=True,
        help="Text for people, or one line of JSON for each datagram.",
    )
    def decode(*, files: tuple[Path, ...], format: str) -> None:  # noqa: A002 - the flag's name
        run(DecodeOptions(files, Format(format)))

    return decode
