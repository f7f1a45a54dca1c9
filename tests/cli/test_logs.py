"""Log lines that stay lines, and the rate limit of repeated ones."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pombo_cli.logs import Json, LimitedLogger, Limiter, Logfmt
from support.clocks import Clock

HOSTILE = ["a\nlevel=error", "a\r\nb", "\x1b[31mred", 'say "x"', "back\\slash", "\u2028", "a=b"]
HOSTILE += ["", " ", "\x00", "\x7f", "\x85", "\ud800", "é"]


def record(message: str, *values: Any, level: int = logging.INFO, **fields: Any) -> Any:
    made = logging.LogRecord("pombo", level, __file__, 1, message, values, None)
    made.created, made.msecs = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc).timestamp(), 6.0
    made.fields = fields
    return made


def test_line_has_time_level_message_and_fields_in_that_order() -> None:
    line = Logfmt().format(record("host is down", host="pi", after=15.0))
    assert line == 'ts=2026-01-02T03:04:05.006Z level=info msg="host is down" host=pi after=15.0'


@pytest.mark.parametrize(
    ("level", "name"),
    [
        (logging.DEBUG, "debug"),
        (logging.INFO, "info"),
        (logging.WARNING, "warn"),
        (logging.ERROR, "error"),
        (logging.CRITICAL, "error"),
    ],
)
def test_levels_have_the_names_of_the_flag(level: int, name: str) -> None:
    assert f" level={name} " in Logfmt().format(record("x", level=level))


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_value_stays_quoted_and_on_its_line(value: str) -> None:
    line = Logfmt().format(record(value, host=value))
    assert line.isascii()
    assert line.isprintable()
    head, message, host = line.partition(" msg=")[0], line.partition(" msg=")[2], ""
    message, _, host = message.rpartition(" host=")
    assert head == "ts=2026-01-02T03:04:05.006Z level=info"
    assert json.loads(message) == json.loads(host) == value


@given(st.text(st.characters(exclude_categories=())))
def test_any_value_makes_one_line_in_either_format(value: str) -> None:
    for formatter in (Logfmt(), Json()):
        line = formatter.format(record(value, host=value))
        assert line.isascii()
        assert line.isprintable()


def test_json_line_has_the_same_pairs() -> None:
    assert json.loads(Json().format(record("a\nb", host="pi"))) == {
        "ts": "2026-01-02T03:04:05.006Z",
        "level": "info",
        "msg": "a\nb",
        "host": "pi",
    }


def test_traceback_stays_on_the_line_of_its_message() -> None:
    made = record("it broke")
    try:
        int("a\nb")
    except ValueError:
        made.exc_info = sys.exc_info()
    line = Logfmt().format(made)
    assert line.isprintable()
    assert "ValueError: invalid literal" in line


@pytest.mark.parametrize(("level", "shown"), [("debug", 3), ("info", 2), ("warn", 1), ("error", 0)])
def test_lines_below_the_level_are_not_written(level: str, shown: int) -> None:
    script = (
        "import logging, pombo_cli.logs as logs\n"
        f"logs.set_up({level!r}, 'json')\n"
        "for name in ('debug', 'info', 'warning'): getattr(logging, name)('x')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == ""
    assert [json.loads(line)["msg"] for line in done.stderr.splitlines()] == ["x"] * shown


def test_one_event_is_allowed_per_period_and_the_suppressed_ones_are_counted() -> None:
    clock = Clock(0.0)
    limiter = Limiter(10, clock)
    assert [limiter.allows("x") for _ in range(4)] == [0, None, None, None]
    clock.now = 9.9
    assert limiter.allows("x") is None
    clock.now = 10
    assert limiter.allows("x") == 4
    assert limiter.allows("x") is None


def test_keys_are_limited_each_by_itself() -> None:
    limiter = Limiter(10, Clock(0.0))
    assert [limiter.allows(key) for key in "abab"] == [0, 0, None, None]


def test_flood_of_new_keys_is_suppressed_and_known_keys_continue() -> None:
    clock = Clock(0.0)
    limiter = Limiter(10, clock, max_keys=2)
    assert [limiter.allows(key) for key in "abc"] == [0, 0, None]
    clock.now = 10
    assert limiter.allows("a") == 0


def test_oldest_key_is_replaced_once_its_period_is_over() -> None:
    clock = Clock(0.0)
    limiter = Limiter(10, clock, max_keys=2)
    assert [limiter.allows(key) for key in "ab"] == [0, 0]
    clock.now = 5
    assert limiter.allows("c") is None
    clock.now = 10
    assert limiter.allows("a") == 0
    assert limiter.allows("c") == 0  # the period of b is over, that of a has begun again
    assert limiter.allows("d") is None


class Lines(logging.Handler):
    """Keeps the formatted lines."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(Json())
        self.lines: list[dict[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        pairs = json.loads(self.format(record))
        del pairs["ts"]
        self.lines.append(pairs)


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


@pytest.fixture
def log(lines: Lines, clock: Clock) -> Iterator[LimitedLogger]:
    logger = logging.getLogger("pombo_cli.tests")
    logger.setLevel(logging.INFO)
    logger.addHandler(lines)
    yield LimitedLogger(logger, 10, clock, max_keys=2)
    logger.removeHandler(lines)


def test_first_line_of_a_key_has_its_level_and_its_fields(log: LimitedLogger, lines: Lines) -> None:
    log.log(logging.INFO, "host is new", key="new pi", host="pi")
    log.warning("host is down", key="down pi", host="pi", after=15.0)
    assert lines.lines == [
        {"level": "info", "msg": "host is new", "host": "pi"},
        {"level": "warn", "msg": "host is down", "host": "pi", "after": "15.0"},
    ]


def test_next_line_of_a_key_says_how_many_were_suppressed(
    log: LimitedLogger, lines: Lines, clock: Clock
) -> None:
    for _ in range(4):
        log.warning("datagram refused", key="x")
    clock.now = 10
    log.warning("datagram refused", key="x", reason="not_json")
    clock.now = 20
    log.warning("datagram refused", key="x")
    first = {"level": "warn", "msg": "datagram refused"}
    assert lines.lines == [first, {**first, "reason": "not_json", "suppressed": "3"}, first]


def test_new_keys_beyond_the_bound_are_suppressed(log: LimitedLogger, lines: Lines) -> None:
    for key in "abc":
        log.warning(key, key=key)
    assert [line["msg"] for line in lines.lines] == ["a", "b"]


def test_event_that_is_suppressed_without_its_fields_is_counted(
    log: LimitedLogger, lines: Lines, clock: Clock
) -> None:
    assert not log.suppresses("a"), "it was never written"
    log.warning("first", key="a")
    assert [log.suppresses("a"), log.suppresses("b"), log.suppresses("a")] == [True, False, True]
    clock.now += 10
    assert not log.suppresses("a")
    log.warning("second", key="a")
    assert [line.get("suppressed") for line in lines.lines] == [None, "2"]


def test_line_below_the_level_does_not_count(log: LimitedLogger, lines: Lines) -> None:
    for _ in range(4):
        log.log(logging.DEBUG, "host is late", key="x")
    log.warning("host is down", key="x")
    assert lines.lines == [{"level": "warn", "msg": "host is down"}]


def test_bytes_are_escaped(log: LimitedLogger, lines: Lines) -> None:
    log.warning("datagram refused", key="x", datagram=b"{\n\xff")
    assert lines.lines[0]["datagram"] == "b'{\\n\\xff'"
