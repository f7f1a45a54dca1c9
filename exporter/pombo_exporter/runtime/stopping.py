"""How the exporter ends: on a signal, after a grace period, and by a deadline."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import FrameType
from typing import Any, Final

log = logging.getLogger("pombo_exporter")

_GRACE: Final = 1.0  # seconds from the signal, for answers under way
_TASKS_TIMEOUT: Final = 0.5  # seconds for tasks to end once they are cancelled
_DEADLINE: Final = 1.5  # seconds from the signal, then the process ends; the kernel needs some more
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """The end of the exporter as two events, from SIGTERM or SIGINT.

    The first signal sets ``requested``; ``grace_over`` follows after the grace period, or at once
    with the second signal. The third one kills the process. ``deadline`` seconds after the first
    signal the process exits with code 0.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, grace: float = _GRACE, deadline: float = _DEADLINE
    ) -> None:
        """Handle the signals for this loop, which runs in the main thread; times in seconds."""
        self._grace, self._deadline = grace, deadline
        self.requested = asyncio.Event()
        self.grace_over = asyncio.Event()
        self._loop = loop
        self._signals = 0
        # loop.add_signal_handler would call back three iterations of the loop later, and
        # one takes long while many answers are being made.
        handlers = dict.fromkeys(_SIGNALS, self._signalled)
        handlers[signal.SIGALRM] = self._deadline_passed
        self._before = {each: signal.signal(each, handler) for each, handler in handlers.items()}

    def begin(self) -> None:
        """Stop as after the first signal, but without a deadline.

        No effect if stopping has begun.
        """
        self._begin(self._loop.time())

    def close(self) -> None:
        """Restore the former handlers and cancel the deadline."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _signalled(self, _: int, __: FrameType | None) -> None:
        """Pass a signal to the loop: it may have interrupted any other code, so do no more here."""
        self._signals += 1
        if self._signals == 1:
            signal.setitimer(signal.ITIMER_REAL, self._deadline)
            self._loop.call_soon_threadsafe(self._begin, self._loop.time())
        else:
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            self._loop.call_soon_threadsafe(self.grace_over.set)

    def _begin(self, now: float) -> None:
        if not self.requested.is_set():
            self.requested.set()
            self._loop.call_at(now + self._grace, self.grace_over.set)

    def _deadline_passed(self, _: int, __: FrameType | None) -> None:
        """End the process: the loop is so busy that nothing else would in time."""
        with suppress(RuntimeError):  # raised when the signal interrupts the writing of a log line
            log.warning("exporter stops at its deadline, with requests under way")
        os._exit(0)


def run(main: Callable[[Stop], Coroutine[Any, Any, None]], timeout: float = _TASKS_TIMEOUT) -> None:
    """Run ``main``, then end all other tasks and asynchronous generators.

    ``asyncio.run`` waits for ever for a task that ignores its cancellation. Here tasks, and then
    generators, each have ``timeout`` seconds; a task that needs more is logged.
    """
    loop = asyncio.new_event_loop()
    stop = Stop(loop)
    try:
        loop.run_until_complete(main(stop))
    finally:
        loop.run_until_complete(_end_tasks_and_generators(timeout))
        stop.close()
        loop.close()


async def _end_tasks_and_generators(seconds: float) -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        _, endless = await asyncio.wait(tasks, timeout=seconds)
        for task in endless:
            log.error("task ignores its cancellation", extra={"fields": {"task": task}})
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().shutdown_asyncgens()
