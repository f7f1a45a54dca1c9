"""From the exporter's package to a live host on another system: what a person types and sees."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.browsers import chromium
from support.debian import Debian, connect
from support.interpreters import interpreter
from support.pages import wait_until
from support.terminals import Terminal

pytestmark = [pytest.mark.integration, pytest.mark.slow]

EXPORTER, HOST = "10.3.0.1", "10.3.0.2"
NAME = "web-1"
API = f"http://127.0.0.1:5005/api/v1/hosts/{NAME}"

#: The name of an ordinary user.
USER = "anna"


class Shell:
    """A shell on a terminal of a system, as root or as an ordinary user."""

    def __init__(self, system: Debian, user: str) -> None:
        self._terminal = Terminal(*system.entered(), "su", "--login", user, columns=200)

    def paste(self, text: str) -> None:
        self._terminal.type(f"{text}\n")

    def wait_for(self, text: str) -> str:
        """Wait until the terminal shows a text, and return all that it shows."""
        return wait_until(
            lambda: self._terminal.written,
            lambda written: text in written,
            f"{text!r} on the terminal",
            within=60,
        )

    def close(self) -> None:
        self._terminal.close()


@pytest.fixture
def exporter(
    bases: Callable[[str], Path], packages: dict[str, Path], tmp_path: Path
) -> Iterator[Debian]:
    """A clean system with the exporter's package and nothing else of Pombo."""
    folder = tmp_path / "exporter"
    folder.mkdir()
    system = Debian(folder, bases("bookworm"))
    system.install(packages["pombo-exporter"])
    yield system
    system.close()


@dataclass(frozen=True)
class Place:
    """Where an agent is installed, and by whom."""

    release: str  # of Debian
    user: str
    minor: int | None = None  # of a Python that is not the release's


PLACES = {
    "root with Python 3.11": Place("bookworm", "root"),
    "user with Python 3.10": Place("bookworm", USER, 10),
    "user with Python 3.13": Place("trixie", USER),
}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    return PLACES[request.param]


@pytest.fixture
def host(
    bases: Callable[[str], Path], exporter: Debian, place: Place, tmp_path: Path
) -> Iterator[Debian]:
    """A clean system in another network, without anything of Pombo."""
    folder = tmp_path / "host"
    folder.mkdir()
    system = Debian(folder, bases(place.release))
    connect(exporter, system, (EXPORTER, HOST))
    system.run("useradd", "--create-home", "--shell=/bin/bash", USER)
    if place.minor:
        system.add_python(interpreter(place.minor))
    yield system
    system.close()


def browser_in(system: Debian, folder: Path) -> str:
    """Return a program that runs Chromium in the network of a system."""
    program = folder / "chromium"
    program.write_text(f'#!/bin/sh\nexec nsenter --target={system.pid} --net chromium "$@"\n')
    program.chmod(0o755)
    return str(program)


def test_pasted_command_and_key_make_a_host_live(
    exporter: Debian, host: Debian, place: Place, tmp_path: Path
) -> None:
    printed = exporter.run("pombo-exporter", "enroll", NAME, f"--server={EXPORTER}")
    [command] = re.findall(r"^\(\n.*^\)$", printed, re.MULTILINE | re.DOTALL)
    key = printed.splitlines()[-1]
    with (
        closing(Shell(host, place.user)) as shell,
        chromium(browser_in(exporter, tmp_path)) as browser,
    ):
        page = browser.new_page()
        page.goto("http://127.0.0.1:5005/")
        shell.paste(command)
        shell.wait_for("Paste the key")
        shell.paste(key)
        wait_until(
            lambda: json.loads(exporter.fetch(API))["state"],
            lambda state: state == "live",
            f"{NAME} to be live",
        )
        page.get_by_role("row").filter(has_text=NAME).filter(has_text="live").wait_for()
        assert key not in shell.wait_for("is installed")
        # A user's folder of programs is on PATH from the next login on.
        shell.paste("PATH=$PATH:~/.local/bin pombo-agent check; echo code=$?")
        shell.wait_for("code=0")
