"""Every test here runs real programs, which the fixtures start and end."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import Launcher


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Launcher]:
    """What starts programs for one test."""
    launcher = Launcher(tmp_path)
    yield launcher
    launcher.close()


@pytest.fixture(scope="module")
def start_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """What starts programs for all the tests of a module."""
    launcher = Launcher(tmp_path_factory.mktemp("module"))
    yield launcher
    launcher.close()
