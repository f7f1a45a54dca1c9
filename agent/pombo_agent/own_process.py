"""The agent's own process, as programs with a client library of Prometheus show theirs."""

import os
import sys
from typing import Final

from pombo_wire.section import Section

from pombo_agent import __revision__, __version__
from pombo_agent.collecting.tables import record

#: Where the kernel shows the process that reads it. It is not that of ``--path.procfs``, which may
#: be another machine's.
PROC: Final = "/proc"

_UNLIMITED: Final = 2.0**64 - 1

# The fields of /proc/self/stat that follow the name of the command, from 0; see proc_pid_stat(5).
_UTIME, _STIME, _START_TIME, _VSIZE, _RSS = 11, 12, 19, 20, 21


def build() -> list[Section]:
    """Return the section ``build``, which never changes."""
    texts = {
        "version": __version__,
        "revision": __revision__,
        "pythonversion": sys.version.split()[0],
        "os": sys.platform,
        "arch": os.uname().machine if hasattr(os, "uname") else "",
    }
    return record("build", texts)


class OwnProcess:
    """Reads what the kernel counts of this process; on other systems than Linux there is nothing.

    ``proc`` is where procfs is mounted.
    """

    def __init__(self, proc: str = PROC) -> None:
        self._proc = proc
        self._constant: dict[str, float | None] | None = None

    def section(self) -> list[Section]:
        """Return the section ``process`` of this moment, or nothing where it cannot be read."""
        try:
            with open(f"{self._proc}/self/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            open_fds = len(os.listdir(f"{self._proc}/self/fd"))
            ticks = os.sysconf("SC_CLK_TCK")
            if self._constant is None:
                self._constant = self._limits() | {
                    "start_time": self._boot_time() + int(fields[_START_TIME]) / ticks
                }
            found = {
                "cpu_seconds": (int(fields[_UTIME]) + int(fields[_STIME])) / ticks,
                "resident_bytes": int(fields[_RSS]) * os.sysconf("SC_PAGE_SIZE"),
                "virtual_bytes": int(fields[_VSIZE]),
                "open_fds": open_fds,
                **self._constant,
            }
        except (OSError, ValueError, LookupError):
            return []
        return record("process", found)

    @staticmethod
    def _limits() -> dict[str, float | None]:
        """Return the limits of the process, which nothing changes while it runs."""
        from resource import RLIM_INFINITY, RLIMIT_AS, RLIMIT_NOFILE, getrlimit  # noqa: PLC0415

        limits = {"virtual_bytes_max": RLIMIT_AS, "max_fds": RLIMIT_NOFILE}
        soft = {name: getrlimit(limit)[0] for name, limit in limits.items()}
        return {
            name: _UNLIMITED if limit == RLIM_INFINITY else limit for name, limit in soft.items()
        }

    def _boot_time(self) -> int:
        """Return when the system booted, in Unix seconds."""
        with open(f"{self._proc}/stat", "rb") as file:
            for line in file:
                if line.startswith(b"btime "):
                    return int(line.split()[1])
        raise ValueError("no btime")
