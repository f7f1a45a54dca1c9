"""Long work on the event loop, in steps that are bounded by time.

Long work is an iterator that does one step at a time and yields None, or what the step made, at the
end of each. ``Pacer.run`` executes it. Between two steps it drains the socket when that is due,
and lets other tasks of the loop run when that is due.

Work in Python alone asks ``Steps.is_over`` after each small item. What computes many items in one
call cannot; how many fit into a step depends on the machine and on the hosts, so it is measured: a
``StepSize`` grows while steps take less than half of ``STEP`` and shrinks when they take longer.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from time import perf_counter
from typing import Final, TypeVar

#: Seconds that one step of long work may take. Together with DRAIN_INTERVAL it bounds how long
#: the socket waits: a millisecond, in which 90,000 datagrams a second fill the kernel's default
#: receive buffer of some 90 datagrams.
STEP: Final = 0.0005

#: Seconds between two drains of the socket in the middle of long work.
DRAIN_INTERVAL: Final = 0.0005

#: Seconds between two turns of the event loop. A turn costs some 40 microseconds, which is a
#: tenth of the work between two drains but a hundredth of this.
YIELD_INTERVAL: Final = 0.004

#: The share of the time that work which repeats, such as the status page, may take.
MAX_DUTY_CYCLE: Final = 0.1

_FIRST: Final = 64  # weight of the first step, before anything was measured

T = TypeVar("T")


def rest_after(seconds: float) -> float:
    """Return how long to rest after work that took ``seconds``, to keep MAX_DUTY_CYCLE."""
    return seconds * (1 / MAX_DUTY_CYCLE - 1)


class Steps:
    """The clock of one piece of long work: it runs during steps and stops between them.

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
    def is_over(self) -> bool:
        """Whether the present step has taken its time."""
        return self._since is not None and self._clock() - self._since >= STEP

    def start(self) -> None:
        """Begin a step."""
        self._since = self._clock()

    def stop(self) -> float:
        """End the step; return how many seconds it took."""
        before, self._spent = self._spent, self.spent
        self._since = None
        return self._spent - before

    def size(self, first: int = _FIRST) -> "StepSize":
        """Return a size for steps of one kind; the first step has the weight ``first``."""
        return StepSize(self, first)


class StepSize:
    """How much a step of one kind may do, learned from what the last ones took."""

    def __init__(self, steps: Steps, first: int) -> None:
        self.weight = first
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
        if seconds > STEP:  # what would have taken half of STEP
            self.weight = max(1, min(self.weight, int(weight * STEP / 2 / seconds)))
        elif seconds < STEP / 2 and weight >= self.weight:
            self.weight *= 2


def _nothing() -> None:
    pass


class Pacer:
    """Runs long work in steps, all of it by one clock.

    So the socket waits for DRAIN_INTERVAL and one step at most, however much work is under way.
    """

    def __init__(
        self, drain: Callable[[], object] = _nothing, clock: Callable[[], float] = perf_counter
    ) -> None:
        """Take what drains the socket, and a clock in seconds."""
        self._drain, self._clock = drain, clock
        self._drained = self._yielded = clock()
        #: The longest step so far, in seconds.
        self.longest_step = 0.0

    async def run(self, work: Callable[[Steps], Iterator[T | None]]) -> AsyncGenerator[T, None]:
        """Execute ``work``, a function that makes the iterator, and yield what its steps make."""
        steps = Steps(self._clock)
        iterator = work(steps)
        try:
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

    async def collect(self, work: Callable[[Steps], Iterator[T | None]]) -> list[T]:
        """Execute ``work`` and return what its steps make."""
        async with aclosing(self.run(work)) as made:
            return [each async for each in made]

    async def checkpoint(self) -> None:
        """Drain the socket and let other tasks run, if that is due."""
        if self._clock() - self._drained <= DRAIN_INTERVAL:
            return
        self._drain()
        self._drained = self._clock()
        if self._drained - self._yielded > YIELD_INTERVAL:
            await asyncio.sleep(0)
            self._yielded = self._clock()
