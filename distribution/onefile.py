"""One-file agents: a file for each platform, which runs with each Python that has wheels in it."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from distribution.project import ROOT, pip, python, version
from distribution.targets import PYTHONS, TARGETS, Target
from distribution.wheels import without_libyaml
from packaging.requirements import Requirement

_PREAMBLE = Path(__file__).with_name("preamble.py")


def make(dist: Path) -> None:
    """Build a file for each platform into the folder ``agents`` of ``dist``, of the wheels there.

    The names of the files have no version, so that their addresses stay the same.
    """
    agents = dist / "agents"
    shutil.rmtree(agents, ignore_errors=True)
    agents.mkdir(parents=True)
    for target in TARGETS:
        with tempfile.TemporaryDirectory() as folder:
            _build(target, dist, agents / file_name(target), Path(folder))
    lines = [
        f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(agents.glob("*.pex"))
    ]
    (agents / "SHA256SUMS").write_text("".join(lines), encoding="ascii")


def file_name(target: Target) -> str:
    """Return the name of the file for a platform."""
    return f"pombo-agent-{target.name}.pex"


def _build(target: Target, dist: Path, file: Path, folder: Path) -> None:
    wheels = folder / "wheels"
    wheels.mkdir()
    for package in ("wire", "cli", "agent"):
        [wheel] = dist.glob(f"pombo_{package}-{version()}-*.whl")
        shutil.copy(wheel, wheels)
    flags = []
    for minor in PYTHONS:
        _download(target, minor, wheels)
        platform = folder / f"3.{minor}.json"
        platform.write_text(json.dumps(target.complete_platform(minor)), encoding="ascii")
        flags.append(f"--complete-platform={platform}")
    without_libyaml(wheels)
    preamble = folder / "preamble.py"
    text = _PREAMBLE.read_text(encoding="ascii")
    text = text.replace("@MACHINE@", target.machine).replace("@LIBC@", target.libc)
    preamble.write_text(text, encoding="ascii")
    python(
        *("-m", "pex", f"pombo-agent[dbus]=={version()}", *flags),
        *(f"--pre-resolved-dists={wheels}", f"--pex-root={folder / 'pex'}"),
        *("--venv", "--console-script=pombo-agent", f"--preamble-file={preamble}"),
        *("--python-shebang=/usr/bin/env python3", "--check=error"),
        f"--output-file={file}",
    )


def _download(target: Target, minor: int, wheels: Path) -> None:
    """Download what the agent needs with Python 3.``minor``; pip compares the hashes."""
    pins = wheels / "pins.txt"
    pins.write_text("".join(_pins(target.markers(minor))), encoding="ascii")
    platforms = [f"--platform={platform}" for platform in target.platforms]
    pip(
        *("download", "--require-hashes", "--only-binary=:all:", "--no-deps"),
        *("--implementation=cp", f"--python-version=3.{minor}", f"--abi=cp3{minor}", *platforms),
        *(f"--requirement={pins}", f"--dest={wheels}"),
    )
    pins.unlink()


def _pins(markers: dict[str, str]) -> Iterator[str]:
    """Yield the pins of an agent where these markers hold; pip takes those of its own Python."""
    text = (ROOT / "locks" / "agent.txt").read_text(encoding="ascii")
    for line in text.replace("\\\n", "").splitlines():
        pin, *hashes = line.split(" --hash=")
        requirement = Requirement(pin)
        if requirement.marker is None or requirement.marker.evaluate(markers):
            requirement.marker = None
            yield " --hash=".join([str(requirement), *map(str.strip, hashes)]) + "\n"
