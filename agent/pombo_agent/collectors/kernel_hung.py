"""Hung tasks: how many the kernel has detected since boot."""

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import family

_HELP = "Total number of tasks that have been detected as hung since the system booted."


def collect(sources: Sources) -> list[Section]:
    """Return the open family ``node_kernel_hung_tasks_total``; Linux has it since 6.13."""
    count = sources.proc("sys/kernel/hung_task_detect_count").value
    return family("node_kernel_hung_tasks_total", "counter", _HELP, (), [(count,)])


COLLECTORS = [Collector("kernel_hung", collect)]
