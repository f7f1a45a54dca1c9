"""Pip, pipx and uv install both programs in a clean place, with an index and without."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from distribution.project import version
from support.processes import BIN

pytestmark = pytest.mark.slow

#: The largest installation of an agent, without Python.
MAX_AGENT_BYTES = 12_000_000


def run(*command: str | Path, **variables: str | Path) -> str:
    """Run a program as somebody whose settings are those of the index alone; return its output."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "LANG"} or "INDEX" in name or "CERT" in name
    }
    done = subprocess.run(
        command,
        env={**environment, **{name: str(value) for name, value in variables.items()}},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def offline(dist: Path) -> list[str]:
    return ["--no-index", f"--find-links={dist}", f"--find-links={dist / 'offline'}"]


def own_wheels(dist: Path, program: str) -> list[Path]:
    """Return the files of a program, which an index cannot replace by others."""
    name = program.removeprefix("pombo-")
    found = [dist / f"pombo_{each}-{version()}-py3-none-any.whl" for each in (name, "cli", "wire")]
    assert all(path.is_file() for path in found)
    return found


def by_pip(dist: Path, folder: Path, program: str, *, index: bool) -> Path:
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", HOME=folder)
    what = own_wheels(dist, program) if index else [*offline(dist), program]
    pip = (sys.executable, "-m", "pip", f"--python={folder / 'venv/bin/python'}")
    run(*pip, "install", "--no-cache-dir", *what, HOME=Path.home() if index else folder)
    return folder / "venv/bin" / program


def by_pipx(dist: Path, folder: Path, program: str, *, index: bool) -> Path:
    places = {"PIPX_HOME": folder / "pipx", "PIPX_BIN_DIR": folder / "bin"}
    flags = [f"--find-links={dist}"] if index else offline(dist)
    what = own_wheels(dist, program)[0] if index else program
    command = (BIN / "pipx", "install", f"--pip-args={' '.join(flags)}", what)
    run(*command, **places, HOME=Path.home() if index else folder)
    return folder / "bin" / program


def by_uv(dist: Path, folder: Path, program: str, *, index: bool) -> Path:
    places = {"UV_TOOL_DIR": folder / "tools", "UV_TOOL_BIN_DIR": folder / "bin"}
    first, *others = own_wheels(dist, program)
    what = [first, *(f"--with={wheel}" for wheel in others)] if index else [*offline(dist), program]
    command = (BIN / "uv", "tool", "install", "--no-cache", f"--python={sys.executable}", *what)
    run(*command, **places, HOME=Path.home() if index else folder)
    return folder / "bin" / program


@pytest.mark.parametrize("index", [True, False], ids=["index", "no index"])
@pytest.mark.parametrize("program", ["pombo-agent", "pombo-exporter"])
@pytest.mark.parametrize("install", [by_pip, by_pipx, by_uv])
def test_installed_program_runs(
    dist: Path, tmp_path: Path, install: Callable[..., Path], program: str, *, index: bool
) -> None:
    installed = install(dist, tmp_path, program, index=index)
    assert run(installed, "--version") == f"{program}, version {version()}\n"
    if program == "pombo-agent":
        assert run(installed, "--once", "--name=pi").startswith("pi: ")


def test_installed_agent_takes_at_most_12_mb(dist: Path, tmp_path: Path) -> None:
    by_pip(dist, tmp_path, "pombo-agent[dbus]", index=False)
    files = [path for path in (tmp_path / "venv").rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files if not path.is_symlink())
    assert 1_000_000 < size <= MAX_AGENT_BYTES
