"""The exporter's own metrics, with prometheus_client."""

import platform
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from pombo_wire import MAX_DATAGRAM_BYTES
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Info,
    PlatformCollector,
    ProcessCollector,
    Summary,
    disable_created_metrics,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from pombo_exporter import __version__
from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.severity import Table
from pombo_exporter.stats import HttpCounters, Stats

disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the series for nothing


class _Captured(Collector):
    """The exporter's families as they were at one moment."""

    def __init__(
        self, stats: Stats, states: Mapping[State, int], process: Sequence[Metric]
    ) -> None:
        self._stats, self._states, self._process = stats, states, process

    def collect(self) -> Iterator[Metric]:
        stats = self._stats
        name = "pombo_exporter_datagrams_received"
        yield CounterMetricFamily(name, "Datagrams received.", value=stats.datagrams_received)
        name = "pombo_exporter_datagrams_refused"
        text = "Datagrams refused."
        yield _labelled(name, text, "reason", stats.datagrams_refused, CounterMetricFamily)
        for name, text, count in (
            (
                "holder_changes",
                "Times that another agent took the name of a silent host.",
                stats.holder_changes,
            ),
            (
                "address_changes",
                "Times that a host reported from another address than before.",
                stats.address_changes,
            ),
            (
                "evictions",
                "Hosts removed to make room for others, because a limit was reached.",
                stats.evictions,
            ),
            (
                "lookalikes",
                "New hosts whose name looks like the name of another host.",
                stats.lookalikes,
            ),
            (
                "acknowledgements",
                "Acknowledgements sent for sealed datagrams.",
                stats.acknowledgements,
            ),
            (
                "events_dropped",
                "Entries of the log of hosts' events that gave way to newer ones.",
                stats.events_dropped,
            ),
        ):
            yield CounterMetricFamily(f"pombo_exporter_{name}", text, value=count)
        name, text = (
            "pombo_exporter_report_requests",
            "Requests to /report, by status code of the answer.",
        )
        requests = CounterMetricFamily(name, text, labels=["code"])
        for code, count in stats.report_requests.items():
            requests.add_metric([str(code)], count)
        yield requests
        for name, text, is_valid in (
            ("seal", "key file", stats.key_file_valid),
            ("web_config", "web configuration file", stats.web_config_valid),
        ):
            if is_valid is not None:
                yield GaugeMetricFamily(
                    f"pombo_exporter_{name}_reload_successful",
                    f"Whether the {text} could be used when it was last read.",
                    value=is_valid,
                )
        if stats.state_errors is not None:
            load, write = stats.state_errors
            name = "pombo_exporter_state_load_errors"
            text = "State files, and lines in them, that could not be used at the start."
            yield CounterMetricFamily(name, text, value=load)
            name = "pombo_exporter_state_write_errors"
            text = "Failed attempts to write the state file."
            yield CounterMetricFamily(name, text, value=write)
        yield from _notifications(stats)
        name, text = "pombo_exporter_kernel_drops", "Datagrams dropped: receive buffer full."
        yield CounterMetricFamily(name, text, value=stats.kernel_drops)
        yield _labelled(
            "pombo_exporter_receive_buffer_bytes",
            "Size of the receive buffer: wanted by the flag, and granted by the kernel.",
            "kind",
            {
                "wanted": stats.receive_buffer.wanted_bytes,
                "granted": stats.receive_buffer.granted_bytes,
            },
        )
        states = {str(state): self._states.get(state, 0) for state in State}
        yield _labelled("pombo_exporter_hosts", "Hosts in memory, by state.", "state", states)
        yield _labelled(
            "pombo_exporter_limits",
            "Limits of the exporter. Datagrams that would exceed one are refused.",
            "limit",
            {
                "hosts": stats.limits.hosts,
                "series_per_host": stats.limits.series_per_host,
                "bytes": stats.limits.bytes,
                "history_bytes": stats.history.limit,
                "families": stats.limits.families,
                "datagram_bytes": MAX_DATAGRAM_BYTES,
            },
        )
        yield _thresholds(stats.thresholds)
        if stats.cluster is not None:
            yield InfoMetricFamily(
                "pombo_exporter_cluster",
                "The exporters that share a fleet, by --cluster.name, and which one this is.",
                value={"cluster": stats.cluster.name, "member": stats.cluster.member},
            )
        if stats.certificate_expires is not None:
            yield GaugeMetricFamily(
                "pombo_exporter_web_certificate_expiry_timestamp_seconds",
                "Unix time at which the first certificate of the web server expires.",
                value=stats.certificate_expires,
            )
        for name, text, value in (
            ("stored_bytes", "Memory booked for the reports of all hosts.", stats.stored_bytes),
            (
                "history_bytes",
                "Memory booked for the curves of all hosts on the status page.",
                stats.history.used,
            ),
            ("section_layouts", "Different section layouts of all hosts.", stats.section_layouts),
            (
                "open_families",
                "Different metric families that are not built in, of all hosts.",
                stats.open_families,
            ),
        ):
            yield GaugeMetricFamily(f"pombo_exporter_{name}", text, value=value)
        name, text = "pombo_exporter_open_pages", "Open status pages."
        yield GaugeMetricFamily(name, text, value=stats.subscribers)
        name = "pombo_exporter_longest_step_seconds"
        text = "Longest uninterrupted step of long work, such as a scrape, since the start."
        yield GaugeMetricFamily(name, text, value=stats.longest_step)
        yield from _http(stats.http)
        yield from self._process


def _thresholds(table: Table) -> Metric:
    text = "Value from which a host has the severity, by what is checked."
    family = GaugeMetricFamily("pombo_exporter_thresholds", text, labels=["check", "severity"])
    for check, thresholds in table.items():
        for severity, value in thresholds._asdict().items():
            family.add_metric([check, severity], value)
    return family


def _notifications(stats: Stats) -> Iterator[Metric]:
    """Yield the families of what is delivered to URLs, as Alertmanager and Prometheus name them."""
    notifications, heartbeats = stats.notifications, stats.heartbeats
    counters = (
        ("notifications", "Requests with notifications.", "requests", notifications),
        ("notifications_failed", "Failed requests with notifications.", "failed", notifications),
        ("notifications_dropped", "Alerts dropped: not delivered.", "dropped", notifications),
        ("heartbeats", "Heartbeats sent.", "requests", heartbeats),
        ("heartbeats_failed", "Heartbeats that failed.", "failed", heartbeats),
    )
    gauges = (
        ("notifications_queue_length", "Alerts that wait.", "queued", notifications),
        ("notifications_queue_capacity", "Most alerts that wait.", "capacity", notifications),
        (
            "notifications_last_success_timestamp_seconds",
            "When notifications were last accepted, 0 before that.",
            "last_success",
            notifications,
        ),
        (
            "heartbeats_last_success_timestamp_seconds",
            "When a heartbeat was last accepted, 0 before that.",
            "last_success",
            heartbeats,
        ),
    )
    for kind, families in ((CounterMetricFamily, counters), (GaugeMetricFamily, gauges)):
        for name, text, field, deliveries in families:
            values = {each.receiver: getattr(each, field) for each in deliveries}
            if values:
                yield _labelled(f"pombo_exporter_{name}", text, "receiver", values, kind)


def _http(http: HttpCounters) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "pombo_exporter_http_connections", "Open connections.", value=http.connections
    )
    yield GaugeMetricFamily(
        "pombo_exporter_http_requests_in_flight",
        "Scrapes and other requests with long answers that are being handled.",
        value=http.in_flight,
    )
    yield _labelled(
        "pombo_exporter_http_limits",
        "Maximum open connections and requests in flight; 0 means no limit.",
        "limit",
        {"connections": http.max_connections, "requests": http.max_requests},
    )
    name, text = "pombo_exporter_http_requests_refused", "HTTP requests refused."
    yield _labelled(name, text, "reason", http.refused, CounterMetricFamily)
    name, text = "pombo_exporter_http_connections_closed", "Connections closed by the exporter."
    yield _labelled(name, text, "reason", http.closed, CounterMetricFamily)


def _labelled(
    name: str,
    text: str,
    label: str,
    values: Mapping[str, float],
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily] = GaugeMetricFamily,
) -> Metric:
    family = kind(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def single_samples(families: Iterable[Metric]) -> dict[str, float]:
    """Return the values of families that have one sample without labels, by its name."""
    return {
        sample.name: sample.value
        for family in families
        if len(family.samples) == 1
        for sample in family.samples
        if not sample.labels
    }


def without_samples(families: Iterable[Metric], names: Collection[str]) -> list[Metric]:
    """Return families without those that have a sample of one of these names."""
    return [family for family in families if not any(each.name in names for each in family.samples)]


class ExporterMetrics:
    """The exporter's own families: its counters, its process, its scrapes."""

    def __init__(self) -> None:
        self._process = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        GCCollector(registry=self._process)
        build = Info("pombo_exporter_build", "Build information.", registry=self._process)
        build.info({"version": __version__, "pythonversion": platform.python_version()})
        self.scrape_duration = Summary(
            "pombo_exporter_scrape_duration_seconds",
            "Time from a scrape request to the last byte of the answer.",
            registry=self._process,
        )

    def capture(self) -> list[Metric]:
        """Return the families of the process at this moment."""
        return [*self._process.collect()]

    @staticmethod
    def registry(
        stats: Stats, states: Mapping[State, int], process: Sequence[Metric]
    ) -> CollectorRegistry:
        """Return all families of one moment; ``process`` is what ``capture`` returned then.

        ``states`` is the number of hosts by state.
        """
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Captured(stats, states, process))
        return registry
