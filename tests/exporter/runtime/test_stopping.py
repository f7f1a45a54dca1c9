"""The exporter's end: signals, the grace period, the deadline, and tasks that do not end."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator

import pytest
from pombo_exporter.runtime.stopping import Stop, run

LONG = 3600.0  # seconds
DEADLINE = 30.0  # seconds


def test_run_restores_the_signal_handlers() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]

    async def main(_: Stop) -> None:
        assert signal.getsignal(signal.SIGTERM) is not before[0]

    run(main)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_first_signal_requests_the_end_and_the_second_one_ends_the_grace_period(
    number: signal.Signals,
) -> None:
    async def main(_: Stop) -> None:
        stop = Stop(asyncio.get_running_loop(), grace=LONG, deadline=LONG)
        try:
            async with asyncio.timeout(DEADLINE):
                assert not stop.requested.is_set()
                os.kill(os.getpid(), number)
                await stop.requested.wait()
                assert not stop.grace_over.is_set()
                os.kill(os.getpid(), number)
                await stop.grace_over.wait()
                assert signal.getsignal(number) is signal.SIG_DFL
        finally:
            stop.close()

    run(main)


def test_grace_period_ends_by_itself() -> None:
    async def main(_: Stop) -> None:
        stop = Stop(asyncio.get_running_loop(), grace=0.01, deadline=LONG)
        try:
            async with asyncio.timeout(DEADLINE):
                stop.begin()
                assert stop.requested.is_set()
                await stop.grace_over.wait()
        finally:
            stop.close()

    run(main)


def test_other_tasks_and_generators_end_with_main() -> None:
    ended: list[str] = []
    tasks: list[asyncio.Task[None]] = []

    async def waits() -> None:
        try:
            await asyncio.sleep(LONG)
        finally:
            ended.append("task")

    async def items() -> AsyncGenerator[int]:
        try:
            yield 1
        finally:
            ended.append("generator")

    opened = items()

    async def main(_: Stop) -> None:
        tasks.append(asyncio.create_task(waits()))
        await anext(opened)
        await asyncio.sleep(0)

    run(main)
    assert ended == ["task", "generator"]
    assert tasks[0].cancelled()


def test_failure_of_main_is_raised() -> None:
    async def main(_: Stop) -> None:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        run(main)


def ended(program: str) -> tuple[int, list[str]]:
    """Return how a program ended, and the lines that it wrote."""
    start = (
        "import asyncio, logging, os, signal\n"
        "from pombo_exporter.runtime.stopping import Stop, run\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", start + program],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    return done.returncode, done.stderr.splitlines()


def test_task_that_ignores_its_cancellation_does_not_keep_the_process_from_ending() -> None:
    code, lines = ended("""
async def endless():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def main(stop):
    global task
    task = asyncio.create_task(endless())
    await asyncio.sleep(0)

logging.basicConfig(format="%(message)s")
run(main, timeout=0.01)
""")
    assert (code, lines[0]) == (0, "task ignores its cancellation")


def test_process_whose_loop_is_stuck_ends_at_its_deadline() -> None:
    assert ended("""
async def main():
    Stop(asyncio.get_running_loop(), deadline=0.1)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)  # sets no other deadline
    while True:
        pass

logging.basicConfig(format="%(message)s")
asyncio.run(main())
""") == (0, ["exporter stops at its deadline, with requests under way"])
