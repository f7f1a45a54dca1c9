"""Where a one-file agent unpacks itself: only where no other user can replace what it loads."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import ROOT

_PREAMBLE = ROOT / "distribution/preamble.py"


def chosen(first: Path, second: Path) -> str:
    """Return the folder that is chosen: below the first one given, or else below the second."""
    text = _PREAMBLE.read_text(encoding="ascii")
    text = text.replace("@MACHINE@", platform.machine()).replace("@LIBC@", "glibc")
    variables = {"CACHE_DIRECTORY": str(first), "XDG_CACHE_HOME": str(second)}
    done = subprocess.run(
        [sys.executable, "-c", f"{text}\nprint(os.environ['PEX_ROOT'])"],
        env={"PATH": os.defpath, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def second(tmp_path: Path) -> Path:
    found = tmp_path / "second"
    found.mkdir(mode=0o700)
    return found


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o1777])
def test_folder_that_no_other_user_can_replace_is_used(
    tmp_path: Path, second: Path, mode: int
) -> None:
    parent = tmp_path / "parent"
    parent.mkdir()
    parent.chmod(mode)
    assert chosen(parent / "cache", second) == str(parent / "cache")
    assert (parent / "cache").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("depth", [1, 2])
def test_folder_that_another_user_can_replace_is_not_used(
    tmp_path: Path, second: Path, depth: int
) -> None:
    parent = tmp_path / "parent"
    inner = parent.joinpath(*["inner"] * (depth - 1))
    inner.mkdir(parents=True)
    parent.chmod(0o777)
    assert chosen(inner / "cache", second) == str(second / "pombo-agent")
    (tmp_path / "link").symlink_to(inner)
    assert chosen(tmp_path / "link/cache", second) == str(second / "pombo-agent")


def test_folder_that_is_a_link_is_not_used(tmp_path: Path, second: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "link").symlink_to("own")
    assert chosen(tmp_path / "link", second) == str(second / "pombo-agent")


def test_link_on_the_way_is_not_followed_again(tmp_path: Path, second: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "link").symlink_to("own")
    assert chosen(tmp_path / "link/cache", second) == str(tmp_path / "own/cache")
