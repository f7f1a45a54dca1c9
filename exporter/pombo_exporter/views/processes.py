"""The processes of a host: those that use most CPU time, and those that use most memory."""

from collections.abc import Sequence
from math import inf
from operator import attrgetter
from typing import Any

import orjson
from pombo_wire import Extra
from pombo_wire.extra import ranks
from pombo_wire.reading import read_extra

from pombo_exporter.hosts.slots import Slot
from pombo_exporter.views.schema import BusiestProcess, Process

_NAMES = Extra.__struct_fields__
_ORDER = attrgetter("stamp.order")


def processes(slots: Sequence[Slot]) -> tuple[list[Process], list[Process]]:
    """Return the processes by CPU and by memory, of the newest datagram that has any.

    A report has them in one of its datagrams, which another report may have in another one. They
    are the most by CPU and as many by memory, so a process that is not among these may use more
    than one that is there for its CPU alone. As many are returned as are sure to be the most.
    """
    for slot in _newest_first(slots):
        table = read_extra(slot.extra).processes
        if table is None:
            continue
        count = len(table.pid)
        nothing, unknown = ("",) * count, (None,) * count
        cpu, memory = table.cpu or unknown, table.memory or unknown
        found = [
            Process(int(pid), *rest)
            for pid, *rest in zip(
                table.pid,
                table.name,
                table.user or nothing,
                table.command or nothing,
                table.start_time or unknown,
                cpu,
                memory,
                strict=True,
            )
        ]
        sure = int(max((rank for rank in ranks(cpu, memory) if rank < inf), default=0))
        return _most(found, cpu, sure), _most(found, memory, sure)
    return [], []


def busiest(slots: Sequence[Slot]) -> BusiestProcess | None:
    """Return the process that uses most CPU time, None where none is known."""
    for slot in _newest_first(slots):
        table = orjson.loads(slot.extra).get("processes")
        if table:
            pairs = zip(table.get("cpu") or (), table["name"], strict=False)
            ratio, name = max(((cpu, name) for cpu, name in pairs if cpu), default=(0.0, ""))
            return BusiestProcess(name, ratio) if ratio else None
    return None


def others(slots: Sequence[Slot]) -> bytes:
    """Return the JSON of what slots have besides sections and processes: an object, or null."""
    found: dict[str, Any] = {}
    for slot in slots:
        if slot.extra:
            found |= orjson.loads(slot.extra)
    rest = {name: value for name, value in found.items() if name not in _NAMES}
    return orjson.dumps(rest) if rest else b"null"


def _newest_first(slots: Sequence[Slot]) -> list[Slot]:
    return sorted((slot for slot in slots if slot.extra), key=_ORDER, reverse=True)


def _most(found: Sequence[Process], values: Sequence[float | None], count: int) -> list[Process]:
    """Return the ``count`` processes with the greatest values."""
    pairs = sorted((-value, row) for row, value in enumerate(values) if value)
    return [found[row] for _, row in pairs[:count]]
