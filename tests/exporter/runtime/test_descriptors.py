"""How many connections there is room for."""

import logging
import resource
from collections.abc import Iterator

import pytest
from pombo_exporter.runtime.descriptors import connections_within_limit

ROOM = 100  # more files than a test has open


@pytest.fixture
def hard() -> Iterator[int]:
    """Return the hard limit of open files, and restore the soft one."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_all_are_allowed_where_there_is_room() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert connections_within_limit(4) == 4
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


def test_soft_limit_is_raised_as_far_as_it_is_needed(
    hard: int, caplog: pytest.LogCaptureFixture
) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (ROOM, hard))
    assert connections_within_limit(ROOM) == ROOM
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert ROOM < soft < 2 * ROOM
    assert caplog.records == []


def test_no_more_are_allowed_than_the_hard_limit_has_room_for(
    hard: int, caplog: pytest.LogCaptureFixture
) -> None:
    allowed = connections_within_limit(2**31)
    assert hard - ROOM < allowed < hard
    [line] = caplog.records
    assert line.levelno == logging.WARNING
    assert "LimitNOFILE" in vars(line)["fields"]["remedy"]
