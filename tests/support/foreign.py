"""A Debian for another machine: extracted by mmdebstrap, its programs run by QEMU.

The kernel has to know which programs QEMU runs. It is told in a user namespace, which needs Linux
6.7, so nothing changes for others.
"""

import shlex
import subprocess
from pathlib import Path

from support.processes import found

#: How a program for aarch64 begins, and which bits of that count; both as the kernel reads them.
_MAGIC = r"\x7fELF\x02\x01\x01" + r"\x00" * 9 + r"\x02\x00\xb7\x00"
_MASK = r"\xff" * 7 + r"\x00" + r"\xff" * 8 + r"\xfe\xff\xff\xff"


class Aarch64:
    """A Debian for aarch64 with Python 3.11 and a shell; nothing else is installed."""

    def __init__(self, folder: Path) -> None:
        """Extract it into an empty folder."""
        self.root = folder / "root"
        self._binfmt = folder / "binfmt"
        self._binfmt.mkdir()
        packages = "--include=python3,coreutils,dash,libc-bin"
        command = [found("mmdebstrap"), "--arch=arm64", "--variant=extract", packages, "bookworm"]
        done = subprocess.run([*command, self.root], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        for name in ("root", "tmp", "var/tmp", "proc", "sys", "dev"):
            (self.root / name).mkdir(parents=True, exist_ok=True)

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs a program in it, with the network of the tests."""
        qemu = found("qemu-aarch64-static")
        root, binfmt = (shlex.quote(str(path)) for path in (self.root, self._binfmt))
        lines = [
            "set -eu",
            f"mount -t binfmt_misc binfmt_misc {binfmt}",
            # F opens QEMU now, since it cannot be found in the root.
            f"printf %s ':aarch64:M::{_MAGIC}:{_MASK}:{qemu}:F' > {binfmt}/register",
            *(f"mount --rbind /{name} {root}/{name}" for name in ("proc", "sys", "dev")),
            f'exec chroot {root} /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root "$@"',
        ]
        unshare = [found("unshare"), "--user", "--map-root-user", "--mount", "/bin/sh", "-c"]
        return [*unshare, "\n".join(lines), "sh", *arguments]
