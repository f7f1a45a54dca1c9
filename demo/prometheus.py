"""The Prometheus of the demonstration: its configuration, and its answers to queries."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp

from demo.programs import Program
from demo.simulation.template import INTERFACE, REPORTS

#: What is kept of the exposition of ten thousand hosts, so that two cores are enough.
_FAMILIES: Final = (
    "node_network_(receive|transmit)_bytes_total",
    REPORTS,
    "pombo_host_up",
    "pombo_exporter_.*",
)

_CONFIGURATION: Final = """\
global:
  scrape_interval: {interval}s
  scrape_timeout: {interval}s
scrape_configs:
  - job_name: pombo
    honor_labels: true
    params:
      collect[]: [netdev, textfile]
    static_configs:
{targets}
    metric_relabel_configs:
      - source_labels: [__name__]
        regex: {families}
        action: keep
      - source_labels: [device]
        regex: (|{device})
        action: keep
"""
_TARGET: Final = """\
      - targets: ["127.0.0.1:{port}"]
        labels: {{replica: "{replica}"}}"""

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)

#: What a value of a label has to be escaped for in a selector.
_ESCAPED: Final = re.compile(r'["\\\n]')


class Sample(NamedTuple):
    """A value, and when it was scraped: Unix time in seconds."""

    time: float
    value: float


class Prometheus(Program):
    """A Prometheus that scrapes the exporters, each with its label ``replica``."""

    def __init__(
        self, folder: Path, port: int, exporters: Mapping[str, int], interval: int
    ) -> None:
        """Take a folder for its files, and the exporters' ports by the value of the label."""
        self.port = port
        targets = "\n".join(
            _TARGET.format(port=each, replica=name) for name, each in exporters.items()
        )
        configuration = folder / "prometheus.yml"
        configuration.write_text(
            _CONFIGURATION.format(
                interval=interval,
                targets=targets,
                families="|".join(_FAMILIES),
                device=INTERFACE,
            )
        )
        command = (
            "prometheus",
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--storage.tsdb.retention.time=2h",
            "--log.level=warn",
        )
        # Each scrape makes much garbage: it is collected sooner, which halves the memory.
        super().__init__("Prometheus", command, folder / "prometheus.log", env={"GOGC": "40"})

    async def instant(
        self, client: aiohttp.ClientSession, query: str, time: float | None = None
    ) -> list[tuple[dict[str, str], Sample]]:
        """Return the labels and the sample of each series, now or at a Unix time.

        Raises:
            PrometheusError: when it does not answer.
        """
        at = {} if time is None else {"time": f"{time:.3f}"}
        result = await self._ask(client, {"query": query, **at})
        return [(row["metric"], _sample(row["value"])) for row in result]

    async def samples(
        self, client: aiohttp.ClientSession, selector: str
    ) -> list[tuple[dict[str, str], list[Sample]]]:
        """Return the labels and all samples of each series that a range selector selects.

        Raises:
            PrometheusError: when it does not answer.
        """
        result = await self._ask(client, {"query": selector})
        return [(row["metric"], [*map(_sample, row["values"])]) for row in result]

    async def _ask(self, client: aiohttp.ClientSession, given: Mapping[str, str]) -> Any:
        url = f"http://127.0.0.1:{self.port}/api/v1/query"
        try:
            async with client.post(url, data=given, timeout=_TIMEOUT) as answer:
                found = await answer.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise PrometheusError(f"Prometheus does not answer: {error!r}") from error
        if found["status"] != "success":
            raise PrometheusError(f"{given['query']}: {found['error']}")
        return found["data"]["result"]


class PrometheusError(Exception):
    """Prometheus does not answer, or not as it should."""


def quoted(text: str) -> str:
    """Return a text as PromQL has it between quotes."""
    return _ESCAPED.sub(lambda match: {"\n": "\\n"}.get(match[0], f"\\{match[0]}"), text)


def _sample(pair: Sequence[Any]) -> Sample:
    return Sample(float(pair[0]), float(pair[1]))
