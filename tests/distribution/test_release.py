"""A release is made only of an annotated tag at HEAD, with notes, of a clean tree, and checked."""

import subprocess
import zipfile
from pathlib import Path

import pytest
from distribution.project import version
from distribution.release import (
    INSTALLED_AGENT_LIMIT,
    LIMITS,
    ReleaseError,
    checked_tag,
    expected_files,
    faults_of_files,
    installed_bytes,
    release_notes,
    write_sums,
)

_CHANGELOG = """# Changelog

## [Unreleased]

## [1.2.3] - 2026-11-28

### Fixed

- A fault.

## [1.2.2] - 2026-10-01

- Another one.
"""


class Repository:
    """A repository of its own, with one commit."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("VERSION", "1.2.3\n")
        self.write("CHANGELOG.md", _CHANGELOG)
        self.git("init", "--quiet")
        self.commit()

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def git(self, *arguments: str, stdin: str = "") -> str:
        """Run git without the configuration of whoever runs the tests; return what it prints."""
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "tag.gpgSign=false")
        command = ["git", *who, "-c", "commit.gpgSign=false", *arguments]
        done = subprocess.run(
            command, cwd=self.root, input=stdin, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=Change")

    def tag(self, name: str = "v1.2.3") -> None:
        self.git("tag", "--annotate", "--message=A release", name)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_annotated_tag_at_head_is_released_with_the_notes_of_its_version(
    repository: Repository,
) -> None:
    repository.tag()
    tag = checked_tag(repository.root)
    assert (tag.name, tag.version, tag.is_signed) == ("v1.2.3", "1.2.3", False)
    assert tag.notes == "### Fixed\n\n- A fault."


def test_tree_that_is_not_clean_is_not_released(repository: Repository) -> None:
    repository.tag()
    repository.write("new.txt", "not added")
    with pytest.raises(ReleaseError, match=r"(?s)not clean.*new\.txt"):
        checked_tag(repository.root)


def test_version_without_a_tag_is_not_released(repository: Repository) -> None:
    repository.tag("v1.2.2")
    with pytest.raises(ReleaseError, match=r"there is no tag v1\.2\.3"):
        checked_tag(repository.root)


def test_lightweight_tag_is_not_released(repository: Repository) -> None:
    repository.git("tag", "v1.2.3")
    with pytest.raises(ReleaseError, match="lightweight"):
        checked_tag(repository.root)


def test_tag_of_another_commit_is_not_released(repository: Repository) -> None:
    repository.tag()
    repository.commit()
    with pytest.raises(ReleaseError, match=r"git checkout v1\.2\.3"):
        checked_tag(repository.root)


def test_signature_that_cannot_be_verified_is_not_released(repository: Repository) -> None:
    head = repository.git("rev-parse", "HEAD")
    tagged = f"object {head}\ntype commit\ntag v1.2.3\ntagger Ada <ada@example.org> 1 +0000\n"
    signed = "-----BEGIN PGP SIGNATURE-----\n\nxxxx\n-----END PGP SIGNATURE-----\n"
    made = repository.git("mktag", stdin=f"{tagged}\nA release\n{signed}")
    repository.git("update-ref", "refs/tags/v1.2.3", made)
    with pytest.raises(ReleaseError, match=r"exit code 1: git verify-tag v1\.2\.3"):
        checked_tag(repository.root)


def test_version_that_is_none_is_not_released(repository: Repository) -> None:
    repository.write("VERSION", "1.2.3.dev0\n")
    with pytest.raises(ReleaseError, match=r"'1\.2\.3\.dev0', which is no X\.Y\.Z"):
        checked_tag(repository.root)


def test_all_faults_are_named_together(repository: Repository) -> None:
    repository.write("CHANGELOG.md", "# Changelog\n")
    with pytest.raises(ReleaseError, match=r"(?s)not clean.*no tag.*no section"):
        checked_tag(repository.root)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("[Unreleased]\n", "[Unreleased]\n\n- New.\n", "under [Unreleased]"),
        ("## [1.2.3]", "## [1.2.4]", "no section '## [1.2.3] - YYYY-MM-DD'"),
        ("2026-11-28", "unreleased", "no section"),
        ("2026-11-28", "2026-11-31", "no section"),
        ("### Fixed\n\n- A fault.\n", "", "no section"),
    ],
    ids=["unreleased changes", "another version", "no date", "no such date", "no changes"],
)
def test_changelog_without_dated_changes_of_the_version_is_refused(
    old: str, new: str, fault: str
) -> None:
    assert old in _CHANGELOG
    with pytest.raises(ReleaseError) as raised:
        release_notes(_CHANGELOG.replace(old, new), "1.2.3")
    assert fault in str(raised.value)


def test_files_that_are_missing_or_too_large_are_faults(tmp_path: Path) -> None:
    for name, size in (("small.pex", LIMITS[".pex"]), ("large.pex", LIMITS[".pex"] + 10_000)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    assert list(faults_of_files(tmp_path, ["small.pex", "large.pex", "none.deb"])) == [
        "large.pex has 6.01 MB, and 6.00 MB is the most",
        "none.deb is missing",
    ]


def test_wheel_without_the_mark_of_types_is_a_fault(tmp_path: Path) -> None:
    names = ["pombo_wire-1.2.3-py3-none-any.whl", "pombo_cli-1.2.3-py3-none-any.whl"]
    for name, member in zip(names, ("pombo_wire/py.typed", "pombo_cli/flags.py"), strict=True):
        with zipfile.ZipFile(tmp_path / name, "w") as wheel:
            wheel.writestr(member, "")
    assert list(faults_of_files(tmp_path, names)) == [f"{names[1]} lacks pombo_cli/py.typed"]


def test_sums_are_those_that_sha256sum_checks(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "one.pex").write_bytes(b"1")
    (tmp_path / "two.whl").write_bytes(b"2")
    write_sums(tmp_path, ["agents/one.pex", "two.whl"])
    # Whoever downloads has all files in one folder.
    (tmp_path / "agents" / "one.pex").rename(tmp_path / "one.pex")
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path, check=True)


def test_files_of_a_release_have_its_version_but_one_file_agents() -> None:
    without = [name for name in expected_files("1.2.3") if "1.2.3" not in name]
    assert without == [
        "agents/pombo-agent-linux-x86_64-glibc.pex",
        "agents/pombo-agent-linux-x86_64-musl.pex",
        "agents/pombo-agent-linux-aarch64-glibc.pex",
        "agents/pombo-agent-linux-aarch64-musl.pex",
        "agents/SHA256SUMS",
    ]


@pytest.mark.slow
def test_wheels_sources_and_one_file_agents_that_were_built_have_no_fault(
    dist: Path, agents: Path
) -> None:
    names = [name for name in expected_files(version()) if not name.endswith(".deb")]
    assert (dist / "agents") == agents
    assert list(faults_of_files(dist, names)) == []


@pytest.mark.slow
def test_both_programs_can_be_installed_from_what_was_built_alone(dist: Path) -> None:
    assert 1_000_000 < installed_bytes(dist, "agent", version()) <= INSTALLED_AGENT_LIMIT
    assert installed_bytes(dist, "exporter", version()) > INSTALLED_AGENT_LIMIT
    with pytest.raises(ReleaseError, match="pombo-agent==9"):
        installed_bytes(dist, "agent", "9")
