"""What the collectors' tests share: files of a kernel, and columns of a section."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.collector import Collect
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_wire.section import Section


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
def column_of() -> Callable[[list[Section], str, str], dict[str, float | None]]:
    """Return a function that returns one column of a section, by the first text of each row."""

    def column(sections: list[Section], section: str, name: str) -> dict[str, float | None]:
        (found,) = [each for each in sections if each.name == section]
        (names, *_) = found.labels.values()
        first = found.values.index(name) * len(names)
        return dict(zip(names, found.cells[first : first + len(names)], strict=True))

    return column


@pytest.fixture
def collected(this_machine: Sources) -> Callable[[Collect], list[Section]]:
    """Return a function that collects from this machine, and nothing where there is no data."""

    def collect(collector: Collect) -> list[Section]:
        try:
            return collector(this_machine)
        except (NoDataError, FileNotFoundError):
            return []

    return collect
