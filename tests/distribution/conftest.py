"""What `make dist` makes, made once for all tests that ask for it."""

import fcntl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.debian import make_base
from support.processes import ROOT, Launcher


def made(tmp_path_factory: pytest.TempPathFactory, part: str) -> Path:
    """Make a part of the distribution into a folder that all workers of a run share; return it."""
    root = tmp_path_factory.getbasetemp()
    shared = root.parent if root.name.startswith("popen-") else root  # of xdist
    done = shared / f"dist.{part}"
    with (shared / f"dist.{part}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            command = [sys.executable, "-m", "distribution", f"--into={shared / 'dist'}", part]
            subprocess.run(command, cwd=ROOT, check=True)
            done.touch()
    return shared / "dist"


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with wheels, source distributions and `offline`."""
    return made(tmp_path_factory, "wheels")


@pytest.fixture(scope="session")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the one-file agents."""
    made(tmp_path_factory, "wheels")
    return made(tmp_path_factory, "onefile") / "agents"


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder with a clean Debian release, made when a test first asks for it."""
    root = tmp_path_factory.getbasetemp()
    shared = root.parent if root.name.startswith("popen-") else root  # of xdist

    def base(release: str) -> Path:
        done = shared / f"{release}.done"
        with (shared / f"{release}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                make_base(release, shared / release)
                done.touch()
        return shared / release

    return base


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The Debian packages by their names."""
    for part in ("wheels", "onefile", "deb"):
        folder = made(tmp_path_factory, part)
    return {path.name.partition("_")[0]: path for path in folder.glob("*.deb")}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Launcher]:
    """A launcher of programs for one test."""
    launcher = Launcher(tmp_path)
    yield launcher
    launcher.close()
