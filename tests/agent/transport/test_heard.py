"""What the agent logs about servers that hear it, and that do not any more."""

import logging
from typing import Any

import pytest
from pombo_agent.transport.heard import MOST_CHANGES, Heard
from pombo_agent.transport.remedies import CLOCK, CONFLICT, SILENCE
from pombo_cli.logs import LimitedLogger
from support.clocks import Clock

EVERY = 600.0  # seconds in which the log repeats no line

Lines = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def heard(log: LimitedLogger, clock: Clock) -> Heard:
    assert log is not None  # its logger keeps the lines
    return Heard("a:5005", LimitedLogger(logging.getLogger("pombo_agent.tests"), EVERY, clock))


def messages(lines: Lines) -> list[str]:
    return [message for message, _ in lines]


def test_each_change_is_logged_once(heard: Heard, warnings: Lines, clock: Clock) -> None:
    for _ in range(3):
        for _ in range(4):
            heard.answered("192.0.2.1:7", accepted=True)
            clock.now += 5
        for _ in range(4):
            heard.missed("a new socket and lookup")
            clock.now += 5
    assert messages(warnings) == [
        "exporter answers",
        "exporter does not answer",
        *["exporter answers again", "exporter does not answer"] * 2,
    ]
    assert warnings[0][1] == {"server": "a:5005", "heard_from": "192.0.2.1:7"}
    assert warnings[1][1] == {
        "server": "a:5005",
        "trying": "a new socket and lookup",
        "remedy": SILENCE,
    }


def test_refused_report_is_answered_and_not_heard(heard: Heard, warnings: Lines) -> None:
    heard.answered("192.0.2.1:7", accepted=False)
    assert heard.is_heard is True
    assert warnings == []
    heard.answered("192.0.2.1:7", accepted=True)
    assert messages(warnings) == ["exporter answers"]


def test_server_that_never_answered_is_logged(heard: Heard, warnings: Lines) -> None:
    assert heard.is_heard is None
    heard.missed("a new socket and lookup")
    heard.missed("a new socket and lookup")
    heard.answered("192.0.2.1:7", accepted=True)
    assert messages(warnings) == ["exporter does not answer", "exporter answers"]


def test_lines_are_bounded_and_the_last_one_says_what_is(
    heard: Heard, warnings: Lines, clock: Clock
) -> None:
    start = clock.now
    while clock.now < start + EVERY:
        heard.answered("192.0.2.1:7", accepted=True)
        clock.now += 1
        heard.missed("a new socket and lookup")
        clock.now += 1
    assert 2 * MOST_CHANGES <= len(warnings) <= 2 * MOST_CHANGES + 2
    for _ in range(round(EVERY)):
        heard.missed("a new socket and lookup")
        clock.now += 1
    assert messages(warnings)[-1] == "exporter does not answer"
    for _ in range(round(EVERY)):
        heard.answered("192.0.2.1:7", accepted=True)
        clock.now += 1
    assert messages(warnings)[-1] == "exporter answers again"


def test_server_that_is_used_again_is_logged_again(heard: Heard, warnings: Lines) -> None:
    heard.answered("192.0.2.1:7", accepted=True)
    heard.forget()
    assert heard.is_heard is None
    heard.answered("192.0.2.1:8", accepted=True)
    assert messages(warnings) == ["exporter answers", "exporter answers again"]


def test_answer_after_an_error_of_sending_is_logged(heard: Heard, warnings: Lines) -> None:
    heard.failed()
    heard.answered("192.0.2.1:7", accepted=True)
    heard.failed()
    heard.failed()
    heard.answered("192.0.2.1:7", accepted=True)
    assert messages(warnings) == ["exporter answers", "exporter answers again"]


def test_clocks_that_differ_are_logged_once_in_a_while(
    heard: Heard, warnings: Lines, clock: Clock
) -> None:
    for ahead in (None, 0.0, 5.0, -5.0):
        heard.answered(accepted=True, clock_ahead=ahead)
    assert messages(warnings) == ["exporter answers"]
    for _ in range(3):
        heard.answered(accepted=True, clock_ahead=-86400.04)
    assert warnings[1:] == [
        (
            "clocks of this host and the exporter differ",
            {"server": "a:5005", "exporter_ahead_seconds": -86400.0, "remedy": CLOCK},
        )
    ]
    clock.now += EVERY
    heard.answered(accepted=True, clock_ahead=5.1)
    assert warnings[2][1]["exporter_ahead_seconds"] == 5.1


def test_conflict_is_logged_with_the_remedy(heard: Heard, warnings: Lines) -> None:
    heard.conflicts()
    heard.conflicts()
    assert warnings == [
        ("another agent reports under this name", {"server": "a:5005", "remedy": CONFLICT})
    ]


def test_what_only_probes_logs_nothing() -> None:
    quiet = Heard("a:5005", None)
    quiet.answered("192.0.2.1:7", accepted=True)
    quiet.missed("a new socket and lookup")
    quiet.conflicts()
    quiet.answered(clock_ahead=1e6)
    quiet.missed("a new socket and lookup")
    assert quiet.is_heard is False
