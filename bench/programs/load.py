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
from collections.abc import Iterable
from contextlib import suppress
from time import perf_counter, sleep

from bench.harness.fleet import INTERVAL, fleet

_SLEEP_ABOVE = 0.0002  # seconds; a shorter wait is spun, for the kernel oversleeps
_SPUN = 0.0001  # seconds at the end of a longer one
_READY = 500_000  # datagrams at most that are made before the first is sent: half a GB
_MADE_UP = 8  # datagrams: few beside the 90 that the kernel's default buffer holds
_PR_SET_TIMERSLACK = 29  # linux/prctl.h


def play(sock: socket.socket, datagrams: Iterable[bytes], gap: float) -> dict[str, float]:
    """Send these datagrams, one every ``gap`` seconds.

    What is late by more than ``_MADE_UP`` datagrams delays all that follow.
    """
    started = due = perf_counter()
    sent, latest = 0, 0.0
    for datagram in datagrams:
        while (wait := due - perf_counter()) > 0:
            if wait > _SLEEP_ABOVE:
                sleep(wait - _SPUN)
        sock.send(datagram)
        sent += 1
        if wait < -gap:
            latest = max(latest, -wait)
            due = max(due, perf_counter() - _MADE_UP * gap)
        due += gap
    seconds = perf_counter() - started
    return {
        "sent": sent,
        "seconds": seconds,
        "asked_seconds": sent * gap,
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
    templates = list(fleet(asked.hosts))
    turns = range(asked.first_turn, asked.first_turn + asked.turns)
    made: Iterable[bytes] = (each.datagram(turn) for turn in turns for each in templates)
    if asked.rate and len(templates) * asked.turns <= _READY:
        made = list(made)  # to make one takes half as long as to send it
    _keep_time()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", asked.port))
        result = play(sock, made, 1 / asked.rate if asked.rate else INTERVAL / len(templates))
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
