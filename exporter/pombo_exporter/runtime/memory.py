"""How much memory this process may use."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_OWN: Final = 96 * 2**20  # bytes, of the exporter without hosts and of requests
_SHARE: Final = 0.5  # of the rest; the other half is for answers under way
_LEAST: Final = 0.125  # of all, where there is little

_CGROUP_V1: Final = "memory/memory.limit_in_bytes"
_CGROUP_V2: Final = "memory.max"


def default_limit(cgroups: Path = Path("/sys/fs/cgroup"), proc: Path = Path("/proc")) -> int:
    """Return how much of what hosts report fits into the memory of this process, in bytes.

    That is half of what the process may use besides its own. It may use the machine's memory, or
    less where a control group allows less (a container, or ``MemoryMax`` of a systemd unit).
    """
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    most = min([total, *_cgroup_limits(cgroups, proc)])
    return int(max(_SHARE * (most - _OWN), _LEAST * most))


def _cgroup_limits(cgroups: Path, proc: Path) -> Iterator[int]:
    """Yield the limits of this process's control groups; see cgroups(7)."""
    lines: list[str] = []
    with suppress(OSError):
        lines = (proc / "self/cgroup").read_text().splitlines()
    files = [cgroups / _CGROUP_V2, cgroups / _CGROUP_V1]
    for line in lines:
        _, controllers, path = line.split(":", 2)
        group = Path(path.lstrip("/"))
        if not controllers:  # version 2 has one hierarchy
            files += [cgroups / each / _CGROUP_V2 for each in (group, *group.parents)]
        elif "memory" in controllers.split(","):
            files.append(cgroups / "memory" / group / "memory.limit_in_bytes")
    for file in files:
        with suppress(OSError, ValueError):  # the file is absent, or says `max`
            yield int(file.read_text())
