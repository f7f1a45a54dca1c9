"""The Debian packages, installed by dpkg on clean Debian systems with a systemd of their own."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.debian import Debian
from support.pages import wait_until
from support.processes import found

pytestmark = [pytest.mark.integration, pytest.mark.slow]

#: Debian releases: Python 3.11 and 3.13.
RELEASES = ("bookworm", "trixie")

#: In tenths, as systemd-analyze takes it.
MOST_EXPOSURE = 15

#: Bytes that an installed agent may take, without Python.
MOST_BYTES = 12_000_000

NAME = "web-1"
PORT = 5005
METRICS = f"http://127.0.0.1:{PORT}/metrics"


@pytest.fixture(params=RELEASES)
def base(request: pytest.FixtureRequest, bases: Callable[[str], Path]) -> Path:
    return bases(request.param)


@pytest.fixture
def system(base: Path, tmp_path: Path) -> Iterator[Debian]:
    """A clean system."""
    system = Debian(tmp_path, base)
    yield system
    system.close()


def state_of(system: Debian, unit: str) -> tuple[str, str]:
    return system.property(unit, "ActiveState"), system.property(unit, "Result")


def test_agent_without_a_server_is_enabled_and_says_what_to_set(
    system: Debian, packages: dict[str, Path]
) -> None:
    said = system.install(packages["pombo-agent"])
    assert "write server: HOST into /etc/pombo/agent.yml" in said
    assert system.run("systemctl", "is-enabled", "pombo-agent") == "enabled\n"
    wait_until(
        lambda: state_of(system, "pombo-agent"),
        lambda state: state == ("inactive", "exec-condition"),
        "the unit to be skipped",
    )
    log = system.run("journalctl", "--unit=pombo-agent", "--output=cat", "--no-pager")
    assert log.count("no server is set: write server: HOST into /etc/pombo/agent.yml") == 1
    assert system.run("systemctl", "is-system-running") == "running\n"


class Both:
    """A system with both packages, whose agent reports to its exporter, sealed."""

    def __init__(self, system: Debian, packages: dict[str, Path]) -> None:
        self.system = system
        system.install(*packages.values())
        self.wait_for_page()
        system.run("sh", "-euc", ENROLL)
        self.set("agent", "server: 127.0.0.1\ninterval: 500ms\n")
        system.run("systemctl", "restart", "pombo-agent")
        self.wait_for_host()

    def set(self, program: str, text: str) -> None:
        """Write settings at the end of those that the package brought."""
        self.system.run("tee", "--append", f"/etc/pombo/{program}.yml", stdin=text)

    def pid(self, name: str) -> str:
        return self.system.property(name, "MainPID")

    def wait_for_page(self) -> None:
        wait_until(lambda: self.system.page(METRICS), bool, "the exporter's first page")

    def wait_for_host(self) -> None:
        wait_until(
            lambda: self.system.page(METRICS).value("pombo_host_up", instance=NAME),
            lambda up: up == 1,
            f"the host to be live; {self.system.logs()}",
        )


ENROLL = f"""
umask 027
pombo-exporter enroll {NAME} --seal.key-file=/etc/pombo/keys --format=key > /etc/pombo/agent.key
chgrp pombo-agent /etc/pombo/agent.key
"""


@pytest.fixture
def both(system: Debian, packages: dict[str, Path]) -> Both:
    return Both(system, packages)


def test_services_run_as_users_of_their_own_and_systemd_accepts_their_units(both: Both) -> None:
    run = both.system.run
    assert run("systemctl", "is-system-running") == "running\n"
    for name in ("pombo-agent", "pombo-exporter"):
        assert run("stat", "--format=%U", f"/proc/{both.pid(name)}").strip() == name
        assert run("sh", "-c", f"systemd-analyze verify {name}.service 2>&1") == ""
        run("systemd-analyze", "security", f"--threshold={MOST_EXPOSURE}", f"{name}.service")
    run("systemctl", "reload", "pombo-exporter")
    assert run("stat", "--format=%U:%G %a", "/etc/pombo/keys") == "root:pombo-exporter 640\n"
    assert run("stat", "--format=%U %a", "/var/lib/pombo-exporter") == "pombo-exporter 700\n"


def test_agent_takes_at_most_12_mb(both: Both) -> None:
    listed = both.system.run("dpkg", "--listfiles", "pombo-agent")
    folders = both.system.run("find", "/usr/lib/pombo-agent", "-type", "f")
    paths = "\n".join({*listed.splitlines(), *folders.splitlines()})
    sizes = both.system.run("xargs", "stat", "--format=%F %s", stdin=paths)
    assert sum(map(int, re.findall(r"^regular file (\d+)$", sizes, re.MULTILINE))) <= MOST_BYTES


def raised(package: Path, folder: Path) -> Path:
    """Return a package of a later version, with other settings."""
    tree = folder / package.stem
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    text, count = re.subn(r"(?m)^Version: .*$", r"\g<0>+later", control.read_text())
    assert count == 1
    control.write_text(text)
    [settings] = (tree / "etc/pombo").iterdir()
    with settings.open("a") as file:
        file.write("# This line is new.\n")
    built = folder / f"later-{package.name}"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, built], check=True)
    return built


def test_upgrade_keeps_changed_settings_and_restarts_the_services(
    both: Both, packages: dict[str, Path], tmp_path: Path
) -> None:
    both.set("exporter", "log.level: debug\n")
    names = list(packages)
    before = {name: both.pid(name) for name in names}
    settings = both.system.run("cat", "/etc/pombo/agent.yml", "/etc/pombo/exporter.yml")
    keys = both.system.run("cat", "/etc/pombo/keys")
    both.system.install(*(raised(package, tmp_path) for package in packages.values()))
    both.wait_for_page()
    both.wait_for_host()
    assert {name: both.pid(name) for name in names}.items() & before.items() == set()
    kept = both.system.run("cat", "/etc/pombo/agent.yml", "/etc/pombo/exporter.yml")
    assert kept == settings
    assert both.system.run("cat", "/etc/pombo/keys") == keys


def test_removal_stops_the_services_and_keeps_settings_keys_and_state(
    both: Both, packages: dict[str, Path]
) -> None:
    pids = [both.pid(name) for name in packages]
    both.system.run("dpkg", "--remove", *packages)
    for pid in pids:
        assert both.system.tried("test", "-e", f"/proc/{pid}").returncode == 1
    kept = both.system.run("find", "/etc/pombo", "/var/lib/pombo-exporter", "-type", "f")
    assert sorted(kept.splitlines()) == [
        "/etc/pombo/agent.key",
        "/etc/pombo/agent.yml",
        "/etc/pombo/exporter.yml",
        "/etc/pombo/keys",
        "/var/lib/pombo-exporter/hosts",
    ]
    left = both.system.tried("find", *(f"/usr/lib/{name}" for name in packages))
    assert left.stdout == ""
    both.system.install(*packages.values())
    both.wait_for_page()
    both.wait_for_host()


def test_purge_leaves_nothing(system: Debian, packages: dict[str, Path]) -> None:
    files, users = system.files(), system.run("cat", "/etc/passwd", "/etc/group")
    Both(system, packages)
    assert system.files() > files
    system.run("dpkg", "--purge", *packages)
    assert system.files() == files
    assert system.run("cat", "/etc/passwd", "/etc/group") == users


def test_lintian_finds_no_error(packages: dict[str, Path]) -> None:
    command = [found("lintian"), "--allow-root", "--fail-on=error", *map(str, packages.values())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
