"""The documents that are made from the code are those that the code makes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_metrics_page_is_what_the_tables_of_families_say() -> None:
    command = [sys.executable, str(ROOT / "docs/generate/metrics.py")]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert (ROOT / "docs/metrics.md").read_text(encoding="utf-8") == made, "run `make docs`"


def test_api_document_is_what_the_structs_say() -> None:
    command = [sys.executable, str(ROOT / "docs/generate/openapi.py")]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert (ROOT / "docs/openapi.json").read_text(encoding="utf-8") == made, "run `make docs`"


PAGES = ["README.md", *(f"docs/{p.name}" for p in sorted(ROOT.glob("docs/*.md")))]

#: Flags of other programs that the pages name.
OTHERS = {
    "--detach",  # docker compose
    *("--dmesg", "--grep", "--human-readable", "--max-depth", "--one-file-system"),
}


@pytest.fixture(scope="module")
def flags() -> set[str]:
    """Every flag that our commands know, by what their help says."""
    commands = ("pombo-agent",), ("pombo-exporter",), ("pombo-exporter", "top")
    programs = Path(sys.executable).parent
    said = [
        subprocess.run(
            [programs / name, *rest, "--help"], check=True, capture_output=True, text=True
        ).stdout
        for name, *rest in commands
    ]
    return {flag for text in said for flag in FLAG.findall(text)}


FLAG = re.compile(r"(?<![\w-])--[a-z][a-z.-]*[a-z]")


@pytest.mark.parametrize("page", ["CHANGELOG.md", *PAGES])
def test_every_flag_that_is_named_exists(page: str, flags: set[str]) -> None:
    named = set(FLAG.findall((ROOT / page).read_text(encoding="utf-8")))
    assert named - flags - OTHERS == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_link_within_the_repository_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []
