"""A fixture that starts real programs and ends them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import Launcher


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Launcher]:
    """A launcher of programs for one test."""
    launcher = Launcher(tmp_path)
    yield launcher
    launcher.close()
