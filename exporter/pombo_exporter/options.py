"""The exporter's flags."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import click
from pombo_cli.config import config_flag
from pombo_cli.flags import Address, AddressType, Command, Duration, Size, flag, log_flags, switch

from pombo_exporter import __version__
from pombo_exporter.decode.options import DecodeOptions, decode_command
from pombo_exporter.enroll import enroll
from pombo_exporter.hosts.host import DOWN_AFTER, LATE_AFTER
from pombo_exporter.hosts.limits import Limits
from pombo_exporter.hosts.severity import CHECKS, Check, Table, Thresholds, Unit
from pombo_exporter.installer.agents import FOLDER
from pombo_exporter.metrics.host_families import VOCABULARIES
from pombo_exporter.notify.flags import NotifyFlags
from pombo_exporter.notify.targets import Source, target
from pombo_exporter.runtime.memory import default_limit
from pombo_exporter.seal.commands import keygen
from pombo_exporter.top.options import TopOptions, top_command
from pombo_exporter.web.assets import HeaderLinks
from pombo_exporter.web.base import Base, external_url, path_prefix
from pombo_exporter.web.join import JoinOptions
from pombo_exporter.web.report import POSTS_PER_SECOND

_MOST = 2**31 - 1
_MOST_HISTORY = 86_400  # seconds


@dataclass(frozen=True)
class Options:
    """The values of the flags."""

    udp_listen_address: Address
    udp_receive_buffer: int  # bytes
    web_listen_address: Address
    web_config_file: Path | None
    families: frozenset[str]  # of VOCABULARIES
    admin_api: bool
    posts_per_second: int  # of reports, from one address
    base: Base
    joining: JoinOptions | None
    header_links: HeaderLinks
    max_requests: int
    max_connections: int
    history: float  # seconds
    seal_key_file: Path | None
    require_sealed: bool
    state_file: Path | None
    cluster_name: str
    limits: Limits
    notify: NotifyFlags
    thresholds: Table
    log_level: str
    log_format: str


class _Families(click.ParamType[frozenset[str]]):
    """Vocabularies of families, separated by commas."""

    name = "list"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[str]:
        if isinstance(value, frozenset):
            return value
        found = frozenset(word.strip() for word in value.split(","))
        if unknown := sorted(found - {*VOCABULARIES}):
            remedy = f"write {' or '.join(VOCABULARIES)}, or several with commas between them"
            self.fail(
                f"{value!r} has {unknown[0]!r}, which is not a vocabulary: {remedy}", param, ctx
            )
        return found


class _Parsed(click.ParamType[Any]):
    """What ``parse`` makes of a text; it raises ValueError, with a remedy."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name, self._parse = name, parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._parse(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _url(text: str) -> Source:
    """Return the source of a target.

    Raises:
        TargetError: when it is no URL; the error does not have it, since it may hold a secret.
    """
    target(text)
    return Source(text)


def _url_flags(name: str, what: str) -> Callable[[Command], Command]:
    """Return the flags ``--NAME.url`` and ``--NAME.url-file``, which may be repeated."""
    url = flag(
        f"{name}.url",
        type=_Parsed("URL", _url),
        multiple=True,
        help=f"URL {what}; may be repeated.",
    )
    file = flag(
        f"{name}.url-file",
        type=_Parsed("FILE", lambda text: Source(path=Path(text))),
        multiple=True,
        help="File with such a URL, if it has a secret; may be repeated. Read again on SIGHUP.",
    )
    return lambda command: url(file(command))


class _ThresholdsType(click.ParamType[Thresholds]):
    """Two thresholds of a check, for a warning and for critical; ``off`` is one never reached."""

    name = "warning,critical"

    def __init__(self, check: Check) -> None:
        self._unit = check.unit

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Thresholds:
        if isinstance(value, Thresholds):
            return value
        words = [word.strip() for word in value.split(",")]
        if words == ["off"]:
            return Thresholds()
        example = _EXAMPLES[self._unit]
        try:
            warning, critical = map(self._number, words)
        except ValueError:
            self.fail(f"{value!r} is no pair of thresholds: write {example}, or off", param, ctx)
        if critical < warning < inf:
            self.fail(f"{value!r}: the warning is above critical: write {example}", param, ctx)
        return Thresholds(warning, critical)

    def _number(self, word: str) -> float:
        """Return a threshold; raise ValueError if it is none."""
        if word == "off":
            return inf
        if self._unit is Unit.SECONDS:
            try:
                return Duration(_LEAST_SECONDS).convert(word, None, None)
            except click.BadParameter as error:
                raise ValueError(word) from error
        match = _NUMBER.fullmatch(word)
        number = float(match[1]) / (100 if match[2] else 1) if match else 0.0
        if not number or (self._unit is Unit.COUNT and word.endswith("%")):
            raise ValueError(word)
        return number


_LEAST_SECONDS = 0.001
_LONGEST_NAME = 64  # characters
_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?)(%)?")
_EXAMPLES = {Unit.RATIO: "90%,97%", Unit.SECONDS: "5s,5m", Unit.COUNT: "1,off"}


def threshold_text(check: Check) -> str:
    """Return the default thresholds of a check as its flag takes them."""
    return ",".join(_threshold_text(check.unit, each) for each in check.default)


def _threshold_text(unit: Unit, value: float) -> str:
    if value == inf:
        return "off"
    if unit is Unit.RATIO:
        return f"{100 * value:g}%"
    if unit is Unit.SECONDS:
        return f"{value / 60:g}m" if value >= 60 else f"{value:g}s"
    return f"{value:g}"


def _threshold_flags(command: Command) -> Command:
    """Add ``--threshold.NAME`` for each check."""
    for check in reversed(CHECKS):
        add = flag(
            f"threshold.{check.id.replace('_', '-')}",
            type=_ThresholdsType(check),
            default=threshold_text(check),
            show_default=True,
            help=f"Thresholds of warning and critical: {check.measures}.",
        )
        command = add(command)
    return command


def _cluster_name(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if len(value) > _LONGEST_NAME or not (value.isprintable() and value == value.strip()):
        remedy = f"write at most {_LONGEST_NAME} characters that can be printed"
        raise click.BadParameter(f"{value!r}: {remedy}", ctx, param)
    return value


def _limit(name: str, default: int, text: str) -> Callable[[Command], Command]:
    """Return the flag ``--limit.NAME``, a count of one or more."""
    return flag(
        f"limit.{name}",
        type=click.IntRange(1, _MOST),
        default=default,
        show_default=True,
        help=text,
    )


def _link(text: str) -> str:
    """Return the URL of another program, without a slash at its end.

    Raises:
        ValueError: when it is none, with a remedy.
    """
    return external_url(text).text


def _joining(given: dict[str, Any]) -> JoinOptions | None:
    """Return what the flags of ``/join`` say, and remove them."""
    is_on, public = given.pop("web_join"), given.pop("web_join_public")
    sealed = given["seal_key_file"] is not None
    options = JoinOptions(given.pop("web_join_files"), public=public, sealed=sealed)
    return options if is_on else None


def command(
    run: Callable[[Options], None],
    top: Callable[[TopOptions], None] = lambda _: None,
    decode: Callable[[DecodeOptions], None] = lambda _: None,
) -> click.Group:
    """Return the command that reads the flags and calls ``run``, ``top`` or ``decode``."""

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
        type=Size(4096, _MOST),
        default="4MiB",
        show_default=True,
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
        "web.config.file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Web configuration file with TLS, passwords and HTTP headers, as in other exporters. "
        "Read again when it changes.",
    )
    @flag(
        "seal.key-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Key file made by keygen, to open sealed reports. Read again on SIGHUP.",
    )
    @flag(
        "require-sealed",
        is_flag=True,
        help="Refuse all reports that are not sealed.",
    )
    @flag(
        "state.file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="File in which the exporter remembers its hosts over a restart.",
    )
    @flag(
        "cluster.name",
        default="",
        metavar="NAME",
        callback=_cluster_name,
        help="Name of the exporters that share a fleet, the same at each of them. "
        "It is shown, and is in pombo_exporter_cluster_info.",
    )
    @_url_flags("notify", "to which notifications are posted, in the JSON of Alertmanager")
    @flag(
        "notify.for",
        type=Duration(0, 86400),
        default="30s",
        show_default=True,
        help="How long a problem must last before it is announced, and be over before its end is.",
    )
    @_url_flags("heartbeat", "that is called by GET while the exporter lives")
    @flag(
        "heartbeat.interval",
        type=Duration(1, 86400),
        default="1m",
        show_default=True,
        help="Time between heartbeats.",
    )
    @flag(
        "host.forget-after",
        type=Duration(),
        default="1h",
        show_default=True,
        help="How long a host may be down before it is forgotten.",
    )
    @flag(
        "host.down-after",
        type=click.IntRange(LATE_AFTER + 1, 1000),
        default=DOWN_AFTER,
        show_default=True,
        help="Intervals without a report after which a host is down. More of them suit a network "
        "that loses much.",
    )
    @_limit(
        "hosts",
        10_000,
        "Maximum number of hosts. Reports from more hosts are refused.",
    )
    @_limit(
        "series-per-host",
        50_000,
        "Maximum number of series per host. Reports that would add more are refused.",
    )
    @flag(
        "limit.bytes",
        type=Size(2**20),
        default=default_limit,
        show_default="half of the memory minus 48MiB",
        help="Maximum memory for reports. Reports that would need more are refused.",
    )
    @_limit(
        "families",
        10_000,
        "Maximum number of metric families that are not built in, of all hosts together.",
    )
    @_limit(
        "layouts",
        1_000_000,
        "Maximum number of different section layouts of all hosts. Hosts of one kind share them.",
    )
    @_limit(
        "posts-per-second",
        POSTS_PER_SECOND,
        "Maximum number of requests to /report per second from one address.",
    )
    @flag(
        "web.families",
        type=_Families(),
        default=",".join(VOCABULARIES),
        show_default=True,
        help="Which metric families of hosts to serve: host (host_*), node (node_*), or both.",
    )
    @flag(
        "web.external-url",
        type=_Parsed("URL", external_url),
        help="URL under which others reach the exporter, for example through a reverse proxy.",
    )
    @flag(
        "web.route-prefix",
        type=_Parsed("path", path_prefix),
        help="Prefix of all paths. Defaults to the path of --web.external-url.",
    )
    @flag(
        "web.grafana-url",
        type=_Parsed("URL", _link),
        help="URL of Grafana, which the status page links to: to the bundled dashboards.",
    )
    @flag(
        "web.prometheus-url",
        type=_Parsed("URL", _link),
        help="URL of Prometheus, which the status page links to.",
    )
    @switch(
        "web.join",
        default=True,
        show_default="on",
        help="Serve /join, which new hosts install the agent from.",
    )
    @flag(
        "web.join-files",
        type=click.Path(file_okay=False, path_type=Path),
        default=lambda: FOLDER if FOLDER.is_dir() else None,
        show_default=f"{FOLDER}, if it exists",
        help="Folder with the one-file agents that /join serves.",
    )
    @flag(
        "web.join-public",
        is_flag=True,
        help="Serve /join to those without a password, too. It shows nothing of the hosts.",
    )
    @flag(
        "web.history",
        type=Duration(0, _MOST_HISTORY),
        default="1h",
        show_default=True,
        help="How long the curves of a host go back, with two points a minute: its mean and "
        "maximum. With 0 they go back five minutes.",
    )
    @flag(
        "web.max-requests",
        type=click.IntRange(0, _MOST),
        default=40,
        show_default=True,
        help="Maximum number of parallel scrapes and other long answers. Use 0 to disable.",
    )
    @flag(
        "web.max-connections",
        type=click.IntRange(1, _MOST),
        default=512,
        show_default=True,
        help="Maximum number of simultaneous connections.",
    )
    @flag(
        "web.enable-admin-api",
        is_flag=True,
        help="Enable DELETE /api/v1/hosts/HOST, which forgets a host.",
    )
    @_threshold_flags
    @config_flag("/etc/pombo/exporter.yml")
    @log_flags
    @click.version_option(__version__, prog_name="pombo-exporter")
    def pombo_exporter(
        *,
        web_families: frozenset[str],
        web_enable_admin_api: bool,
        limit_posts_per_second: int,
        **rest: Any,
    ) -> None:
        """Receive the reports of Pombo's agents and serve them to Prometheus."""
        if click.get_current_context().invoked_subcommand:
            return
        if rest["require_sealed"] and rest["seal_key_file"] is None:
            raise click.UsageError("--require-sealed needs --seal.key-file")
        limits = Limits(
            hosts=rest.pop("limit_hosts"),
            series_per_host=rest.pop("limit_series_per_host"),
            bytes=rest.pop("limit_bytes"),
            families=rest.pop("limit_families"),
            layouts=rest.pop("limit_layouts"),
            forget_after=rest.pop("host_forget_after"),
            down_after=rest.pop("host_down_after"),
        )
        notify = NotifyFlags(
            receivers=rest.pop("notify_url") + rest.pop("notify_url_file"),
            hold=rest.pop("notify_for"),
            heartbeats=rest.pop("heartbeat_url") + rest.pop("heartbeat_url_file"),
            interval=rest.pop("heartbeat_interval"),
        )
        thresholds = {check.id: rest.pop(f"threshold_{check.id}") for check in CHECKS}
        external, prefix = rest.pop("web_external_url"), rest.pop("web_route_prefix")
        if prefix is None:
            prefix = external.path if external else ""
        run(
            Options(
                limits=limits,
                notify=notify,
                thresholds=thresholds,
                families=web_families,
                admin_api=web_enable_admin_api,
                posts_per_second=limit_posts_per_second,
                base=Base(prefix, external),
                joining=_joining(rest),
                header_links=HeaderLinks(
                    rest.pop("web_grafana_url") or "", rest.pop("web_prometheus_url") or ""
                ),
                max_requests=rest.pop("web_max_requests"),
                max_connections=rest.pop("web_max_connections"),
                history=rest.pop("web_history"),
                **rest,
            )
        )

    pombo_exporter.add_command(top_command(top))
    pombo_exporter.add_command(decode_command(decode))
    pombo_exporter.add_command(keygen)
    pombo_exporter.add_command(enroll)
    return pombo_exporter
