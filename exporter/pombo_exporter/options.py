"""The exporter's flags."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
from pombo_cli.flags import Address, AddressType, Duration, flag, log_flags

from pombo_exporter import __version__
from pombo_exporter.hosts.roster import Limits
from pombo_exporter.top.options import TopOptions, top_command

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

    pombo_exporter.add_command(top_command(top))
    return pombo_exporter
