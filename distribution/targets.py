"""The platforms of the one-file agents, and the Pythons in each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from packaging.tags import compatible_tags, cpython_tags

#: Minor versions of Python 3.
PYTHONS: Final = (10, 11, 12, 13)

#: The newest C library that a wheel may need, as minor version: Debian 10 and RHEL 8 have this.
_GLIBC, _MUSL = 28, 2

#: Names that tags had before they had the version of glibc in them.
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


@dataclass(frozen=True)
class Target:
    """A machine, as ``uname -m`` names it, and its C library: ``glibc`` or ``musl``."""

    machine: str
    libc: str

    @property
    def name(self) -> str:
        """The name, as it is part of the name of a file."""
        return f"linux-{self.machine}-{self.libc}"

    @property
    def platforms(self) -> list[str]:
        """The tags of platforms that a wheel may have, the best first."""
        return [f"{tag}_{self.machine}" for tag in self._tags()]

    def _tags(self) -> Iterator[str]:
        if self.libc == "musl":
            yield from (f"musllinux_1_{minor}" for minor in range(_MUSL, 0, -1))
        else:
            for minor in range(_GLIBC, 4, -1):
                yield f"manylinux_2_{minor}"
                if minor in _OLD_NAMES:
                    yield _OLD_NAMES[minor]
        yield "linux"

    def complete_platform(self, minor: int) -> dict[str, Any]:
        """Return what pex has to know of the platform with Python 3.``minor``."""
        python = (3, minor)
        tags = [
            *cpython_tags(python, [f"cp3{minor}"], self.platforms),
            *compatible_tags(python, f"cp3{minor}", self.platforms),
        ]
        return {
            "marker_environment": self.markers(minor),
            "compatible_tags": [str(tag) for tag in tags],
        }

    def markers(self, minor: int) -> dict[str, str]:
        """Return what the markers of requirements are there, with Python 3.``minor``."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"3.{minor}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"3.{minor}.0",
            "python_version": f"3.{minor}",
            "sys_platform": "linux",
        }


TARGETS: Final = tuple(
    Target(machine, libc) for machine in ("x86_64", "aarch64") for libc in ("glibc", "musl")
)
