"""Calls that hang, in threads that the tests release."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pombo_agent.collectors.mount_timeout import MAX_HANGING, MountCaller
from pombo_cli.logs import LimitedLogger

Warnings = list[tuple[str, dict[str, Any]]]


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

    def wait_for_threads(self) -> None:
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive(), "waited 30 s for the thread to end"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.release()


def test_every_path_has_its_result(server: Server, log: LimitedLogger, warnings: Warnings) -> None:
    call = MountCaller(server, log, call_timeout=30, round_timeout=30)
    assert call(["/", "/home", "/"]) == {"/": 1, "/home": 5}
    assert server.called == ["/", "/home"]
    assert [message for message, _ in warnings] == []


def test_hung_mount_costs_only_itself(
    server: Server, log: LimitedLogger, warnings: Warnings
) -> None:
    server.hang("/nfs")
    call = MountCaller(server, log, call_timeout=0.5, round_timeout=30)
    assert call(["/", "/nfs", "/home"]) == {"/": 1, "/home": 5}
    assert warnings == [("skipped filesystem: stat has not returned", {"path": "/nfs"})]


def test_hung_mount_is_not_called_again_until_its_call_returns(
    server: Server, log: LimitedLogger
) -> None:
    server.hang("/nfs")
    call = MountCaller(server, log, call_timeout=0.5, round_timeout=30)
    for _ in range(3):
        assert call(["/nfs", "/"]) == {"/": 1}
    assert server.called.count("/nfs") == 1

    server.release()
    server.wait_for_threads()
    assert call(["/nfs", "/"]) == {"/nfs": 4, "/": 1}


def test_many_hung_mounts_neither_hide_the_others_for_ever_nor_pile_up(
    server: Server, log: LimitedLogger, warnings: Warnings
) -> None:
    hanging = [f"/nfs{number}" for number in range(8)]
    server.hang(*hanging)
    call = MountCaller(server, log)
    found = [call([*hanging, "/"]) for _ in range(4)]
    assert found[-1] == {"/": 1}
    assert {path: server.called.count(path) for path in hanging} == dict.fromkeys(hanging, 1)
    assert ("skipped filesystems: stat deadline exceeded", {"count": 4}) in warnings


def test_hanging_calls_are_bounded(server: Server, log: LimitedLogger) -> None:
    hanging = [f"/nfs{number}" for number in range(MAX_HANGING + 10)]
    server.hang(*hanging)
    call = MountCaller(server, log, call_timeout=0.001)
    for _ in range(3):
        assert call(hanging) == {}
    assert len(server.called) == MAX_HANGING


def test_failing_mount_is_skipped_and_logged(
    server: Server, log: LimitedLogger, warnings: Warnings
) -> None:
    call = MountCaller(server, log, call_timeout=30, round_timeout=30)
    assert call(["/forbidden", "/"]) == {"/": 1}
    assert [message for message, _ in warnings] == ["skipped filesystem: stat failed"]


def test_no_thread_is_left_behind(server: Server, log: LimitedLogger) -> None:
    before = set(threading.enumerate())
    MountCaller(server, log)(["/", "/home"])
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
        assert not thread.is_alive(), "waited 30 s for the thread to end"
