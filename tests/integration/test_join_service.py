"""A host joins that has systemd: the installer makes a service, and removes it again."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.joining import PACKAGES, agent_file, enrolled
from support.pages import fetch, wait_until
from support.processes import ROOT, Exporter, Launcher
from support.sealing import KeyFiles
from support.systemd import Machine

#: Where the installer may leave nothing.
FOLDERS = ("/etc", "/opt", "/usr/local", "/var", "/run/units", "/home")

#: Where the machine has the repository.
REPOSITORY = Path("/opt/pombo")

NAME = "it's web-1"

_SETUP = """\
rm -rf /usr/local/bin/pombo-* /run/units/pombo-*
ln -sf /opt/python/bin/python3 /usr/local/bin/python3
# Its library may be looked for where only this machine's user can read.
echo /opt/python/lib > /etc/ld.so.conf.d/0-python.conf
ldconfig
mount --bind /run/units /etc/systemd/system
useradd --create-home --shell /bin/sh web
install -d -o web -m 700 "/run/user/$(id -u web)"
# As user@.service of systemd.
systemd-run --quiet --unit=user-manager --uid=web --property=Delegate=yes --property=Type=notify \\
    --setenv=HOME=/home/web --setenv="XDG_RUNTIME_DIR=/run/user/$(id -u web)" \\
    --property=UnsetEnvironment=SYSTEMD_UNIT_PATH /lib/systemd/systemd --user
"""

#: Runs a command as the user.
AS_USER = [
    *("setpriv", "--reuid=web", "--regid=web", "--clear-groups", "env", "-i", "LANG=C.UTF-8"),
    *("PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/home/web"),
]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine without Pombo, whose units are where systemd has them elsewhere."""
    machine = Machine(tmp_path_factory.mktemp("machine"))
    machine.run("sh", "-euc", _SETUP)
    yield machine
    machine.close()


class Joining:
    """An exporter, and the command and the key of a host."""

    def __init__(self, start: Launcher, folder: Path) -> None:
        keys = KeyFiles(folder)
        agent_file(folder / "agents", REPOSITORY, REPOSITORY / PACKAGES.relative_to(ROOT))
        flags = [f"--web.join-files={folder / 'agents'}", f"--seal.key-file={keys.fleet}"]
        self.exporter: Exporter = start.exporter(*flags)
        self.command, self.key = enrolled(NAME, f"--server={self.exporter.target}", *flags)

    def is_live(self) -> None:
        """Wait until the host is live."""
        wait_until(self._state, lambda found: found == "live", "the host to be live")

    def is_gone(self) -> None:
        """Wait until the host has said bye."""
        wait_until(self._state, lambda found: not found, "the host to be gone")

    def _state(self) -> str:
        hosts = json.loads(fetch(f"http://{self.exporter.target}/api/v1/hosts"))["hosts"]
        return next((host["state"] for host in hosts if host["name"] == NAME), "")


@pytest.fixture
def joining(start: Launcher, tmp_path: Path) -> Joining:
    return Joining(start, tmp_path)


def left_behind(machine: Machine) -> list[str]:
    found = machine.run("find", *FOLDERS, "-xdev", "-name", "*pombo*").splitlines()
    return [path for path in found if not path.startswith(str(REPOSITORY))]


@pytest.mark.slow
def test_service_of_the_system_reports_and_can_be_removed(
    machine: Machine, joining: Joining
) -> None:
    users = machine.run("cat", "/etc/passwd")
    before = left_behind(machine)
    written = machine.run("sh", "-c", joining.command, stdin=f"{joining.key}\n")
    assert "\npombo-agent check:\n" in written
    joining.is_live()
    assert machine.property("pombo-agent", "ActiveState") == "active"
    pid = machine.property("pombo-agent", "MainPID")
    assert machine.run("stat", "--format=%U", f"/proc/{pid}").strip() == "pombo-agent"
    mode = machine.run("stat", "--format=%U %a", "/etc/pombo/agent.key").strip()
    assert mode == "pombo-agent 600"
    assert machine.run("cat", "/etc/pombo/agent.key") == f"{joining.key}\n"
    assert machine.run("systemctl", "is-enabled", "pombo-agent").startswith("enabled")
    verified = machine.run("systemd-analyze", "security", "--no-pager", "pombo-agent")
    assert "Overall exposure level for pombo-agent.service: 1." in verified

    again = machine.run("sh", "-c", joining.command)
    assert "The key in /etc/pombo/agent.key stays." in again
    assert machine.property("pombo-agent", "MainPID") != pid

    machine.run("sh", "/opt/pombo-agent/install.sh", "--uninstall")
    joining.is_gone()
    assert machine.run("cat", "/etc/passwd") == users
    assert left_behind(machine) == before


def test_service_of_a_user_reports_and_can_be_removed(machine: Machine, joining: Joining) -> None:
    before = left_behind(machine)
    written = machine.run(*AS_USER, "sh", "-c", joining.command, stdin=f"{joining.key}\n")
    assert "Service:     pombo-agent, by the systemd of this user" in written
    assert "loginctl enable-linger" in written
    joining.is_live()
    uid = machine.run("id", "-u", "web").strip()
    systemctl = [*AS_USER, f"XDG_RUNTIME_DIR=/run/user/{uid}", "systemctl", "--user"]
    machine.run(*systemctl, "is-active", "pombo-agent")
    machine.run(*systemctl, "is-enabled", "pombo-agent")

    machine.run(*AS_USER, "sh", "/home/web/.local/share/pombo-agent/install.sh", "--uninstall")
    joining.is_gone()
    assert left_behind(machine) == before
