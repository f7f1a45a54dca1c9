"""ARP cache: entries by interface."""

from collections import Counter

from pombo_wire import Arp, Part

from pombo_agent.collectors.sources import Sources, read_as_init
from pombo_agent.collectors.tables import tables


def collect(sources: Sources) -> list[Part]:
    """Return the ``arp`` section."""
    entries = parse_arp(read_as_init(sources.procfs, "net/arp"))
    return tables(Arp, ({"device": device, "entries": n} for device, n in entries.items()))


def parse_arp(text: str) -> dict[str, int]:
    """Return how many lines of ``/proc/net/arp`` name each interface."""
    return Counter(line.split()[-1] for line in text.splitlines()[1:])
