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


def build(dist: Path) -> None:
    """Build the packages into ``dist``; those of other versions are removed from it."""
    dist.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        for old in dist.glob(f"pombo_{package}-*"):
            old.unlink()
        targets = ("--target=wheel", "--target=sdist")
        python("-m", "hatchling", "build", *targets, f"--directory={dist}", folder=ROOT / package)
