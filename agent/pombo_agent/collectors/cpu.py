"""CPU: seconds of each core in each mode since boot."""

import os

from pombo_wire import Cpu, Part

from pombo_agent.collectors.sources import Sources, read_text
from pombo_agent.collectors.tables import Row, tables

# The order of the columns in /proc/stat, see proc(5). Older kernels have fewer.
_MODES = (
    "user",
    "nice",
    "system",
    "idle",
    "iowait",
    "irq",
    "softirq",
    "steal",
    "guest",
    "guest_nice",
)


def collect(sources: Sources) -> list[Part]:
    """Return the ``cpu`` section."""
    text = read_text(sources.procfs / "stat")
    return tables(Cpu, parse_stat(text, os.sysconf("SC_CLK_TCK")))


def parse_stat(text: str, ticks_per_second: int) -> list[Row]:
    """Return a row for each core in ``/proc/stat``; a core that is offline is absent."""
    rows: list[Row] = []
    for line in text.splitlines():
        name, *ticks = line.split()
        if name.startswith("cpu") and name != "cpu":
            seconds = [int(count) / ticks_per_second for count in ticks]
            rows.append({"cpu": name[3:], **dict(zip(_MODES, seconds, strict=False))})
    return rows
