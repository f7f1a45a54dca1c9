"""The repository as the parts of a build see it: its folders, its version, its programs."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]

#: The folder of each package, after those that it depends on.
PACKAGES: Final = ("wire", "cli", "agent", "exporter")


def version() -> str:
    """Return the version of all packages."""
    return (ROOT / "VERSION").read_text(encoding="ascii").strip()


def run(command: Sequence[str | Path], folder: Path = ROOT) -> None:
    """Run a program; the time that it writes into archives is that of the last commit.

    Raises:
        SystemExit: when the program fails, with its exit code.
    """
    done = subprocess.run(command, cwd=folder, env=os.environ | _epoch(), check=False)
    if done.returncode:
        shown = " ".join(map(str, command[:4]))
        sys.stderr.write(f"distribution: failed: {shown} …\n")
        sys.exit(done.returncode)


def python(*arguments: str | Path, folder: Path = ROOT) -> None:
    """Run a module or a script with this interpreter; see ``run``."""
    run([sys.executable, *arguments], folder)


def pip(*arguments: str | Path) -> None:
    """Run pip, quietly; see ``run``."""
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    python("-m", "pip", *quiet, *arguments)


def source_date() -> int:
    """Return the Unix time that builds write: SOURCE_DATE_EPOCH, or that of the last commit."""
    return int((os.environ | _epoch()).get("SOURCE_DATE_EPOCH", "0"))


def _epoch() -> dict[str, str]:
    """Return SOURCE_DATE_EPOCH for a build, unless it is set or there is no Git."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return {}
    command = ["git", "log", "-1", "--format=%ct"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"SOURCE_DATE_EPOCH": done.stdout.strip()}
