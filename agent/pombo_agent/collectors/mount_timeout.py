"""Asks what may never answer, in a thread, and waits for it only so long."""

from collections import deque
from collections.abc import Callable, Iterable
from threading import Condition, Thread
from time import monotonic
from typing import Generic, TypeVar

from pombo_cli.logs import LimitedLogger

Answer = TypeVar("Answer")

#: How long one path may keep those behind it waiting, in seconds.
PATIENCE_SECONDS = 0.2

#: How long all of them together may take, in seconds.
ROUND_SECONDS = 1.0

#: The most calls that may hang at once; beyond that, no more is asked until one returns.
MOST_HANGING = 32


class _Round(Generic[Answer]):
    """The paths still to be asked, and what came of the others."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.waiting = deque(paths)
        self.left = len(self.waiting)
        self.answers: dict[str, Answer] = {}
        self.failures: dict[str, OSError] = {}


class Asker(Generic[Answer]):
    """Calls ``ask`` for each path, in one thread of a round while all goes well.

    A call that is late keeps its thread: another one goes on with the rest, and the path is not
    asked again before that call has returned. Both are logged, as is a call that fails.
    """

    def __init__(self, ask: Callable[[str], Answer], log: LimitedLogger) -> None:
        self._ask, self._log = ask, log
        self._changed = Condition()  # guards all that follows and the rounds
        self._asked: set[str] = set()

    def __call__(self, paths: Iterable[str]) -> dict[str, Answer]:
        """Return the answers that came in time, by their path."""
        paths = list(dict.fromkeys(paths))
        with self._changed:
            current: _Round[Answer] = _Round(path for path in paths if path not in self._asked)
            self._hold(current)
            unasked = list(current.waiting)
            current.waiting.clear()  # so that a thread which hangs ends once it is back
            hanging = [path for path in paths if path in self._asked]
            answers, failures = dict(current.answers), dict(current.failures)
        for path in hanging:
            self._log.warning(
                "filesystem does not answer, left out", key=f"hangs {path}", path=path
            )
        for path, error in failures.items():
            self._log.warning("filesystem left out", key=f"fails {path}", path=path, error=error)
        if unasked:
            message = "no time for filesystems behind those that do not answer"
            self._log.warning(message, key="unasked", count=len(unasked))
        return answers

    def _hold(self, current: _Round[Answer]) -> None:
        end = monotonic() + ROUND_SECONDS
        moved = False
        while current.left and monotonic() < end:
            if not moved:
                if not current.waiting or len(self._asked) >= MOST_HANGING:
                    return
                Thread(target=self._work, args=(current,), daemon=True).start()
            # Every notice is of a call that came back, of this round or of an earlier one.
            moved = self._changed.wait(PATIENCE_SECONDS)

    def _work(self, current: _Round[Answer]) -> None:
        while True:
            with self._changed:
                if not current.waiting:
                    return
                path = current.waiting.popleft()
                self._asked.add(path)
            answer, failure = None, None
            try:
                answer = self._ask(path)
            except OSError as error:
                failure = error
            with self._changed:
                self._asked.discard(path)
                if failure:
                    current.failures[path] = failure
                elif answer is not None:
                    current.answers[path] = answer
                current.left -= 1
                self._changed.notify_all()
