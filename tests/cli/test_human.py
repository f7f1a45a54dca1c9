"""Values with units, and texts made safe."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pombo_cli import human


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (99.9 * 1024, "99.9 KiB"),
        (100 * 1024, "100 KiB"),
        (1023.6 * 1024, "1.0 MiB"),
        (16 * 2**30, "16.0 GiB"),
        (2**80, "1048576 EiB"),
        (-2048, "-2.0 KiB"),
        (None, "-"),
    ],
)
def test_bytes_have_about_three_digits(count: float | None, text: str) -> None:
    assert human.size(count) == text


def test_speed_is_in_bytes_per_second() -> None:
    assert human.speed(2048) == "2.0 KiB/s"
    assert human.speed(None) == "-"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        *((0, "0 %"), (0.004, "0.4 %"), (0.0994, "9.9 %"), (0.0996, "10 %"), (0.25, "25 %")),
        *((1, "100 %"), (None, "-")),
    ],
)
def test_small_ratio_is_not_shown_as_zero(share: float | None, text: str) -> None:
    assert human.ratio(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.0000005, "0 µs"),
        (0.00025, "250 µs"),
        (0.25, "250 ms"),
        (0.9996, "1 s"),
        (2.5, "2.5 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (75, "1 min 15 s"),
        (3600, "1 h"),
        (3659, "1 h"),
        (7325, "2 h 2 min"),
        (3 * 86400 + 4 * 3600 + 59, "3 d 4 h"),
        (1000 * 86400, "1000 d"),
        (-90, "-1 min 30 s"),
        (None, "-"),
    ],
)
def test_duration_has_its_two_largest_units(seconds: float | None, text: str) -> None:
    assert human.span(seconds) == text


@given(st.floats(0, 1e12))
def test_any_duration_can_be_shown(seconds: float) -> None:
    assert human.span(seconds)[0].isdigit()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234567.0, "1,234,567"), (0.25, "0.25"), (1.0004, "1"), (-2.5, "-2.5")],
)
def test_number_has_no_trailing_zeros(value: float, text: str) -> None:
    assert human.number(value) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Müller 日本 🕊", "Müller 日本 🕊"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\x9b31m", "\\x9b31m"),
        ("\x00\x7f", "\\x00\\x7f"),
    ],
)
def test_untrusted_text_cannot_move_the_cursor(text: str, shown: str) -> None:
    assert human.printable(text) == shown


@given(st.text())
def test_any_text_can_be_shown(text: str) -> None:
    assert human.printable(text).isprintable()
