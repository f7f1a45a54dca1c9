"""One-file agents: a file for each platform, which runs with each Python that has wheels in it."""

import json
import shutil
import tempfile
from hashlib import sha256
from pathlib import Path

from distribution import pins
from distribution.project import python, version
from distribution.targets import PYTHONS, TARGETS, Target
from distribution.wheels import without_libyaml

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
        pins.download("agent", target, minor, wheels)
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
