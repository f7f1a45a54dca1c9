"""The examples for many hosts: the playbook installs an agent that reports, and again nothing."""

import json
import re
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.pages import wait_until
from support.processes import BIN, ROOT, Exporter, Launcher
from support.systemd import UNITS, Machine

EXAMPLES = ROOT / "docs/examples"
PLAYBOOK = EXAMPLES / "ansible/pombo-agent.yml"
INVENTORY = EXAMPLES / "ansible/hosts.yml"


def test_ansible_accepts_the_playbook(tmp_path: Path) -> None:
    done = subprocess.run(
        [BIN / "ansible-playbook", "--syntax-check", f"--inventory={INVENTORY}", PLAYBOOK],
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr


def test_playbook_has_the_paths_of_the_unit() -> None:
    unit = UNITS["pombo-agent"].read_text(encoding="utf-8")
    assert "/etc/pombo/agent.yml" in unit
    for word in ("/usr/local/bin/pombo-agent", "/etc/pombo/agent.key", "/etc/pombo/agent.yml"):
        assert word in PLAYBOOK.read_text(encoding="utf-8")


class Installed:
    """A machine on which the playbook runs, and an exporter for the agent that it installs."""

    def __init__(self, machine: Machine, exporter: Exporter) -> None:
        self.machine, self.exporter = machine, exporter
        # The file that it copies starts the agent of this repository.
        arch = machine.run("uname", "-m").strip()
        file = f"/opt/agents/pombo-agent-linux-{arch}-glibc.pex"
        machine.run("install", "-D", "/usr/local/bin/pombo-agent", file)
        machine.run("rm", "/usr/local/bin/pombo-agent")

    def play(self) -> list[str]:
        """Run the playbook for the host web-1; return the tasks that have changed something."""
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "/usr/bin/python3",
            "pombo_server": f"127.0.0.1:{self.exporter.port}",
            "pombo_agents": "/opt/agents",
            "pombo_settings": {"interval": "200ms", "label": {"role": "web"}},
        }
        packages = Path(sysconfig.get_path("purelib")).relative_to(ROOT)
        environment = ["LD_LIBRARY_PATH=/opt/python/lib", f"PYTHONPATH=/opt/pombo/{packages}"]
        command = ["/opt/python/bin/python3", "-m", "ansible", "playbook", "--limit=web-1"]
        extra = f"--extra-vars={json.dumps(variables)}"
        printed = self.machine.run(
            *("env", "HOME=/tmp", "LANG=C.UTF-8", "ANSIBLE_NOCOLOR=1", *environment),
            *(*command, extra, "--inventory", _inside(INVENTORY), _inside(PLAYBOOK)),
        )
        assert "phk1_" not in printed
        return re.findall(r"^(?:TASK|RUNNING HANDLER) \[(.*)\].*\nchanged:", printed, re.MULTILINE)


def _inside(path: Path) -> str:
    return f"/opt/pombo/{path.relative_to(ROOT)}"


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    (tmp_path / "machine").mkdir()
    machine, launcher = Machine(tmp_path / "machine"), Launcher(tmp_path)
    try:
        machine.run("install", "-d", "/etc/pombo")
        machine.run("pombo-exporter", "keygen", "/etc/pombo/keys")
        keys = tmp_path / "keys"
        keys.touch(0o600)
        keys.write_text(machine.run("cat", "/etc/pombo/keys"), encoding="ascii")
        exporter = launcher.exporter(f"--seal.key-file={keys}", "--require-sealed")
        yield Installed(machine, exporter)
    finally:
        launcher.close()
        machine.close()


@pytest.mark.integration
@pytest.mark.slow  # a run of the playbook takes many seconds, and there are two
def test_playbook_installs_an_agent_that_reports_and_then_changes_nothing(
    installed: Installed,
) -> None:
    assert "Start the agent" in installed.play()
    wait_until(
        installed.exporter.page,
        lambda page: page.value("pombo_host_up", instance="web-1") == 1,
        "web-1 to report",
    )
    running = installed.machine.property("pombo-agent", "MainPID")
    # The units of this systemd are in a folder in which it cannot note that they are enabled.
    assert {*installed.play()} <= {"Start the agent"}
    assert installed.machine.property("pombo-agent", "MainPID") == running
