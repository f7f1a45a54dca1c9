"""The UDP socket to datagrams: read in batches, each of them bounded by count and by time."""

import logging
import socket
from asyncio import AbstractEventLoop, Handle
from collections.abc import Callable
from enum import Enum, auto
from time import perf_counter
from typing import Final, NamedTuple

from pombo_wire import MAX_DATAGRAM_BYTES

log = logging.getLogger(__name__)

# The figures are from bench/report/results.md and docs/sizing.md.

#: Datagrams of a drain: 1.3 ms of work at 20 µs each, as they cost at 20,000 a second.
BATCH: Final = 64

#: Seconds of a drain, whatever its datagrams cost: about the longest other work, 2.3 ms. The
#: kernel's default buffer has space for 92 datagrams, 9 ms of 10,000 hosts.
DRAIN_TIME: Final = 0.002

#: Seconds without a drain, in which the buffer collects the next batch. Batches are cheaper: with
#: the core kept busy, a datagram costs 37 µs at 2,000 a second and 17 µs at 20,000.
REST: Final = 0.001

#: Seconds between two wake-ups: with 250 a second or fewer, each datagram is taken as it arrives.
_WAKEUP_INTERVAL: Final = 0.004

#: Datagrams in one drain. After a rest of 1 ms, these are 12,000 a second: more than the 10,000 of
#: 10,000 hosts with 5 datagrams every 5 s. Then a rest would only fill the buffer.
_BUSY_BATCH: Final = 12

Take = Callable[[bytes, tuple[str | int, ...]], None]


class Drained(NamedTuple):
    """What a drain found: how many datagrams, and whether the socket was empty at its end."""

    datagrams: int
    emptied: bool


def drain(
    sock: socket.socket,
    take: Take,
    clock: Callable[[], float] = perf_counter,
    limit: float = DRAIN_TIME,
) -> Drained:
    """Take what waits in the socket: ``BATCH`` datagrams at most, for ``limit`` seconds at most.

    A drain that is over its limit ends after the datagram at hand. A datagram that is longer than
    the wire allows comes cut, and one byte too long.
    """
    end = clock() + limit
    for count in range(BATCH):
        try:
            datagram, address = sock.recvfrom(MAX_DATAGRAM_BYTES + 1)
        except BlockingIOError:
            return Drained(count, emptied=True)
        take(datagram, address)
        if clock() >= end:
            return Drained(count + 1, emptied=False)
    return Drained(BATCH, emptied=False)


class Mode(Enum):
    """What makes the next drain happen.

    ========  ==================================  =============================
    mode      what happens: then it drains        the next mode
    ========  ==================================  =============================
    WAITING   readable, the first time in 4 ms    WAITING
    WAITING   readable, sooner than that          by what the drain found
    RESTING   a rest of 1 ms is over              by what the drain found
    BUSY      the loop's next iteration           by what the drain found
    BUSY      ``drain_now``                       RESTING
    WAITING   ``drain_now``                       WAITING
    RESTING   ``drain_now``                       RESTING
    any       ``stop``: it drains no more         STOPPED
    ========  ==================================  =============================

    By what the drain found: nothing, WAITING; up to 11 datagrams and no more, RESTING; 12 or a
    socket with more in it, BUSY.
    """

    WAITING = auto()  # for the loop to find the socket readable
    RESTING = auto()  # on a timer: a socket that often wakes the loop is left alone meanwhile
    BUSY = auto()  # at once, after all else that the loop has to do
    STOPPED = auto()


class Drain:
    """Drains a socket from an event loop.

    To be woken costs more than to take a datagram. So a socket that often wakes the loop is read
    at intervals until it is empty, and one with much in it in each iteration of the loop.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        sock: socket.socket,
        take: Take,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        """Start to drain; ``clock`` is in seconds and bounds each drain."""
        self._loop, self._sock, self._take, self._clock = loop, sock, take, clock
        self._fd = sock.fileno()
        self._timer: Handle | None = None  # of the next drain, while RESTING or BUSY
        self._woken = 0.0  # when the socket last woke the loop, on the loop's clock
        self._mode = Mode.STOPPED
        self._change(Mode.WAITING)

    @property
    def mode(self) -> Mode:
        """What makes the next drain happen."""
        return self._mode

    def stop(self) -> None:
        """Drain no more, not even by ``drain_now``."""
        self._change(Mode.STOPPED)

    def drain_now(self) -> None:
        """Drain between two steps of other work, which a failure here does not concern.

        In a flood, this is in place of the next drain, so that the other work has as much time.
        """
        if self._mode is Mode.STOPPED:
            return
        if self._mode is Mode.BUSY:
            self._change(Mode.RESTING)
        try:
            drain(self._sock, self._take, self._clock)
        except Exception:
            log.exception("cannot take a datagram")

    def _readable(self) -> None:
        before, self._woken = self._woken, self._loop.time()
        if self._woken - before < _WAKEUP_INTERVAL:
            self._drain()
        else:
            drain(self._sock, self._take, self._clock)

    def _drain(self) -> None:
        found = Drained(1, emptied=True)  # when a datagram cannot be taken, the rest may be there
        try:
            found = drain(self._sock, self._take, self._clock)
        finally:
            if self._mode is Mode.STOPPED:
                pass
            elif found.datagrams >= _BUSY_BATCH or not found.emptied:
                self._change(Mode.BUSY)
            elif found.datagrams:
                self._change(Mode.RESTING)
            else:
                self._change(Mode.WAITING)

    def _change(self, mode: Mode) -> None:
        """Enter a mode, and undo what the one before has set up."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if mode is Mode.BUSY:
            self._timer = self._loop.call_soon(self._drain)
        elif mode is Mode.RESTING:
            self._timer = self._loop.call_later(REST, self._drain)
        if mode is not self._mode:
            if mode is Mode.WAITING:
                self._loop.add_reader(self._fd, self._readable)
            elif self._mode is Mode.WAITING:
                self._loop.remove_reader(self._fd)
        self._mode = mode
