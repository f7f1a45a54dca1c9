"""`enroll`: what it prints with each kind of server and configuration, and what it refuses."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pombo_exporter.installer.agents import Agents
from pombo_exporter.installer.command import command as pasted
from pombo_exporter.installer.script import checksum, script
from pombo_exporter.options import command
from pombo_exporter.seal.crypto import CRYPTO
from pombo_wire.keys import read_host_key
from support.joining import pasted as printed

AGENT = "pombo-agent-linux-x86_64-glibc.pex"

#: Names that are quoted right only if nothing of them means anything to a shell or a terminal.
HOSTILE = [
    *(
        "web 1",
        "it's",
        '"quoted"',
        "-rf",
        "--uninstall",
        "$(touch x)`id`${HOME}",
        "*",
        "~",
        "a;b|c&d",
    ),
    *(
        "!!",
        "\\",
        "a\nb",
        "end\n",
        "\ttab",
        "%s%d\\n",
        "a\x1b[31mb",
        "\x7f",
        "é 名前 🐦",
        "\u202eabc",
    ),
    *("a\\012b", "x.", "#", "'", "\n", "=", "(", "EOF"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / AGENT).write_bytes(b"an agent")
    done = CliRunner().invoke(command(print), ["keygen", str(tmp_path / "keys")])
    assert done.exit_code == 0, done.output
    return tmp_path


def enroll(
    folder: Path, *arguments: str, sealed: bool = True, before: tuple[str, ...] = ()
) -> Result:
    flags = [f"--web.join-files={folder / 'agents'}"]
    flags += [f"--seal.key-file={folder / 'keys'}"] if sealed else []
    return CliRunner().invoke(command(print), [*before, "enroll", *flags, *arguments])


def shown(folder: Path, *arguments: str, sealed: bool = True) -> tuple[str, str]:
    """Return the command and the key that `enroll` prints."""
    done = enroll(folder, *arguments, sealed=sealed)
    assert done.exit_code == 0, done.output
    return printed(done.output)


def url_in(text: str) -> str:
    [found] = re.findall(r"^  url=(.*)$", text, re.MULTILINE)
    return shlex.split(found)[0]


def server_in(text: str) -> str:
    [found] = re.findall(r" --server=(\S+)", text)
    return shlex.split(found)[0]


@pytest.mark.parametrize(
    ("server", "url", "reports_to"),
    [
        ("exporter", "http://exporter:5005/join", "exporter:5005"),
        ("exporter:80", "http://exporter:80/join", "exporter:80"),
        ("192.0.2.7", "http://192.0.2.7:5005/join", "192.0.2.7:5005"),
        ("[2001:db8::1]:99", "http://[2001:db8::1]:99/join", "[2001:db8::1]:99"),
        ("https://e.example.org", "https://e.example.org/join", "https://e.example.org"),
        ("http://e:5005/report", "http://e:5005/join", "http://e:5005/report"),
        ("https://e/pombo/report", "https://e/pombo/join", "https://e/pombo/report"),
    ],
)
def test_command_downloads_from_the_server(
    folder: Path, server: str, url: str, reports_to: str
) -> None:
    text, _ = shown(folder, "web-1", f"--server={server}")
    assert (url_in(text), server_in(text)) == (url, reports_to)


def test_command_downloads_from_the_external_url(folder: Path) -> None:
    external = "--web.external-url=https://example.org/pombo/"
    text, _ = shown(folder, "web-1", "--server=10.0.0.7", external)
    assert (url_in(text), server_in(text)) == ("https://example.org/pombo/join", "10.0.0.7:5005")


def test_command_downloads_below_the_route_prefix(folder: Path) -> None:
    text, _ = shown(folder, "web-1", "--server=10.0.0.7", "--web.route-prefix=/pombo/")
    assert url_in(text) == "http://10.0.0.7:5005/pombo/join"


def test_command_has_the_checksum_of_the_installer_and_no_key(folder: Path) -> None:
    text, key = shown(folder, "web-1", "--server=exporter")
    assert f"'{checksum(script(Agents(folder / 'agents').read()))}  install.sh'" in text
    assert read_host_key(CRYPTO, key).name == "web-1"
    assert "phk1_" not in text
    (folder / "agents" / AGENT).write_bytes(b"a newer agent")
    assert shown(folder, "web-1", "--server=exporter")[0] != text


def test_flags_may_stand_before_the_subcommand_or_in_the_configuration(folder: Path) -> None:
    expected = enroll(folder, "web-1", "--server=e", "--web.external-url=https://x.org").output
    values = {
        "seal.key-file": folder / "keys",
        "web.join-files": folder / "agents",
        "web.external-url": "https://x.org",
    }
    flags = [f"--{name}={value}" for name, value in values.items()]
    path = folder / "exporter.yml"
    lines = [f"{name}: {value}\n" for name, value in values.items()]
    path.write_text("".join(lines) + "limit.hosts: 7\n")
    for before in (flags, [f"--config.file={path}"]):
        done = CliRunner().invoke(command(print), [*before, "enroll", "web-1", "--server=e"])
        assert done.output == expected


def test_without_a_key_file_reports_are_not_sealed_and_this_is_said(folder: Path) -> None:
    done = enroll(folder, "web-1", "--server=exporter", sealed=False)
    text, key = printed(done.output)
    assert key == ""
    assert text.endswith(" --name=web-1 --no-key\n)")
    assert "not sealed" in done.output


def test_without_a_server_it_says_how_to_install_by_hand(folder: Path) -> None:
    done = enroll(folder, "web-1")
    assert done.exit_code == 0
    assert "pombo-agent --key-file=pombo.key --server=EXPORTER" in done.output
    assert read_host_key(CRYPTO, done.output.split("\n")[-2]).name == "web-1"


def test_page_that_waits_for_the_host_is_named(folder: Path) -> None:
    done = enroll(folder, "--server=exporter", "--", "é/1")
    assert "http://exporter:5005/join?name=%C3%A9%2F1 shows when é/1 reports" in done.output


def test_format_key_prints_the_key_alone(folder: Path) -> None:
    for server in ((), ("--server=exporter",)):
        done = enroll(folder, "web-1", "--format=key", *server)
        assert read_host_key(CRYPTO, done.output).name == "web-1"
        assert len(done.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["web-1"], 2, "--seal.key-file"),
        (["web-1", "--format=key", "--server=e"], 2, "--seal.key-file"),
        (["web-1", "--server=a b"], 2, "'a b'"),
        (["web-1", "--server=;id"], 2, "';id' is not an address of an exporter: write it as"),
        (["web-1", "--server=exporter:0"], 2, "exporter:0"),
        (["web-1", "--server=:5005"], 2, ":5005"),
        (["web-1", "--server=ftp://e"], 2, "ftp://e"),
        (["web-1", "--server=https://me:secret@e"], 2, "is not a URL"),
        (["", "--server=e"], 1, "1 to 253 characters"),
        (["x" * 254, "--server=e"], 1, "1 to 253 characters"),
        (["web-1", "--server=e", "--web.external-url=x"], 1, "'x' is not a URL"),
    ],
)
def test_mistake_is_named(folder: Path, arguments: list[str], code: int, error: str) -> None:
    done = enroll(folder, *arguments, sealed=False)
    assert done.exit_code == code
    assert error in " ".join(done.stderr.split())


def test_exporter_without_agents_is_named_before_anything_is_pasted(folder: Path) -> None:
    (folder / "agents" / AGENT).unlink()
    done = enroll(folder, "web-1", "--server=exporter")
    assert done.exit_code == 1
    assert "has no agents that a host could download: give --web.join-files" in done.stderr


def test_exporter_that_serves_no_agents_is_named(folder: Path) -> None:
    done = enroll(folder, "web-1", "--server=exporter", before=("--no-web.join",))
    assert done.exit_code == 1
    assert "--no-web.join" in done.stderr


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_installer_gets_the_name_as_it_was_given(tmp_path: Path, name: str, shell: str) -> None:
    installer = "#!/bin/sh\nprintf '%s' \"$3\" > result\n"
    text = pasted("http://e/join", checksum(installer.encode()), "e:5005", name, sealed=True)
    # Instead of the download, the file is here; everything after it is as a user pastes it.
    (tmp_path / "install.sh").write_text(installer)
    start, end = text.index("  new=$(mktemp -d)"), text.index("  echo '")
    subprocess.run([shell, "-c", text[:start] + text[end:]], cwd=tmp_path, check=True)
    assert (tmp_path / "result").read_bytes() == f"--name={name}".encode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["install.sh", "result"]


@pytest.mark.parametrize("name", HOSTILE)
def test_printed_text_has_no_character_that_a_terminal_obeys(folder: Path, name: str) -> None:
    done = enroll(folder, "--server=exporter", "--", name)
    assert done.exit_code == 0
    assert all(line.isprintable() for line in done.output.split("\n"))
