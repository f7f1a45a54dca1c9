"""The expressions that several dashboards use."""

from dataclasses import dataclass
from typing import Final

from grafana.generate.variables import of_host


def rate(counter: str) -> str:
    """Return the counter's increase per second, around each point."""
    return f"rate({counter}[$__rate_interval])"


def increase(counter: str) -> str:
    """Return the counter's increase over the whole time range.

    The subquery reads some points of the range and not all samples, so that a thousand hosts
    over a month stay cheap.
    """
    return f"increase({counter}[$__range:$__interval])"


def rates(*counters: str) -> str:
    """Return the sum of the increases per second of counters with the same labels."""
    return " + ".join(map(rate, counters))


def mean_rates(*counters: str) -> str:
    """Return the sum of the mean rates over the whole time range, at its end."""
    means = (f"rate({counter}[$__range:$__interval] @ end())" for counter in counters)
    return " + ".join(means)


def disk(counter: str) -> str:
    """Return a counter of each block device."""
    return of_host(f"node_disk_{counter}_total")


def network(counter: str) -> str:
    """Return a counter of each network interface."""
    return of_host(f"node_network_{counter}_total")


@dataclass(frozen=True)
class Loss:
    """Datagrams per second that hosts sent, by their sequence numbers, and the share lost."""

    sent: str
    share: str


def _loss() -> Loss:
    lost = rate(of_host("pombo_host_datagrams_lost_total"))
    received = rate(of_host("pombo_host_datagrams_received_total"))
    return Loss(sent=f"({lost} + {received})", share=f"{lost} / (({lost} + {received}) > 0)")


_AVAILABLE = of_host("host_filesystem_available_bytes")
_USED = of_host("host_filesystem_used_bytes")
_MEMORY_AVAILABLE = of_host("host_memory_available_bytes")
_YEAR: Final = 365 * 86400  # seconds

#: 0 live, 1 late, 2 down.
STATE = f"2 * (1 - {of_host('pombo_host_up')}) + {of_host('pombo_host_late')}"
SILENCE = f"time() - {of_host('pombo_host_last_report_timestamp_seconds')}"
LOSS = _loss()
CPU = of_host("host_cpu_average_usage_ratio")
MEMORY = f"1 - {_MEMORY_AVAILABLE} / {of_host('host_memory_total_bytes')}"

#: As df computes it: space reserved for root is neither used nor available.
FILESYSTEM = f"{_USED} / (({_USED} + {_AVAILABLE}) > 0)"

_FILES, _FILES_FREE = of_host("host_filesystem_files"), of_host("host_filesystem_files_free")
INODES = f"1 - {_FILES_FREE} / ({_FILES} > 0)"

DISK_BYTES = (disk("read_bytes"), disk("written_bytes"))
NETWORK_BYTES = (network("receive_bytes"), network("transmit_bytes"))
LOST_PACKETS = tuple(
    network(f"{direction}_{cause}")
    for direction in ("receive", "transmit")
    for cause in ("errs", "drop")
)

FAILED_UNITS = of_host("node_systemd_unit_state", 'state="failed"') + " == 1"

#: Seconds until no space is available. No sample where space does not shrink, or beyond a year.
TIME_TO_FULL = f"{_AVAILABLE} / -(deriv({_AVAILABLE}[$__range:$__interval]) < 0) < {_YEAR}"
