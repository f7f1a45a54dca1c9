"""The exporter's flags: each has an environment variable, and errors name the invalid value."""

from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pombo_cli.flags import Address
from pombo_exporter.hosts import severity
from pombo_exporter.hosts.limits import Limits
from pombo_exporter.hosts.severity import Thresholds
from pombo_exporter.notify.flags import NotifyFlags
from pombo_exporter.notify.targets import Source
from pombo_exporter.options import Options, command
from pombo_exporter.runtime.memory import default_limit
from pombo_exporter.top.options import TopOptions
from pombo_exporter.top.table import SortKey
from pombo_exporter.web.assets import HeaderLinks
from pombo_exporter.web.base import Base, ExternalUrl
from pombo_exporter.web.join import JoinOptions

EXTERNAL = ExternalUrl("https", "example.org", "example.org", "/pombo")

URL = "https://user:secret@example.org/secret?a=b"

DEFAULTS = Options(
    udp_listen_address=Address("::", 5005),
    udp_receive_buffer=4 * 2**20,
    web_listen_address=Address("::", 5005),
    families=frozenset({"host", "node"}),
    admin_api=False,
    posts_per_second=1000,
    base=Base(),
    joining=JoinOptions(),
    cluster_name="",
    header_links=HeaderLinks(),
    max_requests=40,
    max_connections=512,
    history=3600.0,
    web_config_file=None,
    seal_key_file=None,
    require_sealed=False,
    state_file=None,
    limits=Limits(
        hosts=10_000,
        series_per_host=50_000,
        forget_after=3600.0,
        bytes=default_limit(),
        families=10_000,
        layouts=1_000_000,
    ),
    notify=NotifyFlags(),
    thresholds=severity.DEFAULTS,
    log_level="info",
    log_format="logfmt",
)


def threshold(name: str, warning: float, critical: float) -> dict[str, Any]:
    """Return the options with other thresholds of a check."""
    return {"thresholds": {**severity.DEFAULTS, name: Thresholds(warning, critical)}}


#: Each flag, a value for it, and the options that it changes.
FLAGS: list[tuple[str, str, dict[str, Any]]] = [
    ("udp.listen-address", "127.0.0.1:0", {"udp_listen_address": Address("127.0.0.1", 0)}),
    ("udp.receive-buffer", "65536", {"udp_receive_buffer": 65_536}),
    ("udp.receive-buffer", "8MiB", {"udp_receive_buffer": 8 * 2**20}),
    ("web.listen-address", "[::1]:80", {"web_listen_address": Address("::1", 80)}),
    ("web.config.file", "web.yml", {"web_config_file": Path("web.yml")}),
    (
        "seal.key-file",
        "keys",
        {"seal_key_file": Path("keys"), "joining": JoinOptions(sealed=True)},
    ),
    ("web.history", "90m", {"history": 5400.0}),
    ("web.history", "0", {"history": 0.0}),
    ("web.join-files", "agents", {"joining": JoinOptions(Path("agents"))}),
    ("state.file", "hosts", {"state_file": Path("hosts")}),
    ("cluster.name", "Berlin 2", {"cluster_name": "Berlin 2"}),
    ("host.forget-after", "1h30m", {"limits": replace(DEFAULTS.limits, forget_after=5400.0)}),
    ("host.down-after", "12", {"limits": replace(DEFAULTS.limits, down_after=12)}),
    ("limit.hosts", "7", {"limits": replace(DEFAULTS.limits, hosts=7)}),
    ("limit.series-per-host", "7", {"limits": replace(DEFAULTS.limits, series_per_host=7)}),
    ("limit.bytes", "128MiB", {"limits": replace(DEFAULTS.limits, bytes=128 * 2**20)}),
    ("limit.families", "7", {"limits": replace(DEFAULTS.limits, families=7)}),
    ("limit.layouts", "7", {"limits": replace(DEFAULTS.limits, layouts=7)}),
    ("limit.posts-per-second", "7", {"posts_per_second": 7}),
    ("threshold.disk", "80%,95%", threshold("disk", 0.8, 0.95)),
    ("threshold.disk", "0.8, 0.95", threshold("disk", 0.8, 0.95)),
    ("threshold.disk", "92.5%,off", threshold("disk", 0.925, inf)),
    ("threshold.inodes", "off,99%", threshold("inodes", inf, 0.99)),
    ("threshold.memory", "off", threshold("memory", inf, inf)),
    ("threshold.swap", "50%,50%", threshold("swap", 0.5, 0.5)),
    ("threshold.loss", "10%,off", threshold("loss", 0.1, inf)),
    ("threshold.clock", "500ms,1m", threshold("clock", 0.5, 60.0)),
    ("threshold.temperature", "90%,105%", threshold("temperature", 0.9, 1.05)),
    ("threshold.device-errors", "off,1", threshold("device_errors", inf, 1)),
    ("threshold.collectors", "2,5", threshold("collectors", 2, 5)),
    ("threshold.services", "1,3", threshold("services", 1, 3)),
    ("web.families", "host", {"families": frozenset({"host"})}),
    ("web.families", " node", {"families": frozenset({"node"})}),
    ("web.families", "node, host", {}),
    ("web.external-url", "https://example.org/pombo/", {"base": Base("/pombo", EXTERNAL)}),
    ("web.route-prefix", "pombo", {"base": Base("/pombo")}),
    (
        "web.grafana-url",
        "https://example.org/grafana/",
        {"header_links": HeaderLinks(grafana="https://example.org/grafana")},
    ),
    (
        "web.prometheus-url",
        "http://[2001:db8::1]:9090",
        {"header_links": HeaderLinks(prometheus="http://[2001:db8::1]:9090")},
    ),
    ("web.max-requests", "0", {"max_requests": 0}),
    ("web.max-connections", "7", {"max_connections": 7}),
    ("notify.url", URL, {"notify": NotifyFlags(receivers=(Source(URL),))}),
    ("notify.url-file", "hook", {"notify": NotifyFlags(receivers=(Source(path=Path("hook")),))}),
    ("notify.for", "0s", {"notify": NotifyFlags(hold=0.0)}),
    ("heartbeat.url", URL, {"notify": NotifyFlags(heartbeats=(Source(URL),))}),
    (
        "heartbeat.url-file",
        "ping",
        {"notify": NotifyFlags(heartbeats=(Source(path=Path("ping")),))},
    ),
    ("heartbeat.interval", "5m", {"notify": NotifyFlags(interval=300.0)}),
    ("log.level", "debug", {"log_level": "debug"}),
    ("log.format", "json", {"log_format": "json"}),
]

INVALID = [
    ("udp.listen-address", "::1:5005"),
    ("udp.listen-address", "localhost:65536"),
    ("udp.receive-buffer", "1"),
    ("udp.receive-buffer", "4 MiB"),
    ("udp.receive-buffer", "4MB"),
    ("web.listen-address", "a b"),
    ("cluster.name", " a"),
    ("cluster.name", "a" * 65),
    ("host.forget-after", "3600"),
    ("web.history", "2d"),
    ("host.forget-after", "1 h"),
    ("host.down-after", "2"),
    ("limit.hosts", "0"),
    ("limit.series-per-host", "-1"),
    ("limit.bytes", "0"),
    ("limit.bytes", "half"),
    ("limit.families", "0"),
    ("limit.layouts", "0"),
    ("limit.posts-per-second", "0"),
    ("threshold.disk", "90%"),
    ("threshold.disk", "97%,90%"),
    ("threshold.disk", "0,1"),
    ("threshold.disk", "-1,1"),
    ("threshold.disk", "a,b"),
    ("threshold.disk", "80%,90%,95%"),
    ("threshold.clock", "5,10"),
    ("threshold.clock", "0s,1s"),
    ("threshold.services", "50%,90%"),
    ("web.families", "hosts"),
    ("web.families", "host,"),
    ("web.families", "host node"),
    ("web.external-url", "example.org/pombo"),
    ("web.grafana-url", "example.org"),
    ("web.grafana-url", "javascript:alert(1)"),
    ("web.prometheus-url", 'http://example.org/"><script>'),
    ("web.external-url", "http://example.org:x/"),
    ("web.external-url", "'http://example.org/'"),
    ("web.external-url", "http://example.org/?x"),
    ("web.external-url", "http://example.org/a b"),
    ("web.route-prefix", "/{x}"),
    ("web.route-prefix", "/a//b"),
    ("web.route-prefix", "/a/../b"),
    ("web.max-requests", "-1"),
    ("web.max-connections", "0"),
    ("notify.for", "30"),
    ("heartbeat.interval", "0s"),
    ("log.level", "loud"),
    ("log.format", "xml"),
]


def call(*arguments: str, **variables: str) -> tuple[list[Options], Result]:
    """Return the options that the command would run with, and its result."""
    ran: list[Options] = []
    return ran, CliRunner().invoke(command(ran.append), arguments, env=variables)


def variable(flag: str) -> str:
    return "POMBO_" + flag.replace(".", "_").replace("-", "_").upper()


def test_no_flag_is_required() -> None:
    ran, result = call()
    assert (ran, result.exit_code) == ([DEFAULTS], 0)


@pytest.mark.parametrize(("flag", "value", "changes"), FLAGS)
def test_flag_and_its_variable_change_the_same_option(
    flag: str, value: str, changes: dict[str, Any]
) -> None:
    assert call(f"--{flag}={value}")[0] == [replace(DEFAULTS, **changes)]
    assert call(**{variable(flag): value})[0] == [replace(DEFAULTS, **changes)]


def test_hosts_can_be_forgotten_over_the_web_only_if_that_is_enabled() -> None:
    allowed = replace(DEFAULTS, admin_api=True)
    assert call("--web.enable-admin-api")[0] == [allowed]
    assert call(POMBO_WEB_ENABLE_ADMIN_API="true")[0] == [allowed]


def test_joining_can_be_off_or_open_to_all() -> None:
    assert call("--no-web.join")[0] == [replace(DEFAULTS, joining=None)]
    assert call(POMBO_WEB_JOIN="false")[0] == [replace(DEFAULTS, joining=None)]
    public = replace(DEFAULTS, joining=JoinOptions(public=True))
    assert call("--web.join-public")[0] == [public]
    assert call(POMBO_WEB_JOIN_PUBLIC="true")[0] == [public]


def test_prefix_is_that_of_the_external_url_unless_it_is_given() -> None:
    url = "--web.external-url=https://example.org/pombo"
    assert call(url)[0][0].base == Base("/pombo", EXTERNAL)
    assert call(url, "--web.route-prefix=/")[0][0].base == Base("", EXTERNAL)
    assert call(url, "--web.route-prefix=/a/b/")[0][0].base == Base("/a/b", EXTERNAL)


def test_flag_overrides_its_variable() -> None:
    ran, _ = call("--limit.hosts=1", POMBO_LIMIT_HOSTS="2")
    assert ran[0].limits.hosts == 1


def test_every_flag_is_tested_here() -> None:
    switches = {"web.enable-admin-api", "config.file", "require-sealed"}
    switches |= {"web.join", "web.join-public"}
    tested = {flag for flag, *_ in FLAGS} | switches
    flags = [opt for parameter in command(print).params for opt in parameter.opts]
    assert {flag.removeprefix("--") for flag in flags} == tested | {"version"}


def test_help_names_every_flag_and_its_variable() -> None:
    _, result = call("--help")
    assert result.exit_code == 0
    for flag, *_ in FLAGS:
        assert f"--{flag}" in result.output
        assert variable(flag) in result.output


@pytest.mark.parametrize(("flag", "value"), INVALID)
def test_invalid_value_is_named_and_ends_with_2(flag: str, value: str) -> None:
    for ran, result in (call(f"--{flag}={value}"), call(**{variable(flag): value})):
        assert (ran, result.exit_code) == ([], 2)
        assert value in result.stderr
        assert flag in result.stderr or variable(flag) in result.stderr


@pytest.mark.parametrize("flag", ["notify.url", "heartbeat.url"])
def test_invalid_url_of_a_receiver_is_not_shown_since_it_may_hold_a_secret(flag: str) -> None:
    value = "htps://example.org/secret"
    for ran, result in (call(f"--{flag}={value}"), call(**{variable(flag): value})):
        assert (ran, result.exit_code) == ([], 2)
        assert flag in result.stderr
        assert "it is no URL of http or https" in " ".join(result.stderr.split())
        assert "secret" not in result.stderr


def test_urls_of_receivers_may_be_repeated() -> None:
    receivers = (Source("http://a/"), Source("http://b/"), Source(path=Path("c")))
    found = replace(DEFAULTS, notify=NotifyFlags(receivers=receivers))
    flags = ("--notify.url=http://a/", "--notify.url-file=c", "--notify.url=http://b/")
    assert call(*flags)[0] == [found]
    assert call(POMBO_NOTIFY_URL="http://a/ http://b/", POMBO_NOTIFY_URL_FILE="c")[0] == [found]


def test_unknown_vocabulary_is_named_with_those_that_exist() -> None:
    _, result = call("--web.families=host,nodes")
    assert "'host,nodes' has 'nodes', which is not a vocabulary: write host or node" in " ".join(
        result.stderr.split()
    )


def test_thresholds_that_are_no_pair_are_named_with_an_example() -> None:
    for value, text in (
        ("90%", "'90%' is no pair of thresholds: write 90%,97%, or off"),
        ("97%,90%", "'97%,90%': the warning is above critical: write 90%,97%"),
    ):
        assert text in " ".join(call(f"--threshold.disk={value}")[1].stderr.split())


def test_thresholds_may_be_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "exporter.yml"
    path.write_text('threshold.disk: 80%,95%\nthreshold.swap: "off"\n', "utf-8")
    [ran] = call(f"--config.file={path}")[0]
    assert ran.thresholds["disk"] == (0.8, 0.95)
    assert ran.thresholds["swap"] == (inf, inf)


def test_file_has_flags_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "exporter.yml"
    path.write_text("limit.hosts: 7\nweb.families: host\nhost.forget-after: 2h\n", "utf-8")
    ran, _ = call(f"--config.file={path}")
    limits = replace(DEFAULTS.limits, hosts=7, forget_after=7200.0)
    assert ran == [replace(DEFAULTS, limits=limits, families=frozenset({"host"}))]
    assert call(f"--config.file={path}", "--limit.hosts=8")[0][0].limits.hosts == 8


def test_subcommands_have_no_flags_in_the_file(tmp_path: Path) -> None:
    assert top(POMBO_CONFIG_FILE=str(tmp_path / "absent.yml"))[1].exit_code == 2
    path = tmp_path / "exporter.yml"
    path.write_text("limit.hosts: 7\n", "utf-8")
    assert top(POMBO_CONFIG_FILE=str(path))[0] == [LOCAL]


def test_unknown_flag_ends_with_2() -> None:
    ran, result = call("--limit.host=1")
    assert (ran, result.exit_code) == ([], 2)
    assert "--limit.host" in result.stderr


# --- top ---


def top(*arguments: str, **variables: str) -> tuple[list[TopOptions], Result]:
    """Return the options that ``top`` would run with; the exporter itself does not run."""
    ran: list[Options] = []
    shown: list[TopOptions] = []
    built = command(ran.append, shown.append)
    result = CliRunner().invoke(built, ["top", *arguments], env=variables)
    assert ran == []
    return shown, result


LOCAL = TopOptions(
    "http://localhost:5005", once=False, interval=2.0, sort=SortKey.TROUBLE, filter=""
)


def test_top_reads_the_local_exporter_by_default() -> None:
    assert top()[0] == [LOCAL]
    for url in ("http://there:80", "http://there:80/", "there:80"):
        assert top(url)[0] == [replace(LOCAL, url="http://there:80")]
    assert top("https://there/pombo/")[0] == [replace(LOCAL, url="https://there/pombo")]


@pytest.mark.parametrize(
    ("flag", "value", "changes"),
    [
        ("once", "true", {"once": True}),
        ("interval", "500ms", {"interval": 0.5}),
        ("sort", "cpu", {"sort": SortKey.CPU}),
        ("filter", "rack=7", {"filter": "rack=7"}),
    ],
)
def test_flag_of_top_and_its_variable_change_the_same_option(
    flag: str, value: str, changes: dict[str, Any]
) -> None:
    given = f"--{flag}" if value == "true" else f"--{flag}={value}"
    assert top(given)[0] == [replace(LOCAL, **changes)]
    assert top(**{f"POMBO_TOP_{flag.upper()}": value})[0] == [replace(LOCAL, **changes)]


def test_top_ignores_the_agents_variable_for_the_interval() -> None:
    assert top(POMBO_INTERVAL="1m")[0] == [LOCAL]


@pytest.mark.parametrize(
    "argument",
    [
        *("ftp://there", "http://", "http://there:x", "--interval=0s", "--sort=size"),
        *("--filter=cpu>", "--filter=state:dwn"),
    ],
)
def test_invalid_argument_of_top_ends_with_2(argument: str) -> None:
    shown, result = top(argument)
    assert (shown, result.exit_code) == ([], 2)
    assert argument.rpartition("=")[2] in result.stderr
