"""Plays a fleet: sends its datagrams evenly paced, and never catches up in a burst.

Run as a process of its own, so that it is not what is measured. Prints one line of JSON:
how many datagrams were sent, and in how many seconds.
"""

import argparse
import json
import socket
import sys
from time import perf_counter, sleep

from bench.fleet import INTERVAL, fleet

_SLEEP_ABOVE = 0.002  # seconds; a shorter wait is spun, for the kernel oversleeps


def play(
    sock: socket.socket, hosts: int, turns: int, rate: float, first_turn: int
) -> dict[str, float]:
    """Send every host's report ``turns`` times, at ``rate`` datagrams a second."""
    templates = list(fleet(hosts))
    gap = 1 / rate if rate else INTERVAL / len(templates)
    started = due = perf_counter()
    late = 0.0
    for turn in range(first_turn, first_turn + turns):
        for template in templates:
            datagram = template.datagram(turn)
            while (wait := due - perf_counter()) > 0:
                if wait > _SLEEP_ABOVE:
                    sleep(wait - _SLEEP_ABOVE / 2)
            sock.send(datagram)
            late = max(late, -wait)
            due = max(due, perf_counter() - gap) + gap
    return {
        "sent": len(templates) * turns,
        "datagrams_a_report": len(templates) / hosts,
        "seconds": perf_counter() - started,
        "latest_seconds": late,
    }


def main() -> None:
    """Play what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--hosts", type=int, required=True)
    parser.add_argument("--turns", type=int, required=True, help="reports of each host")
    parser.add_argument("--first-turn", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0, help="datagrams/s; else every 5 s a host")
    asked = parser.parse_args()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", asked.port))
        result = play(sock, asked.hosts, asked.turns, asked.rate, asked.first_turn)
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
