"""Sends probes to an exporter over UDP and measures its answers: round trips, loss, clocks."""

import errno
import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from statistics import median
from typing import NamedTuple

from pombo_wire.keys import HostKey
from pombo_wire.sealing import PROBE, WANTS_ANSWER, Acknowledgement, Crypto, Sealer, overhead

from pombo_agent.transport.udp import Destination

#: Seconds between two probes: an exporter answers 20 of a name in a second.
PACE_SECONDS = 0.05

#: After so many probes without any answer, no more are sent.
_FEW = 20

_REFUSED_ROUNDS = 3

_ANSWER_BYTES = 128
_LEAST_WAIT_SECONDS = 0.5


class Answer(NamedTuple):
    """An acknowledgement: after how many seconds it came, and how far the exporter's clock is."""

    said: Acknowledgement
    seconds: float
    clock_ahead: float


class Prober:
    """Probes one address under a salt of its own, which touches nothing at the exporter.

    Times are of the monotonic clock, in seconds. ``errors`` are those that the system has reported
    so far, by their numbers: of sending, and what the network has said of datagrams.
    """

    def __init__(self, crypto: Crypto, key: HostKey, destination: Destination) -> None:
        """Open a socket.

        Raises:
            OSError: when the system does not allow it, or has no way to this address.
        """
        name = key.name.encode()
        self._sealer = Sealer(crypto, key.kid, key.generation, key.key, name)
        self._overhead = overhead(name)
        self.family, self.address = destination
        self.socket = socket.socket(self.family, socket.SOCK_DGRAM)
        self.errors: dict[int, OSError] = {}
        self.answers: dict[int, Answer] = {}
        self.sent: list[bytes] = []
        self._sent_at: list[tuple[float, float]] = []  # on the monotonic clock, in Unix seconds
        try:
            self.socket.settimeout(0)
            self.socket.connect(self.address)
        except OSError:
            self.socket.close()
            raise

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def send(self, size: int = 0) -> int:
        """Send a probe, of so many bytes if it is not shorter anyway; return its number.

        Where the system does not send it, the cause is in ``errors``.
        """
        inside = b"{}".ljust(max(size - self._overhead, 2))
        number = self._sealer.seq
        datagram = self._sealer.seal(inside, flags=PROBE | WANTS_ANSWER)
        self._sent_at.append((time.monotonic(), time.time()))
        self.sent.append(datagram)
        try:
            self.socket.send(datagram)
        except OSError as error:
            self._note(error)
            if error.errno != errno.EMSGSIZE:
                with suppress(OSError):  # it may have been the news of an earlier one
                    self.socket.send(datagram)
        return number

    def receive(self, until: float) -> bool:
        """Read what arrives until a time, or until an answer has come; return whether one has."""
        while True:
            left = until - time.monotonic()
            if not select.select([self.socket], [], [], max(left, 0))[0]:
                return False
            if self._read():
                return True
            if left <= 0:
                return False

    def _read(self) -> bool:
        now = time.monotonic()
        try:
            said = self._sealer.acknowledgement(self.socket.recv(_ANSWER_BYTES))
        except BlockingIOError:
            return False
        except OSError as error:
            self._note(error)
            return False
        if said is None or said.seq >= len(self._sent_at) or said.seq in self.answers:
            return False
        sent_at, wall = self._sent_at[said.seq]
        seconds = now - sent_at
        ahead = said.time_ms / 1000 - (wall + seconds / 2)
        self.answers[said.seq] = Answer(said, seconds, ahead)
        return True

    def _note(self, error: OSError) -> None:
        self.errors[error.errno or 0] = error


def first_to_answer(probers: Sequence[Prober], seconds: float) -> Prober | None:
    """Probe addresses at the same time; return the first of them, in their order, that answers.

    An earlier address gets half a second more than a later one that has answered. Where all of them
    are refused several times, no more is sent.
    """
    end = time.monotonic() + seconds
    next_at, rounds = 0.0, 0
    answered: list[Prober] = []
    while (now := time.monotonic()) < end:
        if now >= next_at:
            if rounds >= _REFUSED_ROUNDS and all(prober.errors for prober in probers):
                return None
            next_at, rounds = now + seconds / 6, rounds + 1
            for prober in probers:
                prober.send()
        wait = min(next_at, end) - now
        select.select([prober.socket for prober in probers], [], [], max(wait, 0))
        for prober in probers:
            prober.receive(0)
        answered = [prober for prober in probers if prober.answers]
        if answered and answered[0] is probers[0]:
            return probers[0]
        if answered:
            end = min(end, time.monotonic() + _LEAST_WAIT_SECONDS)
    return answered[0] if answered else None


class Measured(NamedTuple):
    """Round trips in seconds, how many probes were sent, and the answer that came soonest."""

    least: float
    median: float
    most: float
    sent: int
    answered: int
    soonest: Answer

    @property
    def lost(self) -> float:
        """The share of probes without an answer."""
        return 1 - self.answered / self.sent


def measure(prober: Prober, count: int, end: float, note: Callable[[int], None]) -> Measured | None:
    """Send ``count`` probes at an even pace, until ``end`` at most; None without any answer.

    ``note`` takes how many were sent so far.
    """
    numbers: list[int] = []
    began = time.monotonic()
    while len(numbers) < count and time.monotonic() < end - _LEAST_WAIT_SECONDS:
        numbers.append(prober.send())
        note(len(numbers))
        next_at = began + len(numbers) * PACE_SECONDS
        while time.monotonic() < next_at:
            prober.receive(next_at)
        if len(numbers) == _FEW and not any(number in prober.answers for number in numbers):
            break
    found = _of(prober, numbers)
    longest = 2 * max((each.seconds for each in found), default=0.0)
    until = min(time.monotonic() + max(longest, _LEAST_WAIT_SECONDS), end)
    while len(found) < len(numbers) and prober.receive(until):
        found = _of(prober, numbers)
    if not found:
        return None
    seconds = [each.seconds for each in found]
    soonest = min(found, key=lambda each: each.seconds)
    middle = median(seconds)
    return Measured(min(seconds), middle, max(seconds), len(numbers), len(found), soonest)


def _of(prober: Prober, numbers: Sequence[int]) -> list[Answer]:
    return [prober.answers[number] for number in numbers if number in prober.answers]
