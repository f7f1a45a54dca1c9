"""Builds a release of the tag at HEAD, checks it and says what to upload: ``make release``.

Nothing is published here. ``docs/releasing.md`` has the steps before and after.
"""

import datetime as dt
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from distribution.onefile import file_name
from distribution.project import PACKAGES, ROOT
from distribution.targets import TARGETS

#: The most bytes of a file, by the end of its name, and of the agent as pip installs it.
LIMITS: Final = {".pex": 6_000_000, ".whl": 1_000_000, ".tar.gz": 2_000_000}
INSTALLED_AGENT_LIMIT: Final = 12_000_000


class ReleaseError(Exception):
    """Why there is no release, a line for each reason."""


class Tag(NamedTuple):
    """The tag at HEAD that is released."""

    name: str
    version: str
    is_signed: bool
    notes: str  # what CHANGELOG.md says of the version


def checked_tag(root: Path) -> Tag:
    """Return the tag of a repository's HEAD, if everything says that it is to be released.

    Raises:
        ReleaseError: when something does not.
    """
    version = (root / "VERSION").read_text(encoding="utf-8").strip()
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise ReleaseError(f"VERSION is {version!r}, which is no X.Y.Z")
    name = f"v{version}"
    faults = []
    if changed := _output("git", "status", "--porcelain", cwd=root):
        faults.append(f"the working tree is not clean: commit or remove these\n{changed}")
    if fault := _fault_of_tag(root, name):
        faults.append(fault)
    try:
        notes = release_notes((root / "CHANGELOG.md").read_text(encoding="utf-8"), version)
    except ReleaseError as error:
        faults.append(str(error))
    if faults:
        raise ReleaseError("\n".join(faults))
    is_signed = "-----BEGIN" in _output("git", "cat-file", "tag", name, cwd=root)
    if is_signed:
        _run("git", "verify-tag", name, cwd=root)
    return Tag(name, version, is_signed, notes)


def _fault_of_tag(root: Path, name: str) -> str | None:
    reference = f"refs/tags/{name}"
    if not _output("git", "tag", "--list", name, cwd=root):
        return f"there is no tag {name}: git tag --sign {name}"
    if _output("git", "cat-file", "-t", reference, cwd=root) != "tag":
        return f"{name} is a lightweight tag: git tag --delete {name}, then git tag --sign {name}"
    tagged = _output("git", "rev-parse", f"{reference}^{{commit}}", cwd=root)
    if tagged != (head := _output("git", "rev-parse", "HEAD", cwd=root)):
        return f"{name} is {tagged:.12}, and HEAD is {head:.12}: git checkout {name}"
    return None


_HEADING = re.compile(r"^## (.*)$", re.MULTILINE)


def release_notes(changelog: str, version: str) -> str:
    """Return what a changelog says of a version that has been given a date.

    Raises:
        ReleaseError: when it says nothing, or when changes are still listed as unreleased.
    """
    _, *parts = _HEADING.split(changelog)
    sections: dict[str, str] = dict(
        zip(parts[::2], (text.strip() for text in parts[1::2]), strict=True)
    )
    if sections.get("[Unreleased]"):
        raise ReleaseError("CHANGELOG.md has changes under [Unreleased]: move them to the version")
    for heading, text in sections.items():
        found = re.fullmatch(rf"\[{re.escape(version)}\] - (\d{{4}}-\d\d-\d\d)", heading)
        if found and text and _is_date(found[1]):
            return text
    raise ReleaseError(f"CHANGELOG.md has no section '## [{version}] - YYYY-MM-DD' with changes")


def _is_date(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def expected_files(version: str) -> list[str]:
    """Return the files of a release, relative to ``dist/``."""
    return [
        *(f"pombo_{package}-{version}-py3-none-any.whl" for package in PACKAGES),
        *(f"pombo_{package}-{version}.tar.gz" for package in PACKAGES),
        *(f"agents/{file_name(target)}" for target in TARGETS),
        "agents/SHA256SUMS",
        *(f"pombo-{program}_{version}_amd64.deb" for program in ("agent", "exporter")),
    ]


def faults_of_files(dist: Path, names: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with files of ``dist/``: missing, too large, or a wheel without types."""
    for name in names:
        path = dist / name
        if not path.is_file():
            yield f"{name} is missing"
            continue
        size = path.stat().st_size
        limit = next((most for end, most in LIMITS.items() if name.endswith(end)), size)
        if size > limit:
            yield f"{name} has {_shown(size)}, and {_shown(limit)} is the most"
        if name.endswith(".whl"):
            package = name.partition("-")[0]
            with zipfile.ZipFile(path) as wheel:
                if f"{package}/py.typed" not in wheel.namelist():
                    yield f"{name} lacks {package}/py.typed"


def installed_bytes(dist: Path, program: str, version: str) -> int:
    """Install a program into a new environment, from ``dist/`` alone; return its size there.

    Raises:
        ReleaseError: when it cannot be installed, or says another version.
    """
    with tempfile.TemporaryDirectory(prefix="pombo-release-") as folder:
        environment = Path(folder)
        _run(sys.executable, "-m", "venv", "--without-pip", folder)
        pip = (sys.executable, "-m", "pip", f"--python={environment / 'bin/python'}", "install")
        found = ("--no-index", f"--find-links={dist}", f"--find-links={dist / 'offline'}")
        _run(*pip, "--quiet", *found, f"pombo-{program}=={version}")
        files = [path for path in environment.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files if not path.is_symlink())
        command = str(environment / "bin" / f"pombo-{program}")
        if version not in (said := _output(command, "--version")).split():
            raise ReleaseError(f"pombo-{program} of the wheel {version} says {said!r}")
    return size


def write_sums(dist: Path, names: Iterable[str]) -> None:
    """Write ``SHA256SUMS``, as sha256sum does, with the names that the files have once uploaded."""
    lines = [
        f"{hashlib.sha256((dist / name).read_bytes()).hexdigest()}  {Path(name).name}\n"
        for name in names
    ]
    (dist / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def release(root: Path = ROOT) -> None:
    """Build and check a release, and print what to upload.

    Raises:
        ReleaseError: when anything is wrong.
    """
    tag = checked_tag(root)
    dist = root / "dist"
    if dist.exists():
        shutil.rmtree(dist)
    _run("make", "dist", cwd=root)
    names = expected_files(tag.version)
    if faults := list(faults_of_files(dist, names)):
        raise ReleaseError("\n".join(faults))
    uploaded = [str(dist / name) for name in names if name.endswith((".whl", ".tar.gz"))]
    _run(sys.executable, "-m", "twine", "check", "--strict", *uploaded)
    installed = {name: installed_bytes(dist, name, tag.version) for name in ("agent", "exporter")}
    if (size := installed["agent"]) > INSTALLED_AGENT_LIMIT:
        most = _shown(INSTALLED_AGENT_LIMIT)
        raise ReleaseError(f"an installed agent has {_shown(size)}, and {most} is the most")
    attached = [name for name in names if name != "agents/SHA256SUMS"]
    write_sums(dist, attached)
    (dist / "notes.md").write_text(f"{tag.notes}\n", encoding="utf-8")
    sys.stdout.write(summary(dist, tag, attached, installed))


def summary(dist: Path, tag: Tag, names: Iterable[str], installed: Mapping[str, int]) -> str:
    """Return what was built, and the commands that publish it."""
    files = {name: (dist / name).stat().st_size for name in names}
    width = max(map(len, files))
    attached = " \\\n        ".join(f"dist/{name}" for name in (*files, "SHA256SUMS"))
    return "\n".join(
        [
            f"Pombo {tag.version}, of {'signed' if tag.is_signed else 'unsigned'} tag {tag.name}",
            "",
            *(f"  {name:{width}}  {_shown(size):>8}" for name, size in files.items()),
            *(f"  pombo-{name} as installed: {_shown(size)}" for name, size in installed.items()),
            "",
            "All of it was checked, and nothing is published. These commands publish it:",
            "",
            f"  git push origin {tag.name}",
            "  python -m twine upload dist/*.whl dist/*.tar.gz",
            f"  gh release create {tag.name} --verify-tag --notes-file dist/notes.md \\",
            f"        {attached}",
            "",
        ]
    )


def _shown(size: int) -> str:
    return f"{size / 1e6:.2f} MB"


def _run(*command: str, cwd: Path | None = None) -> None:
    _output(*command, cwd=cwd, shows=True)


def _output(*command: str, cwd: Path | None = None, shows: bool = False) -> str:
    """Return what a command prints, or with ``shows`` let it print.

    Raises:
        ReleaseError: when it fails or is not there.
    """
    stdout = None if shows else subprocess.PIPE
    try:
        done = subprocess.run(command, cwd=cwd, stdout=stdout, text=True, check=True)
    except OSError as error:
        raise ReleaseError(f"{command[0]}: {error.strerror}") from None
    except subprocess.CalledProcessError as error:
        raise ReleaseError(f"exit code {error.returncode}: {' '.join(command)}") from None
    return (done.stdout or "").strip()


def main() -> None:
    """Make a release, or exit with 1."""
    try:
        release()
    except ReleaseError as error:
        sys.exit("\n".join(f"release: {line}" for line in str(error).splitlines()))


if __name__ == "__main__":
    main()
