"""The one-file agents in a folder: their sizes and checksums."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path
from stat import S_ISREG
from typing import Final, NamedTuple

#: Where a package puts the agents.
FOLDER: Final = Path("/usr/share/pombo-exporter/agents")

#: A file that is longer is no agent, which has some 6 MB, and is not read.
MOST_BYTES: Final = 64_000_000

_NAME: Final = re.compile(r"pombo-agent-linux-[a-z0-9_]+-(glibc|musl)\.pex")


class Agent(NamedTuple):
    """A one-file agent: the name of its file, its length in bytes, and its SHA-256."""

    name: str
    bytes: int
    sha256: str


class Agents:
    """The agents in a folder. A file is read again only when it has changed.

    A link that leads out of the folder is no agent: it may be to a file that is secret.
    """

    def __init__(self, folder: Path | None) -> None:
        """Take the folder, which need not exist; None is one without agents."""
        self.folder = folder
        self._known: dict[tuple[str, int, int, int], Agent] = {}

    def read(self) -> tuple[Agent, ...]:
        """Return the agents, by name. This reads some megabytes from a file that has changed."""
        found = {}
        for path, status in self._files():
            key = path.name, status.st_ino, status.st_size, status.st_mtime_ns
            found[key] = self._known.get(key) or _read(path)
        self._known = found
        return tuple(sorted(found.values()))

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        try:
            paths = [*self.folder.iterdir()] if self.folder else []
            folder = self.folder.resolve() if self.folder else None
        except (OSError, RuntimeError):  # links in a circle
            return
        for path in paths:
            with suppress(OSError, RuntimeError):  # it may be gone
                if not _NAME.fullmatch(path.name) or folder not in path.resolve().parents:
                    continue
                status = path.stat()
                if S_ISREG(status.st_mode) and status.st_size <= MOST_BYTES:
                    yield path, status


def _read(path: Path) -> Agent:
    with path.open("rb") as file:
        digest = file_digest(file, "sha256")
        return Agent(path.name, file.tell(), digest.hexdigest())
