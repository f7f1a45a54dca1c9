"""Fixtures that start real programs and end them. Every test in this folder uses them."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from support.browsers import Open, chromium, tabs
from support.processes import Launcher


def pytest_configure() -> None:
    """Let programs receive SIGINT, which a runner in the background starts with ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests in this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Launcher]:
    """A launcher of programs for one test."""
    launcher = Launcher(tmp_path)
    yield launcher
    launcher.close()


@pytest.fixture(scope="module")
def start_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """A launcher of programs for all tests of a module."""
    launcher = Launcher(tmp_path_factory.mktemp("module"))
    yield launcher
    launcher.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all tests of a module."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """A function that opens a tab. No tab may log an error or open a dialog."""
    with tabs(browser) as opened:
        yield opened
