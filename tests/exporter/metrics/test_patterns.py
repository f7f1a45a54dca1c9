"""Patterns for names: which one fits best."""

import pytest
from pombo_exporter.metrics.patterns import Patterns

PATTERNS = Patterns(
    {
        "node_cpu_*": "cpu",
        "node_cpu_*_hertz": "cpufreq",
        "node_cpu_core_*": "thermal",
        "node_cpu_core_x": "x",
        "node_load*": "loadavg",
        "*_end": "end",
    }
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("node_cpu_seconds_total", "cpu"),
        ("node_cpu_frequency_hertz", "cpufreq"),
        ("node_cpu__hertz", "cpu"),
        ("node_cpu_core_throttles_total", "thermal"),
        ("node_cpu_core_x", "x"),
        ("node_cpu_core_x_hertz", "thermal"),
        ("node_cpu_core_", "cpu"),
        ("node_cpu_", None),
        ("node_cpu", None),
        ("node_load15", "loadavg"),
        ("node_load", None),
        ("xnode_load1", None),
        ("at_the_end", "end"),
        ("_end", None),
        ("", None),
    ],
)
def test_longest_beginning_that_fits_counts(name: str, value: str | None) -> None:
    assert PATTERNS.find(name) == value
