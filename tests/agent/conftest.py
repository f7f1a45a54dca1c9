"""What the agent's tests share: this machine as a source, and a logger whose lines are kept."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pombo_agent.collectors import Filter, Sources, usage
from pombo_agent.collectors.reading import Skips
from pombo_agent.collectors.sources import Usages
from pombo_agent.options import FILTERS
from pombo_cli.logs import LimitedLogger


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
    logger.addHandler(lines)
    yield LimitedLogger(logger, every=0)
    logger.removeHandler(lines)


def usages(paths: Iterable[str]) -> Usages:
    return Usages({path: usage(path) for path in paths}, {})


@pytest.fixture
def this_machine() -> Sources:
    """Return this machine as a source, with nothing filtered out."""
    everything = {name: Filter() for name in FILTERS}
    return Sources(Path("/proc"), Path("/sys"), Path("/"), everything, usages, Skips(), {})
