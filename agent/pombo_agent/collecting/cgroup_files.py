"""The files of control groups, in both versions: what of a cgroup is where, and how it is read."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Row

#: Of seconds: a report is about some seconds, and a digit less is half a byte less.
DECIMALS = 3

_DEVICE = re.compile("[0-9]+:[0-9]+")
_UNLIMITED = 2**62  # a limit of memory above it is none, in version 1

_MICRO, _NANO = 1e6, 1e9
_TICKS = float(os.sysconf("SC_CLK_TCK"))


class Version(NamedTuple):
    """Where a version of cgroups has the values: a controller's folder, and a file in it.

    ``values`` has the column of each file that is one number, and what that is divided by;
    ``fields`` has the columns of the lines of a file by what precedes their number. ``pressure``
    has the columns of the files of pressure. While the files in ``signs`` stay the same, a cgroup
    has neither run nor gained or lost memory. ``limits`` returns what seldom changes, and whether
    the quota is limited; ``disks`` yields the counts of each block device. Both take the folders
    by controller.
    """

    values: Mapping[tuple[str, str], tuple[str, float]]
    fields: Mapping[tuple[str, str], Mapping[bytes, tuple[str, float]]]
    pressure: Mapping[str, dict[bytes, str]]
    signs: tuple[tuple[str, str], ...]
    limits: Callable[[Sources, Mapping[str, str]], tuple[Row, bool]]
    disks: Callable[[Sources, Mapping[str, str]], Iterable[tuple[str, Row]]]


def version_and_roots(base: str) -> tuple[Version, dict[str, str]]:
    """Return the version of cgroups below a folder, and the root of each controller.

    Raises:
        NoDataError: when there are none.
    """
    if not os.path.isdir(base):
        raise NoDataError("no cgroups")
    if not os.path.exists(f"{base}/cgroup.controllers"):
        folders = {
            controller: next(filter(os.path.isdir, (f"{base}/{name}" for name in names)), "")
            for controller, names in _FOLDERS.items()
        }
        found = {controller: folder for controller, folder in folders.items() if folder}
        if found:
            return _VERSION_1, found
    return _VERSION_2, {"": base}


def cgroup_file(
    sources: Sources, paths: Mapping[str, str], controller: str, name: str
) -> File | None:
    """Return a file of a cgroup, whose folders are in ``paths`` by controller.

    It is None where the cgroup has no folder of the controller, or no such file.
    """
    folder = paths.get(controller)
    return None if folder is None else sources.optional(f"{folder}/{name}")


def parse_fields(file: File, fields: Mapping[bytes, tuple[str, float]]) -> dict[str, float | None]:
    """Return the numbers of some lines of a file, such as ``cpu.stat``, by column.

    ``fields`` has the column and the divisor of each line by what precedes its number.
    """
    found: dict[str, float | None] = {}
    data = b"\n%b\n" % file.data
    for start, (column, divisor) in fields.items():
        at = data.find(start)  # there are dozens of other lines
        if at >= 0:
            at += len(start)
            value = file.number(data[at : data.index(b"\n", at)])
            if value is not None and divisor != 1:
                value = round(value / divisor, DECIMALS)
            found[column] = value
    return found


# --- version 2 ---

#: The column of each count in ``io.stat``.
_IO = {b"rbytes": "read_bytes", b"wbytes": "written_bytes", b"rios": "reads", b"wios": "writes"}


def _limits_2(sources: Sources, paths: Mapping[str, str]) -> tuple[Row, bool]:
    path = paths[""]
    found: dict[str, float | None] = {}
    memory = sources.optional(f"{path}/memory.max")
    if memory:
        found["memory_limit"] = _limit(memory)
    tasks = sources.optional(f"{path}/pids.max")
    if tasks:
        found["threads_max"] = _limit(tasks)
    limited = False
    cpu = sources.optional(f"{path}/cpu.max")
    if cpu:
        for quota, *period in list(cpu.words())[:1]:
            limited = quota != b"max"
            if limited:
                found["cpu_quota"] = cpu.number(quota)
                if period:
                    found["cpu_period"] = cpu.number(period[0])
    return found, limited


def _limit(file: File) -> float | None:
    """Return the limit in a file; 0 is none."""
    return 0 if file.data.strip() == b"max" else file.value


def _disks_2(sources: Sources, paths: Mapping[str, str]) -> Iterator[tuple[str, Row]]:
    file = sources.optional(f"{paths['']}/io.stat")
    if file is None:
        return
    for words in file.words():
        device = ""
        counts: dict[str, float | None] = {}
        for word in words:
            name, equals, value = word.partition(b"=")
            if not equals:  # before Linux 5.14, devices without counts may precede
                device = decoded(word)
            elif name in _IO:
                counts[_IO[name]] = file.number(value)
        if _DEVICE.fullmatch(device):
            yield device, counts
        else:
            file.skip("line", b" ".join(words))


_VERSION_2 = Version(
    values={
        ("", "memory.current"): ("memory_usage", 1),
        ("", "memory.swap.current"): ("memory_swap", 1),
        ("", "pids.current"): ("threads", 1),
    },
    fields={
        ("", "cpu.stat"): {
            b"\nusage_usec ": ("cpu_usage", _MICRO),
            b"\nuser_usec ": ("cpu_user", _MICRO),
            b"\nsystem_usec ": ("cpu_system", _MICRO),
            b"\nnr_periods ": ("cfs_periods", 1),
            b"\nnr_throttled ": ("cfs_throttled_periods", 1),
            b"\nthrottled_usec ": ("cfs_throttled", _MICRO),
        },
        ("", "memory.stat"): {
            b"\nanon ": ("memory_rss", 1),
            b"\nfile ": ("memory_cache", 1),
            b"\ninactive_file ": ("inactive_file", 1),
            b"\npgfault ": ("page_faults", 1),
            b"\npgmajfault ": ("major_page_faults", 1),
        },
        ("", "memory.events"): {b"\noom_kill ": ("oom_kills", 1)},
    },
    pressure={
        f"{name}.pressure": {b"some": f"{name}_waiting", b"full": f"{name}_stalled"}
        for name in ("cpu", "memory", "io")
    },
    signs=(("", "cpu.stat"), ("", "memory.current")),
    limits=_limits_2,
    disks=_disks_2,
)

# --- version 1 ---

#: The folders that a controller may have. Those of CPU time share one on most systems.
_FOLDERS = {
    "cpuacct": ("cpu,cpuacct", "cpuacct,cpu", "cpuacct"),
    "cpu": ("cpu,cpuacct", "cpuacct,cpu", "cpu"),
    "memory": ("memory",),
    "blkio": ("blkio",),
    "pids": ("pids",),
}

#: The column of each operation in the two files of ``blkio``.
_BLKIO = {
    "io_service_bytes": {b"Read": "read_bytes", b"Write": "written_bytes"},
    "io_serviced": {b"Read": "reads", b"Write": "writes"},
}


def _limits_1(sources: Sources, paths: Mapping[str, str]) -> tuple[Row, bool]:
    found: dict[str, float | None] = {}
    memory = cgroup_file(sources, paths, "memory", "memory.limit_in_bytes")
    if memory:
        limit = memory.value
        found["memory_limit"] = 0 if limit is not None and limit > _UNLIMITED else limit
    tasks = cgroup_file(sources, paths, "pids", "pids.max")
    if tasks:
        found["threads_max"] = _limit(tasks)
    file = cgroup_file(sources, paths, "cpu", "cpu.cfs_quota_us")
    quota = file.value if file else None
    limited = quota is not None and quota > 0  # -1 is no limit
    if limited:
        found["cpu_quota"] = quota
        period = cgroup_file(sources, paths, "cpu", "cpu.cfs_period_us")
        found["cpu_period"] = period.value if period else None
    return found, limited


def _disks_1(sources: Sources, paths: Mapping[str, str]) -> Iterable[tuple[str, Row]]:
    found: dict[str, dict[str, float | None]] = {}
    for name, columns in _BLKIO.items():
        file = _throttle_file(sources, paths, name)
        if file is None:
            continue
        for device, *operation in file.words():
            if len(operation) == 2 and _DEVICE.fullmatch(decoded(device)):
                column = columns.get(operation[0])
                if column:
                    counts = found.setdefault(decoded(device), {})
                    counts[column] = file.number(operation[1])
            elif device != b"Total":
                file.skip("line", b" ".join((device, *operation)))
    return found.items()


def _throttle_file(sources: Sources, paths: Mapping[str, str], name: str) -> File | None:
    """Return a file of ``blkio`` that counts I/O with any scheduler, with that of descendants."""
    found = cgroup_file(sources, paths, "blkio", f"blkio.throttle.{name}_recursive")
    return found or cgroup_file(sources, paths, "blkio", f"blkio.throttle.{name}")


_VERSION_1 = Version(
    values={
        ("cpuacct", "cpuacct.usage"): ("cpu_usage", _NANO),
        ("memory", "memory.usage_in_bytes"): ("memory_usage", 1),
        ("pids", "pids.current"): ("threads", 1),
    },
    fields={
        ("cpuacct", "cpuacct.stat"): {
            b"\nuser ": ("cpu_user", _TICKS),
            b"\nsystem ": ("cpu_system", _TICKS),
        },
        ("cpu", "cpu.stat"): {
            b"\nnr_periods ": ("cfs_periods", 1),
            b"\nnr_throttled ": ("cfs_throttled_periods", 1),
            b"\nthrottled_time ": ("cfs_throttled", _NANO),
        },
        ("memory", "memory.stat"): {
            b"\ntotal_rss ": ("memory_rss", 1),
            b"\ntotal_cache ": ("memory_cache", 1),
            b"\ntotal_swap ": ("memory_swap", 1),
            b"\ntotal_inactive_file ": ("inactive_file", 1),
            b"\npgfault ": ("page_faults", 1),
            b"\npgmajfault ": ("major_page_faults", 1),
        },
        ("memory", "memory.oom_control"): {b"\noom_kill ": ("oom_kills", 1)},
    },
    pressure={},
    signs=(("cpuacct", "cpuacct.usage"), ("memory", "memory.usage_in_bytes")),
    limits=_limits_1,
    disks=_disks_1,
)
