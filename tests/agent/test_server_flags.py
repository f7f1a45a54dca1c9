"""The flags that say where exporters are: addresses, names of several, URLs, proxies, files."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from pombo_agent.options import command
from pombo_agent.servers import HttpOptions, Listed, Url
from pombo_agent.settings import Options, from_text, to_text
from pombo_cli.addresses import Address
from support.certificates import Authority, Pair

#: Variables of a proxy, which the machine of the test may have.
NO_PROXY = dict.fromkeys(
    ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
)


def parsed(*arguments: str, **variables: str) -> Options:
    """Return the options of these flags and variables."""
    given: list[Options] = []
    env = {**NO_PROXY, **variables}
    result = CliRunner().invoke(command(given.append), arguments, env=env)
    assert result.exit_code == 0, result.output
    return given[0]


def usage_error(*arguments: str, **variables: str) -> str:
    """Return the error message about these flags and variables, as one line."""
    env = {**NO_PROXY, **variables}
    result = CliRunner().invoke(command(lambda _: None), arguments, env=env)
    assert result.exit_code == 2, result.output
    return " ".join(result.output.split())


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://exporter", Url("https", "exporter", 443, "/report")),
        ("https://exporter/", Url("https", "exporter", 443, "/report")),
        ("http://exporter", Url("http", "exporter", 80, "/report")),
        ("HTTPS://Exporter.Example:5005", Url("https", "exporter.example", 5005, "/report")),
        ("https://e/pombo/report", Url("https", "e", 443, "/pombo/report")),
        ("https://[2001:db8::1]:5005", Url("https", "2001:db8::1", 5005, "/report")),
        ("https://b\u00fccher.example", Url("https", "xn--bcher-kva.example", 443, "/report")),
    ],
)
def test_url_has_the_port_of_its_scheme_and_the_path_of_reports(text: str, url: Url) -> None:
    assert parsed(f"--server={text}").servers == (url,)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Exporter.Example", "exporter.example:5005"),
        ("10.0.0.1", "10.0.0.1:5005"),
        ("[2001:DB8:0:0:0:0:0:1]:7", "[2001:db8::1]:7"),
        ("[fe80::1%Eth0]", "[fe80::1%Eth0]:5005"),
        ("dns+Exporters.Example", "dns+exporters.example:5005"),
        ("dns+exporters.example.:7", "dns+exporters.example:7"),
        ("dnssrv+_Pombo._udp.example.", "dnssrv+_pombo._udp.example"),
        ("HTTPS://Exporter", "https://exporter:443/report"),
    ],
)
def test_server_has_one_text_however_it_is_written(text: str, shown: str) -> None:
    options = parsed(f"--server={text}")
    assert [*map(str, options.servers)] == [shown]
    assert from_text(to_text(options)) == options


def test_name_of_several_servers_is_of_its_kind() -> None:
    options = parsed("--server=dns+a:7", "--server=dnssrv+_pombo._udp.a")
    assert options.servers == (Listed("dns", "a", 7), Listed("dnssrv", "_pombo._udp.a", 0))


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("dns+", "dns+exporters.example.org:5005"),
        ("dns+:5005", "dns+exporters.example.org:5005"),
        ("dns+a:0", "dns+exporters.example.org:5005"),
        ("dns+[::1]:5005", "dns+exporters.example.org:5005"),
        ("dns+a:99999", "a port is from 0 to 65535"),
        ("dnssrv+a", "dnssrv+_pombo._udp.example.org"),
        ("dnssrv+_pombo._udp.a:5005", "dnssrv+_pombo._udp.example.org"),
        ("dns+https://a", "write http:// or https://"),
    ],
)
def test_name_of_several_servers_that_cannot_be_one_is_refused_with_a_remedy(
    text: str, remedy: str
) -> None:
    assert remedy in usage_error(f"--server={text}")


def test_servers_of_both_kinds_stay_in_their_order_and_are_the_same_after_they_were_text() -> None:
    flags = ["--server=a", "--server=https://b", "--server=c:7", "--server=https://b"]
    options = parsed(*flags, "--http.proxy-url=http://proxy:3128")
    proxy = Address("proxy", 3128)
    url = Url("https", "b", 443, "/report", proxy)
    assert options.servers == (Address("a", 5005), url, Address("c", 7))
    assert from_text(to_text(options)) == options
    assert [*map(str, options.servers)] == ["a:5005", "https://b:443/report", "c:7"]
    of_variable = parsed(POMBO_SERVER="a https://b,c:7", POMBO_HTTP_PROXY_URL="http://proxy:3128")
    assert of_variable.servers == options.servers


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("ftp://exporter", "write http:// or https://"),
        ("https://", "no valid host"),
        ("https://exporter:0", "port 0"),
        ("https://exporter:99999", "is not a URL"),
        ("https://exp orter", "no valid host"),
        ("https://exporter/a b", "not an address of an exporter"),
        ("https://exporter/\u00e4", "not an address of an exporter"),
        ("https://exporter/?a=b", "not an address of an exporter"),
        ("https://exporter/report#x", "not an address of an exporter"),
    ],
)
def test_invalid_url_is_refused_with_a_remedy(url: str, remedy: str) -> None:
    assert remedy in usage_error(f"--server={url}")


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("https://pi:s3cret@exporter", "--http.username and --http.password-file"),
        ("https://s3cret@exporter", "--http.username and --http.password-file"),
        ("https://pi:s3cret@exporter:99999", "is not a URL"),
        ("https://pi:s3cr@et@:0/", "no valid host"),
        ("ftp://pi:s3cret@exporter", "write http:// or https://"),
    ],
)
def test_password_in_a_url_is_refused_and_not_shown(url: str, remedy: str) -> None:
    error = usage_error(f"--server={url}")
    assert remedy in error
    assert "s3cr" not in error


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    made = Authority(tmp_path).issue("client")
    made.key.chmod(0o600)
    return made


def test_files_of_the_flags_are_in_the_options(tmp_path: Path, pair: Pair) -> None:
    password = tmp_path / "password"
    password.write_text("s3cret", "utf-8")
    password.chmod(0o600)
    options = parsed(
        "--server=https://exporter",
        f"--http.ca-file={tmp_path / 'ca.crt'}",
        f"--http.cert-file={pair.certificate}",
        f"--http.key-file={pair.key}",
        "--http.username=pi",
        f"--http.password-file={password}",
        "--http.insecure-skip-verify",
    )
    assert options.http == HttpOptions(
        ca_file=str(tmp_path / "ca.crt"),
        cert_file=str(pair.certificate),
        key_file=str(pair.key),
        username="pi",
        password_file=str(password),
        insecure_skip_verify=True,
    )
    assert from_text(to_text(options)) == options
    assert "s3cret" not in to_text(options)
    assert parsed("--server=https://exporter").http == HttpOptions()


def test_file_that_cannot_be_used_is_named_with_its_flag(tmp_path: Path, pair: Pair) -> None:
    server = "--server=https://exporter"
    missing = tmp_path / "missing"
    assert f"--http.ca-file: {missing}: No such file" in usage_error(
        server, f"--http.ca-file={missing}"
    )
    empty = tmp_path / "empty"
    empty.touch()
    assert f"--http.ca-file: {empty}: " in usage_error(server, f"--http.ca-file={empty}")
    certificate, key = f"--http.cert-file={pair.certificate}", f"--http.key-file={pair.key}"
    assert "together" in usage_error(server, certificate)
    assert "together" in usage_error(server, key)
    assert "--http.cert-file" in usage_error(server, f"--http.cert-file={empty}", key)
    pair.key.chmod(0o644)
    assert "--http.key-file" in usage_error(server, certificate, key)
    assert "chmod o=" in usage_error(server, certificate, key)


def test_encrypted_key_is_refused_with_a_remedy_instead_of_a_question(
    tmp_path: Path, pair: Pair
) -> None:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    encrypted = tmp_path / "encrypted"
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    encryption = serialization.BestAvailableEncryption(b"x")
    encrypted.write_bytes(key.private_bytes(*form, encryption))
    encrypted.chmod(0o600)
    flags = f"--http.cert-file={pair.certificate}", f"--http.key-file={encrypted}"
    assert "write it without a password" in usage_error("--server=https://exporter", *flags)


def test_password_needs_a_file_that_others_may_not_read(tmp_path: Path) -> None:
    server, user = "--server=http://exporter", "--http.username=pi"
    password = tmp_path / "password"
    flag = f"--http.password-file={password}"
    assert "together" in usage_error(server, user)
    assert "together" in usage_error(server, flag)
    assert f"--http.password-file: {password}: No such file" in usage_error(server, user, flag)
    password.write_text("s3cret", "utf-8")
    password.chmod(0o604)
    error = usage_error(server, user, flag)
    assert "chmod o=" in error
    assert "s3cret" not in error
    password.chmod(0o600)
    assert "cannot contain a colon" in usage_error(server, "--http.username=a:b", flag)


@pytest.mark.parametrize(
    ("server", "variables", "proxy"),
    [
        ("https://e", {"HTTPS_PROXY": "http://p:3128"}, Address("p", 3128)),
        ("https://e", {"https_proxy": "http://p"}, Address("p", 80)),
        ("https://e", {"HTTPS_PROXY": "p:3128"}, Address("p", 3128)),
        ("https://e", {"HTTP_PROXY": "http://p:3128"}, None),
        ("http://e", {"HTTP_PROXY": "http://p:3128"}, Address("p", 3128)),
        ("http://e", {"HTTPS_PROXY": "http://p:3128"}, None),
        ("https://e", {"HTTPS_PROXY": "http://p", "NO_PROXY": "e"}, None),
        ("https://e.x.org", {"HTTPS_PROXY": "http://p", "NO_PROXY": "a, .x.org"}, None),
        ("https://ex.org", {"HTTPS_PROXY": "http://p", "NO_PROXY": "x.org"}, Address("p", 80)),
        ("https://e:7", {"HTTPS_PROXY": "http://p", "NO_PROXY": "e:7"}, None),
        ("https://e:7", {"HTTPS_PROXY": "http://p", "NO_PROXY": "e:8"}, Address("p", 80)),
        ("https://e", {"HTTPS_PROXY": "http://p", "NO_PROXY": "*"}, None),
        ("https://localhost:7", {"HTTPS_PROXY": "http://p"}, None),
        ("https://127.0.0.2", {"HTTPS_PROXY": "http://p"}, None),
        ("https://[::1]:7", {"HTTPS_PROXY": "http://p"}, None),
    ],
)
def test_proxy_is_that_of_the_usual_variables(
    server: str, variables: dict[str, str], proxy: Address | None
) -> None:
    [found] = parsed(f"--server={server}", **variables).servers
    assert isinstance(found, Url)
    assert found.proxy == proxy


def test_proxy_of_the_flag_is_used_whatever_the_variables_say() -> None:
    variables = {"HTTPS_PROXY": "http://other", "NO_PROXY": "*"}
    flags = "--server=https://127.0.0.1", "--http.proxy-url=http://[::1]:3128"
    [found] = parsed(*flags, **variables).servers
    assert isinstance(found, Url)
    assert found.proxy == Address("::1", 3128)


@pytest.mark.parametrize(
    ("proxy", "remedy"),
    [
        ("https://proxy", "write http://"),
        ("socks5://proxy:1080", "write http://"),
        ("http://", "no valid host"),
        ("http://pi:s3cret@proxy", "without"),
        ("pi:s3cret@proxy:3128", "without"),
    ],
)
def test_proxy_that_cannot_be_used_is_refused_with_a_remedy(proxy: str, remedy: str) -> None:
    error = usage_error("--server=https://e", f"--http.proxy-url={proxy}")
    assert error == usage_error("--server=https://e", f"--http.proxy-url={proxy}", HTTPS_PROXY="x")
    of_variable = usage_error("--server=https://e", HTTPS_PROXY=proxy)
    for each, source in ((error, "--http.proxy-url: "), (of_variable, "HTTPS_PROXY: ")):
        assert source in each
        assert remedy in each
        assert "s3cret" not in each
    assert parsed("--server=e", HTTPS_PROXY=proxy).servers == (Address("e", 5005),)
