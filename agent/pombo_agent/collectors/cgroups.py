"""Control groups: how many each controller has."""

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Row, families

_FAMILIES = {  # node_exporter has the same HELP text for both
    "cgroups": "Current cgroup number of the subsystem.",
    "enabled": "Current cgroup number of the subsystem.",
}


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_cgroups_*``."""
    rows = parse_cgroups(sources.proc("cgroups"))
    return families("node_cgroups_*", "gauge", _FAMILIES, ("subsys_name",), rows)


def parse_cgroups(file: File) -> list[Row]:
    """Return a row for each controller in ``/proc/cgroups``; ``enabled`` is 0 or 1."""
    rows: list[Row] = []
    for words in file.words():
        if words[0].startswith(b"#"):
            continue
        if len(words) < 4:
            file.skip("line", b" ".join(words))
            continue
        name, _hierarchy, cgroups, enabled, *_ = words
        known = {"cgroups": file.number(cgroups), "enabled": file.number(enabled)}
        rows.append({"subsys_name": name, **known})
    return rows


COLLECTORS = [Collector("cgroups", collect, enabled=False)]
