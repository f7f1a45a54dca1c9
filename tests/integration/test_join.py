"""A host joins: what `enroll` prints is pasted into a shell, and the host is live."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.joining import NewHost, Typing, agent_file, command_lines, enrolled, pasted
from support.pages import fetch, wait_until
from support.processes import BIN, ROOT, Exporter, Launcher, found
from support.sealing import KeyFiles

PROMPT = "Paste the key of this host"

INSTALLER = ROOT / "exporter/pombo_exporter/installer/install.sh"


class Fleet:
    """An exporter that serves agents, and the keys of its hosts."""

    def __init__(self, start: Launcher, folder: Path) -> None:
        self.keys = KeyFiles(folder)
        self.agents = folder / "agents"
        self.agent = agent_file(self.agents)
        self.flags = [f"--web.join-files={self.agents}", f"--seal.key-file={self.keys.fleet}"]
        self.exporter: Exporter = start.exporter(*self.flags)

    def enrolled(self, name: str) -> tuple[str, str]:
        """Return the command and the key of a host."""
        return enrolled(name, f"--server={self.exporter.target}", *self.flags)

    def kept(self, name: str, installer: Path) -> tuple[str, str]:
        """Download the installer; return the command that runs it, and the key of a host."""
        command, key = self.enrolled(name)
        installer.write_text(fetch(f"http://{self.exporter.target}/join/install.sh"))
        flags = command.partition("install.sh --from=")[2].partition("\n")[0]
        flags = flags.replace('"$url"', f"http://{self.exporter.target}/join")
        return f"sh '{installer}' --from={flags}", key

    def state(self, name: str) -> str:
        """Return the state of a host, empty where the exporter has none of this name."""
        hosts = json.loads(fetch(f"http://{self.exporter.target}/api/v1/hosts"))["hosts"]
        return next((host["state"] for host in hosts if host["name"] == name), "")

    def is_live(self, name: str) -> None:
        """Wait until a host is live."""
        wait_until(lambda: self.state(name), lambda state: state == "live", f"{name!r} to be live")


@pytest.fixture(scope="module")
def fleet(start_once: Launcher, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    return Fleet(start_once, tmp_path_factory.mktemp("fleet"))


Make = Callable[..., NewHost]


@pytest.fixture
def new_host(tmp_path: Path) -> Iterator[Make]:
    hosts: list[NewHost] = []

    def make(*shell: str, python: bool = True) -> NewHost:
        folder = tmp_path / str(len(hosts))
        hosts.append(NewHost(folder, shell=shell or ("dash",), python=python))
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()


def joined(terminal: Typing, key: str) -> str:
    """Type the key when it is asked for, and return what was written once the command has ended."""
    terminal.shows_text(PROMPT)
    wait_until(lambda: terminal.echoes, lambda echoes: not echoes, "the terminal to hide the key")
    terminal.type(f"{key}\n")
    code = terminal.ended()
    assert code == 0, terminal.written
    return terminal.written.replace("\r", "")


def test_host_is_live_after_the_command_is_pasted_and_the_key_typed(
    fleet: Fleet, new_host: Make
) -> None:
    host = new_host()
    command, key = fleet.enrolled("web-1")
    terminal = host.types(command)
    terminal.shows_text(PROMPT)
    assert key not in command_lines()
    written = joined(terminal, key)
    assert terminal.echoes
    assert key not in written
    assert key not in command_lines()
    assert "\npombo-agent check:\n" in written  # without a complaint, as the exit code says
    fleet.is_live("web-1")
    config = host.home / ".config/pombo"
    assert (config / "agent.key").read_text() == f"{key}\n"
    assert (config / "agent.key").stat().st_mode & 0o777 == 0o600
    assert key not in (config / "agent.yml").read_text()
    assert [*host.home.rglob("install.sh")] == [host.installer]


@pytest.mark.slow
def test_uninstall_leaves_the_home_as_it_was(fleet: Fleet, new_host: Make) -> None:
    host = new_host()
    command, key = fleet.enrolled("gone")
    assert host.run(command, f"{key}\n").returncode == 0
    fleet.is_live("gone")
    undo = re.search(r"Undo: +(.*)$", host.run(command).stdout, re.MULTILINE)
    assert undo is not None
    done = host.run(undo[1])
    assert (done.returncode, done.stdout) == (0, "The Pombo agent is removed.\n")
    assert not [path for path in host.files if "pombo" in path]
    wait_until(lambda: fleet.state("gone"), lambda state: not state, "the host to say bye")


@pytest.mark.slow
def test_to_run_it_again_upgrades_and_keeps_the_key_and_other_settings(
    fleet: Fleet, new_host: Make
) -> None:
    host = new_host()
    command, key = fleet.enrolled("again")
    assert host.run(command, f"{key}\n").returncode == 0
    first = host.agent_pid()
    config = host.home / ".config/pombo/agent.yml"
    config.write_text(f"# mine\ninterval: 1s\nlabel:\n  rack: 7\n{config.read_text()}")
    terminal = host.types(command)
    terminal.shows_text(PROMPT)
    terminal.type("\n")
    assert terminal.ended() == 0, terminal.written
    assert host.agent_pid() != first
    assert not Path(f"/proc/{first}").exists()
    assert host.text(".config/pombo/agent.key") == f"{key}\n"
    lines = host.text(".config/pombo/agent.yml").splitlines()
    assert lines[:4] == ["# mine", "interval: 1s", "label:", "  rack: 7"]
    assert sum(line.startswith("server:") for line in lines) == 1
    fleet.is_live("again")


@pytest.mark.slow
def test_dry_run_changes_nothing(fleet: Fleet, new_host: Make) -> None:
    host = new_host()
    command, _ = fleet.enrolled("dry")
    done = host.run(command.replace(" --name=", " --dry-run --name="))
    assert done.returncode == 0, done.stderr
    assert host.files == []
    for path in (".local/share/pombo-agent", ".config/pombo/agent.key", ".local/bin/pombo-agent"):
        assert f"{host.home}/{path}" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["it's web 1", "--uninstall", "$(id)`id`", "a\nb\n", '"\\', "é 名前 🐦", "\x1b[31m\x7f"]
)
def test_host_may_have_any_name(fleet: Fleet, new_host: Make, name: str) -> None:
    command, key = fleet.enrolled(name)
    done = new_host().run(command, f"{key}\n")
    assert done.returncode == 0, done.stdout + done.stderr
    fleet.is_live(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "'$(id)\" 名\n: #\x7f\\"])
def test_host_that_does_not_seal_gets_no_key(fleet: Fleet, new_host: Make, name: str) -> None:
    host = new_host()
    command, key = enrolled(name, f"--server={fleet.exporter.target}", fleet.flags[0])
    assert key == ""
    done = host.run(command)
    assert done.returncode == 0, done.stdout + done.stderr
    fleet.is_live(name)
    assert "agent.key" not in host.files


@pytest.mark.slow
@pytest.mark.parametrize("programs", [["curl"], ["wget"], []], ids=["curl", "wget", "python"])
def test_any_program_downloads(fleet: Fleet, new_host: Make, programs: list[str]) -> None:
    host = new_host()
    host.has(*programs)
    command, key = fleet.enrolled("any")
    done = host.run(command, f"{key}\n")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("shell", [("bash",), ("bash", "--posix"), ("busybox", "sh")], ids=" ".join)
def test_any_shell_installs(fleet: Fleet, new_host: Make, shell: tuple[str, ...]) -> None:
    host = new_host(*shell)
    if shell[0] == "busybox":
        host.has_only_busybox()
    command, key = fleet.enrolled("shell")
    done = host.run(command, f"{key}\n")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_key_may_be_in_a_file(fleet: Fleet, new_host: Make) -> None:
    host = new_host()
    command, key = fleet.enrolled("filed")
    (host.home / "my key").write_text(f"{key}\n")
    flag = f" --key-file='{host.home}/my key' --name="
    assert host.run(command.replace(" --name=", flag)).returncode == 0
    fleet.is_live("filed")


def test_enroll_reads_the_configuration_of_an_installed_exporter(fleet: Fleet) -> None:
    lines = [each.removeprefix("--").replace("=", ": ") for each in fleet.flags]
    script = """\
mount -t tmpfs tmpfs /etc
mkdir /etc/pombo
cat > /etc/pombo/exporter.yml
exec "$@"
"""
    unshare = [found("unshare"), "--user", "--map-root-user", "--mount", "sh", "-euc", script, "sh"]
    enroll = [str(BIN / "pombo-exporter"), "enroll", "web-1"]
    server = f"--server={fleet.exporter.target}"

    def printed(text: str) -> tuple[int, str]:
        done = subprocess.run(
            [*unshare, *enroll, server], input=text, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    code, text = printed("\n".join([*lines, "limit.hosts: 7\n"]))
    assert (code, pasted(text)) == (0, fleet.enrolled("web-1"))
    code, text = printed("limit.hots: 7\n")
    assert code == 2
    assert "/etc/pombo/exporter.yml:1: unknown key 'limit.hots'" in " ".join(text.split())


# --- what goes wrong ---


def refused(host: NewHost, command: str, given: str, code: int, error: str) -> None:
    done = host.run(command, given)
    assert done.returncode == code, done.stdout + done.stderr
    assert error in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not [path for path in host.files if not host.home.joinpath(path).is_dir()]


def test_wrong_key_is_refused(fleet: Fleet, new_host: Make) -> None:
    host = new_host()
    command, key = fleet.enrolled("web-1")
    _, other = fleet.enrolled("web-2")
    fleet_key = fleet.keys.fleet.read_text().split()[-1]
    for given, error in (
        (other, "the key is for the host 'web-2', not for 'web-1'"),
        (key[:-1], "the key is cut or mistyped: copy it again"),
        (key.replace("_", "_x", 1), "the key is cut or mistyped"),
        (f"{key}!", "the key has a character that no key has"),
        (fleet_key, "this is the key of the fleet, which stays at the exporter"),
        ("secret", "this is not the key of a host, which begins with phk1_"),
        ("", "no key was given"),
    ):
        refused(host, command, f"{given}\n", 5, error)


@pytest.mark.slow
def test_wrong_key_may_be_typed_again(fleet: Fleet, new_host: Make) -> None:
    command, key = fleet.enrolled("typed")
    terminal = new_host().types(command)
    terminal.shows_text(PROMPT)
    wait_until(lambda: terminal.echoes, lambda echoes: not echoes, "the terminal to hide the key")
    terminal.type(f"{key[:-2]}\n")
    wait_until(lambda: terminal.written.count(PROMPT), lambda count: count == 2, "another prompt")
    terminal.type(f"{key}\n")
    assert terminal.ended() == 0, terminal.written


def test_interrupted_prompt_leaves_the_terminal_and_the_home_as_they_were(
    fleet: Fleet, new_host: Make
) -> None:
    host = new_host()
    terminal = host.types(fleet.enrolled("interrupted")[0])
    terminal.shows_text(PROMPT)
    wait_until(lambda: terminal.echoes, lambda echoes: not echoes, "the terminal to hide the key")
    terminal.type("\x03")
    assert terminal.ended() != 0
    assert terminal.echoes
    assert host.files == []


@pytest.mark.slow
def test_without_python_it_says_what_to_install(fleet: Fleet, new_host: Make) -> None:
    host = new_host(python=False)
    host.has("curl")
    command, _ = fleet.enrolled("web-1")
    refused(host, command, "", 3, "the agent needs Python 3.10, 3.11, 3.12 or 3.13")


def test_installer_that_was_changed_on_its_way_is_not_run(fleet: Fleet, new_host: Make) -> None:
    command, key = fleet.enrolled("web-1")
    checksum = re.search(r"echo '(\w+)", command)
    assert checksum is not None
    other = command.replace(checksum[1], "0" * 64)
    refused(
        new_host(), other, f"{key}\n", 1, "sha256sum: WARNING: 1 computed checksum did NOT match"
    )


def test_installer_that_was_changed_is_not_run_within_a_condition_either(
    fleet: Fleet, new_host: Make
) -> None:
    command, key = fleet.enrolled("web-1")
    checksum = re.search(r"echo '(\w+)", command)
    assert checksum is not None
    other = command.replace(checksum[1], "0" * 64)
    refused(new_host(), f"{other} || exit 7", f"{key}\n", 7, "checksum did NOT match")


@pytest.mark.parametrize("shell", [("dash",), ("bash",)], ids=" ".join)
@pytest.mark.parametrize("condition", ["", " || exit 7"])
def test_command_removes_nothing_where_it_cannot_make_a_folder(
    fleet: Fleet, new_host: Make, shell: tuple[str, ...], condition: str
) -> None:
    host = new_host(*shell)
    host.has("curl")
    host.programs.joinpath("mktemp").write_text("#!/bin/sh\nexit 1\n")
    kept = host.home / "work/kept"
    kept.parent.mkdir()
    kept.write_text("mine")
    command, key = fleet.enrolled("web-1")
    done = host.run(f"cd '{kept.parent}'\n{command}{condition}", f"{key}\n")
    assert done.returncode == (7 if condition else 1)
    assert host.files == ["work", "work/kept"]


def test_nothing_is_imported_from_the_present_folder(fleet: Fleet, new_host: Make) -> None:
    host = new_host()
    host.has("curl")
    command, key = fleet.enrolled("elsewhere")
    flags = command.partition("install.sh --from=")[2].partition("\n")[0]
    url = f"http://{fleet.exporter.target}/join"
    flags = flags.replace('"$url"', url)
    (host.home / "file.sh").write_text(fetch(f"{url}/install.sh"))
    folder = host.home / "of another user"
    folder.mkdir()
    for module in ("base64", "ctypes", "hashlib", "pwd", "shutil", "ssl", "string", "zipfile"):
        (folder / f"{module}.py").write_text(f"open('{host.home}/run', 'w')\n")
    done = host.run(f"cd '{folder}' && sh ../file.sh --from={flags}", f"{key}\n")
    assert done.returncode == 0, done.stdout + done.stderr
    done = host.run(f"cd '{folder}' && sh '{host.installer}' --uninstall")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "run" not in host.files


@pytest.mark.parametrize("programs", [["curl"], ["wget"], []], ids=["curl", "wget", "python"])
def test_agent_that_has_no_end_is_not_downloaded_whole(
    start: Launcher, tmp_path: Path, new_host: Make, programs: list[str]
) -> None:
    fleet = Fleet(start, tmp_path)
    run, key = fleet.kept("web-1", tmp_path / "kept.sh")
    fleet.agent.write_bytes(bytes(50_000_000))
    host = new_host()
    host.has(*programs)
    refused(host, run, f"{key}\n", 4, "cannot download http://")


def test_agent_that_was_changed_on_its_way_is_refused(
    start: Launcher, tmp_path: Path, new_host: Make
) -> None:
    fleet = Fleet(start, tmp_path)
    run, key = fleet.kept("web-1", tmp_path / "kept.sh")
    fleet.agent.write_bytes(fleet.agent.read_bytes()[:100])
    error = "is not the agent that this installer was made for. SHA-256"
    refused(new_host(), run, f"{key}\n", 4, error)
    fleet.agent.unlink()
    error = "cannot download http://"
    refused(new_host(), run, f"{key}\n", 4, error)


@pytest.mark.slow
def test_agent_that_does_not_start_changes_nothing(
    start: Launcher, tmp_path: Path, new_host: Make
) -> None:
    fleet = Fleet(start, tmp_path)
    works = fleet.agent.read_bytes()
    host = new_host()
    command, key = fleet.enrolled("web-1")
    fleet.agent.write_bytes(b"raise SystemExit('no agent')\n")
    broken, _ = fleet.enrolled("web-1")
    assert broken != command
    refused(host, broken, f"{key}\n", 1, "the agent does not start: no agent")

    fleet.agent.write_bytes(works)
    assert host.run(command, f"{key}\n").returncode == 0
    first = host.agent_pid()
    before = {path: host.home.joinpath(path).read_bytes() for path in host.files if "pex" in path}
    fleet.agent.write_bytes(b"raise SystemExit('no agent')\n")
    done = host.run(broken, f"{key}\n")
    assert done.returncode == 1
    assert "the agent does not start: no agent" in done.stderr
    assert host.agent_pid() != first  # the old one was started again
    assert {path: host.home.joinpath(path).read_bytes() for path in before} == before
    fleet.is_live("web-1")


@pytest.mark.slow
def test_folder_that_cannot_be_written_to_is_named(fleet: Fleet, new_host: Make) -> None:
    host = new_host()
    command, key = fleet.enrolled("web-1")
    (host.home / ".config").mkdir(mode=0o500)
    refused(host, command, f"{key}\n", 1, f"{host.home}/.config cannot be written to")


@pytest.mark.slow
def test_full_disk_is_named_before_anything_is_downloaded(fleet: Fleet, new_host: Make) -> None:
    host = new_host()
    command, key = fleet.enrolled("web-1")
    host.size = "16k"
    refused(host, command, f"{key}\n", 1, "KiB free, and the agent needs")


@pytest.mark.slow
def test_what_is_wrong_after_the_installation_is_reported(
    fleet: Fleet, new_host: Make, tmp_path: Path
) -> None:
    other = KeyFiles(tmp_path)
    flags = (f"--server={fleet.exporter.target}", fleet.flags[0], f"--seal.key-file={other.fleet}")
    done = new_host().run(enrolled("stranger", *flags)[0], f"{other.text('stranger')}\n")
    assert done.returncode == 6, done.stdout + done.stderr
    assert "pombo-agent check says above what is wrong" in done.stderr
    assert "Undo:" in done.stdout


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        ("", "give --from="),
        ("--from=ftp://x --server=e", "give --from="),
        ("--from=http://x/join", "give --server="),
        ("--from=http://x/join --server=e --no-key --key-file=k", "not both"),
        ("--help=me", "unknown flag: --help=me"),
    ],
)
def test_wrong_flags_end_with_2(new_host: Make, flags: str, error: str) -> None:
    refused(new_host(), f"sh '{INSTALLER}' {flags}", "", 2, error)


# --- the installer as a file ---


def test_shellcheck_finds_nothing() -> None:
    command = [str(BIN / "shellcheck"), "--shell=sh", str(INSTALLER)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_unit_of_the_installer_is_that_of_the_agent() -> None:
    unit = INSTALLER.with_name("pombo-agent.service").read_text()
    assert unit == (ROOT / "agent/pombo-agent.service").read_text(), "run `make docs`"
    assert "END_OF_UNIT" not in unit


def test_half_of_the_installer_does_nothing(tmp_path: Path) -> None:
    lines = INSTALLER.read_text().splitlines(keepends=True)
    assert lines[-1] == 'main "$@"\n'
    half = tmp_path / "half.sh"
    half.write_text("".join(lines[:-1]))
    done = subprocess.run(["sh", half, "--help"], capture_output=True, check=True)
    assert done.stdout + done.stderr == b""
