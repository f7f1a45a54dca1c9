"""The file with which ``top`` reaches an exporter: that of promtool, as far as it makes sense."""

import ssl
from base64 import b64encode
from pathlib import Path

import pytest
from pombo_exporter.top.http_config import HttpConfig, read_http_config
from pombo_exporter.web.toolkit.errors import WebConfigError
from support.certificates import Authority

PAIR = "cert_file: client.crt\n  key_file: client.key"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("http")
    authority = Authority(folder)
    authority.issue("client")
    authority.issue("other")
    (folder / "password").write_text(" se:cret\n")
    (folder / "lines").write_text("a\nb")
    (folder / "latin").write_bytes(b"\xe9")
    return folder


def config(folder: Path, text: str) -> HttpConfig:
    path = folder / "http.yml"
    path.write_text(text)
    return read_http_config(path)


def test_empty_file_changes_nothing(folder: Path) -> None:
    assert config(folder, "") == HttpConfig()


@pytest.mark.parametrize("password", ["password: se:cret", "password_file: password"])
def test_basic_auth_is_a_header(folder: Path, password: str) -> None:
    found = config(folder, f"basic_auth:\n  username: alice\n  {password}\n")
    expected = b64encode(b"alice:se:cret").decode()
    assert found.headers == {"Authorization": f"Basic {expected}"}
    assert "se:cret" not in repr(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("credentials: token", "Bearer token"),
        ("credentials_file: password", "Bearer se:cret"),
        ("type: Token\n  credentials: token", "Token token"),
    ],
)
def test_authorization_is_a_header(folder: Path, text: str, expected: str) -> None:
    headers = config(folder, f"authorization:\n  {text}\n").headers
    assert headers == {"Authorization": expected}


def test_only_the_authority_of_the_file_is_trusted(folder: Path) -> None:
    found = config(folder, f"tls_config:\n  ca_file: ca.crt\n  {PAIR}\n").context
    assert found is not None
    assert len(found.get_ca_certs()) == 1
    assert found.verify_mode == ssl.CERT_REQUIRED
    assert found.check_hostname


def test_tls_has_the_settings_of_the_file(folder: Path) -> None:
    text = "server_name: exporter\n  min_version: TLS13\n  insecure_skip_verify: true"
    found = config(folder, f"tls_config:\n  {text}\nfollow_redirects: false\nenable_http2: true\n")
    assert found.server_name == "exporter"
    assert not found.follow_redirects
    assert found.context is not None
    assert found.context.minimum_version == ssl.TLSVersion.TLSv1_3
    assert found.context.verify_mode == ssl.CERT_NONE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("basic: {}", ":1: unknown key 'basic': the nearest key is basic_auth"),
        ("oauth2: {}", ":1: oauth2: top has no such setting: write basic_auth or authorization"),
        ("basic_auth: {username: a}", ":1: basic_auth: it has no password: add password or pass"),
        ("basic_auth: {password: a}", ":1: basic_auth: it has no username: add username or user"),
        (
            "basic_auth: {username: a, password: hunter2, password_file: password}",
            ":1: password_file: password is in line 1: remove one of them",
        ),
        (
            "basic_auth:\n  username: a\n  password_file: absent",
            ":3: password_file: {folder}/absent: No such file or directory",
        ),
        (
            "basic_auth:\n  username: a\n  password_file: lines",
            ":3: password_file: it has more than one line: write one",
        ),
        (
            "basic_auth:\n  username: a\n  password_file: latin",
            ":3: password_file: the file is not UTF-8: save it as UTF-8",
        ),
        (
            "authorization: {type: Basic, credentials: hunter2}",
            ":1: type: write basic_auth for this",
        ),
        (
            "basic_auth: {username: a, password: hunter2}\nauthorization: {credentials: b}",
            ":2: authorization: basic_auth is in line 1: remove one of them",
        ),
        ("tls_config: {cert_file: client.crt}", ":1: cert_file: a certificate needs its key: add"),
        ("tls_config: {ca_file: password}", ":1: ca_file: it has no certificate in PEM"),
        (
            "tls_config: {cert_file: client.crt, key_file: other.key}",
            ":1: key_file: the key is not that of the certificate",
        ),
        ("tls_config: {min_version: TLS14}", ":1: min_version: 'TLS14' is unknown: write TLS12 o"),
        ("follow_redirects: 1", ":1: follow_redirects: '1' is not a switch: write true or false"),
    ],
)
def test_error_names_the_line_the_key_and_a_remedy_and_no_secret(
    folder: Path, text: str, message: str
) -> None:
    with pytest.raises(WebConfigError) as caught:
        config(folder, text)
    found = str(caught.value)
    assert found.startswith(f"{folder}/http.yml{message.replace('{folder}', str(folder))}")
    assert "hunter2" not in found


def test_file_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(WebConfigError) as caught:
        read_http_config(tmp_path / "absent.yml")
    assert str(caught.value).startswith(f"{tmp_path}/absent.yml: No such file or directory")
