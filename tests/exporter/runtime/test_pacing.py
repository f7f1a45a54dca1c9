"""Long work on the event loop: bounded steps, and between them drains and other tasks."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import aclosing

import pytest
from pombo_exporter.runtime.pacing import (
    DRAIN_INTERVAL,
    MAX_DUTY_CYCLE,
    STEP,
    YIELD_INTERVAL,
    Pacer,
    StepClock,
    StepSize,
    rest_after,
)
from support.clocks import Clock


def run(pacer: Pacer, work: Callable[[StepClock], Iterator[object]]) -> list[object]:
    return asyncio.run(pacer.collect(work))


def test_checkpoint_drains_the_socket_and_runs_other_tasks_when_that_is_due() -> None:
    clock, happened = Clock(0.0), list[str]()

    async def other() -> None:
        happened.append("other")

    async def work() -> None:
        pacer = Pacer(lambda: happened.append("drain"), clock)
        task = asyncio.create_task(other())
        for duration in (0.6, 0.6, 0.6, YIELD_INTERVAL / DRAIN_INTERVAL, 0.9):
            happened.append("step")
            clock.now += duration * DRAIN_INTERVAL
            await pacer.checkpoint()
        await task

    asyncio.run(work())
    assert happened == ["step", "step", "drain", "step", "step", "drain", "other", "step"]


def test_drains_are_on_time_for_any_number_of_concurrent_works() -> None:
    clock, drains = Clock(0.0), list[float]()

    async def work(pacer: Pacer) -> None:
        for _ in range(10):
            clock.now += 0.3 * DRAIN_INTERVAL
            await pacer.checkpoint()

    async def several() -> None:
        pacer = Pacer(lambda: drains.append(clock.now), clock)
        await asyncio.gather(*(work(pacer) for _ in range(5)))

    asyncio.run(several())
    between = [later - before for before, later in zip([0.0, *drains], drains, strict=False)]
    assert len(drains) >= 10
    assert max(between) <= 1.3 * DRAIN_INTERVAL


def test_run_yields_what_steps_yield_and_closes_the_work_when_it_ends_early() -> None:
    ended = list[bool]()

    def work(_: StepClock) -> Iterator[int | None]:
        try:
            for number in range(10):
                yield None if number % 2 else number
        finally:
            ended.append(True)

    async def first() -> int:
        pieces = Pacer().run(work)
        found = await anext(pieces)
        await pieces.aclose()
        return found

    assert run(Pacer(), work) == [0, 2, 4, 6, 8]
    assert asyncio.run(first()) == 0
    assert ended == [True, True]


def test_time_between_steps_does_not_count_as_work() -> None:
    clock, spent = Clock(0.0), list[float]()

    def drain() -> None:
        clock.now += 1.0

    def work(steps: StepClock) -> Iterator[None]:
        for _ in range(3):
            clock.now += 2 * DRAIN_INTERVAL
            spent.append(steps.spent)
            yield

    pacer = Pacer(drain, clock)
    run(pacer, work)
    assert spent == pytest.approx([2 * DRAIN_INTERVAL * count for count in (1, 2, 3)])
    assert pacer.longest_step == pytest.approx(2 * DRAIN_INTERVAL)


def test_step_is_over_after_its_maximal_duration() -> None:
    clock, taken = Clock(0.0), list[int]()

    def work(steps: StepClock) -> Iterator[None]:
        items = 0
        for _ in range(100):
            clock.now += STEP / 10
            items += 1
            if steps.step_is_over:
                taken.append(items)
                items = 0
                yield

    run(Pacer(clock=clock), work)
    assert len(taken) >= 9
    assert max(taken) <= 11


@pytest.mark.parametrize("seconds", [STEP / 10_000, STEP / 100, STEP / 3], ids=str)
def test_size_is_learned_from_the_durations_of_steps(seconds: float) -> None:
    clock, took = Clock(0.0), list[float]()

    def work(steps: StepClock) -> Iterator[None]:
        for start, stop in steps.size().ranges(200_000):
            took.append(seconds * (stop - start))
            clock.now += took[-1]
            yield

    run(Pacer(clock=clock), work)
    assert sum(took) == pytest.approx(200_000 * seconds)
    settled = took[20:-1]
    assert max(settled, default=0.0) <= 2 * STEP
    assert min(settled, default=STEP) >= STEP / 4


def test_batches_have_the_weight_of_one_step_and_keep_the_order() -> None:
    clock = Clock(0.0)
    items = [1] * 300 + [1000] * 5 + [1] * 300

    def work(steps: StepClock) -> Iterator[list[int] | None]:
        for batch in steps.size().batches(items, lambda weight: weight):
            clock.now += sum(batch) * STEP / 100
            yield batch

    batches: list[list[int]] = run(Pacer(clock=clock), work)  # type: ignore[assignment]
    assert [item for batch in batches for item in batch] == items
    learned = batches[len(batches) // 2 :]
    assert max(sum(batch) for batch in learned if 1000 not in batch) <= 100
    assert all(batch.count(1000) <= 1 for batch in batches)


def test_no_items_make_no_step() -> None:
    size = StepSize(StepClock(), 1)
    assert [*size.ranges(0)] == []
    assert [*size.batches([], len)] == []


def test_rest_keeps_the_duty_cycle() -> None:
    assert 0.3 / (0.3 + rest_after(0.3)) == pytest.approx(MAX_DUTY_CYCLE)


def test_no_step_is_heavier_than_its_size_allows() -> None:
    size = StepClock().size(8, 16)
    assert [stop - start for start, stop in size.ranges(60)] == [8, 16, 16, 16, 4]


def test_size_grows_where_most_of_the_time_does_not_depend_on_the_weight() -> None:
    clock, weights = Clock(0.0), list[int]()

    def work(steps: StepClock) -> Iterator[None]:
        for start, stop in steps.size(16).ranges(10_000):
            clock.now += STEP / 2 + (stop - start) * STEP / 1000
            weights.append(stop - start)
            yield

    run(Pacer(clock=clock), work)
    assert 200 <= max(weights) <= 500


def test_work_is_counted_until_it_is_done_or_given_up() -> None:
    async def run() -> list[bool]:
        pacer = Pacer()
        found = []
        with pacer.under_way():
            async with aclosing(pacer.run(lambda _: iter([1, 2]))) as made:
                async for _ in made:
                    found.append(pacer.is_working)
                    break
            found.append(pacer.is_working)
        found.append(pacer.is_working)
        await pacer.collect(lambda _: iter([1, 2]))
        found.append(pacer.is_working)
        return found

    assert asyncio.run(run()) == [True, True, False, False]
