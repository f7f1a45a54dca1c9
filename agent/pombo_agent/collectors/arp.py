"""ARP cache: entries by interface."""

from collections import Counter

from pombo_wire.section import Section

from pombo_agent.collectors.reading import File
from pombo_agent.collectors.sources import Sources
from pombo_agent.collectors.tables import table

_COLUMNS = 6  # address, type, flags, hardware address, mask, interface


def collect(sources: Sources) -> list[Section]:
    """Return the ``arp`` section."""
    entries = parse_arp(sources.proc_of_init("net/arp"))
    return table("arp", ({"device": device, "entries": n} for device, n in entries.items()))


def parse_arp(file: File) -> dict[bytes, int]:
    """Return how many lines of ``/proc/net/arp`` name each interface."""
    return Counter(words[-1] for words in file.words(_COLUMNS) if words[0] != b"IP")
