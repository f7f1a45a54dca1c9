"""What an exporter answers, whatever it was sent: each answer is valid, and they agree."""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from pombo_exporter.hosts.host import Host
from pombo_exporter.hosts.snapshot import Snapshot
from pombo_exporter.live.points import CURVES
from pombo_exporter.metrics.capture import Capture
from pombo_exporter.runtime.pacing import StepClock
from pombo_exporter.views import describe, schema
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text
from support.builders import TABLE, Exporter, Series, parsed, text_samples

#: Fields of the API, and the families of the exposition that have the same values.
_SAME = {
    "cpu_usage_ratio": "host_cpu_average_usage_ratio",
    "memory_total_bytes": "host_memory_total_bytes",
    "memory_available_bytes": "host_memory_available_bytes",
    "swap_total_bytes": "host_swap_total_bytes",
    "swap_used_bytes": "host_swap_used_bytes",
    "load1": "host_load1",
    "datagrams_received": "pombo_host_datagrams_received_total",
    "conflicts": "pombo_host_conflicts_total",
    "clock_offset_seconds": "pombo_host_clock_offset_seconds",
}

Labels = tuple[tuple[str, str], ...]


def check_answers(exporter: Exporter) -> None:
    """Check the expositions in both formats and what the API answers of each host."""
    exposition = exporter.exposition()
    deque(text(exposition), maxlen=0)  # it is valid
    samples = text_samples(exposition)
    assert samples == parsed(exporter.exposition(openmetrics=True) + "# EOF\n", openmetrics)
    # Sections that several hosts share are rendered in another way than those of one.
    grouped = exporter.exposition(group_from=1, most_label_bytes=0)
    assert samples == text_samples(grouped)
    found: dict[str, dict[Series, float]] = defaultdict(dict)
    for (sample, instance, labels), value in samples.items():
        found[instance][sample, labels] = value
    _check_values(samples)
    listed = [*exporter.roster.listed()]
    assert {*found} == {host.name for host in listed}
    summaries = describe.summaries(listed, exporter.now)
    body = msgspec.json.encode({"hosts": summaries})
    assert len(msgspec.json.decode(body, type=schema.HostList).hosts) == len(listed)
    assert describe.curve_values(listed, exporter.now).shape == (CURVES, len(listed))
    for host in listed:
        _check_host(exporter, host, found[host.name])


def _check_host(exporter: Exporter, host: Host, samples: dict[Series, float]) -> None:
    fields = filter(None, describe.detail(host.copy(), exporter.now, StepClock()))
    parts = (msgspec.json.encode(name) + b":" + value for name, value in fields)
    body = b"{%b}" % b",".join(parts)
    detail = msgspec.json.decode(body, type=schema.HostDetail)
    assert detail.name == host.name
    if detail.state != "down":
        for field, family in _SAME.items():
            assert getattr(detail, field) == samples.get((family, ())), field
    _check_ranges(msgspec.to_builtins(detail, str_keys=True) | {"extra": None, "gauges": {}})
    families = msgspec.json.decode(b"".join(_families(exporter, host)), type=schema.HostFamilies)
    shown = {
        (family.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families.families
        for sample in family.samples
    }
    assert len(shown) <= host.series  # which a limit bounds
    # The API has what the host measures, the exposition also what is known about the host itself.
    assert shown.items() <= samples.items()
    assert all(name.startswith("pombo_host_") for name, _ in samples.keys() - shown.keys())


def _check_values(samples: Mapping[tuple[str, str, Labels], float]) -> None:
    """Check that no value is impossible of what the exporter derives; hosts send the rest."""
    for (name, *_), value in samples.items():
        if name.startswith("host_"):
            _check_range(name, value)


def _check_ranges(value: Any, name: str = "") -> None:
    """Check every number in an answer by the name of its field."""
    if isinstance(value, dict):
        for field, each in value.items():
            _check_ranges(each, field)
    elif isinstance(value, list):
        for each in value:
            _check_ranges(each, name)
    elif isinstance(value, int | float):
        _check_range(name, value)


def _check_range(name: str, value: float) -> None:
    if name.endswith(("_bytes", "_per_second", "_cores", "_ratio")):
        assert value >= 0, (name, value)
    if name.endswith("_ratio") and name != "cpu_usage_ratio":  # that of a process may exceed 1
        assert value <= 1, (name, value)


def _families(exporter: Exporter, host: Host) -> Iterator[bytes]:
    snapshot = Snapshot([host.copy()], exporter.now, exporter.wall)
    capture = Capture(TABLE.measured, exporter.roster.layouts.types)
    steps = StepClock()
    yield from filter(None, capture.read(snapshot, steps))
    yield from filter(None, describe.families(TABLE, capture, steps))
