"""``--web.config.file`` with curl and Prometheus: TLS, passwords, headers, and their changes."""

import json
import re
import signal
import socket
import ssl
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import bcrypt
import pytest
from cryptography import x509
from playwright.sync_api import expect
from pombo_wire import Report, encode
from support.browsers import Tab, chromium
from support.certificates import Authority, Pair, password_hash
from support.pages import wait_until
from support.processes import BIN, ROOT, Exporter, Launcher, found
from support.senders import Sender, steady

TLS = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
MUTUAL = f"{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: clients.crt\n"
HANDSHAKES = 'pombo_exporter_http_requests_refused_total{reason="tls_handshake"}'
DEADLINE = 3.0  # seconds from SIGTERM to the end

_NO_ANSWER = {"35": "handshake", "52": "empty", "56": "cut off", "55": "cut off", "60": "wrong CA"}


class Answer(NamedTuple):
    """What curl got: its exit code, the status, the headers in lower case, the body."""

    code: int
    status: int
    headers: dict[str, str]
    body: str


class Web:
    """A folder with a web configuration file, certificates, and an exporter that uses them."""

    def __init__(self, folder: Path, start: Launcher) -> None:
        self.folder, self._start = folder, start
        self.path = folder / "web.yml"
        self.authority = Authority(folder)
        self.server = self.authority.issue("server", ip="127.0.0.1")
        self.exporter: Exporter

    def write(self, text: str) -> None:
        """Replace the configuration file at once, as a careful program does."""
        new = self.folder / "web.yml.new"
        new.write_text(text)
        new.rename(self.path)

    def run(self, text: str, *flags: str) -> None:
        """Start an exporter with this file, and wait until it serves."""
        self.write(text)
        file = f"--web.config.file={self.path}"
        self.exporter = self._start.exporter(file, *flags, ready=False)
        wait_until(lambda: "exporter listens" in self.exporter.log, bool, "the exporter")

    def curl(self, path: str, *flags: str, scheme: str = "https", ca: str = "ca.crt") -> Answer:
        """Ask the exporter with curl."""
        url = f"{scheme}://{self.exporter.target}{path}"
        command = [found("curl"), "--silent", "--include", "--max-time", "20", *flags, url]
        command += ["--cacert", str(self.folder / ca)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        head, _, body = done.stdout.partition("\n\n")
        first, *lines = head.splitlines() or [""]
        status = re.match(r"HTTP/1\.1 (\d+)", first)
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        return Answer(done.returncode, int(status[1]) if status else 0, headers, body)

    def value(self, name: str, *flags: str) -> float:
        """Return one of the exporter's own samples."""
        body = self.curl("/metrics", *flags).body
        lines = re.findall(rf"(?m)^{re.escape(name)} (\S+)$", body)
        assert len(lines) == 1, f"{name} is {len(lines)} times in:\n{body[:2000]}"
        return float(lines[0])


@pytest.fixture
def web(tmp_path: Path, start: Launcher) -> Web:
    folder = tmp_path / "web"
    folder.mkdir()
    return Web(folder, start)


def user(name: str, password: str) -> str:
    return f"basic_auth_users:\n  {name}: {password_hash(password)}\n"


ALICE = ("--user", "alice:secret")


# --- TLS ---


def test_curl_reads_metrics_over_tls_if_it_knows_the_authority(web: Web) -> None:
    web.run(TLS)
    answer = web.curl("/metrics")
    assert (answer.code, answer.status) == (0, 200)
    assert "pombo_exporter_build_info" in answer.body
    for version in ("1.2", "1.3"):
        assert web.curl("/metrics", f"--tlsv{version}", "--tls-max", version).status == 200
    Authority(web.folder, "stranger")
    assert web.curl("/metrics", ca="stranger.crt").code == 60
    assert web.curl("/metrics", "--tls-max", "1.1").code == 35
    assert web.curl("/metrics", scheme="http").code in (52, 56)
    assert web.value(HANDSHAKES) >= 3
    assert web.exporter.log.count("TLS handshake failed") == 1
    assert "level=error" not in web.exporter.log


def test_client_needs_a_certificate_of_the_authority_with_an_allowed_name(web: Web) -> None:
    clients = Authority(web.folder, "clients")
    dns, mail = x509.DNSName("prometheus.example.org"), x509.RFC822Name("a@example.org")
    pairs = {
        "by name": clients.issue("one", dns),
        "by address": clients.issue("two", ip="192.0.2.7"),
        "of another name": clients.issue("three", mail),
        "without a name": clients.issue("four"),
        "of another authority": web.authority.issue("five", dns),
    }
    web.run(f"{MUTUAL}  client_allowed_sans: [prometheus.example.org, 192.0.2.7]\n")

    def statuses() -> dict[str, int]:
        return {
            kind: web.curl("/-/healthy", *certificate(pair)).status for kind, pair in pairs.items()
        }

    allowed = {"by name": 200, "by address": 200}
    assert statuses() == dict.fromkeys(pairs, 0) | allowed
    assert web.curl("/-/healthy").status == 0
    web.write(MUTUAL)
    expected = dict.fromkeys(pairs, 200) | {"of another authority": 0}
    wait_until(statuses, expected.__eq__, "all names to be allowed")


def certificate(pair: Pair) -> tuple[str, ...]:
    return ("--cert", str(pair.certificate), "--key", str(pair.key))


def test_renewed_certificate_is_used_for_new_connections_and_old_ones_go_on(web: Web) -> None:
    web.run(TLS)
    context = ssl.create_default_context(cafile=web.folder / "ca.crt")
    with (
        socket.create_connection(("127.0.0.1", web.exporter.port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as old,
    ):
        ask(old)
        new = Authority(web.folder, "new").issue("renewed", ip="127.0.0.1")
        (web.folder / "server.crt").write_bytes(new.certificate.read_bytes())
        # Until the key is there as well, the certificate before stays.
        wait_until(
            lambda: web.value("pombo_exporter_web_config_reload_successful"),
            lambda value: value == 0,
            "the certificate without its key",
        )
        assert "web config file not used" in web.exporter.log
        assert "key_file" in web.exporter.log
        (web.folder / "server.key").write_bytes(new.key.read_bytes())
        wait_until(
            lambda: web.curl("/metrics", ca="new.crt").status, lambda status: status == 200, "it"
        )
        assert web.curl("/metrics", ca="ca.crt").code == 60
        ask(old)


def ask(connection: ssl.SSLSocket) -> None:
    """Ask for something on an open connection, which stays open."""
    connection.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
    received = b""
    while b"healthy" not in received:
        some = connection.recv(4096)
        assert some, "the connection has ended"
        received += some


def test_request_in_the_same_packet_as_the_end_of_the_handshake_is_answered(web: Web) -> None:
    web.run(TLS)
    context = ssl.create_default_context(cafile=web.folder / "ca.crt")
    for _ in range(20):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        with socket.create_connection(("127.0.0.1", web.exporter.port), timeout=15) as sock:
            while True:
                try:
                    client.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    sock.sendall(outgoing.read())
                    incoming.write(sock.recv(2**16))
            client.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            sock.sendall(outgoing.read())
            received = b""
            while b"healthy" not in received:
                try:
                    received += client.read(2**16)
                except ssl.SSLWantReadError:
                    incoming.write(sock.recv(2**16))


def test_exporter_ends_in_time_with_half_open_handshakes_and_clients_that_read_nothing(
    web: Web,
) -> None:
    web.run(TLS)
    context = ssl.create_default_context(cafile=web.folder / "ca.crt")
    with ExitStack() as stack:
        for number in range(20):
            plain = socket.create_connection(("127.0.0.1", web.exporter.port), timeout=15)
            client = context.wrap_socket(plain, server_hostname="127.0.0.1")
            ask(stack.enter_context(client))
            if number % 2:
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        for number in range(30):
            sock = stack.enter_context(
                socket.create_connection(("127.0.0.1", web.exporter.port), timeout=15)
            )
            if number % 2:
                sock.sendall(b"\x16\x03\x01\x02\x00")  # the first bytes of a handshake
        assert web.curl("/-/healthy").status == 200
        began = time.monotonic()
        web.exporter.send_signal(signal.SIGTERM)
        wait_until(lambda: web.exporter.runs, lambda runs: not runs, "the end", within=DEADLINE)
        assert web.exporter.ended() == 0
        assert time.monotonic() - began < DEADLINE + 1
    assert "exporter stops" in web.exporter.log
    assert "level=error" not in web.exporter.log


def test_half_open_handshakes_keep_no_client_out(web: Web) -> None:
    web.run(TLS, "--web.max-connections=50")
    with ExitStack() as stack:
        socks = [
            stack.enter_context(
                socket.create_connection(("127.0.0.1", web.exporter.port), timeout=15)
            )
            for _ in range(200)
        ]
        for _ in range(5):
            assert web.curl("/-/healthy").status == 200
        closed = 'pombo_exporter_http_connections_closed_total{reason="limit"}'
        assert web.value(closed) >= 200 - 50
        assert socks[0].recv(1) == b""
    assert web.exporter.log.count("too many connections") == 1


def test_open_connection_takes_less_than_96_kib(web: Web) -> None:
    web.run(TLS)
    context = ssl.create_default_context(cafile=web.folder / "ca.crt")
    with ExitStack() as stack:

        def connect() -> None:
            plain = socket.create_connection(("127.0.0.1", web.exporter.port), timeout=15)
            connection = context.wrap_socket(plain, server_hostname="127.0.0.1")
            ask(stack.enter_context(connection))

        for _ in range(10):
            connect()
        before = web.exporter.resident_bytes
        for _ in range(100):
            connect()
        assert web.exporter.resident_bytes - before < 100 * 96 * 1024


# --- Passwords ---


def test_password_is_needed_except_for_health(web: Web) -> None:
    web.run(user("alice", "secret"))

    def status(path: str, *flags: str) -> int:
        return web.curl(path, *flags, scheme="http").status

    assert status("/metrics", *ALICE) == 200
    assert status("/metrics") == status("/metrics", "--user", "alice:wrong") == 401
    assert status("/metrics", "--user", "bob:secret") == 401
    assert status("/-/healthy") == 200
    assert status("/api/v1/hosts") == 401
    answer = web.curl("/", scheme="http")
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert web.exporter.log.count("wrong user or password") == 1
    assert "secret" not in web.exporter.log


def test_metrics_say_when_the_certificate_expires(web: Web) -> None:
    web.run(TLS)
    expires = web.value("pombo_exporter_web_certificate_expiry_timestamp_seconds")
    assert expires is not None
    assert 0 < expires - time.time() < 2 * 86400


def test_users_are_changed_without_a_restart_and_a_bad_file_changes_nothing(web: Web) -> None:
    web.run(TLS + user("alice", "secret"))
    assert web.curl("/metrics", *ALICE).status == 200
    web.write(TLS + user("alice", "new"))
    new = ("--user", "alice:new")
    wait_until(lambda: web.curl("/metrics", *new).status, lambda found: found == 200, "the change")
    assert web.curl("/metrics", *ALICE).status == 401
    web.write("tls_server_config: [")
    reload_successful = "pombo_exporter_web_config_reload_successful"
    wait_until(lambda: web.value(reload_successful, *new), lambda found: found == 0, "the bad file")
    assert web.curl("/metrics", *new).status == 200
    assert f"{web.path}:1: is not YAML" in web.exporter.log
    web.write(TLS + user("bob", "secret"))
    bob = ("--user", "bob:secret")
    wait_until(lambda: web.curl("/metrics", *bob).status, lambda found: found == 200, "bob")
    assert web.value(reload_successful, *bob) == 1


def test_scraper_does_not_wait_for_a_guesser(web: Web) -> None:
    slow = bcrypt.hashpw(b"secret", bcrypt.gensalt(14)).decode()  # a second
    web.run(f"basic_auth_users:\n  alice: {slow}\n")
    assert web.curl("/metrics", *ALICE, scheme="http").status == 200
    with ExitStack() as stack:
        guesses = [
            stack.enter_context(
                socket.create_connection(("127.0.0.1", web.exporter.port), timeout=60)
            )
            for _ in range(9)
        ]
        for number, guess in enumerate(guesses):
            guess.sendall(request(f"alice:{number}"))
        for _ in range(3):
            assert web.curl("/metrics", *ALICE, scheme="http").status == 200
        guesses[-1].setblocking(False)  # noqa: FBT003 - the socket's own way
        with pytest.raises(BlockingIOError):
            guesses[-1].recv(1)


def request(credentials: str) -> bytes:
    header = f"Authorization: Basic {b64encode(credentials.encode()).decode()}"
    return f"GET /metrics HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode()


def test_exporter_ends_in_time_while_passwords_are_verified(web: Web) -> None:
    slow = bcrypt.hashpw(b"secret", bcrypt.gensalt(14)).decode()  # a second
    web.run(f"basic_auth_users:\n  alice: {slow}\n")
    with ExitStack() as stack:
        for number in range(8):
            sock = stack.enter_context(
                socket.create_connection(("127.0.0.1", web.exporter.port), timeout=15)
            )
            sock.sendall(request(f"alice:{number}"))
        assert web.curl("/-/healthy", scheme="http").status == 200
        web.exporter.send_signal(signal.SIGTERM)
        wait_until(lambda: web.exporter.runs, lambda runs: not runs, "the end", within=DEADLINE)
        assert web.exporter.ended() == 0


# --- The rest ---


def test_headers_and_rate_limit_are_those_of_the_file(web: Web) -> None:
    headers = "http_server_config:\n  http2: true\n  headers:\n    X-Frame-Options: deny\n"
    web.run(f"{TLS}{headers}rate_limit:\n  interval: 1h\n  burst: 3\n")
    answers = [web.curl("/-/healthy") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert {answer.headers["x-frame-options"] for answer in answers} == {"deny"}
    assert int(answers[-1].headers["retry-after"]) > 3000


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("users: {}", "web.yml:1: unknown key 'users'"),
        (TLS.replace("server.key", "absent"), "No such file or directory"),
        ("basic_auth_users:\n  alice: secret", "web.yml:2: alice: this is not a bcrypt hash"),
    ],
)
def test_bad_file_at_the_start_ends_the_exporter_with_1(
    web: Web, start: Launcher, text: str, error: str
) -> None:
    web.write(text)
    exporter = start.exporter(f"--web.config.file={web.path}", ready=False)
    assert exporter.ended() == 1
    assert "cannot use the web config file" in exporter.log
    assert "flag=--web.config.file" in exporter.log
    assert error in exporter.log


@pytest.fixture
def guarded(web: Web) -> Iterator[Web]:
    """An exporter with TLS, client certificates and a password, and one host."""
    Authority(web.folder, "clients").issue("prometheus", x509.DNSName("prometheus"))
    web.run(f"{MUTUAL}  client_allowed_sans: [prometheus]\n{user('alice', 'secret')}")
    (web.folder / "password").write_text("secret\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", web.exporter.port))
        sender.send(encode(Report("pi", interval=3600.0, gauges={"x": 1.0})))
        yield web


#: What Prometheus and promtool call the same.
HTTP_CONFIG = """\
basic_auth:
  username: alice
  password_file: FOLDER/password
tls_config:
  ca_file: FOLDER/ca.crt
  cert_file: FOLDER/prometheus.crt
  key_file: FOLDER/prometheus.key
"""


def test_prometheus_scrapes_with_a_password_and_a_certificate(
    guarded: Web, start: Launcher, tmp_path: Path
) -> None:
    settings = HTTP_CONFIG.replace("FOLDER", str(guarded.folder)) + "scheme: https\n"
    indented = "".join(f"    {line}\n" for line in settings.splitlines())
    config = (ROOT / "prometheus.yml").read_text()
    line = "    honor_labels: true\n"
    assert config.count(line) == 1
    shipped = tmp_path / "prometheus.yml"
    shipped.write_text(config.replace(line, line + indented))
    prometheus = start.prometheus(guarded.exporter, config=str(shipped))
    wait_until(
        lambda: prometheus.instant('x{instance="pi"}'), lambda found: found, "the host's gauge"
    )
    (target,) = prometheus.targets()
    assert (target["health"], target["lastError"]) == ("up", "")
    assert target["scrapeUrl"] == f"https://{guarded.exporter.target}/metrics"


def test_top_reads_an_exporter_with_the_file_of_promtool(guarded: Web, tmp_path: Path) -> None:
    def once(*flags: str) -> subprocess.CompletedProcess[str]:
        url = f"https://{guarded.exporter.target}"
        command = [str(BIN / "pombo-exporter"), "top", url, "--once", *flags]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    file = tmp_path / "http.yml"
    file.write_text(HTTP_CONFIG.replace("FOLDER", str(guarded.folder)))
    shown = once(f"--http.config.file={file}")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["HOST", "pi"]

    without = once()
    assert (without.returncode, without.stdout) == (2, "")
    assert "--http.config.file" in without.stderr
    (guarded.folder / "password").write_text("wrong")
    wrong = once(f"--http.config.file={file}")
    assert wrong.returncode == 2
    assert "answers 401: give a user and the password with --http.config.file" in wrong.stderr
    file.write_text("basic_auth: {username: alice}")
    bad = once(f"--http.config.file={file}")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.startswith(f"{file}:1: basic_auth: it has no password")


def test_status_page_is_live_over_tls_with_a_password(web: Web) -> None:
    headers = "http_server_config:\n  headers:\n    Content-Security-Policy: default-src 'self'\n"
    web.run(TLS + headers + user("alice", "secret"))
    with (
        chromium() as browser,
        closing(
            Tab(
                browser,
                ignore_https_errors=True,
                http_credentials={"username": "alice", "password": "secret"},
            )
        ) as tab,
    ):
        tab.page.goto(f"https://{web.exporter.target}/")
        with Sender("pi", web.exporter.port) as sender:
            sender.report(1, *steady(1))
            expect(tab.page.get_by_role("link", name="pi", exact=True)).to_be_visible()
        assert tab.errors == []


def test_status_is_read_over_tls_with_the_password(guarded: Web) -> None:
    pair = guarded.folder / "prometheus.crt", guarded.folder / "prometheus.key"
    flags = ("--cert", str(pair[0]), "--key", str(pair[1]), *ALICE)
    assert json.loads(guarded.curl("/api/v1/status", *flags).body)["hosts"]["live"] == 1
