"""Draining a real socket: bounded by count and by time, by hand and from a loop."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from pombo_exporter.ingest.drain import (
    DRAIN_TIME,
    MAX_DATAGRAMS,
    MAX_REST,
    Drain,
    Mode,
    drain,
    rest_for,
)
from pombo_exporter.ingest.intake import Intake
from pombo_wire import MAX_DATAGRAM_BYTES
from support.builders import Exporter
from support.clocks import Clock
from support.udp import drained, listening, send
from support.waiting import until


def still() -> float:
    """Return the time of a clock that never advances."""
    return 0.0


BUFFER = 92 * 1152  # Linux's default, as it is asked for: for 92 datagrams of full length


@pytest.mark.parametrize(
    ("datagrams", "seconds", "rest"),
    [
        (10, 0.005, 0.005),  # 2,000 a second fill a fifth of the buffer in 9 ms
        (20, 0.002, 0.00184),  # 10,000 a second
        (40, 0.002, 0.00092),  # 20,000 a second
        (1, 3600.0, 0.005),
    ],
)
def test_rest_is_the_time_in_which_a_fifth_of_the_buffer_fills(
    datagrams: int, seconds: float, rest: float
) -> None:
    assert rest_for(datagrams, seconds, BUFFER) == pytest.approx(rest)


def test_drain_takes_a_bounded_number_and_leaves_the_rest() -> None:
    with listening() as sock:
        sent = [b"%d" % number for number in range(MAX_DATAGRAMS + 10)]
        send(sock, *sent)
        drains: list[list[bytes]] = []
        found = []
        for _ in range(3):
            drains.append([])
            found.append(drain(sock, lambda datagram, _: drains[-1].append(datagram), still))
        assert drains == [sent[:MAX_DATAGRAMS], sent[MAX_DATAGRAMS:], []]
        assert found == [(MAX_DATAGRAMS, False), (10, True), (0, True)]


def test_drain_ends_by_time_whatever_its_datagrams_cost() -> None:
    clock = Clock(0.0)
    taken: list[bytes] = []

    def take(datagram: bytes, _: object) -> None:
        taken.append(datagram)
        clock.now += 0.3

    with listening() as sock:
        sent = [b"%d" % number for number in range(9)]
        send(sock, *sent)
        assert drain(sock, take, clock, limit=1.0) == (4, False)
        assert taken == sent[:4]
        assert drain(sock, take, clock, limit=0.1) == (1, False)
        assert drain(sock, take, clock, limit=10.0) == (4, True)
        assert taken == sent


def test_datagram_comes_with_the_address_of_its_sender() -> None:
    with listening() as sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        sender.sendto(b"", sock.getsockname())
        found: list[object] = []
        drain(sock, lambda *datagram: found.append(datagram))
        assert found == [(b"", sender.getsockname())]


@pytest.mark.parametrize(
    ("size", "reason"), [(MAX_DATAGRAM_BYTES, "unknown_form"), (65_507, "too_large")]
)
def test_longest_datagram_that_is_taken_is_the_wires(size: int, reason: str) -> None:
    exporter = Exporter()
    intake = Intake(exporter.roster, lambda: 0.0)
    with listening() as sock:
        send(sock, bytes(size))
        drain(sock, lambda data, sender: intake.take(data, sender, 0.0, 0.0), still)
    assert {name: count for name, count in intake.refused.items() if count} == {reason: 1}


# --- from a loop ---


def test_loop_takes_trickles_and_floods_alike_and_none_once_stopped() -> None:
    async def scenario() -> None:
        with listening(buffer=2**20) as sock:
            found: list[bytes] = []
            loop = asyncio.get_running_loop()
            draining = Drain(loop, sock, lambda datagram, _: found.append(datagram), BUFFER)
            for burst in (1, 3, MAX_DATAGRAMS * 5, 1, 0, 2):
                before = len(found)
                send(sock, *(b"%d" % number for number in range(burst)))
                await until(lambda: len(found) == before + burst)  # noqa: B023 - awaited here
                assert found[before:] == [b"%d" % number for number in range(burst)]
                await until(lambda: draining.mode is Mode.WAITING)
            draining.stop()
            assert draining.mode is Mode.STOPPED
            send(sock, b"too late")
            draining.drain_now()
            await asyncio.sleep(0)  # in which a reader would be called
            await asyncio.sleep(0)
            assert b"too late" not in found
            assert drained(sock) == [b"too late"]

    asyncio.run(scenario())


@pytest.mark.parametrize("mode", [Mode.WAITING, Mode.RESTING, Mode.BUSY])
def test_drain_stops_in_every_mode(mode: Mode) -> None:
    async def scenario() -> None:
        with listening(buffer=2**20) as sock:
            loop = asyncio.get_running_loop()
            draining = Drain(loop, sock, lambda *_: None, BUFFER, still)
            while draining.mode is not mode:
                send(sock, *[b"x"] * (MAX_DATAGRAMS if mode is Mode.BUSY else 1))
                await asyncio.sleep(0)
            draining.stop()
            assert not loop.remove_reader(sock)
            drained(sock)
            send(sock, b"too late")
            before = loop.time()
            await until(lambda: loop.time() > before + MAX_REST)  # a timer that remains has fired
            assert draining.mode is Mode.STOPPED
            assert drained(sock) == [b"too late"]

    asyncio.run(scenario())


class SteppedLoop(asyncio.SelectorEventLoop):
    """An event loop whose timers fire when the test advances ``now``, in seconds."""

    now = 100.0

    def time(self) -> float:
        """Return the loop's clock."""
        return self.now


def run_stepped(scenario: Callable[[SteppedLoop], Coroutine[Any, Any, None]]) -> None:
    loop = SteppedLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(scenario(loop))


async def iterate_until(condition: Callable[[], bool]) -> None:
    """Let the loop iterate until it has made it so; 10,000 times are far more than it needs."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    pytest.fail("the loop has not made it so")


def test_modes_follow_what_the_drains_find() -> None:
    async def scenario(loop: SteppedLoop) -> None:
        with listening(buffer=2**20) as sock:
            clock = Clock(0.0)
            cost = 0.0
            counted = 0
            drains: list[tuple[int, Mode]] = []  # how many each took, and the mode after it

            def take(_: bytes, __: object) -> None:
                nonlocal counted
                clock.now += cost
                counted += 1
                if counted == 1:
                    loop.call_soon(note)  # after this drain, and before the next one

            def note() -> None:
                nonlocal counted
                drains.append((counted, draining.mode))
                counted = 0

            async def after(count: int, *, passed: float) -> list[tuple[int, Mode]]:
                """Send datagrams, let time pass, and return the drains until all are taken."""
                drains.clear()
                send(sock, *[b"x"] * count)
                loop.now += passed
                await iterate_until(lambda: sum(taken for taken, _ in drains) == count)
                return [*drains]

            draining = Drain(loop, sock, take, BUFFER, clock)
            assert draining.mode is Mode.WAITING
            assert await after(1, passed=1.0) == [(1, Mode.WAITING)]
            assert await after(30, passed=1.0) == [(30, Mode.WAITING)]
            assert await after(1, passed=0.001) == [(1, Mode.RESTING)]
            assert await after(30, passed=MAX_REST) == [(30, Mode.RESTING)]
            assert await after(MAX_DATAGRAMS + 1, passed=MAX_REST) == [
                (MAX_DATAGRAMS, Mode.BUSY),
                (1, Mode.RESTING),
            ]
            await iterate_until(lambda: draining.mode is Mode.WAITING)
            assert await after(1, passed=1.0) == [(1, Mode.WAITING)]
            assert await after(1, passed=0.001) == [(1, Mode.RESTING)]
            cost = DRAIN_TIME  # each drain ends after a datagram, though there are more
            assert await after(3, passed=MAX_REST) == [(1, Mode.BUSY)] * 3
            await iterate_until(lambda: draining.mode is Mode.WAITING)
            draining.stop()

    run_stepped(scenario)


def test_loop_goes_on_when_one_datagram_could_not_be_taken() -> None:
    async def scenario() -> None:
        with listening() as sock:
            found: list[bytes] = []

            def take(datagram: bytes, _: object) -> None:
                if datagram == b"bad":
                    raise ArithmeticError
                found.append(datagram)

            loop = asyncio.get_running_loop()
            failures: list[object] = []
            loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))
            draining = Drain(loop, sock, take, BUFFER)
            send(sock, b"bad", b"good")
            await until(lambda: found == [b"good"])
            assert isinstance(failures[0], ArithmeticError)
            draining.stop()

    asyncio.run(scenario())


def test_drain_now_does_not_concern_other_work_with_failures(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        with listening() as sock:
            found: list[bytes] = []

            def take(datagram: bytes, _: object) -> None:
                found.append(datagram)
                if datagram == b"bad":
                    raise ArithmeticError

            draining = Drain(asyncio.get_running_loop(), sock, take, BUFFER)
            send(sock, b"one", b"bad", b"two")
            draining.drain_now()
            assert found == [b"one", b"bad"]
            draining.drain_now()
            assert found == [b"one", b"bad", b"two"]
            send(sock, b"three")
            await until(lambda: found[3:] == [b"three"])
            draining.stop()

    asyncio.run(scenario())
    assert [record.message for record in caplog.records] == ["cannot take a datagram"]


def test_drain_now_is_in_place_of_the_next_drain_of_a_busy_socket() -> None:
    async def scenario(loop: SteppedLoop) -> None:
        with listening(buffer=2**20) as sock:
            found: list[bytes] = []
            draining = Drain(loop, sock, lambda datagram, _: found.append(datagram), BUFFER, still)
            send(sock, *[b"flood"] * MAX_DATAGRAMS * 6)
            await iterate_until(lambda: draining.mode is Mode.BUSY)
            taken = len(found)
            for _ in range(2):
                draining.drain_now()
                assert draining.mode is Mode.RESTING
                taken += MAX_DATAGRAMS
                assert len(found) == taken
                await asyncio.sleep(0)
                assert len(found) == taken
            loop.now += MAX_REST
            await iterate_until(lambda: len(found) == MAX_DATAGRAMS * 6)
            draining.stop()

    run_stepped(scenario)
