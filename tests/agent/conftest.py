"""What the agent's tests share: this machine as a source, and a logger whose lines are kept."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pombo_agent.collecting.reading import Skips
from pombo_agent.collecting.sources import Sources, Usages
from pombo_agent.discovery import usage_function
from pombo_cli.logs import LimitedLogger
from support.collectors import flags_of_all


class Lines(logging.Handler):
    """Keeps the message and the fields of each record."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.getMessage(), record.__dict__["fields"]))


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def warnings(lines: Lines) -> list[tuple[str, dict[str, Any]]]:
    """Return the warnings so far, each with its fields."""
    return lines.lines


@pytest.fixture
def log(lines: Lines) -> Iterator[LimitedLogger]:
    """Return a logger that suppresses nothing."""
    logger = logging.getLogger("pombo_agent.tests")
    logger.setLevel(logging.INFO)
    logger.addHandler(lines)
    yield LimitedLogger(logger, every=0)
    logger.removeHandler(lines)


def usages(paths: Iterable[str]) -> Usages:
    usage = usage_function()
    return Usages({path: usage(path) for path in paths}, {})


@pytest.fixture
def this_machine() -> Sources:
    """Return this machine as a source, with nothing filtered out."""
    paths = Path("/proc"), Path("/sys"), Path("/"), Path("/run/udev/data")
    return Sources(*paths, flags_of_all(), usages, Skips(), {})
