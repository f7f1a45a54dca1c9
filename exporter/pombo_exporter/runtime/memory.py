"""How much memory this process may use."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_SHARE: Final = 0.5  # the rest is for answers under way, the page cache, and other programs

_CGROUP_V1: Final = "memory/memory.limit_in_bytes"
_CGROUP_V2: Final = "memory.max"


def default_limit(cgroups: Path = Path("/sys/fs/cgroup"), proc: Path = Path("/proc")) -> int:
    """Return half of the memory that this process may use, in bytes.

    That is the machine's memory, or less where a control group allows less (a container, or
    ``MemoryMax`` of a systemd unit).
    """
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return int(_SHARE * min([total, *_cgroup_limits(cgroups, proc)]))


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
