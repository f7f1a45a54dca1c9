"""The totals of a fleet, for the head of the table."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.severity import Severity
from pombo_exporter.views.schema import ExporterStatus, HostSummary


class Totals(NamedTuple):
    """Sums over the hosts that are not down, and counts of all hosts.

    ``loss`` is the mean of the hosts' loss in the last ten minutes. Unknown values are None.
    """

    states: Counter[State]
    attention: int
    critical: int
    cores: int
    busy_cores: float
    memory_total: float
    memory_used: float
    receive: float
    transmit: float
    loss: float | None


def totals(hosts: Sequence[HostSummary]) -> Totals:
    """Return the totals of hosts."""
    running = [host for host in hosts if host.state is not State.DOWN]
    busy = [
        (host.cpu_cores, host.cpu_usage_ratio)
        for host in running
        if host.cpu_cores is not None and host.cpu_usage_ratio is not None
    ]
    memory = [
        (host.memory_total_bytes, host.memory_available_bytes)
        for host in running
        if host.memory_total_bytes is not None and host.memory_available_bytes is not None
    ]
    losses = [host.datagram_loss_ratio for host in running]
    return Totals(
        states=Counter(host.state for host in hosts),
        attention=sum(host.severity is not Severity.OK for host in hosts),
        critical=sum(host.severity is Severity.CRITICAL for host in hosts),
        cores=sum(cores for cores, _ in busy),
        busy_cores=sum(cores * usage for cores, usage in busy),
        memory_total=sum(total for total, _ in memory),
        memory_used=sum(total - available for total, available in memory),
        receive=_sum(host.network_receive_bytes_per_second for host in running),
        transmit=_sum(host.network_transmit_bytes_per_second for host in running),
        loss=sum(losses) / len(losses) if losses else None,
    )


def datagrams_per_second(before: ExporterStatus | None, now: ExporterStatus | None) -> float | None:
    """Return how many datagrams an exporter received a second between two of its answers.

    None where it is not the same run of the exporter.
    """
    if before is None or now is None:
        return None
    seconds = now.uptime_seconds - before.uptime_seconds
    count = now.datagrams_received - before.datagrams_received
    if seconds <= 0 or count < 0:
        return None
    return count / seconds


def _sum(values: Iterable[float | None]) -> float:
    return sum(value for value in values if value is not None)
