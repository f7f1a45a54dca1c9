"""A host joins as root: the installer makes a service of systemd, and removes it again."""

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
FOLDERS = ("/etc", "/opt", "/usr/local", "/var")

#: Where the machine has the repository.
REPOSITORY = Path("/opt/pombo")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("machine"))
    # Nothing of Pombo is installed, and units are where systemd has them elsewhere.
    machine.run("sh", "-c", "rm -rf /usr/local/bin/pombo-* /run/units/pombo-*")
    machine.run("mount", "--bind", "/run/units", "/etc/systemd/system")
    machine.run("ln", "-sf", "/opt/python/bin/python3", "/usr/local/bin/python3")
    yield machine
    machine.close()


def state(exporter: Exporter, name: str) -> str:
    hosts = json.loads(fetch(f"http://{exporter.target}/api/v1/hosts"))["hosts"]
    return next((host["state"] for host in hosts if host["name"] == name), "")


def test_service_reports_and_can_be_removed(
    start: Launcher, machine: Machine, tmp_path: Path
) -> None:
    keys = KeyFiles(tmp_path)
    agent_file(tmp_path / "agents", REPOSITORY, REPOSITORY / PACKAGES.relative_to(ROOT))
    flags = [f"--web.join-files={tmp_path / 'agents'}", f"--seal.key-file={keys.fleet}"]
    exporter = start.exporter(*flags)
    command, key = enrolled("it's web-1", f"--server={exporter.target}", *flags)
    users = machine.run("cat", "/etc/passwd")

    written = machine.run("sh", "-c", command, stdin=f"{key}\n")
    assert 'hears "it\'s web-1"' in written
    wait_until(lambda: state(exporter, "it's web-1"), lambda found: found == "live", "the host")
    assert machine.property("pombo-agent", "ActiveState") == "active"
    pid = machine.property("pombo-agent", "MainPID")
    assert machine.run("stat", "--format=%U", f"/proc/{pid}").strip() == "pombo-agent"
    assert (
        machine.run("stat", "--format=%U %a", "/etc/pombo/agent.key").strip() == "pombo-agent 600"
    )
    assert machine.run("cat", "/etc/pombo/agent.key") == f"{key}\n"
    assert machine.run("systemctl", "is-enabled", "pombo-agent").startswith("enabled")
    verified = machine.run("systemd-analyze", "security", "--no-pager", "pombo-agent")
    assert "Overall exposure level for pombo-agent.service: 1." in verified

    again = machine.run("sh", "-c", command)  # without a key: that which is there stays
    assert "The key in /etc/pombo/agent.key stays." in again
    assert machine.property("pombo-agent", "MainPID") != pid

    machine.run("sh", "/opt/pombo-agent/install.sh", "--uninstall")
    wait_until(lambda: state(exporter, "it's web-1"), lambda found: not found, "the host's bye")
    assert machine.run("cat", "/etc/passwd") == users
    left = machine.run("find", *FOLDERS, "/run/units", "-xdev", "-name", "*pombo*")
    assert [path for path in left.splitlines() if not path.startswith("/opt/pombo")] == []
