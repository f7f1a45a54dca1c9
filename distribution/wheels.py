"""Wheels and source distributions of all packages, and the wheels that they need."""

import shutil
from pathlib import Path

from distribution.project import PACKAGES, ROOT, pip, python


def make(dist: Path) -> None:
    """Build the packages into ``dist``, and download what they need into its folder ``offline``.

    The downloaded wheels are for the platform and the Python of the build.
    """
    build(dist)
    offline = dist / "offline"
    shutil.rmtree(offline, ignore_errors=True)
    locks = [f"--requirement={ROOT / 'locks' / name}.txt" for name in ("agent", "exporter")]
    only = ("--require-hashes", "--only-binary=:all:", "--no-deps")
    pip("download", *only, f"--dest={offline}", *locks)
    without_libyaml(offline)


def build(dist: Path) -> None:
    """Build the packages into ``dist``; those of other versions are removed from it."""
    dist.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        for old in dist.glob(f"pombo_{package}-*"):
            old.unlink()
        targets = ("--target=wheel", "--target=sdist")
        python("-m", "hatchling", "build", *targets, f"--directory={dist}", folder=ROOT / package)


def without_libyaml(wheels: Path) -> None:
    """Replace PyYAML's wheels in a folder by one without libyaml, a fifth of an installed agent.

    Configuration files are read with PyYAML's loader in Python. It is made to run without libyaml.
    """
    [first, *others] = sorted(wheels.glob("pyyaml-*.whl"))
    unpacked = wheels / "unpacked"
    python("-m", "wheel", "unpack", f"--dest={unpacked}", first)
    [content] = unpacked.iterdir()
    for library in content.glob("yaml/_yaml*.so"):
        library.unlink()
    [metadata] = content.glob("*.dist-info/WHEEL")
    kept = [
        line
        for line in metadata.read_text(encoding="ascii").splitlines()
        if line and not line.startswith(("Tag:", "Root-Is-Purelib:"))
    ]
    lines = [*kept, "Root-Is-Purelib: true", "Tag: py3-none-any", ""]
    metadata.write_text("\n".join(lines), encoding="ascii")
    for wheel in (first, *others):
        wheel.unlink()
    python("-m", "wheel", "pack", f"--dest-dir={wheels}", content)
    shutil.rmtree(unpacked)
