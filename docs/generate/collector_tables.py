"""The tables of docs/metrics.md about the agent's collectors: families, costs, and what is missing.

The costs are those that ``python -m bench.cases.collector_costs`` has measured last.
"""

import inspect
import json
import re
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import Flag, Kind
from pombo_agent.options import COLLECTORS
from pombo_exporter.metrics.collectors import SECTIONS
from pombo_exporter.metrics.host_families import family_table
from pombo_exporter.metrics.selection import collectors_of
from support.collector_families import is_alone, made_by, open_families, places_of

_COSTS = Path(__file__).parents[2] / "bench/report/collectors.json"

_HEAD = """
The agent's collectors have the names and flags of node_exporter's: `--collector.drm`
enables a collector, `--no-collector.arp` disables one. A collector has no families if the host does
not have its subject. A number in parentheses is the number of families that begin with that name:
[open families](#open-families-of-collectors) and the other tables list each of them.

The costs were measured by `{command}`: {day}, {machine}.

- *CPU* is the CPU time of one run in milliseconds, the median of hundreds of runs without a pause
  between them. A run every 5 s takes more, because caches are cold. After a plus sign is the time
  of a run that finds nothing, as on this machine. Such a run happens once a minute, or with each
  report if there is a `!`.
- *Bytes* is how much shorter a packed report is without the collector, if datagrams could have any
  length. *Values* is how many numbers it adds.
- *Data* is where the collector found any: on the `machine` above; in the `files` of its
  [fixture](../tests/agent/collectors/fixtures), with the bytes that they add to a report of the
  machine; on a D-Bus (`bus`) with a test service that has 100 units and 4 sessions; or `none`, so
  that nothing could be measured.

The collectors that are on by default and have data on this machine take together {cpu:.1f} ms and
{bytes:,} bytes for each report. The others take {always:.1f} ms for each report and {look:.1f} ms a
minute. A whole report takes {report[milliseconds]:.1f} ms and {report[bytes]:,} bytes: threads and
packing add to the time, and some bytes belong to several collectors, or to none.
"""

_COLUMNS = """
| collector | default | what it reads, and its flags | CPU | values | bytes | data | families |
|---|---|---|--:|--:|--:|---|---|
"""

#: What collectors read of which their modules have several.
_SUBJECTS = {
    "dmi": "The machine, its board and its firmware, as texts",
    "entropy": "Entropy of the kernel's random numbers",
    "filefd": "Open files of all processes, and their limit",
    "loadavg": "Load averages",
    "meminfo": "Memory in bytes",
    "nfs": "NFS: the requests of this host as a client",
    "nfsd": "NFS: the requests of this host as a server",
    "os": "Name, version and end of support of the operating system",
    "selinux": "SELinux: whether it is enabled, and its modes",
    "sockstat": "Sockets by protocol",
    "stat": "Boot time, context switches, interrupts and processes",
    "time": "Time, time zone and clock sources",
    "timex": "Synchronisation of the clock",
    "udp_queues": "Bytes in the queues of UDP sockets",
    "uname": "Kernel and name of the host, as texts",
    "vmstat": "Counts of virtual memory",
}

#: Where collectors look that read no files, or not only these.
_ASKED = {
    "ethtool": "the ioctl `SIOCETHTOOL`",
    "filesystem": "`/proc/1/mountinfo`, statvfs(3)",
    "logind": "D-Bus",
    "network_route": "netlink",
    "qdisc": "netlink",
    "systemd": "D-Bus",
    "tcpstat": "netlink",
    "textfile": "those that the flag gives",
    "timex": "adjtimex(2)",
    "top-processes": "`/proc/<pid>`",
    "wifi": "netlink",
}

_CIRCUMSTANCES = ("command", "day", "machine", "report")

#: Up to how many families of a collector are named, and from how many on a beginning stands for
#: them where it has more.
_MOST_NAMED = 12
_FEWEST_GROUPED = 4

_OPEN = """
## Open families of collectors

The open families in the sources and fixtures of the collectors. If devices or drivers give families
their names, the ones here are examples; `*` stands for such a name.

| family | type | labels | collector | meaning |
|---|---|---|---|---|
"""

_MISSING = """
## Not collected

What node_exporter 1.5 to 1.12 has on Linux, and Pombo lacks.

| collectors, families and flags of node_exporter | reason |
|---|---|
"""

#: What is missing, and why. Flags have no dashes here: those of the agent have.
_REASONS = {
    "the collector `ntp`, `node_ntp_*`": (
        "Deprecated there. It asks an NTP server with each scrape; an agent talks to Pombo's "
        "exporters only. `timex` has whether the clock is synchronised and its estimated error."
    ),
    "the collector `perf`, `node_perf_*`": (
        "Its counters are open descriptors of perf_event_open(2) for each core, and need "
        "`CAP_PERFMON` or a lower `kernel.perf_event_paranoid`. The agent needs no privilege."
    ),
    "the collector `runit`, `node_service_*`": (
        "Deprecated there. Its files are for root only by default. Write a text file, which "
        "`textfile` sends."
    ),
    "the collector `supervisord`, `node_supervisord_*`": (
        "Deprecated there. It asks a server over HTTP. Write a text file, which `textfile` sends."
    ),
    "the collector `nvmesubsystem`, `node_nvmesubsystem_*`": (
        "New in 1.12, and not added yet. `nvme` has the state of each controller."
    ),
    "`node_arp_states`, and `arp.netlink`": (
        "Newer than 1.5. `arp` counts the lines of `/proc/net/arp`, as 1.5 does; the states of "
        "neighbours are not in this file."
    ),
    "`node_network_altnames_info`, with `netclass.netlink`": (
        "New in 1.11, off by default there. `netclass` reads `/sys`, which has no alternative "
        "names."
    ),
    "`netclass_rtnl.with-stats`": "`netdev` has the same counters, from `/proc/net/dev`.",
    "the label `adminstate` of `node_network_info`": (
        "Newer than 1.5, whose labels Pombo keeps. `node_network_flags` is odd while an interface "
        "is up administratively."
    ),
    "the label `ifalias` of `netdev`, with `netdev.label-ifalias`": (
        "New in 1.9, off by default there. `node_network_info` has this label; join with it."
    ),
    "the label `rotational` of `node_disk_info`": "Newer than 1.5, whose labels Pombo keeps.",
    "the labels of names of `node_pcidevice_info`, with `pcidevice.names`, `pcidevice.idsfile`": (
        "The family would have more labels than the 16 that the wire allows. The numbers are there."
    ),
    "`infiniband.device-include`, `infiniband.device-exclude`": (
        "New in 1.12, and not added yet. All devices are reported."
    ),
    "`node_filesystem_readonly` 1 for `emergency_ro` of ext4": "New in 1.12, and not added yet.",
    "`filesystem.mount-timeout`, `filesystem.stat-workers`": (
        "Hidden flags. The agent waits 50 ms for a mount, and 1 s for all; what has not responded "
        "has `node_filesystem_device_error` 1."
    ),
}


def collectors_table() -> Iterator[str]:
    """Yield the section about the collectors."""
    kept = json.loads(_COSTS.read_text(encoding="utf-8"))
    costs = kept["collectors"]
    on = [costs[name] for name in COLLECTORS if COLLECTORS[name].enabled and name in costs]
    here = [cost for cost in on if cost["where"] == "machine"]
    looks = [cost for cost in on if cost["look"] is not None]
    numbers = {
        "cpu": sum(cost["milliseconds"] for cost in here),
        "bytes": sum(cost["bytes"] for cost in here),
        "always": sum(cost["look"] for cost in looks if cost["looks_always"]),
        "look": sum(cost["look"] for cost in looks if not cost["looks_always"]),
    }
    yield "\n## Collectors\n"
    text = _HEAD.format(**{key: kept[key] for key in _CIRCUMSTANCES}, **numbers)
    for paragraph in text.strip().split("\n\n"):
        filled = textwrap.fill(paragraph, 100, break_long_words=False, break_on_hyphens=False)
        yield f"\n{paragraph if paragraph.startswith('- ') else filled}\n"
    yield _COLUMNS
    for name in sorted(COLLECTORS):
        yield f"| {' | '.join(_row(COLLECTORS[name], costs.get(name)))} |\n"


def _row(collector: Collector, cost: dict[str, Any] | None) -> list[str]:
    name = collector.name
    places = _ASKED.get(name) or ", ".join(f"`{place}`" for place in places_of(name))
    flags = ", ".join(f"`--{flag}`" for own in collector.flags for flag in _flags(collector, own))
    return [
        f"`{name}`",
        "on" if collector.enabled else "off",
        f"{_subject(collector)}: {places}" + (f". Flags: {flags}" if flags else ""),
        *_cost(cost),
        ", ".join(
            f"`{each}`" if not count else f"`{each}` ({count})" for each, count in _shown(name)
        )
        or "none: it is on the page, in the API and in `top`",
    ]


def _subject(collector: Collector) -> str:
    """Return what a collector reads.

    Raises:
        SystemExit: when it is unknown.
    """
    found = _SUBJECTS.get(collector.name)
    if found is None and is_alone(collector):
        text = (inspect.getmodule(collector.collect) or collector).__doc__ or ""
        found = text.split("\n")[0].rstrip(".").replace("``", "`")
    return found or sys.exit(f"add what {collector.name} reads to _SUBJECTS of {__file__}")


def _flags(collector: Collector, own: Flag) -> list[str]:
    name = collector.parameter(own)
    if own.kind is Kind.FILTER:
        return [f"{name}-include", f"{name}-exclude"]
    return [f"no-{name}" if own.kind is Kind.SWITCH and own.default else name]


def _cost(cost: dict[str, Any] | None) -> tuple[str, str, str, str]:
    if cost is None:
        return "", "", "", "not measured"
    always = "!" if cost["looks_always"] else ""
    look = "" if cost["look"] is None else f"+{cost['look']:.3f}{always}"
    if cost["milliseconds"] is None:
        return look, "", "", "none"
    spent = f"{cost['milliseconds']:.3f} {look}".strip()
    return spent, f"{cost['values']:,}", f"{cost['bytes']:,}", cost["where"]


@cache
def families(name: str) -> tuple[str, ...]:
    """Return the names of the families of a collector; a name with ``*`` stands for several."""
    everything = family_table()
    found = [each.name for each in everything.families if name in collectors_of(each)]
    for each in everything.maps:
        if SECTIONS[each.section] == name:
            sections = [one for one in made_by(name).sections if one.name == each.section]
            columns = {column for section in sections for column in section.values}
            found += [each.prefix + column for column in sorted(columns)] or [f"{each.prefix}*"]
    return (*dict.fromkeys([*found, *(each.name for each in open_families(name))]),)


def _beginning(family: str, words: int) -> str:
    return "_".join(family.split("_")[:words])


@cache
def _owners(words: int) -> dict[str, set[str]]:
    """Return the collectors that have families with a beginning of so many words."""
    found: dict[str, set[str]] = defaultdict(set)
    for name in COLLECTORS:
        for family in families(name):
            found[_beginning(family, words)].add(name)
    return found


def _shown(name: str) -> Iterator[tuple[str, int]]:
    """Yield the names of a collector's families, or their beginnings with how many begin so."""
    found = families(name)
    if len(found) <= _MOST_NAMED:
        yield from ((each, 0) for each in found)
        return
    maps = [each.prefix for each in family_table().maps if SECTIONS[each.section] == name]
    groups: dict[str, list[str]] = defaultdict(list)
    for family in found:
        beginning = _beginning(family, 2)
        if len(_owners(2)[beginning]) > 1 and not family.startswith(tuple(maps)):
            beginning = _beginning(family, 3)
        groups[beginning].append(family)
    for beginning, members in groups.items():
        if len(members) < _FEWEST_GROUPED:
            yield from ((each, 0) for each in members)
        else:
            yield f"{beginning}_*", len(members)


def open_table() -> Iterator[str]:
    """Yield the section about the open families of collectors."""
    yield _OPEN
    for name in sorted(COLLECTORS):
        for each in open_families(name):
            labels = "" if each.labels is None else _names(("instance", *each.labels))
            cells = (f"`{each.name}`", each.type, labels, f"`{name}`", _escaped(each.help))
            yield f"| {' | '.join(cells)} |\n"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _escaped(text: str) -> str:
    return re.sub(r"([<|])", r"\\\1", text)


def missing_table() -> Iterator[str]:
    """Yield the section about what is not collected."""
    yield _MISSING
    yield from (f"| {what} | {why} |\n" for what, why in _REASONS.items())
