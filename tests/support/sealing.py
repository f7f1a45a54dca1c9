"""Keys of a fleet and of its hosts, as files that the real commands have made."""

import subprocess
from pathlib import Path

from support.processes import BIN


def printed(*arguments: str | Path) -> str:
    """Return what a subcommand of the exporter prints."""
    command = [BIN / "pombo-exporter", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class KeyFiles:
    """The key file of an exporter, and those of agents by the name of their host."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.fleet = folder / "keys"
        printed("keygen", self.fleet)

    def of_host(self, name: str) -> Path:
        """Return the key file of a host, made if there is none."""
        path = self._folder / f"{name}.key"
        if not path.exists():
            path.write_text(self.text(name))
            path.chmod(0o600)
        return path

    def text(self, name: str) -> str:
        """Return the key of a host."""
        return printed("enroll", name, f"--seal.key-file={self.fleet}", "--format=key")
