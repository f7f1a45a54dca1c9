"""Caches and tables of the network: what each core has counted."""

from pombo_wire.section import Section, is_family_name

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Row, family

_HELP = "linux network cache stats"
_LABELS = ("subsystem", "cpu")


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_lnstat_*_total``, named as the columns of the files."""
    # The network of the host is that of the first process, which may be forbidden.
    folder = f"{sources.procfs}/1/net/stat"
    names = sources.names(folder)
    if not names:
        folder = f"{sources.procfs}/net/stat"
        names = sources.names(folder)
    if not names:
        raise NoDataError("no statistics of caches")
    rows: list[Row] = []
    for name in names:
        file = sources.optional(f"{folder}/{name}")
        for cpu, counts in enumerate(parse_stat(file) if file else ()):
            rows.append({**counts, "subsystem": name, "cpu": str(cpu)})
    sections: list[Section] = []
    for column in dict.fromkeys(name for row in rows for name in row if name not in _LABELS):
        name = f"node_lnstat_{column}_total"
        if is_family_name(name):
            cells = [(row["subsystem"], row["cpu"], row.get(column)) for row in rows]
            sections += family(name, "counter", _HELP, _LABELS, cells)
        else:
            sources.skips.add("column", f"invalid name: {column}", folder)
    return sections


def parse_stat(file: File) -> list[dict[str, float | None]]:
    """Return the hexadecimal counts of each core, by the names in the first line.

    A core has none where its line has more words than there are names.
    """
    found: list[dict[str, float | None]] = []
    names: list[str] = []
    for line in file.lines():
        words = line.split()
        if not names:
            names = [decoded(word) for word in words]
        elif len(words) > len(names):
            file.skip("line", line)
            found.append({})
        else:
            found.append(dict(zip(names, map(file.hexadecimal, words), strict=False)))
    return found


COLLECTORS = [Collector("lnstat", collect, enabled=False)]
