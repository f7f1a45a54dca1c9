"""Reports over HTTP: real agents and exporters, with TLS, proxies and servers that fail."""

import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import DNSName
from pombo_wire.reading import read
from support.certificates import Authority, password_hash
from support.forward_proxies import Proxy
from support.fronts import (
    Behaviour,
    Front,
    answers,
    drops,
    drops_answer,
    hangs,
    passes,
    server_tls,
)
from support.pages import Page, wait_until
from support.processes import BIN, ROOT, Exporter, Launcher, Process, found
from support.relays import Counts, expected_counts

NAME = "pi"
COUNTERS = ("received", "lost", "duplicate", "reordered")


@pytest.fixture
def front() -> Iterator[Callable[..., Front]]:
    opened: list[Front] = []

    def start(exporter: Exporter, behaviour: Behaviour = passes, **options: Any) -> Front:
        opened.append(Front(behaviour, forwards_to=exporter.target, **options))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


MakeFront = Callable[..., Front]


def printed(*arguments: str | Path) -> str:
    """Return what a subcommand of the exporter prints."""
    command = [BIN / "pombo-exporter", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def is_up(page: Page) -> bool:
    return page.value("pombo_host_up", instance=NAME) == 1


def counts(page: Page) -> Counts | None:
    """Return the exporter's counters of the host's datagrams, None before the first one."""
    names = [f"pombo_host_datagrams_{name}_total" for name in COUNTERS]
    values = [page.value(name, instance=NAME) for name in names]
    known = [int(value) for value in values if value is not None]
    return Counts(*known) if known else None


def received(page: Page) -> int:
    """Return how many datagrams of the host the exporter has received."""
    known = counts(page)
    return known.received if known else 0


class Keys:
    """The key file of an exporter, and the key of the host."""

    def __init__(self, folder: Path) -> None:
        self.fleet, self.host = folder / "keys", folder / "host.key"
        printed("keygen", self.fleet)
        line = printed("enroll", NAME, f"--seal.key-file={self.fleet}", "--format=key")
        self.host.touch(mode=0o600)
        self.host.write_text(line)

    @property
    def of_exporter(self) -> str:
        return f"--seal.key-file={self.fleet}"

    @property
    def of_agent(self) -> str:
        return f"--key-file={self.host}"


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


def url_of(exporter: Exporter) -> str:
    return f"http://{exporter.target}"


def agent(start: Launcher, *servers: str, flags: tuple[str, ...] = ()) -> Process:
    name = [] if any(each.startswith("--key-file=") for each in flags) else [f"--name={NAME}"]
    to = [f"--server={server}" for server in servers]
    return start.program(str(BIN / "pombo-agent"), *to, *name, "--interval=500ms", *flags)


def reported(agent: Process) -> None:
    """Wait until the agent is heard."""
    wait_until(lambda: agent.log, lambda log: "exporter answers" in log, "the agent to be heard")


# --- without faults ---


@pytest.mark.parametrize("wire", ["packed", "json"])
def test_agent_reports_over_http_and_says_bye(start: Launcher, wire: str) -> None:
    exporter = start.exporter()
    reporting = agent(start, url_of(exporter), flags=(f"--wire={wire}",))
    page = wait_until(
        exporter.page,
        lambda page: page.names(instance=NAME) >= {"host_cpu_average_usage_ratio"},
        "rates",
    )
    assert is_up(page)
    found = counts(page)
    assert found is not None
    assert (found.lost, found.duplicate, found.reordered) == (0, 0, 0)
    answered = page.value("pombo_exporter_report_requests_total", code="200")
    assert answered is not None
    assert answered > 1
    assert reporting.log.count("exporter answers") == 1
    began = time.monotonic()
    assert reporting.end() == 0
    assert time.monotonic() - began < 3
    assert exporter.page().value("pombo_host_up", instance=NAME) is None, "it said bye"
    assert "answer" not in reporting.log.split("exporter answers", 1)[1]


def test_sealed_agent_is_heard_by_acknowledgements_in_the_answers(
    start: Launcher, keys: Keys
) -> None:
    exporter = start.exporter(keys.of_exporter, "--require-sealed")
    reporting = agent(start, url_of(exporter), flags=(keys.of_agent,))
    reported(reporting)
    assert f"server=http://{exporter.target}/report heard_from=127.0.0.1:" in reporting.log
    wait_until(exporter.page, is_up, "the host")
    page = wait_until(exporter.page, lambda page: received(page) > 3, "reports")
    for reason in ("unproven", "conflict", "replayed", "not_sealed"):
        assert page.value("pombo_exporter_datagrams_refused_total", reason=reason) == 0
    assert reporting.end() == 0
    assert exporter.page().value("pombo_host_up", instance=NAME) is None, "it said bye"


def test_agent_reports_over_udp_and_http_at_once(start: Launcher, keys: Keys) -> None:
    one, other = start.exporter(keys.of_exporter), start.exporter(keys.of_exporter)
    reporting = agent(start, one.target, url_of(other), flags=(keys.of_agent,))
    for exporter in (one, other):
        wait_until(exporter.page, is_up, "the host")
    wait_until(lambda: reporting.log.count("exporter answers"), lambda count: count == 2, "both")
    assert one.counted("pombo_exporter_report_requests_total", code="200") == 0


@pytest.mark.slow  # until it has passed in whole runs: see Connections.give_way
def test_more_agents_than_connections_lose_no_report(start: Launcher) -> None:
    exporter = start.exporter("--web.max-connections=3")
    names = [f"host-{number}" for number in range(6)]
    for name in names:
        start.agent(name, url_of(exporter), interval="1s")

    def least_received() -> float:
        page = exporter.page()
        found = [page.value("pombo_host_datagrams_received_total", instance=name) for name in names]
        return min(each or 0 for each in found)

    wait_until(least_received, lambda count: count > 6, "reports of each", within=30)
    page = exporter.page()
    for name in names:
        assert page.value("pombo_host_datagrams_lost_total", instance=name) == 0


def test_only_an_agent_that_reports_over_http_loads_tls(start: Launcher) -> None:
    exporter = start.exporter()
    loads = {}
    for server in (exporter.target, url_of(exporter)):
        reporting = agent(start, server)
        wait_until(exporter.page, is_up, "the host")
        loads[server] = "libssl" in Path(f"/proc/{reporting.pid}/maps").read_text()
        reporting.end()
        wait_until(exporter.page, lambda page: not is_up(page), "the bye")
    assert loads == {exporter.target: False, url_of(exporter): True}


def checked(server: str, *flags: str) -> "subprocess.CompletedProcess[str]":
    command = [str(BIN / "pombo-agent"), "check", f"--server={server}", "--timeout=5s", *flags]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_check_asks_over_http_and_changes_nothing(
    start: Launcher, keys: Keys, front: MakeFront, tmp_path: Path
) -> None:
    exporter = start.exporter(keys.of_exporter)
    heard = checked(url_of(exporter), keys.of_agent)
    assert heard.returncode == 0, heard.stderr
    assert f"http://{exporter.target}/report\n" in heard.stdout
    assert f"hears '{NAME}' as 127.0.0.1:" in heard.stdout
    assert exporter.page().value("pombo_host_up", instance=NAME) is None
    (tmp_path / "other").mkdir()
    unknown = checked(url_of(exporter), Keys(tmp_path / "other").of_agent)
    assert unknown.returncode == 1
    assert "no acknowledgement for 'pi': check that the exporter has the key" in one_line(unknown)
    refusing = checked(front(exporter, answers(404)).url, keys.of_agent)
    assert refusing.returncode == 1
    assert "404 Not Found: check the path" in one_line(refusing)
    nobody = checked("http://127.0.0.1:1", keys.of_agent)
    assert nobody.returncode == 1
    assert re.search(r"✗ answer +Connection refused\n", nobody.stdout)
    assert "curl --verbose --output /dev/null http://127.0.0.1:1/" in nobody.stdout


def one_line(done: "subprocess.CompletedProcess[str]") -> str:
    """Return what a check has printed, without the ends of lines."""
    return " ".join(done.stdout.split())


def test_check_of_plain_reports_over_http_asks_the_api(start: Launcher) -> None:
    exporter = start.exporter()
    agent(start, url_of(exporter))
    wait_until(exporter.page, is_up, "the host")
    live = checked(url_of(exporter), f"--name={NAME}")
    assert live.returncode == 0, live.stdout
    assert f"shows {NAME} as live, last report" in one_line(live)
    nobody = checked("http://127.0.0.1:1", f"--name={NAME}")
    assert nobody.returncode == 1
    assert "the exporter cannot be asked: Connection refused" in one_line(nobody)


def test_example_with_curl_reports_a_gauge(start: Launcher) -> None:
    document = (ROOT / "docs/wire.md").read_text("utf-8")
    [line] = re.findall(r"^curl .*/report$", document, re.MULTILINE)
    found("curl")
    exporter = start.exporter()
    command = line.replace("HOST:5005", exporter.target)
    subprocess.run(command, shell=True, check=True, timeout=30)
    assert exporter.page().value("room_temperature_celsius", instance=NAME) == 21.5


# --- TLS, passwords, proxies ---


@pytest.mark.parametrize("is_sealed", [False, True], ids=["plain", "sealed"])
def test_agent_reports_over_https_with_certificate_and_password(
    start: Launcher,
    keys: Keys,
    front: MakeFront,
    tmp_path: Path,
    is_sealed: bool,  # noqa: FBT001
) -> None:
    authority, clients = Authority(tmp_path), Authority(tmp_path, "clients")
    server, client = authority.issue("server", ip="127.0.0.1"), clients.issue("client")
    password = tmp_path / "password"
    password.write_text("s3cret\n")
    for secret in (password, client.key):
        secret.chmod(0o600)
    exporter = start.exporter(keys.of_exporter)
    tls = server_tls(server.certificate, server.key, clients.path)
    terminating = front(exporter, tls=tls, password="pi:s3cret")
    flags = (
        f"--http.ca-file={authority.path}",
        f"--http.cert-file={client.certificate}",
        f"--http.key-file={client.key}",
        "--http.username=pi",
        f"--http.password-file={password}",
        *([keys.of_agent] if is_sealed else []),
    )
    reporting = agent(start, terminating.url, flags=flags)
    wait_until(exporter.page, is_up, "the host")
    reported(reporting)
    wait_until(lambda: len(terminating.requests), lambda count: count > 3, "reports")
    assert len(terminating.connections) == 1
    process = Path(f"/proc/{reporting.pid}")
    for shown in (process / "cmdline", process / "environ"):
        assert b"s3cret" not in shown.read_bytes()
    if is_sealed:
        heard = checked(terminating.url, *flags)
        assert heard.returncode == 0, heard.stdout
        unknown = checked(terminating.url, keys.of_agent)
        assert unknown.returncode == 1
        assert "certificate verify failed" in unknown.stdout or "issuer" in unknown.stdout


@pytest.mark.parametrize("by", ["flag", "variable"])
def test_agent_reports_through_a_proxy_with_connect(
    by: str, start: Launcher, front: MakeFront, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    server = authority.issue("server", DNSName("exporter.test"))
    exporter = start.exporter()
    terminating = front(exporter, tls=server_tls(server.certificate, server.key))
    proxy = Proxy({"exporter.test:8443": terminating.port})
    flags = [f"--http.ca-file={authority.path}", f"--name={NAME}", "--interval=500ms"]
    env = {"HTTPS_PROXY": proxy.url, "NO_PROXY": "other.test"} if by == "variable" else {}
    if by == "flag":
        flags.append(f"--http.proxy-url={proxy.url}")
    reporting = start.program(
        str(BIN / "pombo-agent"), "--server=https://exporter.test:8443", *flags, env=env
    )
    wait_until(exporter.page, is_up, "the host")
    reported(reporting)
    assert reporting.end() == 0
    assert set(proxy.asked) == {"CONNECT exporter.test:8443 HTTP/1.1"}
    proxy.close()


# --- faults ---


def test_agent_is_heard_again_after_its_exporter_was_killed(start: Launcher, keys: Keys) -> None:
    exporter = start.exporter(keys.of_exporter)
    reporting = agent(start, url_of(exporter), flags=(keys.of_agent,))
    reported(reporting)
    exporter.kill()
    wait_until(lambda: reporting.log, lambda log: "does not answer" in log, "a line")
    again = start.exporter(keys.of_exporter, port=exporter.port)
    wait_until(again.page, is_up, "the host")
    wait_until(lambda: reporting.log, lambda log: "answers again" in log, "a line")
    for message in ('"exporter answers"', '"exporter does not answer"', '"exporter answers again"'):
        assert reporting.log.count(message) == 1
    line = next(line for line in reporting.log.splitlines() if "does not answer" in line)
    assert "cause=" in line


def test_server_that_hangs_delays_neither_other_servers_nor_the_end(
    start: Launcher, front: MakeFront
) -> None:
    exporter = start.exporter()
    hanging = [front(exporter, hangs) for _ in range(2)]
    reporting = agent(start, hanging[0].url, url_of(exporter), hanging[1].url)
    page = wait_until(exporter.page, lambda page: received(page) > 8, "reports of four seconds")
    found = counts(page)
    assert found is not None
    assert found.lost == 0
    assert is_up(page)
    assert "report before is still under way" in reporting.log
    wait_until(lambda: reporting.log, lambda log: "no answer in time" in log, "the cause")
    began = time.monotonic()
    assert reporting.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < 3
    assert exporter.page().value("pombo_host_up", instance=NAME) is None, "it said bye"


def test_agent_waits_as_long_as_a_server_asks(start: Launcher, front: MakeFront) -> None:
    exporter = start.exporter()
    refusing = front(exporter, answers(503, Retry_After="2"))
    reporting = agent(start, refusing.url)
    wait_until(lambda: len(refusing.requests), lambda count: count == 2, "the second attempt")
    refused = [read(datagram).header for datagram in refusing.datagrams]
    assert refused[0].monotonic is not None
    last = refused[-1].monotonic
    assert last is not None
    assert last - refused[0].monotonic >= 2
    refusing.behaviour = passes
    wait_until(exporter.page, is_up, "the host")
    assert 'msg="exporter refuses reports"' in reporting.log
    assert "503 Service Unavailable" in reporting.log
    assert "the server has asked to wait" in reporting.log


@pytest.mark.parametrize(
    "is_sealed", [pytest.param(False, marks=pytest.mark.slow), True], ids=["plain", "sealed"]
)
def test_every_datagram_is_received_once_or_counted_as_lost(
    start: Launcher,
    keys: Keys,
    front: MakeFront,
    is_sealed: bool,  # noqa: FBT001
) -> None:
    exporter = start.exporter(keys.of_exporter)
    faulty = front(exporter)
    flags = (keys.of_agent,) if is_sealed else ("--wire=json",)
    reporting = agent(start, faulty.url, flags=flags)
    wait_until(exporter.page, is_up, "the host")
    for behaviour in (drops_answer, drops, answers(503, Retry_After="1"), drops_answer, passes):
        faulty.behaviour = behaviour
        before = len(faulty.requests)
        wait_until(
            lambda: len(faulty.requests),
            lambda count: count >= before + 4,  # noqa: B023
            "four requests",
            within=30,
        )
    reporting.send_signal(signal.SIGSTOP)  # a bye would remove the host
    sent = [number_of(datagram) for datagram in faulty.datagrams]
    assert len(set(sent)) == len(sent), "a body is never sent twice"

    def truth() -> Counts:
        return expected_counts([number_of(datagram) for datagram in [*faulty.forwarded]])

    wait_until(exporter.page, lambda page: counts(page) == truth(), "the counters to be right")
    assert truth().lost > 5
    assert truth().duplicate == 0
    reporting.send_signal(signal.SIGCONT)


def number_of(datagram: bytes) -> int:
    if datagram[0] == 0xB1:
        return int.from_bytes(datagram[28:34])
    number = read(datagram).header.seq
    assert number is not None
    return number


def test_refused_report_is_logged_with_its_reason(start: Launcher, keys: Keys) -> None:
    exporter = start.exporter(keys.of_exporter, "--require-sealed")
    reporting = agent(start, url_of(exporter))
    wait_until(lambda: reporting.log, lambda log: "exporter refuses reports" in log, "a line")
    line = next(line for line in reporting.log.splitlines() if "refuses" in line)
    assert "cause=not_sealed" in line
    assert "enrol the host" in line
    wait_until(
        lambda: exporter.counted("pombo_exporter_report_requests_total", code="422"),
        lambda count: count > 2,
        "refusals",
    )
    assert reporting.log.count("exporter refuses reports") == 1


@pytest.mark.slow  # a server is probed each 30 seconds
@pytest.mark.parametrize("is_first", [True, False], ids=["first", "second"])
def test_reports_go_to_the_first_server_that_answers(
    start: Launcher,
    keys: Keys,
    is_first: bool,  # noqa: FBT001
) -> None:
    one, other = start.exporter(keys.of_exporter), start.exporter(keys.of_exporter)
    servers = (url_of(one), other.target) if is_first else (one.target, url_of(other))
    reporting = agent(start, *servers, flags=(keys.of_agent, "--server-mode=failover"))
    wait_until(one.page, is_up, "the host")
    assert other.page().value("pombo_host_up", instance=NAME) is None
    one.kill()
    wait_until(other.page, is_up, "the host at the other server", within=30)
    again = start.exporter(keys.of_exporter, port=one.port)
    wait_until(again.page, is_up, "the host at the first server, which is probed", within=60)
    wait_until(
        other.page,
        lambda page: page.value("pombo_host_up", instance=NAME) is None,
        "the bye at the other server",
    )
    assert reporting.log.count("reports go to another exporter") == 2
    assert reporting.end() == 0


def test_agents_report_to_an_exporter_with_tls_and_passwords_of_its_own(
    start: Launcher, keys: Keys, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("server", ip="127.0.0.1")
    config, password = tmp_path / "web.yml", tmp_path / "password"
    config.write_text(
        f"tls_server_config: {{cert_file: {pair.certificate}, key_file: {pair.key}}}\n"
        f"basic_auth_users: {{pi: {password_hash('s3cret')}}}\n"
    )
    password.write_text("s3cret\n")
    password.chmod(0o600)
    flags = keys.of_exporter, f"--web.config.file={config}"
    exporter = start.exporter(*flags, ready=False)
    url, ca = f"https://{exporter.target}", f"--http.ca-file={authority.path}"
    sealed = agent(start, url, flags=(ca, keys.of_agent))
    reported(sealed)
    assert "heard_from=127.0.0.1:" in sealed.log
    user = "--http.username=pi", f"--http.password-file={password}"
    plain = agent(start, url, flags=(ca, *user, "--label=a=b"))
    wait_until(lambda: plain.log, lambda log: "cause=plain_of_sealed" in log, "the refusal")
    without = agent(start, url, flags=(ca, "--label=a=b"))
    wait_until(lambda: without.log, lambda log: "401 Unauthorized" in log, "the refusal")
    assert checked(url, ca, keys.of_agent).returncode == 0
