"""An exporter whose datagrams are received by a thread: the usual alternative to one event loop.

``python -m bench.programs.receiver_thread SECONDS FLAGS…`` is ``pombo-exporter FLAGS…`` with
Python's switch interval set to SECONDS. The thread only receives, into a queue; the event loop
takes datagrams from the queue as it takes them from the socket otherwise.
"""

import socket
import sys
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable
from threading import Thread
from time import perf_counter

from bench.harness.in_process import DATAGRAM_SIZE, DRAIN_TIME, REST, Take, run_command

_BATCH = 64  # datagrams of a drain, as many as without a thread


class ThreadDrain:
    """Takes datagrams from a queue that a thread fills."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        sock: socket.socket,
        take: Take,
        _buffer: int,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._loop, self._sock, self._take, self._clock = loop, sock, take, clock
        self._queue: deque[tuple[bytes, tuple[str | int, ...]]] = deque()
        self._is_scheduled = False
        sock.setblocking(True)  # noqa: FBT003 - the socket's own signature
        Thread(target=self._receive, daemon=True).start()

    def stop(self) -> None:
        """Take no more; the thread ends with the process."""
        self._queue = deque(maxlen=0)

    def drain_now(self) -> int:
        """Take what is in the queue, for a bounded time; return how many datagrams."""
        end, count = self._clock() + DRAIN_TIME, 0
        while self._queue and count < _BATCH and self._clock() < end:
            self._take(*self._queue.popleft())
            count += 1
        return count

    def _receive(self) -> None:
        while True:
            self._queue.append(self._sock.recvfrom(DATAGRAM_SIZE))
            if not self._is_scheduled:
                self._is_scheduled = True
                self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        if self.drain_now():
            self._loop.call_later(REST, self._drain)
            return
        self._is_scheduled = False
        if self._queue:  # the thread appended in between
            self._is_scheduled = True
            self._loop.call_soon(self._drain)


if __name__ == "__main__":
    sys.setswitchinterval(float(sys.argv.pop(1)))
    run_command(receiver=ThreadDrain)
