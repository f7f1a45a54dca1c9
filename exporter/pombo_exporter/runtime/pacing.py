"""Long work on the event loop, in steps that are bounded by time.

Long work is an iterator that does one step at a time and yields None, or what the step made, at the
end of each. ``Pacer.run`` executes it. Between two steps it drains the socket when that is due,
and lets other tasks of the loop run when that is due.

A loop in Python asks ``StepClock.step_is_over`` after each item. A call that computes many items
cannot ask, so a ``StepSize`` learns how many it may get: it doubles that number after a step
shorter than half of ``STEP``, adds a little after one that is well below it, and reduces the number
after one that is longer.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing, contextmanager
from time import perf_counter
from typing import Final, TypeVar

#: Seconds that one step of long work may take. The socket waits for one step and DRAIN_INTERVAL at
#: most, 1 ms: at 90,000 datagrams a second, that is the 90 that the kernel's default receive buffer
#: has room for. This is the aim; ``Pacer.longest_step`` is what steps have taken.
STEP: Final = 0.0005

#: Seconds between two drains of the socket in the middle of long work.
DRAIN_INTERVAL: Final = 0.0005

#: Seconds between two iterations of the event loop in the middle of long work. In an iteration,
#: other tasks run, and the socket waits for them too. Without other tasks it takes 5 microseconds:
#: the median of 3,000 calls of ``asyncio.sleep(0)``, each after half a millisecond of work, in a
#: process with one idle UDP socket (CPython 3.11).
YIELD_INTERVAL: Final = 0.004

#: The share of the time that work which repeats, such as the status page, may take.
MAX_DUTY_CYCLE: Final = 0.1

_FIRST: Final = 64  # weight of the first step, before any was measured

T = TypeVar("T")


def rest_after(seconds: float) -> float:
    """Return how long to rest after work that took ``seconds``, to keep MAX_DUTY_CYCLE."""
    return seconds * (1 / MAX_DUTY_CYCLE - 1)


class StepClock:
    """A stopwatch for one piece of long work: it runs during steps and stops between them.

    Without ``Pacer.run``, as in a test, nothing is measured and no step is ever over.
    """

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._spent = 0.0
        self._since: float | None = None

    @property
    def spent(self) -> float:
        """The seconds spent in steps so far."""
        return self._spent if self._since is None else self._spent + self._clock() - self._since

    @property
    def step_is_over(self) -> bool:
        """Whether the present step has used up its STEP seconds."""
        return self._since is not None and self._clock() - self._since >= STEP

    def start(self) -> None:
        """Begin a step."""
        self._since = self._clock()

    def stop(self) -> float:
        """End the step; return how many seconds it took."""
        before, self._spent = self._spent, self.spent
        self._since = None
        return self._spent - before

    def size(self, first: int = _FIRST, most: int = sys.maxsize) -> "StepSize":
        """Return a size for steps of one kind.

        The first step has the weight ``first``, and none has more than ``most``.
        """
        return StepSize(self, first, most)


class StepSize:
    """How much a step of one kind may do, learned from what the last ones took.

    The *weight* of work is its size in the caller's unit, such as items or rows. ``weight`` is what
    the next step may have.
    """

    def __init__(self, steps: StepClock, first: int, most: int = sys.maxsize) -> None:
        self.weight, self._most = first, most
        self._steps = steps

    def ranges(self, total: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges (start, stop) that divide ``total`` items of equal weight into steps.

        The caller does the work of one range before it asks for the next.
        """
        start = 0
        while start < total:
            stop = min(total, start + self.weight)
            before = self._steps.spent
            yield start, stop
            self._learn(stop - start, self._steps.spent - before)
            start = stop

    def batches(self, items: Iterable[T], weigh: Callable[[T], int]) -> Iterator[list[T]]:
        """Yield lists of items, each as heavy as a step may be, or of one item that is heavier.

        The caller does the work of one batch before it asks for the next.
        """
        batch: list[T] = []
        weight = 0
        for item in items:
            batch.append(item)
            weight += weigh(item)
            if weight >= self.weight:
                before = self._steps.spent
                yield batch
                self._learn(weight, self._steps.spent - before)
                batch, weight = [], 0
        if batch:
            yield batch

    def _learn(self, weight: int, seconds: float) -> None:
        if seconds > STEP:  # aim at half of STEP, as if time were proportional to weight
            self.weight = max(1, min(self.weight, int(weight * STEP / 2 / seconds)))
        elif weight >= self.weight:
            # A part of the time may not depend on the weight, so that twice the weight takes less
            # than twice the time. Without it, an eighth more still takes no longer than STEP.
            more = self.weight if seconds < STEP / 2 else self.weight >> 3
            if seconds < 0.8 * STEP:
                self.weight = min(self._most, self.weight + more)


def _nothing() -> None:
    pass


class Pacer:
    """Runs all long work of the exporter, and remembers for all of it when the socket was drained.

    So the socket waits for DRAIN_INTERVAL and one step at most.
    """

    def __init__(
        self, drain: Callable[[], object] = _nothing, clock: Callable[[], float] = perf_counter
    ) -> None:
        """Take what drains the socket, and a clock in seconds."""
        self._drain, self._clock = drain, clock
        self._drained = self._yielded = clock()
        #: The longest step so far, in seconds.
        self.longest_step = 0.0
        self._under_way = 0

    @property
    def is_working(self) -> bool:
        """Whether long work is under way, or an answer that needs what it has read."""
        return self._under_way > 0

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count what is done in this context as long work, also while it waits."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def run(self, work: Callable[[StepClock], Iterator[T | None]]) -> AsyncGenerator[T, None]:
        """Execute ``work``, a function that returns the iterator, and yield what its steps make.

        Use ``aclosing`` unless it is read to its end.
        """
        steps = StepClock(self._clock)
        iterator = work(steps)
        with self.under_way():
            try:
                await self.checkpoint()  # what came before, such as reading a request, takes time
                while True:
                    steps.start()
                    try:
                        made = next(iterator)
                    except StopIteration:
                        return
                    finally:
                        self.longest_step = max(self.longest_step, steps.stop())
                    if made is not None:
                        yield made
                    await self.checkpoint()
            finally:
                close = getattr(iterator, "close", None)
                if close is not None:
                    close()

    async def collect(self, work: Callable[[StepClock], Iterator[T | None]]) -> list[T]:
        """Execute ``work`` and return what its steps make."""
        async with aclosing(self.run(work)) as made:
            return [each async for each in made]

    async def checkpoint(self) -> None:
        """Drain the socket if DRAIN_INTERVAL has passed.

        After that, let other tasks run if YIELD_INTERVAL has passed too.
        """
        if self._clock() - self._drained <= DRAIN_INTERVAL:
            return
        self._drain()
        self._drained = self._clock()
        if self._drained - self._yielded > YIELD_INTERVAL:
            await asyncio.sleep(0)
            self._yielded = self._clock()
