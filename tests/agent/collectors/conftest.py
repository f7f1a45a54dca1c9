"""What the collectors' tests share: files of a kernel, and columns of a section."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collectors import Collector, NoDataError, Sources
from pombo_wire import Part


@pytest.fixture
def write_files() -> Callable[[Path, dict[str, str]], Path]:
    """Return a function that writes files below a folder, as ``/proc`` or ``/sys`` has them."""

    def write(root: Path, files: dict[str, str]) -> Path:
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        return root

    return write


@pytest.fixture
def column_of() -> Callable[[list[Part], str, str], dict[str, float]]:
    """Return a function that returns one column of all tables of a section, by the row's name."""

    def column(parts: list[Part], section: str, name: str) -> dict[str, float]:
        return {
            row: value
            for field, table in parts
            if field == section
            for row, value in zip(
                getattr(table, table.__struct_fields__[0]), getattr(table, name), strict=True
            )
        }

    return column


@pytest.fixture
def collected(this_machine: Sources) -> Callable[[Collector], list[Part]]:
    """Return a function that collects from this machine, and nothing where there is no data."""

    def collect(collector: Collector) -> list[Part]:
        try:
            return collector(this_machine)
        except NoDataError:
            return []

    return collect
