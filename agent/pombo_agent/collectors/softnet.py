"""Packets that the network softirq of each core has handled."""

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Cell, Row, table

# The position of each column in /proc/net/softnet_stat. Older kernels have fewer. The number of the
# core was added last; without it, the core is the number of the line.
_COLUMNS = {
    "processed": 0,
    "dropped": 1,
    "times_squeezed": 2,
    "cpu_collision": 8,
    "received_rps": 9,
    "flow_limit": 10,
    "backlog_len": 11,
}
_CPU = 12
_FEWEST_WORDS = 3


def collect(sources: Sources) -> list[Section]:
    """Return the ``softnet`` section, which is the same in every network namespace."""
    return table("softnet", parse_softnet_stat(sources.proc("net/softnet_stat")))


def parse_softnet_stat(file: File) -> list[Row]:
    """Return a row for each core in ``/proc/net/softnet_stat``, which is hexadecimal."""
    rows: list[Row] = []
    for number, line in enumerate(file.lines()):
        words = line.split()
        cpu = file.hexadecimal(words[_CPU]) if len(words) > _CPU else number
        if len(words) < _FEWEST_WORDS or cpu is None:
            file.skip("line", line)
            continue
        row: dict[str, Cell] = {"cpu": str(cpu)}
        for name, at in _COLUMNS.items():
            row[name] = file.hexadecimal(words[at]) if at < len(words) else None
        rows.append(row)
    return rows


COLLECTORS = [Collector("softnet", collect)]
