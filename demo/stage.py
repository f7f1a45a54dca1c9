"""All programs of the demonstration: started in order, watched, and ended."""

import asyncio
import logging
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final

import aiohttp

from demo.ports import pick
from demo.programs import Program, Usage
from demo.prometheus import Prometheus, PrometheusError
from demo.simulated import Simulated

log = logging.getLogger("demo")

BIN: Final = Path(sys.executable).parent

#: Intervals without a report after which a host is down: docs/demo.md says why so many.
DOWN_AFTER: Final = 24

#: The usual ports: of the page, of both exporters, and of Prometheus.
PAGE_PORT: Final = 5000
_EXPORTER_PORTS: Final = (5005, 5006)
_PROMETHEUS_PORT: Final = 9090

_FEW: Final = 5_000

_PATIENCE: Final = 30.0  # seconds
_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)


class StageError(Exception):
    """A program does not start, or has ended by itself; ``str()`` says what to do."""


@dataclass(frozen=True)
class Settings:
    """How many hosts report, and the seconds between two reports of each.

    With ``any_ports``, the usual ports are not used.
    """

    hosts: int
    interval: float
    any_ports: bool

    @property
    def scrape_seconds(self) -> int:
        """The seconds between two scrapes, and how long one may take.

        A scrape of ten thousand hosts has half a million samples.
        """
        return 5 if self.hosts <= _FEW else 10


class Exporter(Program):
    """An exporter; UDP and HTTP have the same port. ``replica`` is its label in Prometheus."""

    def __init__(self, replica: str, title: str, port: int, hosts: int, folder: Path) -> None:
        self.replica, self.title, self.port = replica, title, port
        address = f"127.0.0.1:{port}"
        command = (
            str(BIN / "pombo-exporter"),
            f"--udp.listen-address={address}",
            f"--web.listen-address={address}",
            f"--limit.hosts={hosts + 100}",
            f"--host.down-after={DOWN_AFTER}",
            "--threshold.clock=off",  # a delayed report has an old time
            "--log.level=error",
        )
        super().__init__(title, command, folder / f"exporter-{replica}.log")

    @property
    def url(self) -> str:
        """The address of its page."""
        return f"http://127.0.0.1:{self.port}"

    async def status(self, client: aiohttp.ClientSession) -> dict[str, Any] | None:
        """Return what it says about itself; None while it does not answer."""
        try:
            async with client.get(f"{self.url}/api/v1/status", timeout=_TIMEOUT) as answer:
                found: dict[str, Any] = await answer.json()
                return found if answer.ok else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None


class Stage:
    """The programs: two exporters, a real agent, the simulated hosts and Prometheus."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Choose ports for all programs.

        Raises:
            StageError: when Prometheus is not installed.
        """
        if not shutil.which("prometheus"):
            raise StageError("Prometheus is not on PATH: install it (Debian: prometheus)")
        self.settings = settings
        taken: list[int] = []

        def port(usual: int) -> int:
            taken.append(pick(None if settings.any_ports else usual, taken))
            return taken[-1]

        self.page_port = port(PAGE_PORT)
        first, second = map(port, _EXPORTER_PORTS)
        self.exporters = (
            Exporter("a", "Exporter", first, settings.hosts, folder),
            Exporter("b", "Replica", second, settings.hosts, folder),
        )
        by_replica = {each.replica: each.port for each in self.exporters}
        self.prometheus = Prometheus(
            folder, port(_PROMETHEUS_PORT), by_replica, settings.scrape_seconds
        )
        ports = [each.port for each in self.exporters]
        self.simulated = Simulated(
            settings.hosts, settings.interval, ports, folder / "simulation.log"
        )
        self.agent: Program | None = None
        self.host = socket.gethostname()
        self._changing = asyncio.Lock()
        self._folder = folder

    @property
    def programs(self) -> list[Program]:
        """All programs, in the order in which they end."""
        agent = [self.agent] if self.agent else []
        return [*agent, self.simulated, self.prometheus, *self.exporters]

    async def start(self, client: aiohttp.ClientSession) -> None:
        """Start all programs, and return when they work.

        Raises:
            StageError: when one does not start.
            SimulationError: when the simulation does not.
        """
        await asyncio.gather(*(each.start() for each in (*self.exporters, self.prometheus)))
        served = (self._served(each, client) for each in self.exporters)
        await asyncio.gather(*served, self._is_ready(client))
        await self.simulated.start()
        self.agent = Program(
            "the agent",
            (
                str(BIN / "pombo-agent"),
                *(f"--server=127.0.0.1:{port}" for port in self.simulated.ports),
                f"--interval={round(self.settings.interval * 1000)}ms",
                f"--name={self.host}",
                "--log.level=error",
            ),
            self._folder / "agent.log",
        )
        await self.agent.start()

    async def _served(self, exporter: Exporter, client: aiohttp.ClientSession) -> None:
        deadline = monotonic() + _PATIENCE
        while await exporter.status(client) is None:
            if not exporter.runs or monotonic() > deadline:
                raise StageError(f"the exporter does not start: {exporter.ending}")
            await asyncio.sleep(0.05)

    async def _is_ready(self, client: aiohttp.ClientSession) -> None:
        """Return when Prometheus answers queries."""
        deadline = monotonic() + _PATIENCE
        while True:
            try:
                await self.prometheus.instant(client, "vector(1)")
            except PrometheusError as error:
                if not self.prometheus.runs or monotonic() > deadline:
                    raise StageError(f"Prometheus does not start: {error}") from error
                await asyncio.sleep(0.05)
            else:
                return

    async def kill_exporter(self, exporter: Exporter) -> None:
        """Kill an exporter, as a machine that loses its power would end it."""
        async with self._changing:
            await self._tell(exporter, is_heard=False)
            await exporter.kill()

    async def start_exporter(self, exporter: Exporter, client: aiohttp.ClientSession) -> None:
        """Start an exporter again, and return when it serves.

        Raises:
            StageError: when it does not start.
        """
        async with self._changing:
            await exporter.start()
            await self._served(exporter, client)
            await self._tell(exporter, is_heard=True)

    async def _tell(self, changed: Exporter, *, is_heard: bool) -> None:
        """Tell the simulation which exporters run."""
        heard = [is_heard if each is changed else each.runs for each in self.exporters]
        await self.simulated.ask("heard", ways=heard)

    async def check(self) -> None:
        """Check that all programs run; an exporter may be ended by anybody.

        Raises:
            StageError: when another one has ended by itself.
        """
        for each in self.programs:
            if each.has_ended and not isinstance(each, Exporter):
                raise StageError(each.ending)
        if not self._changing.locked():
            for exporter in self.exporters:
                if exporter.has_ended:
                    await self._tell(exporter, is_heard=False)

    def usage(self) -> dict[str, Usage]:
        """Return what each program uses, and this process, by name."""
        own = os.times()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        found = {each.name: each.usage() for each in self.programs}
        own_memory = pages * os.sysconf("SC_PAGE_SIZE")
        return {**found, "the page": Usage(own.user + own.system, own_memory)}

    async def end(self) -> None:
        """End all programs: first those that send or ask, then the exporters."""
        *others, first, second = self.programs
        await _all_ended(others)
        await _all_ended([first, second])


async def _all_ended(programs: Sequence[Program]) -> None:
    await asyncio.gather(*(each.end() for each in programs))


@asynccontextmanager
async def stage(settings: Settings) -> AsyncIterator[Stage]:
    """Yield the programs, in a folder of their own; end them and remove it afterwards.

    Raises:
        StageError: when Prometheus is not installed.
    """
    folder = Path(tempfile.mkdtemp(prefix="pombo-demo-"))
    try:
        found = Stage(settings, folder)
        try:
            yield found
        finally:
            await asyncio.shield(found.end())
    finally:
        with suppress(OSError):
            shutil.rmtree(folder)
