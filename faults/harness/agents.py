"""Real agents with keys, each with a total that is known."""

import os
from pathlib import Path

from pombo_agent.transport.crypto import CRYPTO
from pombo_wire.keys import derived, host_key_text
from support.processes import BIN, Process

from faults.harness.trial import Trial

#: What each agent reports besides what this machine counts.
FAMILY, VALUE = "faults_known_total", 2**53 - 1


class Agent:
    """A host with a real agent, which can be killed and started again."""

    def __init__(self, trial: Trial, number: int, interval: float = 1.0) -> None:
        self.name = f"agent-{number}"
        self._trial, self._interval = trial, interval
        self._key = trial.folder / f"{self.name}.key"
        key = derived(CRYPTO, trial.key, 0, self.name)
        self._key.touch(mode=0o600)
        self._key.write_text(host_key_text(CRYPTO, key) + "\n", encoding="ascii")
        self._files = trial.folder / self.name
        self._files.mkdir()
        text = f"# TYPE {FAMILY} counter\n{FAMILY} {VALUE}\n"
        (self._files / "known.prom").write_text(text, encoding="ascii")
        trial.watch.add(self.name, interval)
        self.process = self.start()

    def start(self) -> Process:
        """Start it."""
        self.process = self._trial.kept(
            Process(
                [
                    str(BIN / "pombo-agent"),
                    f"--server=127.0.0.1:{self._trial.exporter.port}",
                    f"--key-file={self._key}",
                    f"--interval={round(self._interval * 1000)}ms",
                    f"--collector.textfile.directory={self._files}",
                ],
                Path(self._trial.folder / f"{self.name}.log"),
                env={"PATH": os.environ["PATH"]},
            )
        )
        return self.process

    def line(self) -> bytes:
        """Return the line of its known total in an exposition."""
        return f'{FAMILY}{{instance="{self.name}"}} {VALUE}\n'.encode()
