"""What the agent's tests share: this machine as a source, and a record of warnings."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pombo_agent.collectors import Filter, Sources, usage
from pombo_agent.collectors.sources import Usage
from pombo_agent.options import FILTERS
from pombo_agent.warn import Warn


@pytest.fixture
def heard() -> list[tuple[str, dict[str, Any]]]:
    """Return the warnings so far, each with its fields."""
    return []


@pytest.fixture
def warn(heard: list[tuple[str, dict[str, Any]]]) -> Warn:
    return lambda _key, message, **fields: heard.append((message, fields))


def ask_all(paths: Iterable[str]) -> Mapping[str, Usage]:
    return {path: usage(path) for path in paths}


@pytest.fixture
def this_machine() -> Sources:
    """Leave nothing out."""
    everything = {name: Filter() for name in FILTERS}
    return Sources(Path("/proc"), Path("/sys"), Path("/"), everything, ask_all)
