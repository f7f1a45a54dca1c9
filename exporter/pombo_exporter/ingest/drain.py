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

#: The most datagrams of one drain: 3 ms at 45 µs each, what a report of a whole host costs.
MAX_DATAGRAMS: Final = 64

#: The most seconds of one drain, whatever a datagram costs.
DRAIN_TIME: Final = 0.002

#: To wake the loop costs more than to take a datagram. So after a drain the socket rests for as
#: long as this share of its buffer takes to fill at the present rate, MAX_REST seconds at most.
REST_SHARE: Final = 0.2
MAX_REST: Final = 0.005

#: What a datagram takes of the buffer that was asked for, in bytes: docs/sizing.md.
DATAGRAM_ROOM: Final = 1152

#: A socket that wakes the loop sooner than these seconds after the last time is drained with rests.
#: At 250 datagrams a second or fewer, each is taken as it arrives.
_MIN_WAKEUP_INTERVAL: Final = 0.004

#: Takes a datagram and the address of its sender.
Take = Callable[[bytes, tuple[str | int, ...]], object]


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


def rest_for(datagrams: int, seconds: float, buffer: int) -> float:
    """Return how many seconds to rest after a drain.

    The drain found the ``datagrams`` of the last ``seconds``. ``buffer`` is the receive buffer in
    bytes, as it was asked for.
    """
    fills = buffer / DATAGRAM_ROOM * seconds / datagrams  # seconds
    return min(MAX_REST, REST_SHARE * fills)


class Mode(Enum):
    """What makes the next drain happen.

    ========  ==================================  =============================
    mode      event, after which it drains        the next mode
    ========  ==================================  =============================
    WAITING   readable, the first time in 4 ms    WAITING
    WAITING   readable, sooner than that          by what the drain found
    RESTING   the rest is over                    by what the drain found
    BUSY      the loop's next iteration           by what the drain found
    BUSY      ``drain_now``                       RESTING
    WAITING   ``drain_now``                       WAITING
    RESTING   ``drain_now``                       RESTING
    any       ``stop``: it drains no more         STOPPED
    ========  ==================================  =============================

    By what the drain found: none, WAITING; some and then an empty socket, RESTING; a socket that is
    not empty at the end of the drain, BUSY.
    """

    WAITING = auto()  # for the loop to find the socket readable
    RESTING = auto()  # for a timer: the socket does not wake the loop meanwhile
    BUSY = auto()  # for the loop's next iteration, after the other work of this one
    STOPPED = auto()


class Drain:
    """Drains a socket from an event loop.

    A socket that often wakes the loop is drained after rests until it is empty, and one that a
    drain does not empty in each iteration of the loop.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        sock: socket.socket,
        take: Take,
        buffer: int,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        """Start to drain.

        ``buffer`` is the socket's receive buffer in bytes, as it was asked for. ``clock`` is in
        seconds and bounds each drain.
        """
        self._loop, self._sock, self._take, self._clock = loop, sock, take, clock
        self._buffer = buffer
        self._drained = loop.time()  # when the last drain ended
        #: When the socket was last read without a failure, on the loop's clock in seconds.
        self.read_at = self._drained
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
            self._read()
        except Exception:
            log.exception("cannot take a datagram")
        self._drained = self._loop.time()

    def _read(self) -> Drained:
        found = drain(self._sock, self._take, self._clock)
        self.read_at = self._loop.time()
        return found

    def _readable(self) -> None:
        before, self._woken = self._woken, self._loop.time()
        if self._woken - before < _MIN_WAKEUP_INTERVAL:
            self._drain()
        else:
            self._read()
            self._drained = self._loop.time()

    def _drain(self) -> None:
        # If ``take`` raises, more may wait: drain again after a rest.
        found = Drained(1, emptied=True)
        try:
            found = self._read()
        finally:
            since, self._drained = self._drained, self._loop.time()
            if self._mode is Mode.STOPPED:
                pass
            elif not found.emptied:
                self._change(Mode.BUSY)
            elif found.datagrams:
                seconds = self._drained - since
                self._change(Mode.RESTING, rest_for(found.datagrams, seconds, self._buffer))
            else:
                self._change(Mode.WAITING)

    def _change(self, mode: Mode, rest: float = MAX_REST) -> None:
        """Enter a mode, with a rest of so many seconds, and undo what the one before has set up."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if mode is Mode.BUSY:
            self._timer = self._loop.call_soon(self._drain)
        elif mode is Mode.RESTING:
            self._timer = self._loop.call_later(rest, self._drain)
        if mode is not self._mode:
            if mode is Mode.WAITING:
                self._loop.add_reader(self._fd, self._readable)
            elif self._mode is Mode.WAITING:
                self._loop.remove_reader(self._fd)
        self._mode = mode
