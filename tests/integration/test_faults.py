"""The fault suite: small counts for each change, and all of it where there is time."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from support.processes import ROOT

from faults.__main__ import CASES
from faults.table import PATH

#: At twice the pace of small counts, nothing is lost: the case says nothing.
SHORT = [name for name in CASES if name != "overloaded"]

#: The cases that `make test` tries: the network and hostile datagrams. The others are slow tests.
OFTEN_TRIED = {"lossy", "partition", "flooded"}

#: Short cases at the same time: most of each is waiting.
AT_ONCE = 2


def run(*arguments: str, within: float) -> str:
    """Run the suite in a process of its own, since it enters namespaces; return its rows."""
    command = [sys.executable, "-m", "faults", *arguments]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=within
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def short(request: pytest.FixtureRequest) -> Iterator[dict[str, "Future[str]"]]:
    """The rows of the short cases that are to be tested, by name, once they are there."""
    own = [item for item in request.session.items if item.path == Path(__file__)]
    names = [
        name for name in SHORT if any(item.name.endswith(f"short_fault[{name}]") for item in own)
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(run, "--short", name, within=120) for name in names}


@pytest.mark.parametrize(
    "name",
    [name if name in OFTEN_TRIED else pytest.param(name, marks=pytest.mark.slow) for name in SHORT],
)
def test_rules_hold_after_a_short_fault(name: str, short: dict[str, "Future[str]"]) -> None:
    title, _ = CASES[name]
    assert f"| {title} | " in short[name].result()


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_rules_hold_after_a_fault(name: str) -> None:
    title, _ = CASES[name]
    assert f"| {title} | " in run(name, within=600)


def test_document_has_a_row_of_each_case() -> None:
    text = PATH.read_text(encoding="utf-8")
    assert [title for title, _ in CASES.values() if text.count(f"\n| {title} | ") != 1] == []
