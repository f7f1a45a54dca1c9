"""Looks for the costliest datagram of one family of attacks, in a process of its own.

``python -m bench.programs.hostile FAMILY SECONDS`` prints one line of JSON. Costs are CPU time of
the whole way of a datagram through ``Intake.take``, in microseconds, warm: the log line of a
refusal included, and the collections of the garbage collector.
"""

import json
import os
import sys
from contextlib import redirect_stderr
from pathlib import Path
from statistics import median
from time import thread_time_ns

from pombo_cli import logs
from pombo_exporter.runtime.gc_tuning import HostFreezer

from bench.fleets.hostile import FAMILIES, Attack
from bench.harness.fleet import fleet
from bench.harness.in_process import AttackedExporter
from bench.harness.search import search

_TRIED = 3  # rounds of each attack that is tried
_REPEATED = 9  # times that the costliest is measured again
_HONEST = 50  # hosts


class Stopwatch:
    """Times rounds of attacks, each against an exporter of its own."""

    def __init__(self, freezer: HostFreezer) -> None:
        self._freezer = freezer

    def costs(self, attack: Attack, rounds: int) -> list[float]:
        """Return the cost of the last datagram of each round, in microseconds."""
        exporter = AttackedExporter(self._freezer)
        for datagram in attack.prepared:
            exporter.take(datagram)
        found = []
        for number in range(rounds):
            *before, last = attack.round(number)
            for datagram in before:
                exporter.take(datagram)
            start = thread_time_ns()
            exporter.take(last)
            found.append((thread_time_ns() - start) / 1000)
        return found

    def least(self, attack: Attack) -> float:
        """Return the least cost of a few rounds: other programs disturb single ones."""
        return min(self.costs(attack, _TRIED))

    def honest(self) -> float:
        """Return the median cost of a datagram of honest hosts, after their first reports."""
        senders = fleet(_HONEST)
        later = [[*senders.datagrams(report)] for report in range(4)]
        first = later.pop(0)
        return median(self.costs(Attack(first, lambda number: later[number]), len(later)))


def main() -> None:
    """Search, measure the costliest again, and print it."""
    name, seconds = sys.argv[1:]
    with Path(os.devnull).open("w", encoding="utf-8") as nothing:
        with redirect_stderr(nothing):
            logs.set_up("info", "logfmt")
        stopwatch = Stopwatch(HostFreezer())
        family = FAMILIES[name]
        found = search(family, float(seconds), stopwatch.least)
        attack = family.attack(found.params)
        # Each time in a new exporter: a limit may end an attack after some rounds.
        costs = [cost for _ in range(_REPEATED) for cost in stopwatch.costs(attack, _TRIED)]
        result = {
            "median": median(costs),
            "longest": max(costs),
            "bytes": len(attack.round(0)[-1]),
            "tried": found.tried,
            "honest": stopwatch.honest(),
            "params": dict(found.params),
        }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
