"""The documents that are made from the code are those that the code makes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_metrics_page_is_what_the_tables_of_families_say() -> None:
    command = [sys.executable, str(ROOT / "tools/describe_metrics.py")]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert (ROOT / "docs/metrics.md").read_text(encoding="utf-8") == made, "run `make docs`"


def test_api_document_is_what_the_structs_say() -> None:
    command = [sys.executable, str(ROOT / "tools/describe_api.py")]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert (ROOT / "docs/openapi.json").read_text(encoding="utf-8") == made, "run `make docs`"


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))])
def test_every_link_within_the_repository_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []
