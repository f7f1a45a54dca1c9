"""The network between hosts and exporters: it loses, doubles and delays datagrams."""

import heapq
import random
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

#: A delayed datagram takes from one to one and a half intervals: the next report overtakes it.
_SHORTEST, _LONGEST = 1.0, 1.5

Address = tuple[str, int]


@dataclass(frozen=True)
class Conditions:
    """The shares of datagrams, from 0 to 1, that are lost, doubled, and delayed."""

    lost: float = 0.0
    doubled: float = 0.0
    delayed: float = 0.0


class Fate(IntEnum):
    """What became of a datagram; ``UNHEARD`` is one that no exporter was there for."""

    NONE = 0
    ARRIVED = 1
    LOST = 2
    DELAYED = 3
    DOUBLED = 4
    UNHEARD = 5


@dataclass(eq=False)
class Way:
    """The way to one exporter, and what became of the datagrams on it."""

    exporter: Address
    is_heard: bool = True
    sent: int = 0
    lost: int = 0
    doubled: int = 0
    delayed: int = 0


class Delayed(NamedTuple):
    """A datagram on its way, and when it is due; ``report`` says which one it is."""

    due: float
    order: int
    way: Way
    datagram: bytes
    report: tuple[int, int] | None


@dataclass
class Network:
    """Carries datagrams to exporters, each way by itself; times are monotonic, in seconds.

    All datagrams are sent by ``sock``. A report is a number of a host and one of its reports.
    """

    sock: socket.socket
    ways: list[Way]
    interval: float
    conditions: Conditions = field(default_factory=Conditions)

    def __post_init__(self) -> None:
        """Begin without a delayed datagram."""
        self._rng = random.Random()  # noqa: S311 - not for secrets
        self._delayed: list[Delayed] = []
        self._count = 0

    @property
    def next_due(self) -> float | None:
        """When the first of the delayed datagrams is due; None without any."""
        return self._delayed[0].due if self._delayed else None

    def carry(
        self, way: Way, datagram: bytes, now: float, report: tuple[int, int] | None = None
    ) -> Fate:
        """Decide what becomes of a datagram, and send it unless it is lost or delayed."""
        conditions, chance = self.conditions, self._rng.random
        way.sent += 1
        if chance() < conditions.lost:
            way.lost += 1
            return Fate.LOST
        if not way.is_heard:
            return Fate.UNHEARD
        copies = 2 if chance() < conditions.doubled else 1
        way.doubled += copies - 1
        at_once = 0
        for _ in range(copies):
            if chance() < conditions.delayed:
                way.delayed += 1
                self._count += 1
                due = now + self.interval * self._rng.uniform(_SHORTEST, _LONGEST)
                heapq.heappush(self._delayed, Delayed(due, self._count, way, datagram, report))
            else:
                at_once += 1
                self._send(way, datagram)
        if not at_once:
            return Fate.DELAYED
        return Fate.DOUBLED if copies > 1 else Fate.ARRIVED

    def deliver(self, now: float) -> None:
        """Send the delayed datagrams that are due."""
        while self._delayed and self._delayed[0].due <= now:
            found = heapq.heappop(self._delayed)
            self._send(found.way, found.datagram)

    def close(self, way: Way) -> set[tuple[int, int]]:
        """Drop all that is on its way to an exporter that is killed; return which reports.

        A machine that is gone has no queue either. An exporter that starts anew knows no number of
        a report, and would take an old one for the newest.
        """
        way.is_heard = False
        dropped = {each.report for each in self._delayed if each.way is way and each.report}
        self._delayed = [each for each in self._delayed if each.way is not way]
        heapq.heapify(self._delayed)
        return dropped

    def _send(self, way: Way, datagram: bytes) -> None:
        with suppress(OSError):  # nobody listens there, or the buffer is full: it is lost
            self.sock.sendto(datagram, way.exporter)
