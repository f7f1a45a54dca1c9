"""Plays a fleet: sends its datagrams evenly paced, and catches up by a few at most.

Run as a process of its own, so that it is not what is measured. Prints one line of JSON:
what was sent, in how many seconds, and how late the latest datagram was.
"""

import argparse
import ctypes
import json
import os
import socket
import sys
from contextlib import suppress
from time import perf_counter, sleep

from bench.fleet import INTERVAL, fleet

_SLEEP_ABOVE = 0.0002  # seconds; a shorter wait is spun, for the kernel oversleeps
_SPUN = 0.0001  # seconds at the end of a longer one
_MADE_UP = 8  # datagrams: few beside the 90 that the kernel's default buffer holds
_PR_SET_TIMERSLACK = 29  # linux/prctl.h


def play(
    sock: socket.socket, hosts: int, turns: int, rate: float, first_turn: int
) -> dict[str, float]:
    """Send every host's report ``turns`` times, at ``rate`` datagrams a second.

    What is late by more than ``_MADE_UP`` datagrams delays all that follow.
    """
    templates = list(fleet(hosts))
    gap = 1 / rate if rate else INTERVAL / len(templates)
    started = due = perf_counter()
    latest = 0.0
    for turn in range(first_turn, first_turn + turns):
        for template in templates:
            datagram = template.datagram(turn)
            while (wait := due - perf_counter()) > 0:
                if wait > _SLEEP_ABOVE:
                    sleep(wait - _SPUN)
            sock.send(datagram)
            latest = max(latest, -wait)
            due = max(due, perf_counter() - _MADE_UP * gap) + gap
    return {
        "sent": len(templates) * turns,
        "datagrams_a_report": len(templates) / hosts,
        "seconds": perf_counter() - started,
        "asked_seconds": len(templates) * turns * gap,
        "latest_seconds": latest,
    }


def _keep_time() -> None:
    """Ask the kernel to wake this process when it said, and before others."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1)  # nanoseconds; 50,000 unless said
    with suppress(OSError):  # root alone may
        os.setpriority(os.PRIO_PROCESS, 0, -10)


def main() -> None:
    """Play what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--hosts", type=int, required=True)
    parser.add_argument("--turns", type=int, required=True, help="reports of each host")
    parser.add_argument("--first-turn", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0, help="datagrams/s; else every 5 s a host")
    asked = parser.parse_args()
    _keep_time()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", asked.port))
        result = play(sock, asked.hosts, asked.turns, asked.rate, asked.first_turn)
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
