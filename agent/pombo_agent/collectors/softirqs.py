"""Softirqs: how often each core has run those of each type."""

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Cell, family

# Other types are not reported, as by node_exporter.
_TYPES = frozenset(
    {
        *(b"HI", b"TIMER", b"NET_TX", b"NET_RX", b"BLOCK"),
        *(b"IRQ_POLL", b"TASKLET", b"SCHED", b"HRTIMER", b"RCU"),
    }
)


def collect(sources: Sources) -> list[Section]:
    """Return the open family ``node_softirqs_functions_total``."""
    rows = parse_softirqs(sources.proc("softirqs"))
    labels = ("cpu", "type")
    name, text = "node_softirqs_functions_total", "Softirq counts per CPU."
    return family(name, "counter", text, labels, rows)


def parse_softirqs(file: File) -> list[tuple[Cell, ...]]:
    """Return a row for each core and type in ``/proc/softirqs``.

    Cores are counted from 0, whatever the header names them, as node_exporter does.
    """
    rows: list[tuple[Cell, ...]] = []
    for kind, *counts in file.words():
        name = kind.removesuffix(b":")
        if name in _TYPES and name != kind:
            numbers = file.numbers(counts)
            rows += [(str(core), name, number) for core, number in enumerate(numbers)]
    return rows


COLLECTORS = [Collector("softirqs", collect, enabled=False)]
