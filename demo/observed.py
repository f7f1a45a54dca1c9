"""What the page shows of the whole demonstration, read again each second."""

import asyncio
import logging
import time
from typing import Any, Final

import aiohttp
from msgspec import Struct

from demo.comparison import equal_totals
from demo.prometheus import PrometheusError
from demo.stage import Exporter, Stage

log = logging.getLogger("demo")

_EVERY: Final = 1.0  # seconds
_HOSTS_EVERY: Final = 5.0  # seconds: a query over all hosts
_TOTALS_EVERY: Final = 15.0  # seconds: the greatest query


_UP: Final = "max by (instance) (pombo_host_up)"


class ExporterState(Struct, frozen=True):
    """An exporter: what it says about its hosts, and what the network did with their datagrams.

    ``live``, ``late``, ``down`` and ``received`` are None while it does not answer; ``received`` is
    since it was started.
    """

    replica: str
    title: str
    url: str
    runs: bool
    pid: int | None
    live: int | None
    late: int | None
    down: int | None
    received: int | None
    kernel_drops: int | None
    sent: int
    lost: int
    doubled: int
    delayed: int
    resident_bytes: int


class Totals(Struct, frozen=True):
    """How many totals of all hosts Prometheus has, how many of them are right, and when that was.

    ``at`` is Unix time in seconds.
    """

    count: int
    equal: int
    at: float


class State(Struct, frozen=True):
    """The whole demonstration; ``this_host`` is the name of the host with the real agent.

    ``up`` and ``down`` are hosts, by the better of both exporters, as Prometheus has them, and
    ``most_down`` the most that were down at any time; None before the first scrape. ``cpu_cores``
    is what all programs use, in cores, over the last seconds; ``programs`` is that of each.
    """

    hosts: int
    this_host: str
    interval_seconds: float
    lost: float
    doubled: float
    delayed: float
    behind_seconds: float
    exporters: list[ExporterState]
    prometheus_url: str
    up: int | None
    down: int | None
    most_down: int | None
    totals: Totals | None
    cpu_cores: float
    resident_bytes: int
    programs: dict[str, tuple[float, int]]


class Observer:
    """Reads the state of a stage."""

    def __init__(self, stage: Stage, client: aiohttp.ClientSession) -> None:
        self._stage, self._client = stage, client
        self._up: int | None = None
        self._down: int | None = None
        self._most_down: int | None = None
        self._totals: Totals | None = None
        self._used: list[tuple[float, dict[str, float]]] = []
        self.state: State | None = None

    async def run(self) -> None:
        """Read the state until cancelled.

        Raises:
            StageError: when a program has ended by itself.
            SimulationError: when the simulation does not answer.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeated(self.read, _EVERY))
            group.create_task(self._repeated(self._read_hosts, _HOSTS_EVERY))
            group.create_task(self._repeated(self._read_totals, _TOTALS_EVERY))

    async def _repeated(self, read: Any, every: float) -> None:
        while True:
            try:
                await read()
            except PrometheusError as error:
                log.debug("%s", error)  # it is asked again
            await asyncio.sleep(every)

    async def read(self) -> None:
        """Read the state of all programs, without that of all hosts."""
        stage = self._stage
        await stage.check()
        status = await stage.simulated.ask("status")
        exporters = await asyncio.gather(
            *map(self._exporter, stage.exporters, status["ways"]),
        )
        usage = stage.usage()
        cores = self._cores({name: each.cpu for name, each in usage.items()})
        self.state = State(
            hosts=stage.settings.hosts,
            this_host=stage.host,
            interval_seconds=stage.settings.interval,
            **status["conditions"],
            behind_seconds=status["behind_seconds"],
            exporters=exporters,
            prometheus_url=f"http://127.0.0.1:{stage.prometheus.port}",
            up=self._up,
            down=self._down,
            most_down=self._most_down,
            totals=self._totals,
            cpu_cores=sum(cores.values()),
            resident_bytes=sum(each.resident for each in usage.values()),
            programs={name: (cores[name], each.resident) for name, each in usage.items()},
        )

    async def _exporter(self, exporter: Exporter, way: dict[str, int]) -> ExporterState:
        status = await exporter.status(self._client) if exporter.runs else None
        found = status or {}
        hosts = found.get("hosts", {})
        return ExporterState(
            replica=exporter.replica,
            title=exporter.title,
            url=exporter.url,
            runs=exporter.runs,
            pid=exporter.pid,
            live=hosts.get("live"),
            late=hosts.get("late"),
            down=hosts.get("down"),
            received=found.get("datagrams_received"),
            kernel_drops=found.get("kernel_drops"),
            resident_bytes=exporter.usage().resident,
            **way,
        )

    def _cores(self, used: dict[str, float]) -> dict[str, float]:
        """Return how many cores each program uses, over the last ten seconds."""
        now = time.monotonic()
        self._used = [*self._used[-10:], (now, used)]
        then, before = self._used[0]
        seconds = max(now - then, 0.001)
        return {name: max(0.0, cpu - before.get(name, cpu)) / seconds for name, cpu in used.items()}

    async def _read_hosts(self) -> None:
        """Ask Prometheus how many hosts are up and down, by the better of both exporters."""
        self._up, self._down = await asyncio.gather(
            self._count(f"count({_UP} == 1)"), self._count(f"count({_UP} == 0)")
        )
        if self._up:
            self._most_down = max(self._most_down or 0, self._down or 0)

    async def _count(self, query: str) -> int:
        found = await self._stage.prometheus.instant(self._client, query)
        return round(found[0][1].value) if found else 0

    async def _read_totals(self) -> None:
        stage = self._stage
        # All samples of the scrapes that had begun then are there now.
        at = time.time() - stage.settings.scrape_seconds - 1
        count, equal = await equal_totals(self._client, stage.prometheus, stage.simulated, at)
        if count:
            self._totals = Totals(count, equal, at)
