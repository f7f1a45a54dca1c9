"""Calls that hang, in threads that the tests release."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from pombo_agent.collecting.deadlines import Caller, Deadlines, Outcome, start_thread
from pombo_agent.wakeup import EventWaiter, SignalWaiter

PATIENT = Deadlines(30, 60, 60)


class Server:
    """Returns the length of each path; some calls hang until they are released."""

    def __init__(self) -> None:
        self.hanging: dict[str, threading.Event] = {}
        self.called: list[str] = []
        self.threads: set[threading.Thread] = set()

    def __call__(self, path: str) -> int:
        self.called.append(path)
        self.threads.add(threading.current_thread())
        if path in self.hanging:
            assert self.hanging[path].wait(60), f"{path} was not released"
        if path == "/forbidden":
            raise PermissionError(path)
        return len(path)

    def hang(self, *paths: str) -> None:
        self.hanging |= {path: threading.Event() for path in paths}

    def release(self) -> None:
        for event in self.hanging.values():
            event.set()

    def calls(self, *paths: str) -> dict[str, Callable[[], int]]:
        return {path: partial(self, path) for path in paths}


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.release()


def caller(deadlines: Deadlines = PATIENT, **options: Any) -> Caller[int]:
    return Caller(EventWaiter(), deadlines, **options)


def parts(outcome: Outcome[int]) -> tuple[dict[str, int], list[str], list[str], bool]:
    """Return results, what hangs, what was skipped, and whether the round was stopped."""
    assert outcome.errors == {}
    return outcome.results, outcome.hanging, outcome.skipped, outcome.stopped


def test_every_call_has_its_result_in_one_thread_that_stays(server: Server) -> None:
    call = caller()
    for _ in range(3):
        outcome = call(server.calls("/", "/home"))
        assert parts(outcome) == ({"/": 1, "/home": 5}, [], [], False)
    assert server.called == ["/", "/home"] * 3
    assert len(server.threads) == 1
    assert server.threads != {threading.current_thread()}


def test_no_calls_are_no_round(server: Server) -> None:
    assert parts(caller()(server.calls())) == ({}, [], [], False)


def test_call_that_hangs_costs_only_itself(server: Server) -> None:
    server.hang("/nfs")
    call = caller(Deadlines(0.2, 1, 1))
    outcome = call(server.calls("/", "/nfs", "/home"))
    assert parts(outcome) == ({"/": 1, "/home": 5}, ["/nfs"], [], False)


def test_round_in_which_calls_go_on_returning_may_take_longer() -> None:
    gate = threading.Semaphore(0)

    def slow(name: str) -> str:
        assert gate.acquire(timeout=60)
        return name

    waiter = EventWaiter()

    class Releasing:
        """Lets one call return in each wait of the round."""

        def wait(self, seconds: float) -> bool:
            gate.release()
            return waiter.wait(seconds)

        def wake(self) -> None:
            waiter.wake()

    names = [f"c{number}" for number in range(20)]
    call: Caller[str] = Caller(Releasing(), Deadlines(0.05, 0.1, 60))
    outcome = call({name: partial(slow, name) for name in names})
    assert [*outcome.results] == names


def test_call_that_raises_costs_only_itself(server: Server) -> None:
    outcome = caller()(server.calls("/forbidden", "/"))
    assert outcome.results == {"/": 1}
    assert [*map(repr, outcome.errors.values())] == ["PermissionError('/forbidden')"]
    assert (outcome.hanging, outcome.skipped) == ([], [])


def test_call_that_hangs_is_not_made_again_until_it_has_returned(server: Server) -> None:
    server.hang("/nfs")
    call = caller(Deadlines(0.2, 1, 1))
    for _ in range(3):
        assert call(server.calls("/nfs", "/")).results == {"/": 1}
    assert server.called.count("/nfs") == 1

    server.release()
    waited = 0
    while "/nfs" not in (found := call(server.calls("/nfs", "/"))).results:
        waited += 1
        assert waited < 100_000, "waited for the call to return"
    assert found.results == {"/nfs": 4, "/": 1}


def test_many_calls_that_hang_hide_none_behind_them(server: Server) -> None:
    dead = [f"/nfs{number}" for number in range(40)]
    server.hang(*dead)
    call = caller(Deadlines(0.1, 30, 30))
    finished = threading.Event()
    outcome: list[Outcome[int]] = []

    def run() -> None:
        outcome.append(call(server.calls("/", *dead, "/data")))
        finished.set()

    threading.Thread(target=run).start()
    for _ in range(300):
        if "/data" in server.called:
            break
        finished.wait(0.1)
    assert "/data" in server.called
    server.release()
    assert finished.wait(60)
    assert outcome[0].results.keys() == {"/", *dead, "/data"}


def test_round_ends_at_its_deadline_and_the_next_one_has_all_that_live(server: Server) -> None:
    dead = [f"/nfs{number}" for number in range(40)]
    server.hang(*dead)
    call = caller(Deadlines(0.02, 0.5, 0.5))
    call(server.calls("/", *dead, "/data"))
    for _ in range(2):
        outcome = call(server.calls("/", *dead, "/data"))
        assert outcome.results == {"/": 1, "/data": 5}
        assert outcome.hanging == dead
    assert {path: server.called.count(path) for path in dead} == dict.fromkeys(dead, 1)


def test_calls_that_hang_are_bounded_and_those_that_return_go_on(server: Server) -> None:
    dead = [f"/nfs{number}" for number in range(20)]
    server.hang(*dead)
    call = caller(Deadlines(0.01, 0.3, 0.3), max_hanging=8)
    found = [call(server.calls("/", *dead, "/data")) for _ in range(4)]
    assert [outcome.results.get("/") for outcome in found] == [1] * 4
    assert sum(path in dead for path in server.called) == 8
    assert "/nfs15" in found[-1].skipped

    server.release()
    for _ in range(100_000):
        if len(call(server.calls("/", *dead, "/data")).results) == 22:
            return
    raise AssertionError("waited for the calls to return")


def test_calls_that_have_returned_come_first(server: Server) -> None:
    call = caller()
    call(server.calls("/b", "/c"))
    server.called.clear()
    call(server.calls("/a", "/b", "/c"))
    assert server.called == ["/b", "/c", "/a"]


def test_result_that_comes_too_late_is_not_that_of_another_round(server: Server) -> None:
    server.hang("/nfs")
    call = caller(Deadlines(0.05, 0.1, 0.1))
    first = call(server.calls("/nfs"))
    server.release()
    for thread in server.threads:
        thread.join(0.5)
    assert first.results == {}


def refuse(_: Callable[[], None]) -> None:
    """Start no thread, as the system when there are too many."""
    raise RuntimeError("can't start new thread")


def test_calls_are_skipped_or_made_at_once_where_no_thread_can_be_started(server: Server) -> None:
    skipped = caller(start=refuse)(server.calls("/", "/home"))
    assert (skipped.results, skipped.skipped) == ({}, ["/", "/home"])
    outcome = caller(inline=True, start=refuse)(server.calls("/", "/home"))
    assert outcome.results == {"/": 1, "/home": 5}
    assert server.threads == {threading.current_thread()}


def test_worker_that_waits_serves_also_where_no_other_can_be_started(server: Server) -> None:
    started: list[Callable[[], None]] = []

    def start_one(work: Callable[[], None]) -> None:
        if started:
            refuse(work)
        started.append(work)
        start_thread(work)

    call = caller(start=start_one)
    for _ in range(3):
        assert call(server.calls("/", "/home")).results == {"/": 1, "/home": 5}


@pytest.fixture
def waiter() -> Iterator[SignalWaiter]:
    waiter = SignalWaiter()
    before = signal.getsignal(signal.SIGUSR1)
    waiter.watch(signal.SIGUSR1)
    yield waiter
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGUSR1, before)
    waiter.close()


def test_signal_ends_a_round_and_each_later_wait(server: Server, waiter: SignalWaiter) -> None:
    def interrupt() -> int:
        os.kill(os.getpid(), signal.SIGUSR1)
        return 1

    server.hang("/nfs")
    call: Caller[int] = Caller(waiter, Deadlines(20, 60, 60))
    outcome = call({"/": interrupt, **server.calls("/nfs")})
    assert outcome.stopped
    assert waiter.stopped
    assert waiter.wait(60)


def test_thread_that_wakes_ends_one_wait(waiter: SignalWaiter) -> None:
    thread = threading.Thread(target=waiter.wake)
    thread.start()
    assert not waiter.wait(60)
    thread.join()
    assert not waiter.wait(0)
    for _ in range(100_000):  # more than the buffer has room for
        waiter.wake()
    assert not waiter.wait(60)
