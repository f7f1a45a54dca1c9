"""Filesystems that do not answer, as threads that the tests hold back."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pombo_agent.collectors.mount_timeout import MOST_HANGING, Asker
from pombo_cli.logs import LimitedLogger

Warnings = list[tuple[str, dict[str, Any]]]


class Server:
    """Answers each path with its length, but for those that hang until they are let go."""

    def __init__(self) -> None:
        self.hanging: dict[str, threading.Event] = {}
        self.asked: list[str] = []

    def __call__(self, path: str) -> int:
        self.asked.append(path)
        if path in self.hanging:
            assert self.hanging[path].wait(60), f"{path} was never let go"
        if path == "/forbidden":
            raise PermissionError(path)
        return len(path)

    def hang(self, *paths: str) -> None:
        self.hanging |= {path: threading.Event() for path in paths}

    def let_go(self) -> None:
        for event in self.hanging.values():
            event.set()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.let_go()


def test_every_path_is_answered(server: Server, log: LimitedLogger, warnings: Warnings) -> None:
    assert Asker(server, log)(["/", "/home", "/"]) == {"/": 1, "/home": 5}
    assert server.asked == ["/", "/home"]
    assert [message for message, _ in warnings] == []


def test_hung_mount_costs_only_itself(
    server: Server, log: LimitedLogger, warnings: Warnings
) -> None:
    server.hang("/nfs")
    assert Asker(server, log)(["/", "/nfs", "/home"]) == {"/": 1, "/home": 5}
    assert warnings == [("filesystem does not answer, left out", {"path": "/nfs"})]


def test_hung_mount_is_not_asked_again_until_it_answers(server: Server, log: LimitedLogger) -> None:
    server.hang("/nfs")
    ask = Asker(server, log)
    for _ in range(3):
        assert ask(["/nfs", "/"]) == {"/": 1}
    assert server.asked.count("/nfs") == 1

    server.let_go()
    end = time.monotonic() + 30
    while ask(["/nfs", "/"]) != {"/nfs": 4, "/": 1}:
        assert time.monotonic() < end, "waited 30 s for /nfs to be asked again"
        time.sleep(0.01)


def test_many_hung_mounts_neither_hide_the_others_for_ever_nor_pile_up(
    server: Server, log: LimitedLogger, warnings: Warnings
) -> None:
    hanging = [f"/nfs{number}" for number in range(8)]
    server.hang(*hanging)
    ask = Asker(server, log)
    found = [ask([*hanging, "/"]) for _ in range(4)]
    assert found[-1] == {"/": 1}
    assert {path: server.asked.count(path) for path in hanging} == dict.fromkeys(hanging, 1)
    message = "no time for filesystems behind those that do not answer"
    assert (message, {"count": 4}) in warnings


def test_hanging_calls_are_bounded(
    server: Server, log: LimitedLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pombo_agent.collectors.mount_timeout.PATIENCE_SECONDS", 0.001)
    hanging = [f"/nfs{number}" for number in range(MOST_HANGING + 10)]
    server.hang(*hanging)
    ask = Asker(server, log)
    for _ in range(3):
        assert ask(hanging) == {}
    assert len(server.asked) == MOST_HANGING


def test_failing_mount_is_left_out_and_told(
    server: Server, log: LimitedLogger, warnings: Warnings
) -> None:
    assert Asker(server, log)(["/forbidden", "/"]) == {"/": 1}
    assert [message for message, _ in warnings] == ["filesystem left out"]


def test_no_thread_is_left_behind(server: Server, log: LimitedLogger) -> None:
    before = set(threading.enumerate())
    Asker(server, log)(["/", "/home"])
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
        assert not thread.is_alive(), "waited 30 s for the thread to end"
