"""Memory and swap in bytes, and counts of virtual memory."""

import os
import re

from pombo_wire import Memory, Part, Swap

from pombo_agent.collectors.sources import Sources, read_text

_MEMINFO = {
    "total": "MemTotal",
    "available": "MemAvailable",
    "free": "MemFree",
    "buffers": "Buffers",
    "cached": "Cached",
    "shared": "Shmem",
    "slab": "Slab",
    "active": "Active",
    "inactive": "Inactive",
}

_EVENTS = re.compile("oom_kill|pgpg|pswp|pg.*fault")
_FORBIDDEN = re.compile("[^a-zA-Z0-9]")


def collect(sources: Sources) -> list[Part]:
    """Return the ``memory``, ``swap`` and ``meminfo`` sections."""
    text = read_text(sources.procfs / "meminfo")
    sizes = parse_meminfo(text)
    events = parse_vmstat(read_text(sources.procfs / "vmstat"))
    parts = memory_and_swap(sizes, events, os.sysconf("SC_PAGE_SIZE"))
    return [*parts, ("meminfo", by_metric_name(text, sizes))]


def collect_vmstat(sources: Sources) -> list[Part]:
    """Return the ``vmstat`` section: paging, page faults, swapping, OOM kills."""
    events = parse_vmstat(read_text(sources.procfs / "vmstat"))
    kept = {name: count for name, count in events.items() if _EVENTS.match(name)}
    return [("vmstat", kept)]


def parse_meminfo(text: str) -> dict[str, int]:
    """Return the values of ``/proc/meminfo``: bytes for lines in kB, else counts."""
    sizes = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        number, *unit = value.split()
        sizes[name] = int(number) * (1024 if unit == ["kB"] else 1)
    return sizes


def by_metric_name(text: str, sizes: dict[str, int]) -> dict[str, int]:
    """Return every line of ``/proc/meminfo``, by the part of a metric name after the prefix."""
    named = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        unit = "_bytes" if rest.endswith(" kB") else ""
        named[_FORBIDDEN.sub("_", name).strip("_") + unit] = sizes[name]
    return named


def parse_vmstat(text: str) -> dict[str, int]:
    """Return the counts of ``/proc/vmstat``."""
    return {name: int(count) for name, count in map(str.split, text.splitlines())}


def memory_and_swap(sizes: dict[str, int], events: dict[str, int], page_size: int) -> list[Part]:
    """Return the ``memory`` and ``swap`` sections; ``events`` has swap traffic in pages."""
    known = {field: sizes.get(name) for field, name in _MEMINFO.items()}
    memory = Memory(used=_difference(known["total"], known["available"]), **known)
    swap_total, swap_free = sizes.get("SwapTotal"), sizes.get("SwapFree")
    swap = Swap(
        total=swap_total,
        used=_difference(swap_total, swap_free),
        free=swap_free,
        swapped_in=_bytes(events.get("pswpin"), page_size),
        swapped_out=_bytes(events.get("pswpout"), page_size),
    )
    return [("memory", memory), ("swap", swap)]


def _difference(whole: int | None, part: int | None) -> int | None:
    return None if whole is None or part is None else max(0, whole - part)


def _bytes(count: int | None, page_size: int) -> int | None:
    return None if count is None else count * page_size
