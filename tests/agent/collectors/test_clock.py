"""The collectors of module ``clock``: time and timex."""

import pytest
from pombo_agent.collectors import clock


def test_current_clock_source_is_1_and_the_others_are_0() -> None:
    assert clock.parse_clock_sources("0", "tsc hpet acpi_pm \n", "hpet\n") == [
        {"device": "0", "clocksource": "tsc", "current": 0},
        {"device": "0", "clocksource": "hpet", "current": 1},
        {"device": "0", "clocksource": "acpi_pm", "current": 0},
    ]


ADJTIMEX = {
    "offset": -250_000,
    "freq": 65_536_000,
    "maxerror": 16_000_000,
    "esterror": 500,
    "status": 0x2001,
    "constant": 7,
    "precision": 1,
    "tolerance": 32_768_000,
    "tv_sec": 0,
    "tv_usec": 0,
    "tick": 10_000,
    "ppsfreq": -65_536_000_000,
    "jitter": 2_000,
    "shift": 4,
    "stabil": 131_072_000_000,
    "jitcnt": 1,
    "calcnt": 2,
    "errcnt": 3,
    "stbcnt": 5,
    "tai": 37,
}


def test_timex_in_nanoseconds_becomes_seconds() -> None:
    found = clock.timex(0, ADJTIMEX)
    assert (found.offset, found.pps_jitter) == (-0.00025, 0.000002)
    assert found.frequency_ratio == pytest.approx(1.001)
    assert (found.maxerror, found.estimated_error, found.tick) == (16.0, 0.0005, 0.01)
    assert (found.pps_frequency, found.pps_stability) == (-1.0, 2.0)
    assert (found.status, found.sync_status, found.tai_offset) == (8193, 1, 37)
    counts = found.pps_jitter_exceeded, found.pps_calibrations, found.pps_errors
    assert (*counts, found.pps_stability_exceeded, found.pps_shift) == (1, 2, 3, 5, 4)


def test_timex_in_microseconds_becomes_seconds() -> None:
    found = clock.timex(5, ADJTIMEX | {"status": 64})
    assert (found.offset, found.pps_jitter) == (-0.25, 0.002)
    assert found.sync_status == 0
