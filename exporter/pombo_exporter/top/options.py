"""The flags of ``pombo-exporter top``."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from pombo_cli.flags import Duration

from pombo_exporter.top.table import SortKey
from pombo_exporter.views.filter import FilterError, parse


@dataclass(frozen=True)
class TopOptions:
    """The values of the flags of ``top``; ``interval`` is in seconds."""

    url: str
    once: bool
    interval: float
    sort: SortKey
    filter: str
    http_config_file: Path | None = None


def top_command(run: Callable[[TopOptions], None]) -> click.Command:
    """Return the subcommand that reads the flags and calls ``run`` with them."""

    @click.command("top", context_settings={"auto_envvar_prefix": "POMBO_TOP"})
    @click.argument("url", default="http://localhost:5005", callback=_url)
    @click.option("--once", is_flag=True, show_envvar=True, help="Print one plain table and exit.")
    @click.option(
        "--interval",
        type=Duration(0.1, 3600),
        default="2s",
        show_default=True,
        show_envvar=True,
        help="Refresh interval.",
    )
    @click.option(
        "--sort",
        type=click.Choice([str(key) for key in SortKey]),
        default=str(SortKey.TROUBLE),
        show_default=True,
        show_envvar=True,
        help="Sort column.",
    )
    @click.option(
        "--filter",
        default="",
        show_envvar=True,
        metavar="WORDS",
        callback=_filter,
        help="Show only hosts that match all words: a part of a name or label, rack=7, "
        "state:down, cpu>80; -word excludes.",
    )
    @click.option(
        "--http.config.file",
        "http_config_file",
        type=click.Path(dir_okay=False, path_type=Path),
        show_envvar=True,
        help="File with the password, CA and client certificate for the exporter, in the form of "
        "promtool: basic_auth, authorization, tls_config.",
    )
    def top(*, sort: str, **rest: Any) -> None:
        """Show a live table of all hosts of the exporter at URL.

        The default URL is http://localhost:5005. It may be https://. With --once, the exit code is
        1 if a host that is shown is critical, and 2 if the exporter cannot be asked.
        """
        run(TopOptions(sort=SortKey(sort), **rest))

    return top


def _filter(ctx: click.Context, param: click.Parameter, value: str) -> str:
    try:
        parse(value)
    except FilterError as error:
        raise click.BadParameter(str(error), ctx, param) from None
    return value


def _url(ctx: click.Context, param: click.Parameter, value: str) -> str:
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        found = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        found = None
    if not found:
        raise click.BadParameter(f"{value!r}: write it as http://host:5005", ctx, param)
    return url.rstrip("/")
