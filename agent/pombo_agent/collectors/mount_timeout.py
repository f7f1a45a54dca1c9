"""Calls for mount points that may never return, such as statvfs on a dead mount, with deadlines."""

from collections import deque
from collections.abc import Callable, Iterable
from threading import Condition, Thread
from time import monotonic
from typing import Generic, TypeVar

from pombo_cli.logs import LimitedLogger

Result = TypeVar("Result")

#: Seconds after which a call is late and another thread takes the remaining paths.
CALL_TIMEOUT_SECONDS = 0.2

#: Seconds for all paths of a round together.
ROUND_TIMEOUT_SECONDS = 1.0

#: The most calls that may hang at once; until one of them returns, no other is made.
MAX_HANGING = 32


class _Round(Generic[Result]):
    """The paths that no thread has taken yet, and the results of the others."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.pending = deque(paths)
        self.unfinished = len(self.pending)
        self.results: dict[str, Result] = {}
        self.errors: dict[str, OSError] = {}


class MountCaller(Generic[Result]):
    """Calls a function for each path, in one thread per round unless a call is late.

    A late call keeps its thread: a new thread takes the remaining paths, and the path is skipped
    in further rounds until the call has returned. Late calls, skipped paths and calls that raise
    OSError are logged.
    """

    def __init__(
        self,
        call: Callable[[str], Result],
        log: LimitedLogger,
        *,
        call_timeout: float = CALL_TIMEOUT_SECONDS,
        round_timeout: float = ROUND_TIMEOUT_SECONDS,
        max_hanging: int = MAX_HANGING,
    ) -> None:
        self._call, self._log = call, log
        self._call_timeout, self._round_timeout = call_timeout, round_timeout
        self._max_hanging = max_hanging
        self._changed = Condition()  # guards the rounds and what follows
        self._called: set[str] = set()  # the paths whose call has not returned

    def __call__(self, paths: Iterable[str]) -> dict[str, Result]:
        """Return the results that came within the deadlines, by path."""
        paths = list(dict.fromkeys(paths))
        with self._changed:
            current: _Round[Result] = _Round(path for path in paths if path not in self._called)
            self._wait_for(current)
            skipped = list(current.pending)
            current.pending.clear()  # so that a thread whose call returns later ends
            hanging = [path for path in paths if path in self._called]
            results, errors = dict(current.results), dict(current.errors)
        for path in hanging:
            message = "skipped filesystem: stat has not returned"
            self._log.warning(message, key=f"hanging {path}", path=path)
        for path, error in errors.items():
            message = "skipped filesystem: stat failed"
            self._log.warning(message, key=f"failed {path}", path=path, error=error)
        if skipped:
            message = "skipped filesystems: stat deadline exceeded"
            self._log.warning(message, key="skipped", count=len(skipped))
        return results

    def _wait_for(self, current: _Round[Result]) -> None:
        end = monotonic() + self._round_timeout
        notified = False
        while current.unfinished and monotonic() < end:
            if not notified:
                if not current.pending or len(self._called) >= self._max_hanging:
                    return
                Thread(target=self._work, args=(current,), daemon=True).start()
            # Threads notify when a call has returned, be it of this round or of an earlier one.
            notified = self._changed.wait(self._call_timeout)

    def _work(self, current: _Round[Result]) -> None:
        while True:
            with self._changed:
                if not current.pending:
                    return
                path = current.pending.popleft()
                self._called.add(path)
            result, error = None, None
            try:
                result = self._call(path)
            except OSError as raised:
                error = raised
            with self._changed:
                self._called.discard(path)
                if error:
                    current.errors[path] = error
                elif result is not None:
                    current.results[path] = result
                current.unfinished -= 1
                self._changed.notify_all()
