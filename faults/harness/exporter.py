"""An exporter with a key file and a state file, as docs/secure.md sets it up."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from support.pages import fetch_bytes, wait_until
from support.processes import BIN, Process, free_port

#: Of what hosts report: small, so that its bound shows.
LIMIT_BYTES = 8 * 2**20

#: What requests may take besides: docs/sizing.md.
REQUESTS_BYTES = 12 * 2**20


class Exporter(Process):
    """An exporter that takes sealed reports only.

    ``prefix`` is a command that executes it, such as one that enters a namespace.
    """

    def __init__(  # noqa: PLR0913 - each has a default
        self,
        folder: Path,
        *flags: str,
        prefix: Sequence[str] = (),
        udp: str = "127.0.0.1",
        web: str = "127.0.0.1",
        port: int | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        """Start it; UDP and HTTP have one port, at the addresses ``udp`` and ``web``."""
        self.port = port or free_port()
        self.keys = folder / "keys"
        if not self.keys.exists():
            keygen = [str(BIN / "pombo-exporter"), "keygen", str(self.keys)]
            subprocess.run(keygen, check=True, stdout=subprocess.DEVNULL)
        self.url = f"http://{web}:{self.port}"
        command = [
            *prefix,
            str(BIN / "pombo-exporter"),
            f"--udp.listen-address={udp}:{self.port}",
            f"--web.listen-address={web}:{self.port}",
            f"--seal.key-file={self.keys}",
            f"--limit.bytes={LIMIT_BYTES}",
            *flags,
        ]
        super().__init__(command, folder / "exporter.log", env=env)

    def wait(self, within: float = 30.0) -> None:
        """Return once it serves."""
        wait_until(lambda: self.get("/-/ready"), lambda _: True, "the exporter", within=within)

    def get(self, path: str = "/metrics", timeout: float = 15.0) -> bytes:
        """Return what it answers.

        Raises:
            OSError: when it does not answer, or answers with an error.
        """
        return fetch_bytes(self.url + path, {}, timeout=timeout)

    def kernel_drops(self) -> int:
        """Return how many datagrams the kernel has dropped, as /proc/net/udp has it."""
        for table in ("udp", "udp6"):
            for line in Path(f"/proc/{self.pid}/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if int(fields[1].rpartition(":")[2], 16) == self.port:
                    return int(fields[-1])
        raise AssertionError(f"no UDP socket has the port {self.port}")
