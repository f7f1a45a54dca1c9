"""The modules of a program and of its libraries, from wheels, for several versions of Python."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final
from zipfile import ZipFile

from distribution.project import run

#: What no program here imports or reads, as patterns of paths in wheels.
_LEFT_OUT: Final = (
    "*.dist-info/RECORD",  # what follows is of one wheel alone
    "*.dist-info/WHEEL",
    "*.dist-info/entry_points.txt",
    "*.dist-info/sboms/*",
    "*.dist-info/top_level.txt",
    "*.c",
    "*.h",
    "*.pxd",
    "*.pyi",
    "*.pyx",
    "*/tests/*",
    "multidict/_testcapi.*.so",
    "numpy/_core/*_tests.*.so",
    "cffi/*",  # makes bindings; those of PyNaCl need the module _cffi_backend alone
    "pycparser/*",
    "pycparser-*",
    "numpy/_pyinstaller/*",
    "numpy/f2py/*",
    "*.a",
    "_yaml/*",  # the loader in Python is used
    "yaml/_yaml.*.so",
)

#: What says how a wheel was built, and nothing else: that of any wheel will do.
_OF_BUILD: Final = frozenset({"numpy/__config__.py"})


def unpack(wheels: Iterable[Path], folder: Path) -> None:
    """Unpack wheels into a folder. Those of one release for several Pythons share their files.

    Raises:
        ValueError: when two of them have different files of one path.
    """
    for wheel in wheels:
        with ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.endswith("/") or any(fnmatchcase(name, each) for each in _LEFT_OUT):
                    continue
                path = folder / name
                if not path.resolve().is_relative_to(folder.resolve()) or ".data/" in name:
                    raise ValueError(f"{wheel.name} has {name}, which is no module")
                data = archive.read(name)
                if path.exists() and path.read_bytes() != data and name not in _OF_BUILD:
                    raise ValueError(f"{name} of {wheel.name} differs from that of another wheel")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)


def strip(folder: Path) -> None:
    """Remove symbols that nothing needs from compiled modules: a third of their bytes.

    Wheels that have C libraries in them, in a folder ``NAME.libs``, stay as they are: their files
    have been patched, and strip may damage such.
    """
    patched = {path.name.removesuffix(".libs") for path in folder.glob("*.libs")}
    files = [
        path
        for path in sorted(folder.rglob("*.so"))
        if path.relative_to(folder).parts[0].removesuffix(".libs") not in patched
    ]
    run(["strip", "--strip-unneeded", *files])


def glibc(wheels: Iterable[Path]) -> str:
    """Return the oldest glibc that all of the wheels run on."""
    needed = [(2, 17)]
    for wheel in wheels:
        found = re.findall(r"manylinux_(\d+)_(\d+)_", wheel.name)
        if found:
            needed.append(min((int(major), int(minor)) for major, minor in found))
    return "{}.{}".format(*max(needed))
