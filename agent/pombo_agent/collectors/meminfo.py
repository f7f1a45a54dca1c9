"""Memory in bytes, and counts of virtual memory."""

import re

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import pattern
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import numbers

_EVENTS = r"^(oom_kill|pgpg|pswp|pg.*fault).*"
_FORBIDDEN = re.compile("[^a-zA-Z0-9]")


def collect(sources: Sources) -> list[Section]:
    """Return the ``meminfo`` section, of which the exporter derives memory and swap."""
    return numbers("meminfo", parse_meminfo(sources.proc("meminfo")))


def collect_vmstat(sources: Sources) -> list[Section]:
    """Return the ``vmstat`` section: by default paging, page faults, swapping, OOM kills."""
    chosen = sources.kept.setdefault("chosen", {})
    fields = sources.flags.pattern("fields")
    return numbers("vmstat", parse_vmstat(sources.proc("vmstat"), fields, chosen))


def parse_meminfo(file: File) -> dict[str, float | None]:
    """Return every line of ``/proc/meminfo``, by the part of a metric name after the prefix.

    Lines in kB become bytes, and their names end so; others are counts.
    """
    sizes: dict[str, float | None] = {}
    for line in file.lines():
        name, colon, rest = line.partition(b":")
        number, *unit = rest.split() or (b"",)
        if not colon or unit not in ([], [b"kB"]):
            file.skip("line", line)
            continue
        metric = _FORBIDDEN.sub("_", decoded(name)).strip("_")
        value = file.number(number)
        if unit:
            sizes[f"{metric}_bytes"] = value and value * 1024
        else:
            sizes[metric] = value
    return sizes


def parse_vmstat(
    file: File, fields: re.Pattern[str], chosen: dict[bytes, str]
) -> dict[str, float | None]:
    """Return those of the counts in ``/proc/vmstat`` whose names ``fields`` matches.

    ``chosen`` has what was made of each name before: the text, which is empty for all others.
    """
    found: dict[str, float | None] = {}
    for name, count, *_ in file.words(2):
        text = chosen.get(name)
        if text is None:
            text = decoded(name)
            text = chosen[name] = text if fields.search(text) else ""
        if text:
            found[text] = file.number(count)
    return found


VMSTAT_FLAGS = (pattern("fields", _EVENTS, "Regexp of fields to return for vmstat collector."),)
COLLECTORS = [
    Collector("meminfo", collect),
    Collector("vmstat", collect_vmstat, flags=VMSTAT_FLAGS),
]
