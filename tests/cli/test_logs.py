"""Log lines that stay lines, and the limit on how often one is repeated."""

import json
import logging
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pombo_cli.logs import Json, Limiter, Logfmt

HOSTILE = ["a\nlevel=error", "a\r\nb", "\x1b[31mred", 'say "x"', "back\\slash", "\u2028", "a=b"]
HOSTILE += ["", " ", "\x00", "\x7f", "\x85", "\ud800", "é"]


def record(message: str, *values: Any, level: int = logging.INFO, **fields: Any) -> Any:
    made = logging.LogRecord("pombo", level, __file__, 1, message, values, None)
    made.created, made.msecs = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp(), 6.0
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
def test_hostile_value_stays_in_its_quotes_on_its_line(value: str) -> None:
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


def test_json_line_holds_the_same_pairs() -> None:
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


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_line_a_span_passes_and_tells_how_many_were_held_back() -> None:
    clock = Clock()
    limiter = Limiter(10, clock)
    assert [limiter.allows("x") for _ in range(4)] == [0, None, None, None]
    clock.now = 9.9
    assert limiter.allows("x") is None
    clock.now = 10
    assert limiter.allows("x") == 4
    assert limiter.allows("x") is None


def test_keys_are_limited_each_by_itself() -> None:
    limiter = Limiter(10, Clock())
    assert [limiter.allows(key) for key in "abab"] == [0, 0, None, None]


def test_flood_of_keys_is_held_back_and_the_known_ones_go_on() -> None:
    clock = Clock()
    limiter = Limiter(10, clock, keys=2)
    assert [limiter.allows(key) for key in "abc"] == [0, 0, None]
    clock.now = 10
    assert limiter.allows("a") == 0


def test_old_keys_make_room_for_new_ones() -> None:
    clock = Clock()
    limiter = Limiter(10, clock, keys=2)
    assert [limiter.allows(key) for key in "ab"] == [0, 0]
    clock.now = 5
    assert limiter.allows("c") is None
    clock.now = 10
    assert limiter.allows("a") == 0
    assert limiter.allows("c") == 0  # b's span is over, a's has begun anew
    assert limiter.allows("d") is None
