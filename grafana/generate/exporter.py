"""The *Exporter* dashboard: what the exporters receive, refuse, store and serve."""

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.generate import variables
from grafana.generate.layout import About, Rows, assemble
from grafana.generate.panels import (
    EXPORTER,
    Column,
    GraphStyle,
    NumberStyle,
    Query,
    counted,
    floors,
    graph,
    limits,
    number,
    top,
    values,
)
from grafana.generate.queries import LOSS, increase, rate
from grafana.generate.variables import of_exporter, of_host

_LOST = of_host("pombo_host_datagrams_lost_total")
_CONFLICTS = of_host("pombo_host_conflicts_total")
_KERNEL_DROPS = of_exporter("pombo_exporter_kernel_drops_total")
_REFUSED = of_exporter("pombo_exporter_datagrams_refused_total")
_BUFFER_GRANTED = of_exporter("pombo_exporter_receive_buffer_bytes", 'kind="granted"')
_BUFFER_WANTED = of_exporter("pombo_exporter_receive_buffer_bytes", 'kind="wanted"')
_STORED = of_exporter("pombo_exporter_stored_bytes")
_HOSTS = of_exporter("pombo_exporter_hosts")
_RATIO = limits(0.8, 0.95)


def _limit(name: str) -> str:
    return of_exporter("pombo_exporter_limits", f'limit="{name}"')


def _rate(counter: str, legend: str = "") -> Query:
    """Return the rate of a counter of each exporter, which the legend names first."""
    return counted(rate(of_exporter(counter)), f"{{{{instance}}}} {legend}".strip())


def _increase(title: str, description: str, expr: str, legend: str) -> stat.Panel:
    """Return a panel of how many there were within the time range; one is too many."""
    query = Query(expr, legend)
    return number(title, description, "short", query, NumberStyle(limits(orange=1), width=8))


def dashboard() -> Dashboard:
    """Return the dashboard."""
    return assemble(
        About(
            uid="pombo-exporter",
            title="Pombo / Exporter",
            description="The exporters: what they receive, refuse, store and serve.",
            others={"Fleet": "pombo-fleet", "Host": "pombo-host"},
        ),
        variables=[
            variables.datasource(),
            variables.job(),
            variables.instances(),
            variables.exporters(),
            variables.top(),
        ],
        rows=_ROWS,
        events=(),
    )


_DURATION = "pombo_exporter_scrape_duration_seconds"

_EXPORTERS = [
    values(
        "Exporters",
        "Each exporter: whether Prometheus can scrape it, its hosts and its limits.",
        {"instance": EXPORTER},
        [
            Column("Up", of_exporter("up"), "bool_yes_no", floors(1, 1)),
            Column(
                "Hosts",
                f"sum by (instance) ({_HOSTS})",
                "short",
            ),
            Column(
                "Host limit used",
                f"sum by (instance) ({_HOSTS}) / on (instance) "
                f"max by (instance) ({_limit('hosts')})",
                "percentunit",
                _RATIO,
            ),
            Column("Samples per scrape", of_exporter("scrape_samples_scraped"), "short"),
            Column(
                "Series limit per host",
                _limit("series_per_host"),
                "short",
            ),
            Column(
                "Receive buffer",
                _BUFFER_GRANTED,
                "bytes",
            ),
            Column(
                "Buffer granted",
                f"max by (instance) ({_BUFFER_GRANTED})"
                f" / on (instance) max by (instance) ({_BUFFER_WANTED})",
                "percentunit",
                floors(1, 0.5),
            ),
            Column(
                "File descriptors used",
                f"{of_exporter('process_open_fds')} / {of_exporter('process_max_fds')}",
                "percentunit",
                _RATIO,
            ),
            Column("Uptime", f"time() - {of_exporter('process_start_time_seconds')}", "s"),
        ],
        width=24,
    ),
    graph(
        "Scrape duration",
        "Mean time that the exporter took to answer, and the duration of the last scrape as "
        "Prometheus measured it.",
        "s",
        [
            counted(
                f"{rate(of_exporter(f'{_DURATION}_sum'))} / "
                f"({rate(of_exporter(f'{_DURATION}_count'))} > 0)",
                "{{instance}} (exporter)",
            ),
            Query(of_exporter("scrape_duration_seconds"), "{{instance}} (Prometheus)"),
        ],
        GraphStyle(thresholds=limits(2, 5), width=8),
    ),
    graph(
        "Exporter CPU",
        "CPU usage of each exporter, as a share of one core.",
        "percentunit",
        [_rate("process_cpu_seconds_total")],
        GraphStyle(thresholds=_RATIO, width=8),
    ),
    graph(
        "Exporter memory",
        "Resident memory of each exporter.",
        "bytes",
        [Query(of_exporter("process_resident_memory_bytes"), "{{instance}}")],
        GraphStyle(width=8),
    ),
]

_DATAGRAMS = [
    _increase(
        "Lost on the network",
        "Datagrams lost within the time range, minus those that the kernel of the exporter's "
        "machine dropped.",
        f"clamp_min(sum({increase(_LOST)}) - sum({increase(_KERNEL_DROPS)}), 0)",
        "network",
    ),
    _increase(
        "Dropped by the kernel",
        "Datagrams dropped within the time range because the exporter's receive buffer was full. "
        "A larger --udp.receive-buffer helps.",
        f"sum({increase(_KERNEL_DROPS)})",
        "kernel buffer",
    ),
    _increase(
        "Refused",
        "Datagrams refused within the time range, for any reason.",
        f"sum({increase(_REFUSED)})",
        "refused",
    ),
    graph(
        "Lost, dropped and refused",
        "Lost: sequence numbers that did not arrive, counted when they leave the window. This "
        "can include datagrams that the kernel dropped or the exporter refused.",
        "suffix:/s",
        [
            counted(f"sum({rate(_LOST)})", "lost"),
            counted(f"sum({rate(_KERNEL_DROPS)})", "dropped by the kernel"),
            counted(f"sum({rate(_REFUSED)})", "refused"),
        ],
    ),
    graph(
        "Refused by reason",
        "Datagrams that the exporter refused. Its log shows one per minute and reason.",
        "suffix:/s",
        [counted(f"sum by (reason) ({rate(_REFUSED)})", "{{reason}}")],
    ),
    graph(
        "Share lost by host",
        "Hosts with the highest share of lost datagrams, averaged over the time range.",
        "percentunit",
        [counted(top(LOSS.share), "{{instance}}")],
        GraphStyle(thresholds=limits(0.01, 0.05), links_to_host=True),
    ),
    graph(
        "Duplicate, reordered and conflicting",
        "Datagrams that arrived twice, arrived after a later one, or came from a second agent "
        "with the same host name.",
        "suffix:/s",
        [
            counted(f"sum({rate(of_host('pombo_host_datagrams_duplicate_total'))})", "duplicate"),
            counted(f"sum({rate(of_host('pombo_host_datagrams_reordered_total'))})", "reordered"),
            counted(f"sum({rate(_CONFLICTS)})", "in conflict"),
        ],
    ),
    values(
        "Hosts with name conflicts",
        "Hosts under whose name a second agent reported within the time range. Give each agent "
        "its own --name.",
        {"instance": "Host"},
        [Column("Conflicts", f"topk($top, {increase(_CONFLICTS)} > 0)", "short", limits(red=1))],
    ),
    graph(
        "Datagrams received",
        "Datagrams that each exporter received.",
        "suffix:/s",
        [_rate("pombo_exporter_datagrams_received_total")],
    ),
]

_STORAGE = [
    graph(
        "Stored",
        "Bytes of memory booked for what hosts reported, and the limit beyond which reports are "
        "refused.",
        "bytes",
        [Query(_STORED, "{{instance}}"), Query(_limit("bytes"), "{{instance}} limit")],
        GraphStyle(width=8),
    ),
    graph(
        "Hosts by state",
        "Hosts that each exporter has in memory.",
        "short",
        [Query(f"sum by (instance, state) ({_HOSTS})", "{{instance}} {{state}}")],
        GraphStyle(stacked=True, width=8),
    ),
    graph(
        "Layouts and open families",
        "Different sections of all hosts, which hosts of one kind share, and different families "
        "that hosts named themselves.",
        "short",
        [
            Query(of_exporter("pombo_exporter_section_layouts"), "{{instance}} section layouts"),
            Query(of_exporter("pombo_exporter_open_families"), "{{instance}} open families"),
        ],
        GraphStyle(width=8),
    ),
    graph(
        "Changes of who reports",
        "Hosts that gave way to others at a limit, agents that took the name of a silent host, "
        "and reports from another address.",
        "suffix:/s",
        [
            _rate(f"pombo_exporter_{name}_total", legend)
            for name, legend in (
                ("evictions", "evictions"),
                ("holder_changes", "other agent"),
                ("address_changes", "other address"),
            )
        ],
    ),
    graph(
        "Longest step",
        "Longest time since the start of an exporter for which it did not read its socket. Above "
        "some milliseconds, datagrams may be dropped.",
        "s",
        [Query(of_exporter("pombo_exporter_longest_step_seconds"), "{{instance}}")],
        GraphStyle(thresholds=limits(0.02, 0.2)),
    ),
]

_HTTP = [
    graph(
        "HTTP connections",
        "Open connections, and the most that there may be.",
        "short",
        [
            Query(of_exporter("pombo_exporter_http_connections"), "{{instance}}"),
            Query(
                of_exporter("pombo_exporter_http_limits", 'limit="connections"'),
                "{{instance}} limit",
            ),
        ],
        GraphStyle(width=8),
    ),
    graph(
        "Requests in flight",
        "Scrapes and other long answers that are in progress, and status pages that are open.",
        "short",
        [
            Query(of_exporter("pombo_exporter_http_requests_in_flight"), "{{instance}} requests"),
            Query(of_exporter("pombo_exporter_open_pages"), "{{instance}} status pages"),
        ],
        GraphStyle(width=8),
    ),
    graph(
        "Requests refused",
        "Requests refused, by reason: malformed, beyond a limit, without a password.",
        "suffix:/s",
        [_rate("pombo_exporter_http_requests_refused_total", "{{reason}}")],
        GraphStyle(width=8),
    ),
    graph(
        "Connections closed",
        "Connections that the exporter closed, by reason: idle, incomplete, unread, at the limit.",
        "suffix:/s",
        [_rate("pombo_exporter_http_connections_closed_total", "{{reason}}")],
    ),
    graph(
        "Reports over HTTP and acknowledgements",
        "Requests to /report by status of the answer, and answers to sealed datagrams.",
        "suffix:/s",
        [
            _rate("pombo_exporter_report_requests_total", "/report {{code}}"),
            _rate("pombo_exporter_acknowledgements_total", "acknowledgements"),
        ],
    ),
]

_ROWS: Rows = {
    "Exporters": _EXPORTERS,
    "Datagrams": _DATAGRAMS,
    "Memory and names": _STORAGE,
    "HTTP": _HTTP,
}
