"""The exporter's own metrics, with prometheus_client."""

import platform
from collections import Counter
from collections.abc import Callable, Iterator
from time import monotonic

from pombo_wire import MAX_DATAGRAM_BYTES
from prometheus_client import (
    CollectorRegistry,
    Gauge,
    GCCollector,
    Info,
    PlatformCollector,
    ProcessCollector,
    Summary,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pombo_exporter import __version__
from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.roster import Roster
from pombo_exporter.ingest.intake import Intake

_HOSTS_A_STEP = 1024

disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the series for nothing


class Telemetry(Collector):
    """Reads, at each scrape, what the other parts count."""

    def __init__(
        self,
        roster: Roster,
        intake: Intake,
        kernel_drops: Callable[[], int],
        receive_buffer: dict[str, int],
    ) -> None:
        """Take the parts; ``receive_buffer`` is the bytes wanted and granted."""
        self._roster = roster
        self.intake = intake
        self.kernel_drops = kernel_drops
        self.receive_buffer = receive_buffer
        self._states: Counter[State] = Counter()
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        build = Info("pombo_exporter_build", "What was built.", registry=self.registry)
        build.info({"version": __version__, "pythonversion": platform.python_version()})
        self.scrape_duration = Summary(
            "pombo_exporter_scrape_duration_seconds",
            "Time from a request for metrics to its last byte.",
            registry=self.registry,
        )
        self._open_pages = Gauge(
            "pombo_exporter_open_pages",
            "Status pages that are open, and told what happens.",
            registry=self.registry,
        )

    def count_pages(self, open_pages: Callable[[], int]) -> None:
        """Show how many status pages are open."""
        self._open_pages.set_function(open_pages)

    def page(self, encode: Callable[[CollectorRegistry], bytes]) -> Iterator[bytes]:
        """Yield the page as ``encode`` writes it, after pieces of nothing while hosts are counted.

        Between two pieces the caller may do as it likes.
        """
        hosts, now = self._roster.present(), monotonic()
        states: Counter[State] = Counter()
        for start in range(0, len(hosts), _HOSTS_A_STEP):
            states.update(host.state_at(now) for host in hosts[start : start + _HOSTS_A_STEP])
            yield b""
        self._states = states
        yield encode(self.registry)

    def collect(self) -> Iterator[Metric]:
        """Yield what is counted elsewhere."""
        name = "pombo_exporter_datagrams_received"
        yield CounterMetricFamily(name, "Datagrams received.", value=self.intake.received)
        yield self._refused()
        name, text = "pombo_exporter_kernel_drops", "Datagrams the kernel dropped: buffer full."
        yield CounterMetricFamily(name, text, value=self.kernel_drops())
        yield self._labelled(
            "pombo_exporter_receive_buffer_bytes",
            "Receive buffer of the UDP socket, as asked for and as the kernel grants it.",
            "kind",
            self.receive_buffer,
        )
        states = {str(state): self._states[state] for state in State}
        yield self._labelled("pombo_exporter_hosts", "Hosts in memory.", "state", states)
        limits = self._roster.limits
        yield self._labelled(
            "pombo_exporter_limits",
            "The bounds beyond which datagrams are refused.",
            "limit",
            {
                "hosts": limits.hosts,
                "series_per_host": limits.series_per_host,
                "datagram_bytes": MAX_DATAGRAM_BYTES,
            },
        )

    def _refused(self) -> Metric:
        name = "pombo_exporter_datagrams_refused"
        family = CounterMetricFamily(name, "Datagrams refused.", labels=["reason"])
        for reason, count in self.intake.refused.items():
            family.add_metric([reason], count)
        return family

    @staticmethod
    def _labelled(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
        family = GaugeMetricFamily(name, text, labels=[label])
        for key, value in values.items():
            family.add_metric([key], value)
        return family
