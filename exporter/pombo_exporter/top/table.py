"""The table of hosts that ``top`` shows: its columns, its order, and who is in it."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from pombo_cli import human

from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.severity import RANKS, Severity
from pombo_exporter.views.filter import fullest_ratio, matching, traffic
from pombo_exporter.views.schema import HostSummary


class SortKey(StrEnum):
    """What comes first in the table."""

    TROUBLE = "trouble"
    NAME = "name"
    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    NETWORK = "network"
    LOST = "lost"
    SEEN = "seen"


class Column(NamedTuple):
    """A column: its title, a host's text in it, and whether the texts are numbers."""

    title: str
    text: Callable[[HostSummary], str]
    numbers: bool = True


def _fullest(host: HostSummary) -> str:
    found = host.fullest_filesystem
    return f"{human.ratio(found.used_ratio)} {found.mountpoint}" if found else human.UNKNOWN


def _busiest(host: HostSummary) -> str:
    found = host.busiest_process
    return f"{human.ratio(found.cpu_usage_ratio)} {found.name}" if found else human.UNKNOWN


def attention(host: HostSummary) -> str:
    """Return the reasons of the host's severity in words, the most urgent first."""
    return "; ".join(reason.text for reason in host.reasons) or human.UNKNOWN


#: The title of the column that a narrow screen cuts.
ATTENTION: Final = "ATTENTION"

COLUMNS: Final = (
    Column("HOST", lambda host: host.name, numbers=False),
    Column("STATE", lambda host: host.state, numbers=False),
    Column("SEEN", lambda host: human.span(host.last_seen_age_seconds)),
    Column("SEVERITY", lambda host: host.severity, numbers=False),
    Column("CPU", lambda host: human.ratio(host.cpu_usage_ratio)),
    Column("MEMORY", lambda host: human.ratio(host.memory_used_ratio)),
    Column(ATTENTION, attention, numbers=False),
    Column("DISK", _fullest, numbers=False),
    Column("LOST", lambda host: human.ratio(host.datagram_loss_ratio)),
    Column("EVERY", lambda host: human.span(host.interval_seconds)),
    Column("PROCESS", _busiest, numbers=False),
    Column("RECEIVE", lambda host: human.speed(host.network_receive_bytes_per_second)),
    Column("TRANSMIT", lambda host: human.speed(host.network_transmit_bytes_per_second)),
    Column("UPTIME", lambda host: human.span(host.uptime_seconds)),
    Column("CLOCK", lambda host: human.span(host.clock_offset_seconds)),
    Column("ADDRESS", lambda host: host.address, numbers=False),
    Column("AGENT", lambda host: host.agent_version or human.UNKNOWN, numbers=False),
)

#: The columns whose values have reasons, by the identifier of the reason.
COLUMN_OF: Final = {
    "disk": "DISK",
    "inodes": "DISK",
    "memory": "MEMORY",
    "swap": "MEMORY",
    "loss": "LOST",
    "clock": "CLOCK",
    "down": "SEEN",
    "late": "SEEN",
}

_RANKS: Final = {State.DOWN: 0, State.LATE: 1, State.LIVE: 2}

#: The greatest value comes first, a host without the value last.
_VALUES: Final[dict[SortKey, Callable[[HostSummary], float | None]]] = {
    SortKey.CPU: lambda host: host.cpu_usage_ratio,
    SortKey.MEMORY: lambda host: host.memory_used_ratio,
    SortKey.DISK: fullest_ratio,
    SortKey.NETWORK: traffic,
    SortKey.LOST: lambda host: host.datagram_loss_ratio,
    SortKey.SEEN: lambda host: host.last_seen_age_seconds,
}


def rows(
    hosts: Sequence[HostSummary], sort: SortKey, wanted: str, *, reverse: bool = False
) -> list[HostSummary]:
    """Return the hosts that match a filter, in this order.

    In reverse, hosts without the value are still the last ones.

    Raises:
        FilterError: when the filter cannot be understood.
    """
    found = matching(hosts, wanted)
    if not reverse:
        return sorted(found, key=_key(sort))
    value = _VALUES.get(sort)
    known = found if value is None else [host for host in found if value(host) is not None]
    unknown = [] if value is None else [host for host in found if value(host) is None]
    return sorted(known, key=_key(sort), reverse=True) + sorted(unknown, key=_key(sort))


def _key(sort: SortKey) -> Callable[[HostSummary], tuple[Any, ...]]:
    if sort is SortKey.NAME:
        return lambda host: (host.name,)
    if sort is SortKey.TROUBLE:
        return _trouble
    value = _VALUES[sort]

    def greatest_first(host: HostSummary) -> tuple[Any, ...]:
        found = value(host)
        return found is None, -(found or 0.0), host.name

    return greatest_first


def _trouble(host: HostSummary) -> tuple[Any, ...]:
    return (
        -RANKS[host.severity],
        _RANKS[host.state],
        -len(host.reasons),
        not host.looks_like,
        -host.datagram_loss_ratio,
        host.name,
    )


def is_critical(hosts: Sequence[HostSummary]) -> bool:
    """Return whether one of the hosts needs action now."""
    return any(host.severity is Severity.CRITICAL for host in hosts)


def cells(host: HostSummary) -> list[str]:
    """Return a host's line, fit for a terminal."""
    return [human.printable(column.text(host)) for column in COLUMNS]
