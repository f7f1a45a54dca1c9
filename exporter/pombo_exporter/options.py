"""The exporter's flags."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import click
from pombo_common.flags import Address, AddressType, Duration, flag, log_flags

from pombo_exporter import __version__
from pombo_exporter.hosts.roster import Limits
from pombo_exporter.table import SortKey

_MOST = 2**31 - 1


@dataclass(frozen=True)
class Options:
    """What the flags say."""

    udp_listen_address: Address
    udp_receive_buffer: int  # bytes
    web_listen_address: Address
    node_families: bool
    admin_api: bool
    limits: Limits
    log_level: str
    log_format: str


@dataclass(frozen=True)
class TopOptions:
    """What the flags of ``top`` say; ``interval`` is in seconds."""

    url: str
    once: bool
    interval: float
    sort: SortKey
    filter: str


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


def command(
    run: Callable[[Options], None], top: Callable[[TopOptions], None] = lambda _: None
) -> click.Group:
    """Return the command that reads the flags and runs ``run`` with them, or its ``top``."""

    @click.group(
        "pombo-exporter",
        invoke_without_command=True,
        context_settings={"max_content_width": 100},
    )
    @flag(
        "udp.listen-address",
        type=AddressType(),
        default="[::]:5005",
        show_default=True,
        help="Where reports arrive.",
    )
    @flag(
        "udp.receive-buffer",
        type=click.IntRange(4096, _MOST),
        default=4 * 2**20,
        show_default=True,
        metavar="BYTES",
        help="Receive buffer to ask of the kernel.",
    )
    @flag(
        "web.listen-address",
        type=AddressType(),
        default="[::]:5005",
        show_default=True,
        help="Where metrics, pages and the API are served.",
    )
    @flag(
        "host.forget-after",
        type=Duration(),
        default="1h",
        show_default=True,
        help="How long a host that is down stays on the page, as down.",
    )
    @flag(
        "limit.hosts",
        type=click.IntRange(1, _MOST),
        default=10_000,
        show_default=True,
        help="Most hosts to hold; reports of further ones are refused.",
    )
    @flag(
        "limit.series-per-host",
        type=click.IntRange(1, _MOST),
        default=10_000,
        show_default=True,
        help="Most series of one host; reports that would add more are refused.",
    )
    @flag(
        "web.node-families/--no-web.node-families",
        default=True,
        show_default=True,
        help="Whether to serve node_exporter's families, node_*, beside host_*.",
    )
    @flag(
        "web.enable-admin-api",
        is_flag=True,
        help="Let DELETE /api/v1/hosts/HOST forget a host, for whoever can reach the web address.",
    )
    @log_flags
    @click.version_option(__version__, prog_name="pombo-exporter")
    def pombo_exporter(
        *,
        host_forget_after: float,
        limit_hosts: int,
        limit_series_per_host: int,
        web_node_families: bool,
        web_enable_admin_api: bool,
        **rest: Any,
    ) -> None:
        """Take the reports of Pombo's agents and serve them to Prometheus."""
        if click.get_current_context().invoked_subcommand:
            return
        limits = Limits(limit_hosts, limit_series_per_host, host_forget_after)
        run(
            Options(
                limits=limits,
                node_families=web_node_families,
                admin_api=web_enable_admin_api,
                **rest,
            )
        )

    @pombo_exporter.command("top", context_settings={"auto_envvar_prefix": "POMBO_TOP"})
    @click.argument("url", default="http://localhost:5005", callback=_url)
    @click.option("--once", is_flag=True, show_envvar=True, help="Print one plain table, and end.")
    @click.option(
        "--interval",
        type=Duration(0.1, 3600),
        default="2s",
        show_default=True,
        show_envvar=True,
        help="Time between two looks.",
    )
    @click.option(
        "--sort",
        type=click.Choice([str(key) for key in SortKey]),
        default=str(SortKey.TROUBLE),
        show_default=True,
        show_envvar=True,
        help="What comes first.",
    )
    @click.option(
        "--filter",
        default="",
        show_envvar=True,
        metavar="TEXT",
        help="Only hosts with this in their name or in a label, as in rack=7.",
    )
    def top_command(*, sort: str, **rest: Any) -> None:
        """Show every host of the exporter at URL, live.

        URL is http://localhost:5005 unless given.
        """
        top(TopOptions(sort=SortKey(sort), **rest))

    return pombo_exporter
