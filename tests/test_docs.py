"""Generated documents are up to date; flags and links in documents exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_document_of_metrics_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "docs/generate/metrics.py")]
    generated = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert (ROOT / "docs/metrics.md").read_text(encoding="utf-8") == generated, "run `make docs`"


def test_names_of_families_that_agents_know_are_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "docs/generate/families.py")]
    generated = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    module = ROOT / "wire/pombo_wire/families.py"
    assert module.read_text(encoding="utf-8") == generated, "run `make docs`"


def test_document_of_the_api_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "docs/generate/openapi.py")]
    generated = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert (ROOT / "docs/openapi.json").read_text(encoding="utf-8") == generated, "run `make docs`"


def test_names_of_the_families_of_collectors_are_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "docs/generate/collectors.py")]
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    generated = subprocess.run(command, check=True, capture_output=True, text=True, env=variables)
    path = ROOT / "exporter/pombo_exporter/metrics/collectors.py"
    assert path.read_text(encoding="utf-8") == generated.stdout, "run `make docs`"


DOCUMENTS = ["README.md", *(f"docs/{p.name}" for p in sorted(ROOT.glob("docs/*.md")))]

#: Flags of other programs that documents name.
OTHER_FLAGS = {
    "--detach",  # docker compose
    *("--dmesg", "--grep", "--human-readable", "--max-depth", "--one-file-system"),
}


@pytest.fixture(scope="module")
def flags() -> set[str]:
    """Every flag in the help of our commands."""
    commands = (
        ("pombo-agent",),
        ("pombo-exporter",),
        ("pombo-exporter", "top"),
        ("pombo-exporter", "decode"),
    )
    programs = Path(sys.executable).parent
    helps = [
        subprocess.run(
            [programs / name, *rest, "--help"], check=True, capture_output=True, text=True
        ).stdout
        for name, *rest in commands
    ]
    return {flag for text in helps for flag in FLAG.findall(text)}


FLAG = re.compile(r"(?<![\w-])--[a-z][a-z.-]*[a-z]")


@pytest.mark.parametrize("document", ["CHANGELOG.md", *DOCUMENTS])
def test_every_flag_that_is_named_exists(document: str, flags: set[str]) -> None:
    named = set(FLAG.findall((ROOT / document).read_text(encoding="utf-8")))
    assert named - flags - OTHER_FLAGS == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_within_the_repository_has_a_target(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / document).parent.joinpath(link).exists()] == []
