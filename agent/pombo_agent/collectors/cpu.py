"""CPU: seconds of each core in each mode since boot."""

import os

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Row, table

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
_IDLE = _MODES.index("idle")

# An idle time that is that much smaller than before is that of a core that was offline meanwhile.
_RESTART_SECONDS = 3.0

#: Ticks of each mode by the number of the core; ``None`` where unreadable.
Ticks = dict[int, list[float | None]]


def collect(sources: Sources) -> list[Section]:
    """Return the ``cpu`` section."""
    per_second = os.sysconf("SC_CLK_TCK")
    found = parse_stat(sources.proc("stat"))
    kept = sources.kept["ticks"] = highest(sources.kept.get("ticks", {}), found, per_second)
    return table("cpu", (_row(core, kept[core], found[core], per_second) for core in sorted(found)))


def parse_stat(file: File) -> Ticks:
    """Return the ticks of each core in ``/proc/stat``; a core that is offline is absent."""
    found: Ticks = {}
    for line in file.lines():
        name, *ticks = line.split()
        number = name[3:]
        if name.startswith(b"cpu") and number:
            if number.isdigit() and ticks:
                found.setdefault(int(number), file.numbers(ticks[: len(_MODES)]))
            else:
                file.skip("line", line)
    return found


def highest(before: Ticks, found: Ticks, ticks_per_second: int) -> Ticks:
    """Return the highest count so far of each mode of each core that is ``found``.

    The kernel may count idle, iowait or steal a tick back, which a rate would take for a restart.
    The counts of a core do restart when it has been offline. This is what node_exporter does.
    """
    restart = _RESTART_SECONDS * ticks_per_second
    kept: Ticks = {}
    for core, now in found.items():
        last = before.get(core)
        if last is None or _is_restart(last, now, restart):
            kept[core] = now
            continue
        counts = [
            old if new is None or (old is not None and old > new) else new
            for old, new in zip(last, now, strict=False)
        ]
        kept[core] = counts + now[len(last) :]
    return kept


def _is_restart(last: list[float | None], now: list[float | None], restart: float) -> bool:
    if len(last) <= _IDLE or len(now) <= _IDLE:
        return False
    before, after = last[_IDLE], now[_IDLE]
    return before is not None and after is not None and before - after >= restart


def _row(core: int, kept: list[float | None], found: list[float | None], per_second: int) -> Row:
    row: dict[str, str | float | None] = {"cpu": str(core)}
    for mode, count, read in zip(_MODES, kept, found, strict=False):
        row[mode] = None if count is None or read is None else count / per_second
    return row


COLLECTORS = [Collector("cpu", collect)]
