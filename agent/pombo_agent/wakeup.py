"""Lets a thread wait for other threads and, in the main thread, for signals at the same time."""

import select
import signal
import socket
import threading
from contextlib import suppress
from typing import Protocol


class Waiter(Protocol):
    """What one thread waits on until another thread wakes it."""

    def wait(self, seconds: float) -> bool:
        """Wait until ``wake`` is called, ``seconds`` at most; return whether to stop waiting."""

    def wake(self) -> None:
        """Wake the waiting thread; called by any thread."""


class EventWaiter:
    """A waiter for threads that receive no signals."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def wait(self, seconds: float) -> bool:
        """Wait until ``wake`` is called, ``seconds`` at most; return false."""
        self._event.wait(seconds)
        self._event.clear()
        return False

    def wake(self) -> None:
        """Wake the waiting thread."""
        self._event.set()


class SignalWaiter:
    """The waiter of the main thread. A signal ends the wait, and each later one at once."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.settimeout(0)
        self._writer.settimeout(0)
        #: Whether a signal has arrived, as far as ``wait`` has seen.
        self.stopped = False

    def watch(self, *signals: signal.Signals) -> None:
        """Let these signals end the wait, instead of what they do by default."""
        # Written by the C handler, in whichever thread the signal arrives.
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in signals:
            signal.signal(number, lambda *_: None)

    def wait(self, seconds: float) -> bool:
        """Wait for ``wake`` or a signal, ``seconds`` at most; return whether a signal has come."""
        if not self.stopped and select.select([self._reader], [], [], seconds)[0]:
            # A wake is a zero, a signal its number.
            self.stopped = self._reader.recv(4096).strip(b"\0") != b""
        return self.stopped

    def wake(self) -> None:
        """Wake the main thread."""
        with suppress(OSError):  # the buffer is full of wakes, and one is enough; or it is closed
            self._writer.send(b"\0")

    def close(self) -> None:
        """Close the sockets; signals must be watched no more."""
        self._reader.close()
        self._writer.close()
