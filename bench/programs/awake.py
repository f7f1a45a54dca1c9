"""A process that keeps a core from sleeping, and gives way to all others on it.

A core that is woken runs slower for a while: the shorter the work, the dearer it comes.
"""

import os
import sys

from bench.harness.processes import Process


def core() -> Process:
    """Start it where an exporter would run."""
    return Process(sys.executable, "-m", "bench.programs.awake", core=0)


def main() -> None:
    """Run until SIGTERM."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while True:
        pass


if __name__ == "__main__":
    main()
