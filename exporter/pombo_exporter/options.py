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
    """The values of the flags."""

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
        help="UDP address to listen on.",
    )
    @flag(
        "udp.receive-buffer",
        type=click.IntRange(4096, _MOST),
        default=4 * 2**20,
        show_default=True,
        metavar="BYTES",
        help="Receive buffer of the UDP socket.",
    )
    @flag(
        "web.listen-address",
        type=AddressType(),
        default="[::]:5005",
        show_default=True,
        help="TCP address to listen on for metrics, status page and API.",
    )
    @flag(
        "host.forget-after",
        type=Duration(),
        default="1h",
        show_default=True,
        help="How long a host may be down before it is forgotten.",
    )
    @flag(
        "limit.hosts",
        type=click.IntRange(1, _MOST),
        default=10_000,
        show_default=True,
        help="Maximum number of hosts. Reports of more hosts are refused.",
    )
    @flag(
        "limit.series-per-host",
        type=click.IntRange(1, _MOST),
        default=10_000,
        show_default=True,
        help="Maximum number of series per host. Reports that would add more are refused.",
    )
    @flag(
        "web.node-families/--no-web.node-families",
        default=True,
        show_default=True,
        help="Serve the families of node_exporter (node_*) in addition to host_*.",
    )
    @flag(
        "web.enable-admin-api",
        is_flag=True,
        help="Enable DELETE /api/v1/hosts/HOST, which forgets a host, without authentication.",
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
        """Receive the reports of Pombo's agents and serve them to Prometheus."""
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
