"""A place like a stranger's machine: a Python of its own, folders of its own, an ordinary user.

It is a mount namespace, and gone when the program in it ends. Programs in it have the network of
the tests.
"""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support.processes import found

#: The user that programs run as, who owns nothing, as in Debian.
NOBODY = 65534

#: Where two Pythons, the file and a home are.
PYTHON, OTHER, FILE, HOME = (Path("/mnt", name) for name in ("python", "other", "agent", "home"))

#: Folders that every user may write to.
SHARED = ("/tmp", "/var/tmp", "/dev/shm")


@dataclass(frozen=True)
class Room:
    """A copy of ``file``, and the Python whose prefix is given on PATH.

    ``noexec`` are shared folders that are mounted so; ``read_only`` mounts the root so. ``other``
    is the prefix of a Python that is in the folder ``OTHER``, and not on PATH.
    """

    prefix: Path
    file: Path
    noexec: Sequence[str] = ()
    read_only: bool = False
    other: Path | None = None

    def command(self, *arguments: str, **variables: str) -> list[str]:
        """Return the command that runs a program as nobody, with these variables and PATH."""
        as_root = [] if os.geteuid() == 0 else [found("sudo"), "--non-interactive"]
        unshare = [found("unshare"), "--mount", "--propagation=private", "/bin/sh", "-c"]
        environment = {
            "PATH": f"{PYTHON}/bin:/usr/bin:/bin",
            "LD_LIBRARY_PATH": f"{PYTHON}/lib:{OTHER}/lib",  # since both Pythons have moved
            **variables,
        }
        given = [f"{name}={value}" for name, value in environment.items()]
        return [*as_root, *unshare, self._script(), str(NOBODY), *given, *arguments]

    def _script(self) -> str:
        lines = [
            "set -eu",
            "mount -t tmpfs tmpfs /mnt",
            f"mkdir {PYTHON} {OTHER} {HOME}",
            f"mount --bind {shlex.quote(str(self.prefix))} {PYTHON}",
            *([f"mount --bind {shlex.quote(str(self.other))} {OTHER}"] if self.other else []),
            f"install -m 0755 {shlex.quote(str(self.file))} {FILE}",
            f"chown {NOBODY}:{NOBODY} {HOME}",
            *(f"mount -t tmpfs -o {self._options(folder)} tmpfs {folder}" for folder in SHARED),
            *(["mount -o remount,bind,ro /"] if self.read_only else []),
            "cd /",
            'exec setpriv --reuid="$0" --regid="$0" --clear-groups env -i "$@"',
        ]
        return "\n".join(lines)

    def _options(self, folder: str) -> str:
        return "mode=1777,noexec" if folder in self.noexec else "mode=1777"
