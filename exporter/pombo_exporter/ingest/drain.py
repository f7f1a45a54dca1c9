"""Reads datagrams from the UDP socket, in drains that are bounded by count and by time."""

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

#: The most datagrams of one drain: 1.3 ms at 20 µs each, their cost at 20,000 a second when the
#: core is not kept busy.
MAX_DATAGRAMS: Final = 64

#: The most seconds of one drain, whatever a datagram costs: about the longest time between two
#: drains, 2.3 ms. The kernel's default buffer has space for 92 datagrams, which arrive in 9 ms at
#: 10,000 a second.
DRAIN_TIME: Final = 0.002

#: Seconds of a rest, in which datagrams collect in the buffer. The more in one drain, the cheaper:
#: with the core kept busy, a datagram costs 37 µs at 2,000 a second and 17 µs at 20,000.
REST: Final = 0.001

#: A socket that wakes the loop sooner than these seconds after the last time is drained with rests.
#: At 250 datagrams a second or fewer, each is taken as it arrives.
_MIN_WAKEUP_INTERVAL: Final = 0.004

#: After this many in one drain there is no rest: 12 in 1 ms are 12,000 a second, more than 10,000
#: hosts send with 5 datagrams every 5 s.
_BUSY_DATAGRAMS: Final = 12

#: Takes a datagram and the address of its sender.
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
    """Take the datagrams that wait in the socket, ``MAX_DATAGRAMS`` at most.

    The drain ends after the datagram with which ``limit`` seconds are over. A longer datagram than
    the wire allows is cut to one byte above that maximum, so that it is refused. Raises what
    ``take`` raises.
    """
    end = clock() + limit
    for count in range(MAX_DATAGRAMS):
        try:
            datagram, address = sock.recvfrom(MAX_DATAGRAM_BYTES + 1)
        except BlockingIOError:
            return Drained(count, emptied=True)
        take(datagram, address)
        if clock() >= end:
            return Drained(count + 1, emptied=False)
    return Drained(MAX_DATAGRAMS, emptied=False)


class Mode(Enum):
    """What makes the next drain happen.

    ========  ==================================  =============================
    mode      event, after which it drains        the next mode
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

    By what the drain found: none, WAITING; 1 to 11 and an empty socket, RESTING; 12 or more, or a
    socket that is not empty, BUSY.
    """

    WAITING = auto()  # for the loop to find the socket readable
    RESTING = auto()  # for a timer: the socket does not wake the loop meanwhile
    BUSY = auto()  # for the loop's next iteration, after the other work of this one
    STOPPED = auto()


class Drain:
    """Drains a socket from an event loop.

    To wake the loop costs more than to take a datagram. So a socket that often wakes it is drained
    after rests until it is empty, and one with many datagrams in each iteration of the loop.
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
        """Drain between two steps of other work; a failure is logged and does not end that work.

        While BUSY, the next drain then comes after a rest, so that drains do not take the time of
        the other work.
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
        if self._woken - before < _MIN_WAKEUP_INTERVAL:
            self._drain()
        else:
            drain(self._sock, self._take, self._clock)

    def _drain(self) -> None:
        # If ``take`` raises, more may wait: drain again after a rest.
        found = Drained(1, emptied=True)
        try:
            found = drain(self._sock, self._take, self._clock)
        finally:
            if self._mode is Mode.STOPPED:
                pass
            elif found.datagrams >= _BUSY_DATAGRAMS or not found.emptied:
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
