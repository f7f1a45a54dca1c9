"""A new host installs the real one-file agent, with each Python, from a real exporter."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from distribution.targets import PYTHONS
from support.interpreters import interpreter
from support.joining import NewHost, enrolled
from support.pages import fetch, wait_until
from support.processes import Launcher
from support.sealing import KeyFiles

pytestmark = pytest.mark.slow


@pytest.fixture
def host(tmp_path: Path) -> Iterator[NewHost]:
    host = NewHost(tmp_path / "host")
    yield host
    host.close()


@pytest.mark.parametrize("minor", PYTHONS)
def test_one_file_agent_is_installed_and_live(
    agents: Path, start: Launcher, host: NewHost, tmp_path: Path, minor: int
) -> None:
    keys = KeyFiles(tmp_path)
    flags = [f"--web.join-files={agents}", f"--seal.key-file={keys.fleet}"]
    exporter = start.exporter(*flags)
    command, key = enrolled("web-1", f"--server={exporter.target}", *flags)
    host.runs_python(interpreter(minor))
    done = host.run(command, f"{key}\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"for Python 3.{minor} at" in done.stdout
    wait_until(
        lambda: json.loads(fetch(f"http://{exporter.target}/api/v1/hosts"))["hosts"],
        lambda hosts: [(each["name"], each["state"]) for each in hosts] == [("web-1", "live")],
        "the host to be live",
    )
