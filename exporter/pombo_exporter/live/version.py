"""How a host stands: whether what was told of it still holds."""

from msgspec import Struct

from pombo_exporter.hosts.host import Host, State


class Standing(Struct, frozen=True, gc=False):
    """How a host was at some moment; ``counted`` grows with all that it is counted for."""

    last_seen: float
    counted: int
    state: State


def standing(host: Host, now: float) -> Standing:
    """Return how a host is at ``now``, on the exporter's monotonic clock."""
    return Standing(host.last_seen, counted(host), host.state_at(now))


def counted(host: Host) -> int:
    """Return how often something happened that a host's counters show."""
    return host.ledger.received + host.ledger.lost + host.conflicts
