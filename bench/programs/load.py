"""Sends prepared reports of a fleet, evenly paced; after a delay it catches up by a few at most.

It runs as a process of its own, so that it is not measured. It prints one line of JSON: how
many reports and datagrams were sent, in how many seconds, and how late the latest report was.
"""

import argparse
import ctypes
import json
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from time import perf_counter, sleep

from bench.harness.fleet import INTERVAL
from bench.harness.prepared import Datagrams, Order

_SLEEP_ABOVE = 0.0002  # seconds; shorter waits spin, because the kernel oversleeps
_SPIN = 0.0001  # seconds to spin at the end of a longer wait
_CATCH_UP = 8  # reports; the kernel's default buffer takes 92 datagrams
_PR_SET_TIMERSLACK = 29  # linux/prctl.h


def send(sock: socket.socket, datagrams: Order, gap: float) -> dict[str, float]:
    """Send one report every ``gap`` seconds; return the figures that ``main`` prints.

    The datagrams of a report follow each other at once, as an agent sends them. A delay of more
    than ``_CATCH_UP`` reports delays all that follow.
    """
    started = due = perf_counter()
    latest = 0.0
    for datagram, is_first in datagrams:
        if is_first:
            while (wait := due - perf_counter()) > 0:
                if wait > _SLEEP_ABOVE:
                    sleep(wait - _SPIN)
            if wait < -gap:
                latest = max(latest, -wait)
                due = max(due, perf_counter() - _CATCH_UP * gap)
            due += gap
        sock.send(datagram)
    seconds = perf_counter() - started
    return {
        "reports": datagrams.reports,
        "datagrams": len(datagrams),
        "seconds": seconds,
        "planned_seconds": datagrams.reports * gap,
        "latest_seconds": latest,
    }


def _be_punctual() -> None:
    """Ask the kernel to wake this process on time, and before others."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1)  # nanoseconds; the default is 50,000
    with suppress(OSError):  # only root may
        os.setpriority(os.PRIO_PROCESS, 0, -10)


def main() -> None:
    """Send what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="of bench.programs.prepare")
    parser.add_argument("--hosts", type=int, required=True)
    parser.add_argument("--reports", type=int, required=True, help="of each host")
    parser.add_argument("--first-report", type=int, default=0)
    parser.add_argument(
        "--rate", type=float, default=0, help="reports/s; default: each host every 5 s"
    )
    arguments = parser.parse_args()
    first = arguments.first_report
    datagrams = Datagrams(arguments.folder).of(
        arguments.hosts, range(first, first + arguments.reports)
    )
    _be_punctual()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", arguments.port))
        gap = 1 / arguments.rate if arguments.rate else INTERVAL / arguments.hosts
        result = send(sock, datagrams, gap)
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
