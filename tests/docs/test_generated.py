"""Generated documents are up to date."""

import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
from pombo_agent.options import COLLECTORS
from support.collector_families import REST, families_of, made_by

ROOT = Path(__file__).parents[2]


def test_document_of_metrics_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "docs/generate/metrics.py")]
    variables = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=variables)
    generated = done.stdout
    assert (ROOT / "docs/metrics.md").read_text(encoding="utf-8") == generated, "run `make docs`"


def test_document_of_settings_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "docs/generate/settings.py")]
    generated = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == generated, "run `make docs`"


def test_names_of_families_that_agents_know_are_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "docs/generate/families.py")]
    generated = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    module = ROOT / "wire/pombo_wire/families.py"
    assert module.read_text(encoding="utf-8") == generated, "run `make docs`"


def test_document_of_the_api_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "docs/generate/openapi.py")]
    generated = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert (ROOT / "docs/openapi.json").read_text(encoding="utf-8") == generated, "run `make docs`"


def test_document_of_severities_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "docs/generate/severity.py")]
    generated = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert (ROOT / "docs/severity.md").read_text(encoding="utf-8") == generated, "run `make docs`"


def test_tables_of_several_exporters_are_computed_from_the_benchmarks_results() -> None:
    command = [sys.executable, str(ROOT / "docs/generate/sizing.py")]
    generated = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert generated in (ROOT / "docs/sizing.md").read_text(encoding="utf-8"), "run `make docs`"


def test_names_of_the_families_of_collectors_are_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "docs/generate/collectors.py")]
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    generated = subprocess.run(command, check=True, capture_output=True, text=True, env=variables)
    path = ROOT / "exporter/pombo_exporter/metrics/collectors.py"
    assert path.read_text(encoding="utf-8") == generated.stdout, "run `make docs`"


def rows_of(section: str) -> list[list[str]]:
    """Return the cells of each row of the first table in a section of docs/metrics.md."""
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    [found] = re.findall(rf"^## {section}\n(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL)
    lines = [line for line in found.splitlines() if line.startswith("| ")]
    return [re.split(r" ?(?<!\\)\| ?", line)[1:-1] for line in lines[1:]]


def names_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_each_collector_has_one_row() -> None:
    names = [name for cells in rows_of("Collectors") for name in names_in(cells[0])]
    assert names == sorted(COLLECTORS)


def test_each_collector_has_its_costs() -> None:
    missing = [cells[0] for cells in rows_of("Collectors") if cells[6] == "not measured"]
    assert missing == [], "run `python -m bench.cases.collector_costs`"


@pytest.mark.parametrize("name", sorted(COLLECTORS))
def test_each_family_of_a_fixture_is_named(name: str) -> None:
    [shown] = [names_in(cells[7]) for cells in rows_of("Collectors") if cells[0] == f"`{name}`"]
    own = {cells[0].strip("`") for cells in rows_of("Open families of collectors")}
    for section in made_by(name).sections:
        families = families_of(section)
        if section.type and (name != REST or families[0].startswith(f"node_{REST}_")):
            assert {*families} <= own
            unnamed = [each for each in families if not any(fnmatch(each, one) for one in shown)]
            assert unnamed == []


def test_what_is_missing_is_no_collector_of_the_agent() -> None:
    cells = [names_in(cells[0]) for cells in rows_of("Not collected") if "collector" in cells[0]]
    assert {names[0] for names in cells} & COLLECTORS.keys() == set()
