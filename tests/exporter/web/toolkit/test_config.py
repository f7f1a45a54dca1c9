"""The web configuration file: what it may say, and errors that name the line, key and remedy."""

import os
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from pombo_exporter.web.toolkit.config import RateLimit, WebConfig, read_web_config
from pombo_exporter.web.toolkit.errors import WebConfigError
from pombo_exporter.web.toolkit.files import Files
from support.certificates import Authority, encrypted, password_hash

HASH = password_hash("secret")
TLS = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
AES128 = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with certificates: of the server, of another one, of an authority."""
    folder = tmp_path_factory.mktemp("web")
    authority = Authority(folder)
    server, other = authority.issue("server"), authority.issue("other")
    (folder / "encrypted.key").write_bytes(encrypted(other.key))
    (folder / "empty.pem").write_bytes(b"")
    broken = server.certificate.read_bytes().replace(b"M", b"N")
    (folder / "broken.crt").write_bytes(broken)
    both = server.key.read_bytes() + server.certificate.read_bytes()
    (folder / "both.pem").write_bytes(both)
    os.mkfifo(folder / "pipe")
    return folder


def config(folder: Path, text: str | bytes) -> WebConfig:
    path = folder / "web.yml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_web_config(path, Files())


def context(folder: Path, *lines: str) -> ssl.SSLContext:
    """Return the context of ``TLS`` and these lines."""
    tls = config(folder, TLS + "".join(f"  {line}\n" for line in lines)).tls
    assert tls is not None
    return tls


@pytest.mark.parametrize(
    "text",
    ["", "# nothing\n", "tls_server_config:\n", "basic_auth_users: {}", "http_server_config: {}"],
)
def test_empty_file_or_section_sets_nothing(folder: Path, text: str) -> None:
    assert config(folder, text) == WebConfig()


def test_the_first_certificate_that_expires_is_known(folder: Path) -> None:
    assert config(folder, "").expires is None
    server = (folder / "server.crt").read_bytes()
    chain = [*x509.load_pem_x509_certificates(server + (folder / "ca.crt").read_bytes())]
    (folder / "server-chain.crt").write_bytes(server + (folder / "ca.crt").read_bytes())
    text = TLS.replace("server.crt", "server-chain.crt")
    first = min(certificate.not_valid_after_utc for certificate in chain)
    assert config(folder, text).expires == first.timestamp()


def test_users_are_read_with_their_hashes(folder: Path) -> None:
    text = f"basic_auth_users:\n  alice: {HASH}\n  007: {HASH.replace('$2y$', '$2b$')}\n"
    users = config(folder, text).users
    assert users == {"alice": HASH.encode(), "007": HASH.encode().replace(b"$2y$", b"$2b$")}


def test_headers_are_those_of_the_toolkit_and_empty_ones_are_not_set(folder: Path) -> None:
    text = """
http_server_config:
  http2: true
  headers:
    Content-Security-Policy: default-src 'self'
    X-Frame-Options: deny
    X-Content-Type-Options: nosniff
    X-XSS-Protection: ""
    Strict-Transport-Security:
"""
    assert config(folder, text).headers == {
        "Content-Security-Policy": "default-src 'self'",
        "X-Frame-Options": "deny",
        "X-Content-Type-Options": "nosniff",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("interval: 500ms\n  burst: 20", RateLimit(0.5, 20)),
        ("interval: 1m1.5s\n  burst: 1", RateLimit(61.5, 1)),
        ("interval: 0\n  burst: 20", None),
        ("burst: 20", None),
    ],
)
def test_rate_limit_has_an_interval_in_gos_form(
    folder: Path, text: str, expected: RateLimit | None
) -> None:
    assert config(folder, f"rate_limit:\n  {text}\n").rate_limit == expected


def test_tls_has_the_toolkits_defaults(folder: Path) -> None:
    found = context(folder)
    assert found.minimum_version == ssl.TLSVersion.TLSv1_2
    assert found.maximum_version == ssl.TLSVersion.TLSv1_3
    assert found.verify_mode == ssl.CERT_NONE
    assert found.options & ssl.OP_CIPHER_SERVER_PREFERENCE


def test_certificate_and_key_may_be_in_the_file_itself_and_in_one_file(folder: Path) -> None:
    def indented(name: str) -> str:
        return "".join(f"    {line}\n" for line in (folder / name).read_text().splitlines())

    inline = f"  cert: |\n{indented('server.crt')}  key: |\n{indented('server.key')}"
    for lines in (inline, "  cert_file: both.pem\n  key_file: both.pem\n"):
        assert config(folder, f"tls_server_config:\n{lines}").tls is not None


def test_paths_are_relative_to_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert config(folder, TLS).tls is not None
    assert config(folder, TLS.replace("server.", f"{folder}/server.")).tls is not None


def test_versions_ciphers_and_curve_are_those_of_the_file(folder: Path) -> None:
    assert context(folder, "min_version: TLS13").minimum_version == ssl.TLSVersion.TLSv1_3
    found = context(folder, "max_version: TLS12", f"cipher_suites: [{AES128}]")
    assert found.maximum_version == ssl.TLSVersion.TLSv1_2
    old = [cipher["name"] for cipher in found.get_ciphers() if cipher["protocol"] != "TLSv1.3"]
    assert old == ["ECDHE-RSA-AES128-GCM-SHA256"]
    assert not (
        context(folder, "prefer_server_cipher_suites: false").options
        & ssl.OP_CIPHER_SERVER_PREFERENCE
    )
    for curve in ("CurveP256", "CurveP384", "CurveP521"):
        context(folder, f"curve_preferences: [{curve}]")


def offers_x25519() -> bool:
    """Return whether the ssl of this Python can offer X25519 alone; older ones cannot."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ecdh_curve("X25519")
    except (ValueError, ssl.SSLError):
        return False
    return True


def test_x25519_is_offered_or_the_error_says_what_to_do(folder: Path) -> None:
    if offers_x25519():
        context(folder, "curve_preferences: [X25519]")
        return
    with pytest.raises(WebConfigError, match="cannot offer X25519 alone: remove the key"):
        context(folder, "curve_preferences: [X25519]")


def test_cipher_suites_of_tls_1_3_alone_leave_nothing_for_tls_1_2(folder: Path) -> None:
    found = context(folder, "cipher_suites: [TLS_AES_128_GCM_SHA256]")
    assert found.minimum_version == ssl.TLSVersion.TLSv1_3
    found = context(folder, f"cipher_suites: [TLS_AES_128_GCM_SHA256, {AES128}]")
    assert found.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("VerifyClientCertIfGiven", ssl.CERT_OPTIONAL),
        ("RequireAndVerifyClientCert", ssl.CERT_REQUIRED),
    ],
)
def test_clients_are_asked_for_a_certificate(folder: Path, kind: str, mode: ssl.VerifyMode) -> None:
    found = context(folder, f"client_auth_type: {kind}", "client_ca_file: ca.crt")
    assert found.verify_mode == mode
    assert len(found.get_ca_certs()) == 1


VERIFY = "client_auth_type: RequireAndVerifyClientCert"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # The file as a whole.
        ("- a", ":1: the file is not a mapping: write `name: value` in each line, such as"),
        (
            "tls_server_config: [a]",
            ":1: tls_server_config: this is not a mapping: write lines such",
        ),
        ("a: &x\n  b: *y", ":2: is not YAML: found undefined alias 'y'"),
        (b"# caf\xe9", ":1: the file is not UTF-8: save it as UTF-8"),
        ("basic_auth_user: {}", ":1: unknown key 'basic_auth_user': the nearest key is basic_auth"),
        ("web: {}", ":1: unknown key 'web': write tls_server_config, http_server_config, basic_au"),
        (f"{TLS}  certfile: x", ":4: unknown key 'certfile': the nearest key is cert_file"),
        (f"{TLS}{TLS}", ":4: tls_server_config is already in line 1: remove one of them"),
        # Certificates and keys.
        ("tls_server_config:\n  min_version: TLS13", ":2: tls_server_config has no cert_file: add"),
        ("tls_server_config:\n  cert_file: server.crt", ":2: tls_server_config has no key_file"),
        (
            TLS.replace("server.crt", "absent"),
            ":2: cert_file: {folder}/absent: No such file or dir",
        ),
        (
            TLS.replace("server.crt", "pipe"),
            ":2: cert_file: {folder}/pipe: not a regular file: name",
        ),
        (TLS.replace("server.crt", "."), ":2: cert_file: {folder}: Is a directory: name a file th"),
        (TLS.replace("server.crt", "empty.pem"), ":2: cert_file: it has no certificate in PEM"),
        (TLS.replace("server.crt", "broken.crt"), ":2: cert_file: OpenSSL cannot use the certific"),
        (TLS.replace("server.key", "server.crt"), ":3: key_file: it has no private key in PEM"),
        (TLS.replace("server.key", "other.key"), ":3: key_file: the key is not that of the certif"),
        (TLS.replace("server.key", "encrypted.key"), ":3: key_file: the key is encrypted: store i"),
        (f"{TLS}  cert: x", ":2: cert_file: cert is in line 4: remove one of them"),
        (TLS.replace("server.key", "[a]"), ":3: key_file: a list is not a value for this key"),
        # Clients.
        (f"{TLS}  client_auth_type: None", ":4: client_auth_type: 'None' is unknown: write NoClie"),
        (
            f"{TLS}  client_auth_type: RequestClientCert",
            ":4: client_auth_type: RequestClientCert a",
        ),
        (f"{TLS}  client_auth_type: RequireAnyClientCert", ":4: client_auth_type: RequireAnyClien"),
        (f"{TLS}  {VERIFY}", ":4: client_auth_type: RequireAndVerifyClientCert needs the authorit"),
        (
            f"{TLS}  client_ca_file: ca.crt",
            ":4: client_ca_file: no client is asked for a certifica",
        ),
        (f"{TLS}  {VERIFY}\n  client_ca: x", ":5: client_ca: it has no certificate in PEM"),
        (f"{TLS}  {VERIFY}\n  client_ca_file: broken.crt", ":5: client_ca_file: OpenSSL cannot re"),
        (f"{TLS}  client_allowed_sans: [a]", ":4: client_allowed_sans: clients need no certificat"),
        (
            f"{TLS}  {VERIFY}\n  client_ca_file: ca.crt\n  client_allowed_sans: []",
            ":6: client_allowed_sans: this is not a list: write each item behind a hyphen",
        ),
        # Versions, ciphers, curves.
        (f"{TLS}  min_version: TLS10", ":4: min_version: TLS10 is broken, and OpenSSL does not of"),
        (f"{TLS}  min_version: 1.2", ":4: min_version: '1.2' is unknown: write TLS12 or TLS13"),
        (f"{TLS}  max_version: TLS12\n  min_version: TLS13", ":4: max_version: it is below min_ve"),
        (f"{TLS}  cipher_suites: [a]", ":4: cipher_suites: 'a' is unknown: write TLS_ECDHE_ECDSA_"),
        (
            f"{TLS}  cipher_suites: []",
            ":4: cipher_suites: this is not a list: write each item behind",
        ),
        (
            f"{TLS}  max_version: TLS12\n  cipher_suites: [TLS_AES_128_GCM_SHA256]",
            ":5: cipher_suites: these are for TLS 1.3, which max_version forbids",
        ),
        (
            f"{TLS}  prefer_server_cipher_suites: 1",
            ":4: prefer_server_cipher_suites: '1' is not a swi",
        ),
        (
            f"{TLS}  curve_preferences:\n  - X25519\n  - CurveP256",
            ":6: curve_preferences: Python's ssl takes only one curve: write one, or remove",
        ),
        (f"{TLS}  curve_preferences: [P256]", ":4: curve_preferences: 'P256' is unknown: write Cu"),
        # HTTP.
        (
            "http_server_config:\n  http2: maybe",
            ":2: http2: 'maybe' is not a switch: write true or f",
        ),
        (
            "http_server_config:\n  headers:\n    Server: x",
            ":3: unknown key 'Server': write Content-Security-Policy, X-Frame-Options",
        ),
        (
            "http_server_config:\n  headers:\n    X-Frame-Options: always",
            ":3: X-Frame-Options: 'always' is unknown: write deny or sameorigin",
        ),
        (
            'http_server_config:\n  headers:\n    X-XSS-Protection: "1\\r\\nX: y"',
            ":3: X-XSS-Protection: a header has one line of ASCII",
        ),
        # Users.
        ("basic_auth_users:\n  alice: secret", ":2: alice: this is not a bcrypt hash: write what"),
        ("basic_auth_users:\n  alice:", ":2: alice has no value: write one, or remove the key"),
        (
            f"basic_auth_users:\n  'a:b': {HASH}",
            ":2: a:b: a user name cannot contain a colon: write",
        ),
        (
            f"basic_auth_users:\n  alice: {HASH.replace('$04$', '$31$')}",
            ":2: alice: the cost of the hash is not from 4 to 14: write what `htpasswd -nBC 10 ali",
        ),
        (f"basic_auth_users:\n  a: {HASH}\n  a: {HASH}", ":3: a is already in line 2: remove one"),
        # The rate limit.
        (
            "rate_limit:\n  interval: 1",
            ":2: interval: '1' is not a duration: write it as 500ms, 1s o",
        ),
        (
            "rate_limit:\n  interval: 1s",
            ":2: interval: this refuses every request: add burst, how many",
        ),
        (
            "rate_limit:\n  interval: 1s\n  burst: 0",
            ":3: burst: this refuses every request: add burst",
        ),
        (
            "rate_limit:\n  burst: -1",
            ":2: burst: '-1' is not a whole number from 0: write one such a",
        ),
    ],
)
def test_error_names_the_line_the_key_and_a_remedy(
    folder: Path, text: str | bytes, message: str
) -> None:
    with pytest.raises(WebConfigError) as caught:
        config(folder, text)
    expected = f"{folder}/web.yml{message.replace('{folder}', str(folder))}"
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    "text",
    [
        "basic_auth_users:\n  alice: hunter2",
        "basic_auth_users:\n  alice: [hunter2]",
        f"{TLS}  key: hunter2",
        "tls_server_config:\n  cert_file: server.crt\n  key: hunter2",
    ],
)
def test_no_error_shows_a_secret(folder: Path, text: str) -> None:
    with pytest.raises(WebConfigError) as caught:
        config(folder, text)
    assert "hunter2" not in str(caught.value)


def test_file_that_cannot_be_read_is_named_with_a_remedy(folder: Path) -> None:
    for name, reason in (("absent.yml", "No such file"), ("pipe", "not a regular file")):
        with pytest.raises(WebConfigError) as caught:
            read_web_config(folder / name, Files())
        assert f"{folder}/{name}: {reason}" in str(caught.value)
        assert "name a file that the exporter may read" in str(caught.value)


def test_file_of_more_than_a_mebibyte_is_not_read(folder: Path) -> None:
    with pytest.raises(WebConfigError) as caught:
        config(folder, b"#" * (2**20 + 1))
    assert "longer than 1048576 bytes" in str(caught.value)
