"""The families of containers, as users of cAdvisor's dashboards expect them."""

from typing import Any

from pombo_exporter.metrics.container_families import CONTAINER_FAMILIES
from pombo_wire import ContainerDisks, Containers
from support.builders import Agent

#: The labels that all of them have besides ``instance``.
LABELS = {"id": "/docker/4be1c09a7f33", "name": "4be1c09a7f33", "runtime": "docker"}

COUNTERS = """
    cpu_usage_seconds cpu_user_seconds cpu_system_seconds cpu_cfs_periods cpu_cfs_throttled_periods
    cpu_cfs_throttled_seconds memory_failures oom_events pressure_cpu_waiting_seconds
    pressure_cpu_stalled_seconds pressure_memory_waiting_seconds pressure_memory_stalled_seconds
    pressure_io_waiting_seconds pressure_io_stalled_seconds fs_reads_bytes fs_writes_bytes fs_reads
    fs_writes
"""
GAUGES = """
    spec_cpu_quota spec_cpu_period spec_memory_limit_bytes memory_usage_bytes
    memory_working_set_bytes memory_rss memory_cache memory_swap processes threads threads_max
    start_time_seconds
"""


def test_names_and_types_are_those_of_cadvisor() -> None:
    expected = {f"container_{name}_total": "counter" for name in COUNTERS.split()}
    expected |= {f"container_{name}": "gauge" for name in GAUGES.split()}
    assert {family.name: family.type for family in CONTAINER_FAMILIES} == expected


def test_every_column_has_a_family_with_the_labels_of_cadvisor() -> None:
    columns = Containers.__struct_fields__[3:]
    of_disks = ContainerDisks.__struct_fields__[4:]
    agent = Agent()
    rows: dict[str, Any] = {name: (text,) for name, text in LABELS.items()}
    values: dict[str, Any] = {name: (float(at),) for at, name in enumerate(columns)}
    counts: dict[str, Any] = {name: (100.0 + at,) for at, name in enumerate(of_disks)}
    disks = ContainerDisks(device=("/dev/sda",), **rows, **counts)
    agent.send(containers=Containers(**rows, **values), container_disks=disks)
    samples = {
        (name.removeprefix("container_"), frozenset({*labels} - {*LABELS.items()})): value
        for (name, labels), value in agent.exporter.samples().items()
        if name.startswith("container_")
    }
    assert all(
        {*LABELS.items()} <= {*labels}
        for name, labels in agent.exporter.samples()
        if name.startswith("container_")
    )
    own = {
        "cpu_usage_seconds_total": {frozenset({("cpu", "total")})},
        "memory_failures_total": {
            frozenset({("failure_type", kind), ("scope", scope)})
            for kind in ("pgfault", "pgmajfault")
            for scope in ("container", "hierarchy")
        },
    }
    names = {family.name.removeprefix("container_") for family in CONTAINER_FAMILIES}
    found: dict[str, set[frozenset[tuple[str, str]]]] = {}
    for name, more in samples:
        found.setdefault(name, set()).add(more)
    assert found == {
        name: own.get(name, {frozenset({("device", "/dev/sda")} if name[:3] == "fs_" else {})})
        for name in names
    }
    assert {*samples.values()} == {*map(float, range(len(columns))), 100, 101, 102, 103}
