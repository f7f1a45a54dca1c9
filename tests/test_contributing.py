"""What contributors are told is there: targets of make, files and links."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/releasing.md",
]
NAMING = [
    *DOCUMENTS,
    "README.md",
    ".pre-commit-config.yaml",
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / ".github").rglob("*.*"))),
]

#: The targets that the Makefile declares, as one logical line.
TARGETS = set(
    re.findall(
        r"^\.PHONY: (.*)$",
        (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " "),
        re.MULTILINE,
    )[0].split()
)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMING)
def test_every_target_of_make_that_is_named_exists(name: str) -> None:
    named = re.findall(
        r"(?:`|^(?:\s*- run: )?)make (?:--silent )?([a-z][a-z-]*)", text_of(name), re.MULTILINE
    )
    assert set(named) - TARGETS == set()


def test_targets_that_continuous_integration_runs_exist() -> None:
    lists = re.findall(r"'(\[\"[^']*\])'", text_of(".github/workflows/ci.yml"))
    named = {word for each in lists for word in re.findall(r'"([^"]+)"', each)}
    assert "test" in named
    assert named - TARGETS == set()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_within_the_repository_has_a_target(name: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text_of(name)) if "://" not in link]
    for link in links:
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}
            assert anchor in anchors, link


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/releasing.md"])
def test_every_file_that_is_named_exists(name: str) -> None:
    found = re.findall(r"(?<![\w/.*])((?:[\w.-]+/)+[\w.*-]*)", text_of(name))
    tops = {path.name for path in ROOT.iterdir()} - {".venv", "dist"}
    own = [path.rstrip("./") for path in found if path.partition("/")[0] in tops]
    assert own
    assert [path for path in own if not any(ROOT.glob(path))] == []


def test_changelog_says_nothing_twice_and_has_the_kinds_of_change_of_its_form() -> None:
    text = text_of("CHANGELOG.md")
    assert text.count("\n## [Unreleased]\n") == 1
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= kinds
    begins = [line[:60] for line in text.splitlines() if line.startswith("- ")]
    assert len(begins) > 20
    assert sorted(begins) == sorted(set(begins))
