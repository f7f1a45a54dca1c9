"""Connection tracking: entries of its table, and packets by outcome."""

from collections import Counter

from pombo_wire import Part

from pombo_agent.collectors.sources import (
    NoDataError,
    Sources,
    read_optional_as_init,
    read_texts,
)

_FILES = {"nf_conntrack_count": "entries", "nf_conntrack_max": "entries_limit"}

_STATISTICS = {
    "found",
    "invalid",
    "ignore",
    "insert",
    "insert_failed",
    "drop",
    "early_drop",
    "search_restart",
}


def collect(sources: Sources) -> list[Part]:
    """Return the ``conntrack`` section."""
    found = read_texts(sources.procfs / "sys/net/netfilter", _FILES)
    if not found:
        raise NoDataError("connection tracking is not loaded")
    counts = {_FILES[file]: int(text) for file, text in found.items()}
    statistics = read_optional_as_init(sources.procfs, "net/stat/nf_conntrack")
    if statistics is not None:
        counts |= parse_statistics(statistics)
    return [("conntrack", counts)]


def parse_statistics(text: str) -> dict[str, int]:
    """Return the hexadecimal counts of ``/proc/net/stat/nf_conntrack``, summed over all cores."""
    names, *cores = (line.split() for line in text.splitlines())
    sums: Counter[str] = Counter()
    for core in cores:
        for name, count in zip(names, core, strict=True):
            if name in _STATISTICS:
                sums[f"stat_{name}"] += int(count, 16)
    return sums
