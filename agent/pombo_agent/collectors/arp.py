"""ARP cache: entries by interface."""

from collections import Counter

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import filtered
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import table

_COLUMNS = 6  # address, type, flags, hardware address, mask, interface


def collect(sources: Sources) -> list[Section]:
    """Return the ``arp`` section."""
    keeps = sources.flags.filter("device").keeps
    entries = parse_arp(sources.proc_of_init("net/arp"))
    named = ((decoded(device), count) for device, count in entries.items())
    return table(
        "arp", ({"device": name, "entries": count} for name, count in named if keeps(name))
    )


def parse_arp(file: File) -> dict[bytes, int]:
    """Return how many lines of ``/proc/net/arp`` name each interface."""
    return Counter(words[-1] for words in file.words(_COLUMNS) if words[0] != b"IP")


COLLECTORS = [Collector("arp", collect, flags=(filtered("device"),))]
