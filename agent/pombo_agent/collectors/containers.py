"""Containers and services: CPU, memory, I/O, tasks and pressure, as their cgroups count them.

No socket of a container engine is asked, so any user may read all of it. Families, units and
conventions are those of cAdvisor.
"""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pombo_wire.section import Section

from pombo_agent.collecting.cgroup_files import (
    DECIMALS,
    Version,
    cgroup_file,
    parse_fields,
    version_and_roots,
)
from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import filtered, number
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Row, table
from pombo_agent.collectors.pressure import parse_pressure

#: The most cgroups that are reported by default.
MOST_CGROUPS = 500

#: Seconds after which the tree of cgroups is read again.
RESCAN_SECONDS = 15.0

#: Seconds after which what seldom changes is read again, and all files of idle cgroups.
REREAD_SECONDS = 60.0

#: The most folders of cgroups that are looked into.
MOST_FOLDERS = 20_000

#: The most folders below a container or service in which its processes are counted.
MOST_NESTED = 64

#: What a cgroup has used at most since all its files were read, in seconds of CPU and bytes of
#: memory, while they are not read again.
QUIET_CPU, QUIET_MEMORY = 0.01, 2**20

#: The runtime of services.
SERVICE = "systemd"

#: The runtime of a container by the name that its cgroup begins with.
_RUNTIMES = {
    "cri": "cri",
    "cri-containerd": "containerd",
    "crio": "cri-o",
    "docker": "docker",
    "libpod": "podman",
}

# A scope of systemd, or a cgroup that the runtime itself has made. Conmon is no container: it is
# the process of podman and CRI-O that watches one.
_CONTAINER = re.compile(
    r"(?:.+:)?(docker|libpod|cri-containerd|crio|cri)[-:](?!conmon-)(?:payload-)?"
    r"(?:(?P<scope>.+)\.scope|(?P<id>[0-9a-f]{12,64}))"
)
_FULL_ID, _ANY_ID = re.compile("[0-9a-f]{64}"), re.compile("[0-9a-f]{12,64}")
_SHORT = 12  # characters of an id, as the engines show them

#: The columns that are reported where the quota of CPU time is limited.
_OF_QUOTA = ("cfs_periods", "cfs_throttled_periods", "cfs_throttled")

#: The columns that are reported once any cgroup has another value than 0 in them, or an unknown
#: one. Of limits, 0 is none.
_SELDOM = (
    *("memory_swap", "memory_limit", "threads_max", "cpu_waiting", "cpu_stalled"),
    *("memory_waiting", "memory_stalled", "io_waiting", "io_stalled"),
)


class Cgroup(NamedTuple):
    """A container or service: its labels, its folders by controller, and what seldom changes.

    ``folders`` are one of its folders and all those below, where its processes are. ``cfs`` is
    whether the quota of its CPU time is limited.
    """

    labels: Mapping[str, str]
    paths: Mapping[str, str]
    folders: list[str]
    seldom: Row
    cfs: bool


class Measured(NamedTuple):
    """The content of the files that show whether a cgroup did anything, and its rows.

    ``full`` is the row that was read when all files were. ``disks`` has the counts by device.
    """

    signs: list[bytes | None]
    row: Row
    full: Row
    disks: list[tuple[str, Row]]


class Scan(NamedTuple):
    """What one look at the tree has found.

    ``due`` is when to look again, and ``reread`` when to read again what seldom changes, on the
    monotonic clock in seconds. ``beyond`` is the number of cgroups that were left out, and
    ``devices`` has the names of block devices by their numbers. ``last`` has what was measured
    since, by id.
    """

    due: float
    reread: float
    version: Version
    cgroups: list[Cgroup]
    beyond: int
    devices: dict[str, str]
    last: dict[str, Measured]


def collect(
    sources: Sources,
    clock: Callable[[], float] = time.monotonic,
    most_folders: int = MOST_FOLDERS,
) -> list[Section]:
    """Return the ``containers`` and ``container_disks`` sections.

    Most services are idle for most of the time, or nearly so. What is read of these is two files;
    the others are read again after a minute. ``clock`` is in seconds.
    """
    kept = sources.kept
    now = clock()
    scan: Scan | None = kept.get("scan")
    is_first = scan is None
    if scan is None or now >= scan.due:
        scan = kept["scan"] = _scan(sources, scan, now, most_folders)
    if scan.beyond:
        most = f"more than --collector.containers.max={len(scan.cgroups)}"
        sources.skips.add("cgroup", most, f"{sources.sysfs}/fs/cgroup", scan.beyond)
    rows: list[Row] = []
    disks: list[Row] = []
    for cgroup in scan.cgroups:
        found = _measured(sources, scan, cgroup)
        if found.row:  # else it has vanished
            rows.append(found.row)
            disks += _disk_rows(kept, cgroup.labels, found.disks, is_first=is_first)
    known: set[str] = kept.setdefault("columns", set())
    known.update(name for name in _SELDOM if any(row.get(name, 0) != 0 for row in rows))
    nothing = dict.fromkeys(name for name in _SELDOM if name not in known)
    rows = [{**row, **nothing} for row in rows]
    return [*table("containers", rows), *table("container_disks", disks)]


def _disk_rows(
    kept: dict[str, Any], labels: Mapping[str, str], disks: list[tuple[str, Row]], *, is_first: bool
) -> Iterator[Row]:
    """Yield the rows of a cgroup's devices.

    A service that runs when the agent starts has rows as soon as it moves bytes: most services
    read their program and nothing after.
    """
    idle: dict[tuple[str, str], Row] = kept.setdefault("idle", {})
    for device, counts in disks:
        key = labels["id"], device
        if is_first and labels["runtime"] == SERVICE:
            idle[key] = counts
        elif key in idle and idle[key] != counts:
            del idle[key]
        if key not in idle and any(counts.values()):
            yield {**labels, "device": device, **counts}


# --- the tree ---


def _scan(sources: Sources, before: Scan | None, now: float, most_folders: int) -> Scan:
    """Look at the tree of cgroups. What seldom changes is taken from the last look, if recent.

    Raises:
        NoDataError: when the host has none.
    """
    version, roots = version_and_roots(f"{sources.sysfs}/fs/cgroup")
    found: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
    for root in dict.fromkeys(roots.values()):
        controllers = [name for name, folder in roots.items() if folder == root]
        for labels, path in _containers(sources, root, most_folders):
            _, paths = found.setdefault(labels["id"], (labels, {}))
            paths.update(dict.fromkeys(controllers, path))
    ids, names = sources.flags.filter("id"), sources.flags.filter("name")
    kept = [
        each for each in found.values() if ids.keeps(each[0]["id"]) and names.keeps(each[0]["name"])
    ]
    # Where there are too many, containers are more telling than services.
    kept.sort(key=lambda each: (each[0]["runtime"] == SERVICE, each[0]["id"]))
    most = sources.flags.number("max")
    is_recent = before is not None and now < before.reread
    known = {each.labels["id"]: each for each in before.cgroups} if before and is_recent else {}
    last: dict[str, Measured] = {}
    cgroups = []
    for labels, paths in kept[:most]:
        own = labels["id"]
        start = _start(paths.values())
        same = known.get(own)
        if same and before and same.paths == paths and same.seldom["start_time"] == start:
            seldom, limited = same.seldom, same.cfs
            if own in before.last:
                last[own] = before.last[own]
        else:
            limits, limited = version.limits(sources, paths)
            seldom = {**limits, "start_time": start}
        folders = _all_folders(sources, paths.get("pids") or next(iter(paths.values())))
        cgroups.append(Cgroup(labels, paths, folders, seldom, limited))
    reread = before.reread if before and is_recent else now + REREAD_SECONDS
    beyond = max(0, len(kept) - most)
    return Scan(now + RESCAN_SECONDS, reread, version, cgroups, beyond, {}, last)


def _containers(
    sources: Sources, root: str, most_folders: int
) -> Iterator[tuple[dict[str, str], str]]:
    """Yield the labels and the folder of each container and service below a root.

    A service may contain others, such as those of a user. What is within a container is part of
    it, and is not looked at.
    """
    folders = [("", root)]
    for looked, (parent, folder) in enumerate(folders):
        if looked == most_folders:
            sources.skips.add("cgroup", f"more than {most_folders} cgroups", root)
            return
        for name in _folders_in(sources, folder):
            own, path = f"{parent}/{name}", f"{folder}/{name}"
            labels = identified(parent, name)
            if labels:
                yield {"id": own, **labels}, path
            if not labels or labels["runtime"] == SERVICE:
                folders.append((own, path))


def _all_folders(sources: Sources, folder: str) -> list[str]:
    """Return a folder and all below, of which there are few in a container."""
    found = [folder]
    for each in found:
        if len(found) < MOST_NESTED:
            found += (f"{each}/{name}" for name in _folders_in(sources, each))
    return found[:MOST_NESTED]


def _folders_in(sources: Sources, folder: str) -> list[str]:
    try:
        if os.stat(folder).st_nlink == 2:  # one for each folder in it, and it has dozens of files
            return []
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError as error:
        sources.skip_unreadable(error, folder)
        return []


def identified(parent: str, name: str) -> dict[str, str] | None:
    """Return ``name`` and ``runtime`` of a container or service; ``None`` for other cgroups.

    ``parent`` is the path of the cgroup in which it is, and ``name`` its own.
    """
    found = _CONTAINER.fullmatch(name)
    if found:
        own = found["scope"] or found["id"]
        return {"name": _short(own), "runtime": _RUNTIMES[found[1]]}
    if name.endswith(".service"):
        return {"name": name, "runtime": SERVICE}
    within = parent.rpartition("/")[2]
    in_pod = "/kubepods" in parent
    of_engine = within == "docker" or (in_pod and within.startswith("pod"))
    if (_ANY_ID if of_engine else _FULL_ID).fullmatch(name):
        runtime = "cri" if in_pod else "docker" if within == "docker" else ""
        return {"name": _short(name), "runtime": runtime}
    return None


def _short(own: str) -> str:
    return own[:_SHORT] if _ANY_ID.fullmatch(own) else own


def _start(paths: Iterable[str]) -> int | None:
    """Return when a cgroup was made, as cAdvisor takes it: the oldest time of these files."""
    times = []
    for path in paths:
        for file in (path, f"{path}/cgroup.events", f"{path}/cgroup.clone_children"):
            try:
                times.append(os.stat(file).st_mtime)
            except OSError:  # noqa: PERF203  # each version has one of them
                continue
    return int(min(times)) if times else None


# --- what is read for each report ---


def _measured(sources: Sources, scan: Scan, cgroup: Cgroup) -> Measured:
    """Return the rows of a cgroup; they have no values where it has vanished."""
    version, own = scan.version, cgroup.labels["id"]
    read = {sign: cgroup_file(sources, cgroup.paths, *sign) for sign in version.signs}
    signs = [file.data if file else None for file in read.values()]
    before = scan.last.get(own)
    if before and any(signs):
        if before.signs == signs:
            return before
        fresh = _numbers(sources, version, cgroup, read, read)
        if _is_quiet(before.full, fresh):
            now = _with_working_set({**before.full, **fresh})
            scan.last[own] = before._replace(signs=signs, row=now)
            return scan.last[own]
    row: Row = _values(sources, version, cgroup, read)
    disks: list[tuple[str, Row]] = []
    if row:
        row = {**cgroup.labels, **cgroup.seldom, **row}
        for number, counts in version.disks(sources, cgroup.paths):
            disks.append(
                (scan.devices.get(number) or _device(sources, number, scan.devices), counts)
            )
    found = scan.last[own] = Measured(signs, row, row, disks)
    return found


def _is_quiet(full: Row, fresh: Row) -> bool:
    """Return whether a cgroup has used little since all its files were read."""
    for column, most in (("cpu_usage", QUIET_CPU), ("memory_usage", QUIET_MEMORY)):
        before, now = full.get(column), fresh.get(column)
        if before != now:
            if not isinstance(before, (int, float)) or not isinstance(now, (int, float)):
                return False
            least = 0 if column == "cpu_usage" else -most  # it is another cgroup if that shrinks
            if not least <= now - before <= most:
                return False
    return True


def _values(
    sources: Sources,
    version: Version,
    cgroup: Cgroup,
    read: Mapping[tuple[str, str], File | None],
) -> Row:
    """Return the values of a cgroup by column. ``read`` are files that were read already."""
    places = (*version.fields, *version.values)
    found = _numbers(sources, version, cgroup, read, places)
    found |= _processes(sources, cgroup.folders)
    for name, columns in version.pressure.items():
        file = cgroup_file(sources, cgroup.paths, "", name)
        if file:
            found |= _rounded(parse_pressure(file, columns))
    return _with_working_set(found)


def _numbers(
    sources: Sources,
    version: Version,
    cgroup: Cgroup,
    read: Mapping[tuple[str, str], File | None],
    places: Iterable[tuple[str, str]],
) -> dict[str, float | None]:
    """Return the numbers of some files by column. ``read`` are those that were read already."""
    found: dict[str, float | None] = {}
    for place in places:
        file = read[place] if place in read else cgroup_file(sources, cgroup.paths, *place)
        if file and place in version.fields:
            found |= parse_fields(file, version.fields[place])
        elif file:
            column, divisor = version.values[place]
            value = file.value
            if value is not None:
                found[column] = value if divisor == 1 else round(value / divisor, DECIMALS)
    if not cgroup.cfs:
        for column in _OF_QUOTA:
            found.pop(column, None)
    return found


def _with_working_set(row: dict[str, Any]) -> dict[str, Any]:
    usage, inactive = row.get("memory_usage"), row.get("inactive_file")
    if usage is not None and inactive is not None:
        row["memory_working_set"] = max(0, usage - inactive)
    return row


def _rounded(seconds: Mapping[str, float | None]) -> dict[str, float | None]:
    return {
        column: None if value is None else round(value, DECIMALS)
        for column, value in seconds.items()
    }


def _processes(sources: Sources, folders: Iterable[str]) -> dict[str, float | None]:
    """Return how many processes are in a cgroup, and in those of its folders that still exist."""
    own, *below = (sources.optional(f"{folder}/cgroup.procs") for folder in folders)
    if own is None:
        return {}
    return {"processes": sum(len(file.lines()) for file in (own, *below) if file)}


def _device(sources: Sources, number: str, known: dict[str, str]) -> str:
    """Return the name of a block device as ``/dev/sda``, or its numbers where it has none."""
    try:
        link = os.readlink(f"{sources.sysfs}/dev/block/{number}")
    except OSError:
        known[number] = number
    else:
        known[number] = f"/dev/{os.path.basename(link).replace('!', '/')}"
    return known[number]


FLAGS = (
    number("max", MOST_CGROUPS, 10_000, "The most containers and services that are reported."),
    filtered("id"),
    filtered("name"),
)
COLLECTORS = [Collector("containers", collect, flags=FLAGS)]
