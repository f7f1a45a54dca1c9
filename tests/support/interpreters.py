"""Other Pythons than the one that runs the tests."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

_REAL_PATH = "import os, sys; print(os.path.realpath(sys.executable), sys.version_info.minor)"


def interpreter(minor: int) -> Path:
    """Return the real path of a Python 3.``minor``, on PATH or of pyenv; fail if there is none."""
    for path in _candidates(minor):
        command = [path, "-c", _REAL_PATH]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:  # pyenv has commands of Pythons that are not active
            return Path(done.stdout.split()[0])
    raise AssertionError(f"no python3.{minor} is on PATH: install one, for example with pyenv")


def _candidates(minor: int) -> Iterator[str]:
    on_path = shutil.which(f"python3.{minor}")
    if on_path:
        yield on_path
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for folder in sorted(root.glob(f"versions/3.{minor}.*"), reverse=True):
        yield str(folder / "bin" / f"python3.{minor}")
