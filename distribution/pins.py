"""What the locks pin, downloaded for other Pythons and platforms than those of the build."""

from collections.abc import Iterator
from pathlib import Path

from distribution.project import ROOT, pip
from distribution.targets import Target
from packaging.requirements import Requirement


def download(
    lock: str, target: Target, minor: int, folder: Path, *, pinned_for: int | None = None
) -> None:
    """Download the wheels that a lock pins, for Python 3.``minor``; pip compares the hashes.

    With ``pinned_for`` they have the versions that are pinned for another minor version.
    """
    folder.mkdir(exist_ok=True)
    pins = folder / "pins.txt"
    markers = target.markers(minor if pinned_for is None else pinned_for)
    pins.write_text("".join(_pins(lock, markers)), encoding="ascii")
    platforms = [f"--platform={platform}" for platform in target.platforms]
    pip(
        *("download", "--require-hashes", "--only-binary=:all:", "--no-deps"),
        *("--implementation=cp", f"--python-version=3.{minor}", f"--abi=cp3{minor}", *platforms),
        *(f"--requirement={pins}", f"--dest={folder}"),
    )
    pins.unlink()


def _pins(lock: str, markers: dict[str, str]) -> Iterator[str]:
    """Yield the pins of a lock where these markers hold; pip takes those of its own Python."""
    text = (ROOT / "locks" / f"{lock}.txt").read_text(encoding="ascii")
    for line in text.replace("\\\n", "").splitlines():
        pin, *hashes = line.split(" --hash=")
        requirement = Requirement(pin)
        if requirement.marker is None or requirement.marker.evaluate(markers):
            requirement.marker = None
            yield " --hash=".join([str(requirement), *map(str.strip, hashes)]) + "\n"
