"""The simulated hosts: what each has really counted, report by report."""

import random
import time
from typing import Final

import numpy as np
from pombo_wire.limits import MAX_DATAGRAM_BYTES

from demo.simulation.template import COLUMNS, Template

#: Reports of each host of which the totals are kept.
KEPT: Final = 256

_MOST_BYTES: Final = 20_000_000  # that an interface moves between two reports
_FIRST_TOTAL: Final = 10**12


class Fleet:
    """Hosts whose network counters are known to the byte.

    Each report of a host counts some random bytes more. ``reports`` is how many each has sent.
    """

    def __init__(self, hosts: int, interval: float) -> None:
        """Take the number of hosts, and the seconds between two reports of each."""
        self._template = Template()
        self._interval = interval
        self._session = time.time_ns()
        self._rng = random.Random()  # noqa: S311 - not for secrets
        self._totals = np.zeros((hosts, KEPT, len(COLUMNS)), np.int64)
        self._now = [[self._rng.randrange(_FIRST_TOTAL) for _ in COLUMNS] for _ in range(hosts)]
        self._numbers = {self._template.name(number): number for number in range(hosts)}
        self._names = [*self._numbers]
        self.reports = [0] * hosts

    def __len__(self) -> int:
        return len(self._names)

    def number(self, name: str) -> int | None:
        """Return the number of the host with this name; None where there is none."""
        return self._numbers.get(name)

    def report(self, host: int) -> bytes:
        """Let a host count, and return its next report.

        Raises:
            ValueError: when it fits no datagram.
        """
        self.reports[host] += 1
        report, totals = self.reports[host], self._now[host]
        for column in range(len(COLUMNS)):
            totals[column] += self._rng.randrange(_MOST_BYTES)
        self._totals[host, report % KEPT] = totals
        header: dict[str, str | float] = {
            "host": self._names[host],
            "session": self._session,
            "seq": report - 1,
            "interval": self._interval,
            "time": round(time.time(), 3),
            "monotonic": round(time.monotonic(), 6),
            "parts": 1,
        }
        datagram = self._template.datagram(header, host, [*totals, report])
        if len(datagram) > MAX_DATAGRAM_BYTES:
            raise ValueError(f"{self._names[host]}: {len(datagram)} bytes fit no datagram")
        return datagram

    def totals(self, host: int, report: int) -> list[int] | None:
        """Return what a host had counted when it sent a report; None where that is not kept."""
        if not 0 <= self.reports[host] - report < KEPT or report < 1:
            return None
        found: list[int] = self._totals[host, report % KEPT].tolist()
        return found

    def equal(self, hosts: list[str], reports: list[int], totals: list[list[int]]) -> int:
        """Return how many of ``totals`` are what these hosts had counted at these reports."""
        numbers = np.array([self._numbers[host] for host in hosts], np.int64)
        at = np.array(reports, np.int64)
        age = np.array(self.reports, np.int64)[numbers] - at
        given = np.array(totals, np.int64).reshape(-1, len(COLUMNS))
        equal = self._totals[numbers, at % KEPT] == given
        return int(np.count_nonzero(equal[(age >= 0) & (age < KEPT)]))
