"""Long work lets the socket have its turn, and others theirs."""

import asyncio

from pombo_exporter.pacing import LOOK, TURN, Turns


def test_work_looks_at_the_socket_and_gives_the_loop_back_once_its_time_is_over() -> None:
    now, happened = 0.0, list[str]()

    async def other() -> None:
        happened.append("other")

    async def work() -> None:
        nonlocal now
        turns = Turns(lambda: happened.append("look"), lambda: now)
        task = asyncio.create_task(other())
        for took in (0.6 * LOOK, 0.6 * LOOK, 0.6 * LOOK, TURN, 0.9 * LOOK):
            happened.append("step")
            now += took
            await turns.give()
        await task

    asyncio.run(work())
    assert happened == ["step", "step", "look", "step", "step", "look", "other", "step"]


def test_works_at_one_time_share_the_clock() -> None:
    now, looks = 0.0, list[float]()

    async def work(turns: Turns) -> None:
        nonlocal now
        for _ in range(10):
            now += 0.3 * LOOK
            await turns.give()

    async def several() -> None:
        turns = Turns(lambda: looks.append(now), lambda: now)
        await asyncio.gather(*(work(turns) for _ in range(5)))

    asyncio.run(several())
    between = [later - before for before, later in zip([0.0, *looks], looks, strict=False)]
    assert len(looks) >= 10
    assert max(between) <= 1.3 * LOOK
