"""Calls that may never return, such as statvfs on a dead mount, in threads and with deadlines."""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from time import monotonic
from typing import Generic, NamedTuple, TypeVar

from pombo_agent.wakeup import Waiter

Result = TypeVar("Result")

#: The most calls that may hang before only those are made that have returned the last time.
MAX_HANGING = 256

_GROWTH = 4  # of the number of workers that are started while no call returns


def start_thread(work: Callable[[], None]) -> None:
    """Call ``work`` in a thread that does not keep the process from ending.

    Raises:
        RuntimeError: when the system allows no more threads.
    """
    Thread(target=work, daemon=True).start()


class Deadlines(NamedTuple):
    """Seconds after which a call is late, and another thread makes the next one; and for all.

    A round in which calls go on returning may take ``longest``, since the machine is only slow.
    """

    call: float
    round: float
    longest: float


class Outcome(Generic[Result]):
    """What came of a round: results and errors by name, and the names without either.

    ``hanging`` are those whose call is late, from this round or an earlier one; ``skipped`` are
    those for which there was no time. ``stopped`` is true where the waiter ended
    the round.
    """

    __slots__ = ("errors", "hanging", "results", "skipped", "stopped")

    def __init__(
        self,
        results: dict[str, Result],
        errors: dict[str, Exception],
        hanging: list[str],
        skipped: list[str],
        *,
        stopped: bool,
    ) -> None:
        self.results, self.errors = results, errors
        self.hanging, self.skipped = hanging, skipped
        self.stopped = stopped


class _Round(Generic[Result]):
    """The calls that no worker has taken yet, and what came of the others."""

    def __init__(self, calls: Mapping[str, Callable[[], Result]]) -> None:
        self.pending = deque(calls.items())
        self.unfinished = len(calls)
        self.results: dict[str, Result] = {}
        self.errors: dict[str, Exception] = {}


class Caller(Generic[Result]):
    """Makes calls one after the other in a worker thread, and leaves behind those that hang.

    When a call is late, more workers take the remaining ones: four, then sixteen, and so on, so
    that many that hang do not delay those behind them. What has not returned at the end
    of the round is not called again before it has. Calls that returned the last time come first.

    One worker waits for the next round, so that a round costs no new thread. Where none can be
    started, the calls are made in the calling thread if ``inline``, and skipped otherwise.
    """

    def __init__(
        self,
        waiter: Waiter,
        deadlines: Deadlines,
        *,
        inline: bool = False,
        max_hanging: int = MAX_HANGING,
        start: Callable[[Callable[[], None]], None] = start_thread,
    ) -> None:
        self._waiter, self._deadlines, self._inline = waiter, deadlines, inline
        self._max_hanging, self._start = max_hanging, start
        self._lock = Lock()  # guards the rounds and what follows
        self._running: dict[str, float] = {}  # since when the calls run that have not returned
        self._waiting: SimpleQueue[_Round[Result]] | None = None  # of the worker without a round
        self._good: set[str] = set()  # the names that have returned the last time

    def __call__(self, calls: Mapping[str, Callable[[], Result]]) -> Outcome[Result]:
        """Make the calls, by name, and return what came of them within the deadlines."""
        with self._lock:
            due = [name for name in calls if name not in self._running]
            if len(self._running) >= self._max_hanging:
                due = [name for name in due if name in self._good]
        due.sort(key=lambda name: name not in self._good)
        current = _Round({name: calls[name] for name in due})
        stopped = bool(due) and self._wait_for(current)
        with self._lock:
            current.pending.clear()  # so that a worker whose call returns later takes no other
            results, errors = dict(current.results), dict(current.errors)
            late = monotonic() - self._deadlines.call
            hanging = [name for name in calls if self._running.get(name, late) < late]
        self._good = {*results, *errors}
        known = {*results, *errors, *hanging}
        skipped = [name for name in calls if name not in known]
        return Outcome(results, errors, hanging, skipped, stopped=stopped)

    def _wait_for(self, current: _Round[Result]) -> bool:
        """Wait until all calls have returned or the deadline has passed.

        Return whether the waiter has ended that.
        """
        start = monotonic()
        if not self._start_worker(current):
            if self._inline:
                self._make_calls(current)
            return False
        call, whole, longest = self._deadlines
        workers, unfinished = _GROWTH, len(current.pending) + 1
        late_at, end = start + call, start + whole
        while current.unfinished:
            now = monotonic()
            if now >= late_at:
                if current.unfinished < unfinished:  # slow, but not hung
                    workers, end = _GROWTH, min(max(end, now + call), start + longest)
                self._start_workers(current, workers)
                workers *= _GROWTH
                unfinished, late_at = current.unfinished, now + call
            if now >= end:
                return False
            if self._waiter.wait(min(late_at, end) - now):
                return True
        return False

    def _start_workers(self, current: _Round[Result], count: int) -> None:
        for _ in range(min(count, len(current.pending))):
            if len(self._running) >= self._max_hanging or not self._start_worker(current):
                return

    def _start_worker(self, current: _Round[Result]) -> bool:
        """Give the round to a worker; return false where no thread can be started."""
        with self._lock:
            waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.put(current)
            return True
        try:
            self._start(partial(self._work, current))
        except RuntimeError:
            return False
        return True

    def _work(self, current: _Round[Result]) -> None:
        rounds: SimpleQueue[_Round[Result]] = SimpleQueue()
        while True:
            self._make_calls(current)
            with self._lock:
                stays = self._waiting is None
                if stays:
                    self._waiting = rounds
            if not current.unfinished:
                self._waiter.wake()
            if not stays:
                return
            current = rounds.get()

    def _make_calls(self, current: _Round[Result]) -> None:
        while True:
            with self._lock:
                if not current.pending:
                    return
                name, call = current.pending.popleft()
                self._running[name] = monotonic()
            result, error = None, None
            try:
                result = call()
            except Exception as raised:  # noqa: BLE001  # it costs this call alone
                error = raised
            with self._lock:
                del self._running[name]
                if error is None:
                    current.results[name] = result  # type: ignore[assignment]
                else:
                    current.errors[name] = error
                current.unfinished -= 1
