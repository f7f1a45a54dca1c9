"""The programs of the demonstration, each a process that can be killed and started again."""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_TICK: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_GRACE: Final = 8.0  # seconds
_LINES: Final = 5  # of a log


class Usage(NamedTuple):
    """What a process uses: CPU so far in seconds, resident memory in bytes."""

    cpu: float
    resident: int


class Program:
    """A program, and the process that runs it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        talks: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Take its command, the file for its output, and variables besides those of this process.

        With ``talks``, its standard input and output are pipes, and the file is for its errors.
        """
        self.name = name
        self._command, self._log, self._talks = command, log, talks
        self._env = {**os.environ, **(env or {})}
        self._process: Process | None = None
        self._used = 0.0  # seconds of CPU, of the processes that have ended

    @property
    def process(self) -> Process:
        """The process that was started last."""
        assert self._process is not None, f"{self.name} was not started"
        return self._process

    @property
    def runs(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def has_ended(self) -> bool:
        """Whether it was started and has ended."""
        return self._process is not None and self._process.returncode is not None

    @property
    def pid(self) -> int | None:
        """The number of its process; None where none runs."""
        return self.process.pid if self.runs else None

    @property
    def ending(self) -> str:
        """How the last process has ended, with the last lines of its log."""
        lines = self._log.read_text(errors="replace").splitlines()[-_LINES:]
        return "\n".join([f"{self.name} ended with status {self.process.returncode}", *lines])

    async def start(self) -> None:
        """Start it, unless it runs."""
        if self.runs:
            return
        with self._log.open("ab") as log:
            # In a group of its own: Ctrl-C reaches only the demonstration, which ends the rest in
            # good order.
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=PIPE if self._talks else DEVNULL,
                stdout=PIPE if self._talks else log,
                stderr=log,
                env=self._env,
                process_group=0,
                limit=2**24,
            )

    async def kill(self) -> None:
        """End it by SIGKILL, unless it has ended."""
        if self.runs:
            self._used += self.usage().cpu
            self.process.kill()
            await self.process.wait()

    async def end(self) -> None:
        """End it by SIGTERM, and by SIGKILL if that takes too long."""
        if not self.runs:
            return
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_GRACE):
                await self.process.wait()
        except TimeoutError:
            await self.kill()

    def usage(self) -> Usage:
        """Return what it has used, in all its processes, and uses now."""
        if not self.runs:
            return Usage(self._used, 0)
        folder = Path(f"/proc/{self.process.pid}")
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            resident = int((folder / "statm").read_text().split()[1]) * _PAGE
        except OSError:  # it has just ended
            return Usage(self._used, 0)
        return Usage(self._used + (int(fields[11]) + int(fields[12])) / _TICK, resident)
