"""Connection tracking: entries of its table, and packets by outcome."""

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import numbers

_FILES = {"entries": "nf_conntrack_count", "entries_limit": "nf_conntrack_max"}

_STATISTICS = {
    b"found",
    b"invalid",
    b"ignore",
    b"insert",
    b"insert_failed",
    b"drop",
    b"early_drop",
    b"search_restart",
}


def collect(sources: Sources) -> list[Section]:
    """Return the ``conntrack`` section."""
    counts = sources.values(f"{sources.procfs}/sys/net/netfilter", _FILES)
    if not any(count is not None for count in counts.values()):
        raise NoDataError("connection tracking is not loaded")
    statistics = sources.optional_of_init("net/stat/nf_conntrack")
    if statistics is not None:
        counts |= parse_statistics(statistics)
    return numbers("conntrack", counts)


def parse_statistics(file: File) -> dict[str, float | None]:
    """Return the hexadecimal counts of ``/proc/net/stat/nf_conntrack``, summed over all cores.

    A count that one core lacks is ``None``, since the sum would be smaller than before.
    """
    lines = file.words()
    names = next(lines, [])
    sums: dict[str, float | None] = {
        f"stat_{name.decode()}": 0 for name in names if name in _STATISTICS
    }
    for core in lines:
        if len(core) != len(names):
            file.skip("line", b" ".join(core))
            return {}
        for name, text in zip(names, core, strict=True):
            if name in _STATISTICS:
                known, count = sums[f"stat_{name.decode()}"], file.hexadecimal(text)
                both = None if known is None or count is None else known + count
                sums[f"stat_{name.decode()}"] = both
    return sums


COLLECTORS = [Collector("conntrack", collect)]
