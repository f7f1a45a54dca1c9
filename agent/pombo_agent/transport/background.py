"""Calls that may block for long, such as lookups of names, in a thread beside the reports."""

from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

from pombo_agent.wakeup import Waiter

Result = TypeVar("Result")


class Background(Generic[Result]):
    """Makes one call at a time in a thread, and keeps what it returns until that is taken.

    ``call`` raises OSError or UnicodeError where it fails. ``start`` starts a thread; it may raise
    RuntimeError.
    """

    def __init__(
        self,
        call: Callable[[], Result],
        waiter: Waiter,
        start: Callable[[Callable[[], None]], None],
    ) -> None:
        self._call, self._waiter, self._start = call, waiter, start
        self._result: Result | Exception | None = None  # the thread sets it
        #: Whether a call has not returned yet.
        self.is_running = False

    def begin(self, seconds: float) -> Exception | None:
        """Start the call, and wait for so many seconds at most.

        Return why there is no result yet: RuntimeError where there is no thread for it, and
        TimeoutError where the call goes on.
        """
        self.is_running = True
        try:
            self._start(self._run)
        except RuntimeError as error:  # too many threads, for now
            self.is_running = False
            return error
        self.wait(seconds)
        return TimeoutError("the resolver does not answer") if self.is_running else None

    def wait(self, seconds: float) -> None:
        """Wait until the call has returned, for so many seconds at most, or until a signal."""
        end = monotonic() + seconds
        while self.is_running and (left := end - monotonic()) > 0:
            if self._waiter.wait(left):
                return

    def take(self) -> Result | Exception | None:
        """Return what the last call has returned or raised; None where that was taken before."""
        result, self._result = self._result, None
        return result

    def _run(self) -> None:
        try:
            self._result = self._call()
        except (OSError, UnicodeError) as error:  # UnicodeError: not a valid name
            self._result = error
        finally:
            self.is_running = False
            self._waiter.wake()
