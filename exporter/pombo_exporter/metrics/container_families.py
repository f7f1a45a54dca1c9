"""cAdvisor's families of containers: its names, labels, types, units and HELP texts.

Dashboards and rules written for cAdvisor find them here. Their labels are `id`, the path of the
cgroup, and `name`; cAdvisor's `image`, and what Kubernetes calls a container, cannot be known
without a socket. `runtime` is a label of Pombo's.
"""

from itertools import product

from pombo_exporter.metrics.family import Family, counter, field, gauge, rate

_SECTION = "containers"

_FAULTS = {"pgfault": "page_faults", "pgmajfault": "major_page_faults"}

_CPU = (
    counter(
        "container_cpu_usage_seconds_total",
        "Cumulative cpu time consumed in seconds.",
        field(_SECTION, "cpu_usage", ("cpu", "total")),
    ),
    counter(
        "container_cpu_user_seconds_total",
        "Cumulative user cpu time consumed in seconds.",
        field(_SECTION, "cpu_user"),
    ),
    counter(
        "container_cpu_system_seconds_total",
        "Cumulative system cpu time consumed in seconds.",
        field(_SECTION, "cpu_system"),
    ),
    counter(
        "container_cpu_cfs_periods_total",
        "Number of elapsed enforcement period intervals.",
        field(_SECTION, "cfs_periods"),
    ),
    counter(
        "container_cpu_cfs_throttled_periods_total",
        "Number of throttled period intervals.",
        field(_SECTION, "cfs_throttled_periods"),
    ),
    counter(
        "container_cpu_cfs_throttled_seconds_total",
        "Total time duration the container has been throttled.",
        field(_SECTION, "cfs_throttled"),
    ),
    gauge(
        "container_spec_cpu_quota",
        "CPU quota of the container.",
        field(_SECTION, "cpu_quota"),
    ),
    gauge(
        "container_spec_cpu_period",
        "CPU period of the container.",
        field(_SECTION, "cpu_period"),
    ),
)

_MEMORY = (
    gauge(
        "container_memory_usage_bytes",
        "Current memory usage in bytes, including all memory regardless of when it was accessed",
        field(_SECTION, "memory_usage"),
    ),
    gauge(
        "container_memory_working_set_bytes",
        "Current working set in bytes.",
        field(_SECTION, "memory_working_set"),
    ),
    gauge("container_memory_rss", "Size of RSS in bytes.", field(_SECTION, "memory_rss")),
    gauge(
        "container_memory_cache",
        "Number of bytes of page cache memory.",
        field(_SECTION, "memory_cache"),
    ),
    gauge(
        "container_memory_swap",
        "Container swap usage in bytes.",
        field(_SECTION, "memory_swap"),
    ),
    counter(
        "container_memory_failures_total",
        "Cumulative count of memory allocation failures.",
        *(
            field(_SECTION, column, ("failure_type", kind), ("scope", scope))
            for scope, (kind, column) in product(("container", "hierarchy"), _FAULTS.items())
        ),
    ),
    counter(
        "container_oom_events_total",
        "Count of out of memory events observed for the container",
        field(_SECTION, "oom_kills"),
    ),
    gauge(
        "container_spec_memory_limit_bytes",
        "Memory limit for the container.",
        field(_SECTION, "memory_limit"),
    ),
)

_TASKS = (
    gauge(
        "container_processes",
        "Number of processes running inside the container.",
        field(_SECTION, "processes"),
    ),
    gauge(
        "container_threads",
        "Number of threads running inside the container",
        field(_SECTION, "threads"),
    ),
    gauge(
        "container_threads_max",
        "Maximum number of threads allowed inside the container, infinity if value is zero",
        field(_SECTION, "threads_max"),
    ),
    gauge(
        "container_start_time_seconds",
        "Start time of the container since unix epoch in seconds.",
        field(_SECTION, "start_time"),
    ),
)

_PRESSURE = tuple(
    counter(
        f"container_pressure_{resource}_{kind}_seconds_total",
        f"Total time duration {what} due to {congested} congestion.",
        field(_SECTION, f"{resource}_{kind}"),
    )
    for (resource, congested), (kind, what) in product(
        (("cpu", "CPU"), ("memory", "memory"), ("io", "IO")),
        (
            ("waiting", "tasks in the container have waited"),
            ("stalled", "no tasks in the container could make progress"),
        ),
    )
)

_DISKS = tuple(
    counter(
        f"container_fs_{name}_total",
        f"Cumulative count of {what}",
        field("container_disks", column),
    )
    for name, what, column in (
        ("reads_bytes", "bytes read", "read_bytes"),
        ("writes_bytes", "bytes written", "written_bytes"),
        ("reads", "reads completed", "reads"),
        ("writes", "writes completed", "writes"),
    )
)

CONTAINER_FAMILIES: tuple[Family, ...] = (*_CPU, *_MEMORY, *_TASKS, *_PRESSURE, *_DISKS)

#: What the API and the page derive of containers, without families of their own.
CONTAINER_RATES = (
    rate(_SECTION, "cpu_usage"),
    rate(_SECTION, "cfs_periods"),
    rate(_SECTION, "cfs_throttled_periods"),
    rate("container_disks", "read_bytes"),
    rate("container_disks", "written_bytes"),
)
