"""When the cyclic garbage collector runs."""

import gc
import weakref
from collections.abc import Iterator

import pytest
from pombo_exporter.runtime.gc_tuning import MOST_SECONDS, HostFreezer


class Cycle:
    """Refers to itself, so only the collector frees it."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def freezer() -> Iterator[HostFreezer]:
    yield HostFreezer()
    gc.unfreeze()
    gc.enable()


def garbage() -> "weakref.ref[Cycle]":
    return weakref.ref(Cycle())


def test_cycles_are_freed_between_answers_and_not_while_one_is_made(freezer: HostFreezer) -> None:
    freezer.collect(100.0, is_working=False)
    found = garbage()
    many: list[list[int]] = [[] for _ in range(100_000)]  # which would have made the collector run
    assert found() is not None
    freezer.collect(101.0, is_working=True)
    assert found() is not None
    freezer.collect(102.0, is_working=False)
    assert found() is None
    assert len(many) == 100_000


def test_answers_without_a_pause_do_not_keep_cycles_for_ever(freezer: HostFreezer) -> None:
    freezer.collect(100.0, is_working=False)
    found = garbage()
    freezer.collect(100.0 + MOST_SECONDS - 1, is_working=True)
    assert found() is not None
    freezer.collect(100.0 + MOST_SECONDS, is_working=True)
    assert found() is None


def test_cycles_of_hosts_that_were_added_are_freed_before_they_are_frozen(
    freezer: HostFreezer,
) -> None:
    found = garbage()
    for _ in range(64):
        freezer.host_added()
    assert found() is None
