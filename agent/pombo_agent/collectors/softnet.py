"""Packets that the network softirq of each core has handled."""

from pombo_wire import Part, Softnet

from pombo_agent.collectors.sources import Sources, read_text
from pombo_agent.collectors.tables import Row, tables

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


def collect(sources: Sources) -> list[Part]:
    """Return the ``softnet`` section, which is the same in every network namespace."""
    return tables(Softnet, parse_softnet_stat(read_text(sources.procfs / "net/softnet_stat")))


def parse_softnet_stat(text: str) -> list[Row]:
    """Return a row for each core in ``/proc/net/softnet_stat``, which is hexadecimal."""
    rows: list[Row] = []
    for number, line in enumerate(text.splitlines()):
        counts = [int(count, 16) for count in line.split()]
        values = {name: counts[at] for name, at in _COLUMNS.items() if at < len(counts)}
        cpu = counts[_CPU] if len(counts) > _CPU else number
        rows.append({"cpu": str(cpu), **values})
    return rows
