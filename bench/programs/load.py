"""Sends the datagrams of a fleet, evenly paced; after a delay it catches up by a few at most.

It runs as a process of its own, so that it is not measured. It prints one line of JSON: how
many datagrams were sent, in how many seconds, and how late the latest was.
"""

import argparse
import ctypes
import json
import os
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from time import perf_counter, sleep

from bench.harness.fleet import INTERVAL, KINDS, fleet

_SLEEP_ABOVE = 0.0002  # seconds; shorter waits spin, because the kernel oversleeps
_SPIN = 0.0001  # seconds to spin at the end of a longer wait
_MAX_PREPARED = 500_000  # datagrams made before the first is sent: half a GB
_CATCH_UP = 8  # datagrams; the kernel's default buffer takes 92
_PR_SET_TIMERSLACK = 29  # linux/prctl.h


def send(sock: socket.socket, datagrams: Iterable[bytes], gap: float) -> dict[str, float]:
    """Send one datagram every ``gap`` seconds; return the figures that ``main`` prints.

    A delay of more than ``_CATCH_UP`` datagrams delays all that follow.
    """
    started = due = perf_counter()
    sent, latest = 0, 0.0
    for datagram in datagrams:
        while (wait := due - perf_counter()) > 0:
            if wait > _SLEEP_ABOVE:
                sleep(wait - _SPIN)
        sock.send(datagram)
        sent += 1
        if wait < -gap:
            latest = max(latest, -wait)
            due = max(due, perf_counter() - _CATCH_UP * gap)
        due += gap
    seconds = perf_counter() - started
    return {
        "sent": sent,
        "seconds": seconds,
        "planned_seconds": sent * gap,
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
    parser.add_argument("--hosts", type=int, required=True)
    parser.add_argument("--fleet", choices=KINDS, default="few")
    parser.add_argument("--reports", type=int, required=True, help="of each host")
    parser.add_argument("--first-report", type=int, default=0)
    parser.add_argument(
        "--rate", type=float, default=0, help="datagrams/s; default: each host every 5 s"
    )
    arguments = parser.parse_args()
    senders = fleet(arguments.hosts, arguments.fleet)
    reports = range(arguments.first_report, arguments.first_report + arguments.reports)
    datagrams: Iterable[bytes] = chain.from_iterable(map(senders.datagrams, reports))
    if arguments.rate and len(senders) * arguments.reports <= _MAX_PREPARED:
        datagrams = list(datagrams)  # making one takes half as long as sending it
    _be_punctual()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", arguments.port))
        gap = 1 / arguments.rate if arguments.rate else INTERVAL / len(senders)
        result = send(sock, datagrams, gap)
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
