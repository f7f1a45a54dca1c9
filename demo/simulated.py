"""Asks the process of the simulated hosts."""

import asyncio
import sys
from pathlib import Path
from typing import Any, Final

import orjson

from demo.programs import Program

_PATIENCE: Final = 30.0  # seconds


class Simulated(Program):
    """The process of the simulated hosts, which answers questions about them."""

    def __init__(self, hosts: int, interval: float, exporters: list[int], log: Path) -> None:
        flags = (f"--hosts={hosts}", f"--interval={interval}")
        ports = (f"--exporter={port}" for port in exporters)
        command = (sys.executable, "-m", "demo.simulation", *flags, *ports)
        super().__init__("the simulation", command, log, talks=True)
        self._lock = asyncio.Lock()
        #: Where a real agent reports, one port for each exporter.
        self.ports: list[int] = []

    async def start(self) -> None:
        """Start it, and return when its hosts begin to report.

        Raises:
            SimulationError: when it does not begin.
        """
        await super().start()
        self.ports = (await self._read())["ports"]

    async def ask(self, request: str, **arguments: object) -> Any:
        """Return the answer to a request.

        Raises:
            SimulationError: when it does not answer.
        """
        async with self._lock:
            writer = self.process.stdin
            assert writer is not None
            writer.write(orjson.dumps({"request": request, **arguments}) + b"\n")
            return await self._read()

    async def _read(self) -> Any:
        reader = self.process.stdout
        assert reader is not None
        try:
            async with asyncio.timeout(_PATIENCE):
                line = await reader.readline()
        except TimeoutError as error:
            raise SimulationError("the simulation does not answer") from error
        if not line:
            await self.process.wait()
            raise SimulationError(self.ending)
        return orjson.loads(line)


class SimulationError(Exception):
    """The simulation does not answer."""
