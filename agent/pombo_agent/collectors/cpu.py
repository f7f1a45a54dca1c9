"""CPU: seconds of each core in each mode since boot, throttling, and what the processor is."""

import os
from collections.abc import Collection
from typing import NamedTuple

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import pattern, switch
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Cell, Row, family, table

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

_GUEST_MODES = _MODES[_MODES.index("guest") :]

# The labels of a processor, its flags and its bugs, by their key in /proc/cpuinfo. Architectures
# have different keys.
_INFO = {
    b"physical id": "package",
    b"core id": "core",
    b"hart": "core",
    b"vendor_id": "vendor",
    b"vendor": "vendor",
    b"cpu family": "family",
    b"model": "model",
    b"model name": "model_name",
    b"isa": "model_name",
    b"microcode": "microcode",
    b"stepping": "stepping",
    b"cache size": "cachesize",
    b"flags": "flags",
    b"Features": "flags",
    b"bugs": "bugs",
}
_INFO_LABELS = (
    *("cpu", "package", "core", "vendor", "family", "model", "model_name", "microcode"),
    *("stepping", "cachesize"),
)
_FLAGS_HELP = "The `{0}` field of CPU information from /proc/cpuinfo taken from the first core."

_MOST_CORES = 2**16

#: Ticks of each mode by the number of the core; ``None`` where unreadable.
Ticks = dict[int, list[float | None]]


class Topology(NamedTuple):
    """What changes only when a core goes offline or comes back, for these cores in ``/proc/stat``.

    ``packages`` and ``cores`` have the labels and the file of each count of throttling.
    """

    online: tuple[int, ...]
    packages: list[tuple[tuple[str, ...], str]]
    cores: list[tuple[tuple[str, ...], str]]
    states: list[tuple[Cell, ...]]


def collect(sources: Sources) -> list[Section]:
    """Return the ``cpu`` section, and open families ``node_cpu_*``."""
    per_second = os.sysconf("SC_CLK_TCK")
    stat = sources.optional(f"{sources.procfs}/stat")
    found = parse_stat(stat) if stat else {}
    kept = sources.kept["ticks"] = highest(sources.kept.get("ticks", {}), found, per_second)
    modes = {*_MODES} if sources.flags.switch("guest") else {*_MODES} - {*_GUEST_MODES}
    rows = [_row(core, kept[core], found[core], per_second, modes) for core in sorted(found)]
    sections = [
        *table("cpu", rows),
        *_of_topology(sources, tuple(found)),
        *_isolated(sources),
        *_info(sources),
    ]
    if not sections:
        raise NoDataError("no processor in /proc or /sys")
    return sections


def _of_topology(sources: Sources, online: tuple[int, ...]) -> list[Section]:
    """Return the counts of throttling, and which cores are online."""
    topology = sources.kept.get("topology")
    if topology is None or topology.online != online:
        topology = sources.kept["topology"] = read_topology(sources, online)
    packages = [(*labels, sources.value(path)) for labels, path in topology.packages]
    cores = [(*labels, sources.value(path)) for labels, path in topology.cores]
    return [
        *family(
            "node_cpu_core_throttles_total",
            "counter",
            "Number of times this CPU core has been throttled.",
            ("package", "core"),
            cores,
        ),
        *family(
            "node_cpu_package_throttles_total",
            "counter",
            "Number of times this CPU package has been throttled.",
            ("package",),
            packages,
        ),
        *family(
            "node_cpu_online",
            "gauge",
            "CPUs that are online and being scheduled.",
            ("cpu",),
            topology.states,
        ),
    ]


def read_topology(sources: Sources, online: tuple[int, ...]) -> Topology:
    """Return the counts of throttling that there are, and the state of each core.

    Cores have no state where the first of them cannot go offline.
    """
    folder = f"{sources.sysfs}/devices/system/cpu"
    names = sorted(name for name in sources.names(folder, "cpu") if name[3:4].isdigit())
    packages: dict[tuple[str, ...], str] = {}
    cores: dict[tuple[str, ...], str] = {}
    for name in names:
        files = {"package": "physical_package_id", "core": "core_id"}
        numbers = sources.values(f"{folder}/{name}/topology", files)
        package, core = numbers["package"], numbers["core"]
        counts = f"{folder}/{name}/thermal_throttle"
        if package is not None and package >= 0:
            _add_count(packages, (str(package),), f"{counts}/package_throttle_count")
            if core is not None and core >= 0:
                _add_count(cores, (str(package), str(core)), f"{counts}/core_throttle_count")
    states: list[tuple[Cell, ...]] = []
    if names and os.path.exists(f"{folder}/{names[0]}/online"):
        texts = ((name, sources.text(f"{folder}/{name}/online")) for name in names)
        states = [(name[3:], int(text == "1")) for name, text in texts]
    return Topology(online, [*packages.items()], [*cores.items()], states)


def _add_count(known: dict[tuple[str, ...], str], labels: tuple[str, ...], path: str) -> None:
    """Add the first file that has the count of a package or a core; others have the same."""
    if labels not in known and os.path.lexists(path):
        known[labels] = path


def _isolated(sources: Sources) -> list[Section]:
    file = sources.optional(f"{sources.sysfs}/devices/system/cpu/isolated")
    rows = [(str(core), 1) for core in parse_list(file)] if file else []
    text = "Whether each core is isolated, information from /sys/devices/system/cpu/isolated."
    return family("node_cpu_isolated", "gauge", text, ("cpu",), rows)


def parse_list(file: File) -> list[int]:
    """Return the numbers in a list of cores, such as ``1,4-7``."""
    found: set[int] = set()
    for part in file.data.replace(b"\n", b",").split(b","):
        first, dash, last = part.partition(b"-")
        if first.isdigit() and (last or first).isdigit() and bool(dash) is bool(last):
            start, stop = int(first), int(last or first)
            if stop < _MOST_CORES:
                found.update(range(start, stop + 1))
                continue
        if part.strip():
            file.skip("value", part)
    return sorted(found)


def _info(sources: Sources) -> list[Section]:
    """Return what the processors are, where a flag asks for it."""
    names = ("flags", "bugs")
    wanted = {name: sources.flags.pattern(f"info.{name}-include") for name in names}
    if not sources.flags.switch("info") and not any(each.pattern for each in wanted.values()):
        return []
    file = sources.optional(f"{sources.procfs}/cpuinfo")
    processors = parse_cpuinfo(file) if file else []
    rows = [(*(found.get(label) for label in _INFO_LABELS), 1) for found in processors]
    text = "CPU information from /proc/cpuinfo."
    sections = family("node_cpu_info", "gauge", text, _INFO_LABELS, rows)
    for name, include in wanted.items():
        words = (processors[0].get(name) or "").split() if processors and include.pattern else []
        one = name.removesuffix("s")
        sections += family(
            f"node_cpu_{one}_info",
            "gauge",
            _FLAGS_HELP.format(name),
            (one,),
            [(word, 1) for word in dict.fromkeys(words) if include.search(word)],
        )
    return sections


def parse_cpuinfo(file: File) -> list[dict[str, str]]:
    """Return the labels of each processor in ``/proc/cpuinfo``, its ``flags`` and its ``bugs``."""
    found: dict[int, dict[str, str]] = {}
    labels: dict[str, str] = {}
    for line in file.lines():
        key, separator, text = line.partition(b": ")
        name = key.strip()
        if name == b"processor" and separator:
            if text.strip().isdigit():
                labels = found.setdefault(int(text), {"cpu": str(int(text))})
            else:
                file.skip("line", line)
        elif name in _INFO and separator:
            labels.setdefault(_INFO[name], decoded(text))
    return [*found.values()]


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


def _row(
    core: int,
    kept: list[float | None],
    found: list[float | None],
    per_second: int,
    modes: Collection[str],
) -> Row:
    row: dict[str, Cell] = {"cpu": str(core)}
    for mode, count, read in zip(_MODES, kept, found, strict=False):
        if mode in modes:
            row[mode] = None if count is None or read is None else count / per_second
    return row


FLAGS = (
    switch("guest", "Enable node_cpu_guest_seconds_total.", default=True),
    switch("info", "Enable node_cpu_info."),
    pattern("info.flags-include", "", "Regexp of flags for node_cpu_flag_info; enables info."),
    pattern("info.bugs-include", "", "Regexp of bugs for node_cpu_bug_info; enables info."),
)
COLLECTORS = [Collector("cpu", collect, flags=FLAGS)]
