"""A process that never lets a core sleep, at the lowest priority.

A core that wakes up runs slower for a while, so short work costs more on a core that sleeps.
"""

import os
import sys

from bench.harness.processes import Process


def start() -> Process:
    """Start it on the exporter's core."""
    return Process(sys.executable, "-m", "bench.programs.spin", core=0)


def main() -> None:
    """Run until SIGTERM."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while True:
        pass


if __name__ == "__main__":
    main()
